/** What the harness and a driver say to each other: one request per line, one answer per line (README.md). */

export interface Request {
  /** Both end with a slash. */
  metadataUrl: string
  targetsUrl: string
  /** File with the root metadata to trust on first use. */
  root: string
  /** The client's own directory: what it keeps between two requests lies there and nowhere else. */
  state: string
  targets: readonly string[]
}

export type Answer =
  | { ok: true; versions: Versions; targets: TargetAnswer[] }
  /** The refresh failed. */
  | { ok: false; error: string }

export interface Versions {
  root: number
  timestamp: number
  snapshot: number
}

export type TargetAnswer =
  /** Downloaded; length and hashes agree with trusted metadata. The digest is the driver's own, of the bytes it was handed. */
  | { path: string; outcome: 'verified'; sha256: string }
  /** No trusted role lists it. */
  | { path: string; outcome: 'absent' }
  /** The metadata on the way to it, its download or its verification failed. */
  | { path: string; outcome: 'refused'; error: string }
