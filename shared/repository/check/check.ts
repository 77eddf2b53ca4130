import { delegatedNames } from '../../tuf/delegation.ts'
import { byExpiry } from '../../tuf/expiry.ts'
import type { Delegations, MetaFile, Root } from '../../tuf/metadata.ts'
import type { TopLevelRole } from '../../tuf/names.ts'
import { checkRoot, verifyFirstRoot, verifySuccession } from '../../tuf/root.ts'
import { kindsIn } from '../clients.ts'
import { type DelegatedFile, type Expected, type FileOptions, fileCheck, type Seen } from './files.ts'
import type { CheckReport } from './report.ts'

export interface CheckOptions extends Pick<FileOptions, 'read' | 'now'> {
  /** Called as files are read; `total` grows while more roles become known. */
  readonly progress?: (read: number, total: number) => void
  /** Takes half of the files where there are many. */
  readonly helper?: CheckHelper | undefined
}

/** Looks at the files of delegated roles in another thread, by `fileCheck`; `onRead` is called as they are read. */
export type CheckHelper = (delegated: readonly DelegatedFile[], onRead: (files: number) => void) => Promise<HelpedCheck>

export interface HelpedCheck {
  readonly seen: Seen
  /** See `checkDelegated`. */
  readonly below: readonly (Delegations | undefined)[]
}

interface Delegating {
  readonly file: string
  readonly delegations: Delegations
}

/** Fewer files are read before another thread has begun. */
const manyFiles = 1024

/**
 * Verifies everything that a client could read, as a client would, from the first root to the last delegated role. What is
 * wrong is reported, not thrown, and what does not depend on it is looked at all the same.
 */
export async function checkRepository({ progress, helper, ...options }: CheckOptions): Promise<CheckReport> {
  let known = 0
  let read = 0
  const onRead = (files = 1) => {
    read += files
    progress?.(read, Math.max(read, known + traits.rootVersions + 3))
  }
  const { seen, ...check } = fileCheck({ ...options, onRead: () => onRead() })
  const { traits } = seen
  const helped: Seen[] = []

  const snapshot = await checkBelow(await checkRoots())
  return { ...together([seen, ...helped]), inSnapshot: new Set(snapshot?.keys()) }

  /** The newest root that can be trusted. */
  async function checkRoots(): Promise<Root | undefined> {
    let current: Root | undefined
    for (let version = 1; ; version++) {
      const file = `${version}.root.json`
      const bytes = await check.readFile(file, 'root')
      if (bytes === undefined) {
        if (current === undefined) check.report(file, 'missing', 'There is no first root, so no client can begin.')
        else await checkNoneBehind(file, `${version + 1}.root.json`)
        break
      }
      const root = check.decode('root', file, bytes)
      if (root === undefined) break
      const before: Root | undefined = current
      const trusted = check.attempt(file, 'untrusted', () =>
        before === undefined ? verifyFirstRoot(root) : verifySuccession(before, root),
      )
      if (!trusted) break
      current = root.signed
      traits.rootVersions = version
    }
    const newest = current
    if (newest === undefined) return undefined
    const file = `${newest.version}.root.json`
    check.note('root', file, newest)
    for (const key of newest.keys.values()) traits.schemes.add(key.scheme)
    return check.attempt(file, 'untrusted', () => checkRoot(newest)) ? newest : undefined
  }

  /** Who has put the file away need not have changed an online key by that root: all else may look as it should. */
  async function checkNoneBehind(missing: string, next: string): Promise<void> {
    if ((await options.read(next)) === undefined) return
    check.report(
      missing,
      'missing',
      `There is no ${missing}, but a ${next}, which clients of an earlier root never reach.`,
    )
  }

  /** Returns what the snapshot names, as far as there is one. */
  async function checkBelow(root: Root | undefined): Promise<ReadonlyMap<string, MetaFile> | undefined> {
    if (root === undefined) return undefined
    const expected = (role: TopLevelRole): Expected => ({ signers: root.roles[role], keys: root.keys })
    const timestamp = await check.load('timestamp', 'timestamp', 'timestamp.json', expected('timestamp'))
    const snapshotMeta = timestamp?.signed.meta.get('snapshot.json')
    if (snapshotMeta === undefined) return undefined
    const snapshotFile = `${snapshotMeta.version}.snapshot.json`
    const snapshot = await check.load('snapshot', 'snapshot', snapshotFile, {
      ...expected('snapshot'),
      meta: snapshotMeta,
    })
    traits.rolesInSnapshot = snapshot?.signed.meta.size ?? 0
    const targetsMeta = snapshot?.signed.meta.get('targets.json')
    if (snapshot === undefined || targetsMeta === undefined) return snapshot?.signed.meta
    const top = await check.loadTargets('targets', { ...expected('targets'), meta: targetsMeta })
    const file = `${targetsMeta.version}.targets.json`
    if (top?.delegations !== undefined) await checkLevels({ file, delegations: top.delegations }, snapshot.signed.meta)
    return snapshot.signed.meta
  }

  /** Level by level below the top-level targets; each role once, however many delegate to it. */
  async function checkLevels(top: Delegating, snapshot: ReadonlyMap<string, MetaFile>): Promise<void> {
    const met = new Set(['targets'])
    for (let level: readonly Delegating[] = [top]; level.length > 0; ) {
      const found = level.flatMap(({ file, delegations }) =>
        namesIn(file, delegations).map((role) => ({ role, delegations })),
      )
      const next = found
        .filter(({ role }) => !met.has(role) && met.add(role))
        .map((one) => ({ ...one, meta: snapshot.get(`${one.role}.json`) }))
      const below = await checkLevel(next)
      level = next.flatMap(({ role, meta }, at) => {
        const delegations = below[at]
        return delegations === undefined ? [] : { file: `${meta?.version}.${role}.json`, delegations }
      })
    }
  }

  async function checkLevel(delegated: readonly DelegatedFile[]): Promise<readonly (Delegations | undefined)[]> {
    if (helper === undefined || delegated.length < manyFiles) return check.checkDelegated(delegated)
    const middle = delegated.length / 2
    const helping = helper(delegated.slice(middle), onRead)
    const [own, other] = await Promise.all([check.checkDelegated(delegated.slice(0, middle)), helping])
    helped.push(other.seen)
    return [...own, ...other.below]
  }

  function namesIn(file: string, delegations: Delegations): string[] {
    for (const kind of kindsIn(delegations)) traits.delegations.add(kind)
    for (const key of delegations.keys.values()) traits.schemes.add(key.scheme)
    let names: string[] = []
    // Somebody else's metadata may have bins that we would not make.
    check.attempt(file, 'unreadable', () => {
      names = delegatedNames(delegations)
    })
    known += names.length
    return names
  }
}

function together(parts: readonly [Seen, ...Seen[]]): Omit<CheckReport, 'inSnapshot'> {
  const [{ traits }, ...others] = parts
  for (const { traits: other } of others) {
    for (const version of other.specVersions) traits.specVersions.add(version)
    if (other.sizes.targets.bytes > traits.sizes.targets.bytes) traits.sizes.targets = other.sizes.targets
    traits.withoutSha256 ||= other.withoutSha256
    for (const hash of other.otherHashes) traits.otherHashes.add(hash)
  }
  return {
    findings: parts.flatMap(({ findings }) => findings),
    roles: parts.flatMap(({ roles }) => roles).sort(byExpiry),
    files: new Set(parts.flatMap(({ files }) => [...files])),
    targets: parts.reduce((sum, { targets }) => sum + targets, 0),
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    traits,
  }
}
