import type { Hashes } from '../tuf/metadata.ts'

/** The ways in which a role hands a path on to another. */
export type DelegationKind = 'paths' | 'path_hash_prefixes' | 'succinct_roles'

/** What a TUF client, as released, can read: tried or read from its source. Sizes in bytes. */
export interface Client {
  readonly name: string
  readonly reads: readonly DelegationKind[]
  readonly largest: Readonly<Record<SizedRole, number>>
  /** Where timestamp or snapshot state a file's length, the client goes by that instead of its own limit. */
  readonly goesByLength: boolean
  readonly schemes: readonly string[]
  readonly specVersions?: readonly string[]
  /** Root versions that it follows at once. */
  readonly rootRotations: number
  /** Why it can read no repository that the others read. */
  readonly never?: string
}

export type SizedRole = 'root' | 'timestamp' | 'snapshot' | 'targets'

/** What of a repository decides whether a client can read it. */
export interface RepositoryTraits {
  readonly delegations: ReadonlySet<DelegationKind>
  /** The biggest file of each kind; `stated` if its length is in the metadata that names it. */
  readonly sizes: Readonly<Record<SizedRole, { readonly bytes: number; readonly stated: boolean }>>
  readonly schemes: ReadonlySet<string>
  readonly specVersions: ReadonlySet<string>
  readonly rootVersions: number
  /** Some target has no SHA-256. */
  readonly withoutSha256: boolean
}

const everyScheme = ['ed25519', 'ecdsa-sha2-nistp256', 'rsassa-pss-sha256']
const usual = {
  largest: { root: 512_000, timestamp: 16_384, snapshot: 2_000_000, targets: 5_000_000 },
  goesByLength: true,
  schemes: everyScheme,
  rootRotations: 256,
} as const
const mebibyte = 1024 * 1024

const knownClients: readonly Client[] = [
  { name: 'python-tuf 7', reads: ['paths', 'path_hash_prefixes', 'succinct_roles'], ...usual },
  { name: 'tuf-js 6', reads: ['paths', 'path_hash_prefixes', 'succinct_roles'], ...usual },
  // It finds nothing behind hash prefixes up to 2.4.2; mended upstream, not released.
  { name: 'go-tuf 2.4', reads: ['paths', 'succinct_roles'], ...usual },
  { name: 'go-tuf 0.7', reads: ['paths', 'path_hash_prefixes'], ...usual },
  {
    name: 'tough 0.24',
    reads: ['paths', 'path_hash_prefixes'],
    largest: { root: mebibyte, timestamp: mebibyte, snapshot: mebibyte, targets: 10 * mebibyte },
    goesByLength: true,
    schemes: everyScheme,
    rootRotations: 1024,
  },
  {
    name: 'sigstore-java 2',
    reads: [],
    largest: { root: 101_376, timestamp: 101_376, snapshot: 2_000_000, targets: 2_000_000 },
    goesByLength: true,
    schemes: everyScheme,
    rootRotations: 256,
  },
  { name: 'tuf-browser 0.1', reads: [], ...usual },
  { name: 'rust-tuf 0.3', reads: [], ...usual, schemes: ['ed25519'], specVersions: ['1.0', '1.0.0'] },
  {
    name: 'php-tuf',
    reads: ['paths', 'path_hash_prefixes'],
    never: 'computes keyids in a way that others refuse',
    largest: { root: 100_000, timestamp: 100_000, snapshot: 100_000, targets: 100_000 },
    goesByLength: true,
    schemes: ['ed25519'],
    rootRotations: 1024,
  },
]

/** Whether hashes hold one that every client knows. */
export const hasSha256 = (hashes: Hashes) => Object.hasOwn(hashes, 'sha256')

/** The clients that follow this way of delegating, and those that do not. */
export function clientsOf(kind: DelegationKind): { readonly reached: string[]; readonly lost: string[] } {
  // Only those that follow some delegation at all: the others are lost to every repository like ours.
  const delegating = knownClients.filter(({ reads, never }) => reads.length > 0 && never === undefined)
  const names = (reads: boolean) =>
    delegating.filter((client) => client.reads.includes(kind) === reads).map(({ name }) => name)
  return { reached: names(true), lost: names(false) }
}

/** Why a client cannot read a repository; empty if it can. */
function obstacles(client: Client, traits: RepositoryTraits): string[] {
  const found: string[] = client.never === undefined ? [] : [client.never]
  const kinds = [...traits.delegations].filter((kind) => !client.reads.includes(kind))
  if (kinds.length > 0) found.push(`does not follow ${kinds.join(', ')}`)
  for (const [role, { bytes, stated }] of Object.entries(traits.sizes)) {
    const cap = client.largest[role as SizedRole]
    if (bytes > cap && !(stated && client.goesByLength))
      found.push(`takes ${role} up to ${cap} bytes, and there is one of ${bytes}`)
  }
  const schemes = [...traits.schemes].filter((scheme) => !client.schemes.includes(scheme))
  if (schemes.length > 0) found.push(`does not verify ${schemes.join(', ')}`)
  const versions = [...traits.specVersions].filter((version) => client.specVersions?.includes(version) === false)
  if (versions.length > 0) found.push(`refuses spec_version ${versions.join(', ')}`)
  if (traits.rootVersions > client.rootRotations)
    found.push(`follows ${client.rootRotations} roots, and there are ${traits.rootVersions}`)
  if (traits.withoutSha256 && !client.name.startsWith('python-tuf'))
    found.push('needs SHA-256, which some targets do not have')
  return found
}

/** What each known client makes of a repository. */
export function clientVerdicts(traits: RepositoryTraits): { name: string; reads: boolean; why: string[] }[] {
  return knownClients.map((client) => {
    const why = obstacles(client, traits)
    return { name: client.name, reads: why.length === 0, why }
  })
}
