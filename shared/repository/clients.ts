import type { Delegations, Hashes } from '../tuf/metadata.ts'

/** The ways in which a role hands a path on to another. */
export type DelegationKind = 'paths' | 'path_hash_prefixes' | 'succinct_roles'

/** The ways that these delegations take. */
export function kindsIn({ roles = [], succinct_roles: succinct }: Delegations): DelegationKind[] {
  const kinds = roles.map(({ paths }): DelegationKind => (paths === undefined ? 'path_hash_prefixes' : 'paths'))
  return [...new Set(kinds), ...(succinct === undefined ? [] : (['succinct_roles'] as const))]
}

/** What settings call the clients. */
export const clientIds = [
  'python-tuf',
  'tuf-js',
  'go-tuf',
  'go-tuf-v0',
  'tough',
  'sigstore-java',
  'tuf-browser',
  'rust-tuf',
  'php-tuf',
] as const
export type ClientId = (typeof clientIds)[number]

/** Those that a deployment serves unless it says otherwise: rust-tuf and php-tuf ask for a repository of their own. */
export const defaultClients: readonly ClientId[] = clientIds.filter((id) => id !== 'rust-tuf' && id !== 'php-tuf')

/** What a TUF client, as released, can read: tried or read from its source. Sizes in bytes. */
export interface Client {
  readonly id: ClientId
  readonly name: string
  readonly reads: readonly DelegationKind[]
  readonly largest: Readonly<Record<SizedRole, number>>
  /** Where timestamp or snapshot state a file's length, the client goes by that instead of its own limit. */
  readonly goesByLength: boolean
  readonly schemes: readonly string[]
  readonly specVersions?: readonly string[]
  /** Root versions that it follows at once. */
  readonly rootRotations: number
  /** Roles that it visits to find one target. */
  readonly visits: number
  /** It takes a key under the SHA-256 of all its fields and under no other keyid. */
  readonly strictKeyids?: boolean
  /** How it takes a hash that is neither SHA-256 nor SHA-512: alone, beside one of those, or not at all. */
  readonly otherHashes: OtherHash | 'never'
  /** It reads nothing of a repository in which one target has no SHA-256. */
  readonly needsSha256?: boolean
  /** It takes a path that is the name of something which every JavaScript object has for one that it has found. */
  readonly mixesUpNames?: boolean
  /** It takes `*` and `?` in a pattern for "/", too. */
  readonly reachesDeeper?: boolean
  /** Seconds of computing that a refresh costs, from so many roles in the snapshot on: measured, fewest roles first. */
  readonly slowFrom?: readonly { readonly roles: number; readonly seconds: number }[]
  /** Why it can read no repository that the others read. */
  readonly never?: string
}

/** Where a hash stands that is neither SHA-256 nor SHA-512. */
export type OtherHash = 'alone' | 'beside'

export type SizedRole = 'root' | 'timestamp' | 'snapshot' | 'targets'

/** What of a repository decides whether a client can read it. */
export interface RepositoryTraits {
  readonly delegations: ReadonlySet<DelegationKind>
  /** The biggest file of each kind; `stated` if its length is in the metadata that names it. */
  readonly sizes: Readonly<Record<SizedRole, FileSize>>
  readonly schemes: ReadonlySet<string>
  readonly specVersions: ReadonlySet<string>
  readonly rootVersions: number
  /** How many roles the snapshot names, those included that nobody delegates to any more. */
  readonly rolesInSnapshot: number
  /** Some target has no SHA-256. */
  readonly withoutSha256: boolean
  /** See `otherHashOf`: those of all targets. */
  readonly otherHashes: ReadonlySet<OtherHash>
}

export interface FileSize {
  readonly bytes: number
  readonly stated: boolean
  /** Its name, where one is known. */
  readonly file?: string
}

const everyScheme = ['ed25519', 'ecdsa-sha2-nistp256', 'rsassa-pss-sha256']
const usual = {
  largest: { root: 512_000, timestamp: 16_384, snapshot: 2_000_000, targets: 5_000_000 },
  goesByLength: true,
  schemes: everyScheme,
  rootRotations: 256,
  visits: 32,
} as const
const mebibyte = 1024 * 1024

const knownClients: readonly Client[] = [
  {
    id: 'python-tuf',
    name: 'python-tuf 7',
    reads: ['paths', 'path_hash_prefixes', 'succinct_roles'],
    ...usual,
    otherHashes: 'alone',
  },
  {
    id: 'tuf-js',
    name: 'tuf-js 6',
    reads: ['paths', 'path_hash_prefixes', 'succinct_roles'],
    ...usual,
    otherHashes: 'never',
    mixesUpNames: true,
    // It copies all entries for each entry of a snapshot: twice the roles, four times the seconds.
    slowFrom: [
      { roles: 4096, seconds: 4 },
      { roles: 8192, seconds: 16 },
      { roles: 16_384, seconds: 76 },
    ],
  },
  // It finds nothing behind hash prefixes up to 2.4.2; mended upstream, not released.
  { id: 'go-tuf', name: 'go-tuf 2.4', reads: ['paths', 'succinct_roles'], ...usual, otherHashes: 'never' },
  { id: 'go-tuf-v0', name: 'go-tuf 0.7', reads: ['paths', 'path_hash_prefixes'], ...usual, otherHashes: 'never' },
  {
    id: 'tough',
    name: 'tough 0.24',
    reads: ['paths', 'path_hash_prefixes'],
    largest: { root: mebibyte, timestamp: mebibyte, snapshot: mebibyte, targets: 10 * mebibyte },
    goesByLength: true,
    schemes: everyScheme,
    rootRotations: 1024,
    // It reads every role when it starts, and then looks in all of them.
    visits: Number.POSITIVE_INFINITY,
    strictKeyids: true,
    otherHashes: 'beside',
    needsSha256: true,
    reachesDeeper: true,
  },
  {
    id: 'sigstore-java',
    name: 'sigstore-java 2',
    reads: [],
    largest: { root: 101_376, timestamp: 101_376, snapshot: 2_000_000, targets: 2_000_000 },
    goesByLength: true,
    schemes: everyScheme,
    rootRotations: 256,
    visits: 1,
    otherHashes: 'beside',
  },
  { id: 'tuf-browser', name: 'tuf-browser 0.1', reads: [], ...usual, otherHashes: 'beside' },
  {
    id: 'rust-tuf',
    name: 'rust-tuf 0.3',
    reads: [],
    ...usual,
    schemes: ['ed25519'],
    specVersions: ['1.0', '1.0.0'],
    otherHashes: 'never',
  },
  {
    id: 'php-tuf',
    name: 'php-tuf',
    reads: ['paths', 'path_hash_prefixes'],
    never: 'computes keyids in a way that others refuse',
    largest: { root: 100_000, timestamp: 100_000, snapshot: 100_000, targets: 100_000 },
    goesByLength: true,
    schemes: ['ed25519'],
    rootRotations: 1024,
    visits: 100,
    otherHashes: 'beside',
  },
]

/** The clients of these ids; those that are served by default if none are named. */
export function servedClients(ids: readonly ClientId[] = defaultClients): Client[] {
  return knownClients.filter(({ id }) => ids.includes(id))
}

/** Of those that are served by default, the ones that follow this way of delegating. */
export function defaultClientsOf(kind: DelegationKind): ClientId[] {
  return servedClients()
    .filter(({ reads }) => reads.includes(kind))
    .map(({ id }) => id)
}

/** Whether hashes hold one that every client knows. */
export const hasSha256 = (hashes: Hashes) => Object.hasOwn(hashes, 'sha256')

/** How a hash that is neither SHA-256 nor SHA-512 stands among these; nothing if there is none. */
export function otherHashOf(hashes: Hashes): OtherHash | undefined {
  let usual = false
  let other = false
  for (const algorithm of Object.keys(hashes)) {
    if (algorithm === 'sha256' || algorithm === 'sha512') usual = true
    else other = true
  }
  if (!other) return undefined
  return usual ? 'beside' : 'alone'
}

/** Whether the client finds targets with such a hash. */
export const takesOther = ({ otherHashes }: Client, other: OtherHash) =>
  otherHashes === 'alone' || otherHashes === other

/** The clients that follow this way of delegating, and those that do not. */
export function clientsOf(kind: DelegationKind): { readonly reached: string[]; readonly lost: string[] } {
  // Only those that follow some delegation at all: the others are lost to every repository like ours.
  const delegating = knownClients.filter(({ reads, never }) => reads.length > 0 && never === undefined)
  const names = (reads: boolean) =>
    delegating.filter((client) => client.reads.includes(kind) === reads).map(({ name }) => name)
  return { reached: names(true), lost: names(false) }
}

/** Why a client cannot read a repository; empty if it can. */
export function obstacles(client: Client, traits: RepositoryTraits): string[] {
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
  if (traits.withoutSha256 && client.needsSha256)
    found.push('reads nothing unless each target has a SHA-256, which some do not have')
  for (const other of traits.otherHashes) {
    if (!takesOther(client, other)) found.push(`does not find targets with ${otherHashWords[other]}`)
  }
  return found
}

const otherHashWords: Readonly<Record<OtherHash, string>> = {
  alone: 'neither SHA-256 nor SHA-512',
  beside: 'another hash beside SHA-256 or SHA-512',
}

/** What a refresh costs a client at least, where that is worth a word. */
export function secondsToRefresh({ slowFrom = [] }: Client, rolesInSnapshot: number): number | undefined {
  return slowFrom.findLast(({ roles }) => rolesInSnapshot >= roles)?.seconds
}

export interface Verdict {
  readonly id: ClientId
  readonly name: string
  readonly reads: boolean
  /** What keeps it from reading the repository. */
  readonly why: readonly string[]
  /** What it costs a client that can. */
  readonly slow?: string
}

/** What each known client makes of a repository. */
export function clientVerdicts(traits: RepositoryTraits): Verdict[] {
  return knownClients.map((client) => {
    const why = obstacles(client, traits)
    const verdict = { id: client.id, name: client.name, reads: why.length === 0, why }
    const seconds = secondsToRefresh(client, traits.rolesInSnapshot)
    if (!verdict.reads || seconds === undefined) return verdict
    return {
      ...verdict,
      slow: `${seconds} s or more for a refresh: the snapshot names ${traits.rolesInSnapshot} roles`,
    }
  })
}
