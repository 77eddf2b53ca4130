import { type BinDelegation, binDelegations } from '../tuf/bins.ts'
import { canonicalBytes } from '../tuf/canonical.ts'
import { type Key, keyid as keyidOf, publicPart } from '../tuf/keys.ts'
import type { Root, TargetFile } from '../tuf/metadata.ts'
import type { Signed } from '../tuf/signed.ts'
import { textFault } from './artifact-rules.ts'
import {
  type Client,
  type DelegationKind,
  type OtherHash,
  obstacles,
  otherHashOf,
  type RepositoryTraits,
  type SizedRole,
  secondsToRefresh,
  takesOther,
} from './clients.ts'
import { Refusal, shown } from './errors.ts'
import type { SigningGroup } from './signing.ts'

/**
 * The rules that only some clients need, each by what `clients.ts` says of those that a deployment serves. A file that one of
 * them could not read is refused before it is signed; what costs a client less than everything is a warning.
 */

/** From this part of a cap on, a file is said to come near it. */
const near = 0.8

/** How big files may be. Clients that follow no delegation ask for none of our targets. */
export function capOf(served: readonly Client[], type: SizedRole): number {
  return Math.min(...readersOf(served, type).map(({ largest }) => largest[type]))
}

export const isNear = (bytes: number, cap: number) => bytes >= near * cap

/** The timestamp states the length of our snapshot, so that its caps are those of clients that do not go by it. */
function readersOf(served: readonly Client[], type: SizedRole): Client[] {
  if (type === 'snapshot') return served.filter(({ goesByLength }) => !goesByLength)
  return type === 'targets' ? served.filter(({ reads }) => reads.length > 0) : [...served]
}

const howToShrink: Readonly<Record<SizedRole, string>> = {
  root: 'Name fewer keys in it, or smaller ones (Ed25519 or P-256 instead of RSA)',
  timestamp: 'Have fewer keys sign it, with a lower threshold',
  snapshot: 'Use fewer hash bins',
  targets: 'Remove artifacts from it, shorten their "custom", or spread them over more roles or hash bins',
}

/** Throws a Refusal if a served client would not take a file of this size. */
export function refuseTooLarge(served: readonly Client[], type: SizedRole, { name, bytes }: Sized): void {
  const lost = readersOf(served, type).filter(({ largest }) => bytes > largest[type])
  if (lost.length === 0) return
  const cap = Math.min(...lost.map(({ largest }) => largest[type]))
  const [takes, them] = lost.length === 1 ? ['takes', 'it'] : ['take', 'them']
  throw new Refusal(
    `The file of ${name} would have ${bytes} bytes, and ${namesOf(lost)} ${takes} ${cap} at most. ${howToShrink[type]}; ` +
      `or, if nobody uses ${them}, ${leaveOut(lost)}.`,
    { too_large: { name, bytes, cap, clients: lost.map(({ id }) => id) } },
  )
}

/** A file, or what is to become one. */
interface Sized {
  readonly name: string
  readonly bytes: number
}

/** What to say of files that come near a cap: nothing, or one warning. */
export function sizeWarnings(served: readonly Client[], type: SizedRole, files: readonly Sized[]): string[] {
  const cap = capOf(served, type)
  const close = files.filter(({ bytes }) => isNear(bytes, cap)).sort((one, other) => other.bytes - one.bytes)
  if (close.length === 0) return []
  const readers = readersOf(served, type).filter(({ largest }) => largest[type] === cap)
  const sizes = close.map(({ name, bytes }) => `${name} has ${bytes} bytes (${Math.floor((100 * bytes) / cap)} %)`)
  return [`Of the ${cap} bytes that ${namesOf(readers)} can read, ${shown(sizes)}. In good time: ${howToShrink[type]}.`]
}

/**
 * Throws a Refusal if a served client could not read this root, as big as it is once the holders in `groups` have signed it, or
 * could not verify a key that it adds to those of `before`, or would make other bytes of its text. Returns warnings.
 */
export function checkRootFor(
  served: readonly Client[],
  root: Signed<Root>,
  groups: readonly SigningGroup[],
  before?: Root,
): string[] {
  const { version, keys, roles } = root.signed
  // Where the root before has such text, whoever loses by it is lost already.
  const fault = before !== undefined && textFault(before) !== undefined ? undefined : textFault(root.signed)
  if (fault !== undefined) throw new Refusal(`Root version ${version} ${fault} Then have it signed again.`)
  const name = `root version ${version}`
  const bytes = root.bytes.length + Math.max(...groups.map((group) => missingSignatures(root, group)))
  refuseTooLarge(served, 'root', { name, bytes })
  const timestampKeys = [roles.timestamp, ...(before === undefined ? [] : [before.roles.timestamp])]
  const timestamp = timestampKeys.map(({ keyids, threshold }) => signatureBytes(keyids.slice(0, threshold), keys))
  refuseTooLarge(served, 'timestamp', { name: 'timestamp', bytes: 400 + timestamp.reduce((a, b) => a + b, 0) })
  const added = [...keys].filter(([keyid]) => before?.keys.has(keyid) !== true)
  for (const [keyid, key] of added) refuseUnverified(served, `Root version ${version} names key ${keyid}`, key)
  return [
    ...sizeWarnings(served, 'root', [{ name, bytes }]),
    ...keyidWarnings(served, root.signed),
    ...rotationWarnings(served, version),
  ]
}

/** Throws a Refusal if a served client does not verify signatures of this key. */
export function refuseUnverified(served: readonly Client[], what: string, { scheme }: Key): void {
  const lost = served.filter(({ schemes }) => !schemes.includes(scheme))
  if (lost.length === 0) return
  throw new Refusal(
    `${what}, whose signatures (${scheme}) ${namesOf(lost)} ${lost.length === 1 ? 'does' : 'do'} not verify. ` +
      `Use a key of scheme ${lost[0]?.schemes.join(' or ')}; or, if nobody uses that client, ${leaveOut(lost)}.`,
  )
}

/** Keys that `strictKeyids` refuses: `rstuf` makes the keyid before it adds fields of its own to the key. */
export const oddKeyids = ({ keys }: Root) =>
  [...keys].filter(([keyid, key]) => keyid !== keyidOf(key)).map(([keyid]) => keyid)

function keyidWarnings(served: readonly Client[], root: Root): string[] {
  const strict = served.filter(({ strictKeyids }) => strictKeyids)
  const others = oddKeyids(root)
  if (strict.length === 0 || others.length === 0) return []
  return [
    `${namesOf(strict)} refuses a root with key ${others.join(', ')}: its keyid is not the SHA-256 of all that the root says of it, ` +
      'as with keys to which rstuf adds a name (take such fields out before the next root is signed), or that python-tuf named up to version 3 (bring others).',
  ]
}

function rotationWarnings(served: readonly Client[], version: number): string[] {
  const tired = served.filter(({ rootRotations }) => isNear(version, rootRotations))
  if (tired.length === 0) return []
  const most = Math.min(...tired.map(({ rootRotations }) => rootRotations))
  return [
    `Root version ${version}: ${namesOf(tired)} follows ${most} roots at once. Give new clients a newer root to begin with than version 1.`,
  ]
}

/** Which of the served clients cannot read the repository; clients with the same reasons and ways out together. */
export function readingWarnings(served: readonly Client[], traits: RepositoryTraits): string[] {
  const said = (client: Client) => `${obstacles(client, traits).join('; ')}. ${wayOut(client, traits)}`
  const lost = served.filter((client) => obstacles(client, traits).length > 0)
  return [...Map.groupBy(lost, said)].map(([why, clients]) => {
    const [they, them] = clients.length === 1 ? ['it', 'it'] : ['each', 'them']
    return `${namesOf(clients)} cannot read this repository: ${they} ${why}If nobody uses ${them}, ${leaveOut(clients)}.`
  })
}

/** For a client that only the kind of hash bins keeps away: that is chosen once. */
function wayOut(client: Client, traits: RepositoryTraits): string {
  const kind = binsFor([client])
  const would = { ...traits, delegations: new Set([...traits.delegations].filter(isNoKindOfBins)) }
  if (kind === undefined || obstacles(client, would).length > 0) return ''
  return `Hash bins by ${kind} would be found, in a new repository (tuffet ceremony --delegation ${kind}). `
}

const isNoKindOfBins = (kind: DelegationKind) => !binDelegations.some((bins) => bins === kind)

/** The kind of hash bins that all of these clients follow, if there is one. */
export function binsFor(clients: readonly Client[]): BinDelegation | undefined {
  return binDelegations.find((kind) => clients.every(({ reads }) => reads.includes(kind)))
}

/** Which of the served clients take long over a snapshot that names so many roles. */
export function slownessWarnings(served: readonly Client[], roles: number): string[] {
  return served.flatMap((client) => {
    const seconds = secondsToRefresh(client, roles)
    if (seconds === undefined) return []
    return [
      `${client.name} takes about ${seconds} seconds or more for each refresh, for the snapshot names ${roles} roles. ` +
        'Roles stay in it for good, so only a new repository with fewer hash bins is quicker. ' +
        `If nobody uses ${client.name}, ${leaveOut([client])}.`,
    ]
  })
}

/** A set, for `in` has each path that it is asked about kept among the names of properties. */
const inherited = new Set(Object.getOwnPropertyNames(Object.prototype))

/** What some clients cannot read of artifacts that were taken as they were sent. */
export function artifactWarnings(
  served: readonly Client[],
  artifacts: readonly { readonly path: string; readonly info: TargetFile }[],
): string[] {
  const paths = (odd: (artifact: (typeof artifacts)[number]) => boolean) =>
    artifacts.filter(odd).map(({ path }) => path)
  const otherHash = (other: OtherHash) => ({
    clients: served.filter((client) => !takesOther(client, other)),
    paths: paths(({ info }) => otherHashOf(info.hashes) === other),
  })
  const rules = [
    {
      ...otherHash('alone'),
      why: 'they do not read blake2b-256 (only python-tuf does). Send sha256 alone, and every client finds it',
    },
    {
      ...otherHash('beside'),
      why: 'they take no blake2b-256, not even beside sha256. Send sha256 alone, and every client finds it',
    },
    {
      clients: served.filter(({ mixesUpNames }) => mixesUpNames),
      paths: paths(({ path }) => inherited.has(path)),
      why: 'every JavaScript object has something of this name, so the search for it ends too early. Choose another name, or put it into a directory',
    },
  ]
  return rules
    .filter(({ clients, paths }) => clients.length > 0 && paths.length > 0)
    .map(({ clients, paths, why }) => `${namesOf(clients)} will not find ${shown(paths)}: ${why}.`)
}

/** Throws a Refusal if one of the clients needs what these artifacts do not have. `count`: where there are more than `paths`. */
export function refuseWithoutSha256(readers: readonly Client[], paths: readonly string[], count = paths.length): void {
  const lost = readers.filter(({ needsSha256 }) => needsSha256)
  if (lost.length === 0) return
  const [reads, them] = lost.length === 1 ? ['reads', 'it'] : ['read', 'them']
  throw new Refusal(
    `${namesOf(lost)} ${reads} nothing of a repository in which one target has no SHA-256, and none is given for ` +
      `${shown(paths, count)}. Send sha256, alone or beside others; or, if nobody uses ${them}, ${leaveOut(lost)}.`,
  )
}

/** What to say where more roles are trusted with one path than a client visits in search of it. */
export function visitWarnings(served: readonly Client[], path: string, roles: number): string[] {
  // Beside them it visits targets.
  const tired = served.filter(({ reads, visits }) => reads.length > 0 && roles + 1 > visits)
  if (tired.length === 0) return []
  const most = Math.min(...tired.map(({ visits }) => visits))
  return [
    `${roles} roles are trusted with paths such as ${path}, and ${namesOf(tired)} visit ${most} roles at most. ` +
      'Make their patterns narrower, or some of them terminating.',
  ]
}

/** What to say of terminating roles whose patterns some clients take to match what is another role's. */
export function reachWarnings(readers: readonly Client[], roles: readonly string[]): string[] {
  const far = readers.filter(({ reachesDeeper }) => reachesDeeper)
  if (far.length === 0 || roles.length === 0) return []
  return [
    `${namesOf(far)} takes * and ? in a pattern for "/", too, and looks no further after a terminating role: below the patterns of ` +
      `${shown(roles)} it will not find what lies deeper, in other roles. Make them not terminating; or, if nobody uses it, ${leaveOut(far)}.`,
  ]
}

/** The bytes that signatures still to come will add to a file. */
export function missingSignatures(
  { signatures }: Pick<Signed, 'signatures'>,
  { roleKeys, keys }: SigningGroup,
): number {
  const unsigned = roleKeys.keyids.filter((id) => signatures.every(({ keyid, sig }) => keyid !== id || sig === ''))
  const missing = roleKeys.threshold - (roleKeys.keyids.length - unsigned.length)
  return signatureBytes(unsigned.slice(0, Math.max(0, missing)), keys)
}

const aroundSignature = canonicalBytes({ keyid: '', sig: '' }).length + 1

function signatureBytes(keyids: readonly string[], keys: ReadonlyMap<string, Key>): number {
  return keyids.map((id) => aroundSignature + id.length + signatureLength(keys.get(id))).reduce((a, b) => a + b, 0)
}

/** In hex digits. An RSA signature is as long as the modulus, which makes up most of the key's PEM in base64. */
function signatureLength(key: Key | undefined): number {
  return key?.scheme === 'rsassa-pss-sha256' ? Math.ceil((publicPart(key).length * 3) / 2) : 144
}

const namesOf = (clients: readonly Client[]) => clients.map(({ name }) => name).join(', ')

const leaveOut = (clients: readonly Client[]) =>
  `take ${clients.map(({ id }) => id).join(', ')} out of the clients served (tuffet config set clients=…)`
