import { byExpiry, day, expiresAt } from '../tuf/expiry.ts'
import { versionOf } from '../tuf/metadata.ts'
import { type Current, readRole, treeOfCurrent } from './current.ts'
import { findEntry } from './journal.ts'
import { isOfOnlineKeys } from './keys-not-held.ts'
import { inParallel } from './parallel.ts'
import { cacheCommitTime, cachedCommitTime, type Repository } from './repository.ts'
import { defaultDelegatedExpiration, expirationClass, expirationOf, isReservedName } from './settings.ts'
import { canSign, onlineGroup, signedBelow } from './tree.ts'

/** When a role was signed and expires. Its version tells, where that is the number of the commit that signed it. */
export interface Life {
  readonly role: string
  readonly version: number
  readonly signed: Date
  readonly expires: Date
}

/**
 * The online roles that have used up more than half of their life, those first that were signed first, and no more than
 * one cycle takes. Reads the journal entries of those that are due, and of the first that is not, however many roles there are.
 */
export async function dueRoles(repository: Repository, current: Current, now: Date): Promise<string[]> {
  const { cache, limits } = repository
  const settings = current.entry.state.settings
  if (cache.nextDue?.settings === settings && now < cache.nextDue.time) return []
  const due: string[] = []
  let next = Number.POSITIVE_INFINITY
  for (const queue of queuesByAge(repository, current)) {
    for (const signing of queue) {
      const half = halfLife(await lifeOf(repository, current, signing))
      if (half > now.getTime() || due.length >= limits.refreshedPerCycle) {
        next = Math.min(next, half)
        break
      }
      due.push(signing.role)
    }
  }
  // What is signed from now on becomes due by its own half life, even the shortest one.
  const days = [...Object.values(current.settings.expiration), defaultDelegatedExpiration]
  const shortest = Math.min(...days) * (day / 2)
  const time = new Date(due.length > 0 ? now.getTime() : Math.min(next, now.getTime() + shortest))
  cache.nextDue = { time, settings }
  return due
}

/** A role that the service signs, and the version that is visible. */
interface VisibleRole {
  readonly role: string
  readonly version: number
  /** It may have been signed elsewhere, under any version and for any time. */
  readonly elsewhere?: boolean
}

/** Each role that the service signs, in queues whose order is also that of their expiry. */
function queuesByAge(repository: Repository, current: Current): VisibleRole[][] {
  const { entry, snapshot, settings } = current
  const version = (role: string) => versionOf(snapshot.signed, role) ?? 0
  const single = [
    { role: 'timestamp', version: entry.number },
    { role: 'snapshot', version: snapshot.signed.version },
  ]
  const queues = new Map<string, VisibleRole[]>(single.map((role) => [role.role, [role]]))
  const { signers } = repository.ports
  const online = new Set(onlineGroup(current.root.signed, signers).roleKeys.keyids)
  const isOurs = (keyid: string) => online.has(keyid) && signers.some((signer) => signer.keyid === keyid)
  for (const { role, online: isOnline, keyids } of rolesWithTargets(repository, current)) {
    if (!isOnline) continue
    // Hash bins are never signed elsewhere, and are many.
    if (!(isReservedName(role) || keyids.every(isOurs))) {
      queues.set(`${role}/elsewhere`, [{ role, version: version(role), elsewhere: true }])
      continue
    }
    const era = settings.past.findIndex(({ through }) => version(role) <= through)
    const key = `${expirationClass(settings, role)}/${era}`
    const queue = queues.get(key) ?? []
    queues.set(key, queue)
    queue.push({ role, version: version(role) })
  }
  return [...queues.values()].map((queue) => queue.sort((one, other) => one.version - other.version))
}

/** Targets and all roles below, whether the service can sign them, and who may. */
function rolesWithTargets({ ports }: Repository, current: Current) {
  const { roles, keys } = current.root.signed
  const targets = { role: 'targets', group: { roleKeys: roles.targets, keys } }
  const all = [targets, ...signedBelow(treeOfCurrent(current))]
  // Many bins are of one group.
  let last = { group: targets.group, online: canSign(targets.group, ports.signers) }
  return all.map(({ role, group }) => {
    if (group !== last.group) last = { group, online: canSign(group, ports.signers) }
    return { role, online: last.online, keyids: group.roleKeys.keyids }
  })
}

/** Of each kind of online role the life that ends first, which is what a person wants to know of them. */
export async function firstToExpire(repository: Repository, current: Current): Promise<Life[]> {
  const oldest = queuesByAge(repository, current).flatMap((queue) => queue.slice(0, 1))
  const lives = await inParallel(oldest, repository.limits.parallel, (signing) => lifeOf(repository, current, signing))
  return lives.sort(byExpiry)
}

/**
 * The roles whose holders have to sign them anew, for the service cannot; the one that expires first in front. Those that the
 * root's online keys sign are not among them, even while the service has lost these: what it lacks then is its key.
 */
export async function signedOffline(repository: Repository, current: Current): Promise<Omit<Life, 'signed'>[]> {
  const isOurs = isOfOnlineKeys(current.root.signed)
  const offline = rolesWithTargets(repository, current).filter(({ online, keyids }) => !(online || isOurs(keyids)))
  const lives = await inParallel(offline, repository.limits.parallel, async ({ role }) => {
    const { signed } = await readRole(repository, current, role)
    return { role, version: signed.version, expires: expiresAt(signed) }
  })
  return lives.sort(byExpiry)
}

function halfLife({ signed, expires }: Life): number {
  return (signed.getTime() + expires.getTime()) / 2
}

async function lifeOf(repository: Repository, current: Current, signing: VisibleRole): Promise<Life> {
  const { role, version } = signing
  const life = expirationOf(current.settings, role, version) * day
  const signed = await timeOfSignature(repository, current, signing)
  if (signed !== undefined) return { role, version, signed, expires: new Date(signed.getTime() + life) }
  const metadata = role === 'snapshot' ? current.snapshot : await readRole(repository, current, role)
  const expires = expiresAt(metadata.signed)
  return { role, version, signed: new Date(expires.getTime() - life), expires }
}

/** Nothing where only the role itself can tell: it was signed elsewhere, or the entry of its commit is lost. */
async function timeOfSignature(
  repository: Repository,
  { entry }: Current,
  { version, elsewhere }: VisibleRole,
): Promise<Date | undefined> {
  if (elsewhere) return undefined
  return version === entry.number ? new Date(entry.time) : timeOfCommit(repository, version)
}

/** When a commit was made; nothing where its entry is lost. */
export async function timeOfCommit({ ports, cache }: Repository, number: number): Promise<Date | undefined> {
  const known = cachedCommitTime(cache, number)
  if (known !== undefined) return known
  const entry = await findEntry(ports.state, number)
  if (entry === undefined) return undefined
  const time = new Date(entry.time)
  cacheCommitTime(cache, number, time)
  return time
}
