import { canonicalText } from '../../shared/tuf/canonical.ts'
import type { Targets } from '../../shared/tuf/metadata.ts'
import { plural, short, table } from '../table.ts'

const shownAtMost = 40

/** What a signature on this metadata of a role stands for, and how it differs from what clients read now. */
export function describeContent(role: string, next: Targets, published: Targets | undefined): string {
  const facts = [
    `Role ${role}, version ${next.version}, until ${next.expires}: ${plural(next.targets.size, 'artifact')}`,
    published === undefined
      ? 'Clients read nothing of this role yet.'
      : `Clients read version ${published.version}, until ${published.expires}: ${plural(published.targets.size, 'artifact')}`,
  ]
  const changes = targetChanges(next, published)
  const more = changes.length > shownAtMost ? [`  and ${changes.length - shownAtMost} more`] : []
  const delegations = canonicalText(next.delegations ?? null) !== canonicalText(published?.delegations ?? null)
  return [
    ...facts,
    ...(changes.length === 0 && published !== undefined ? ['Its artifacts stay as they are.'] : []),
    ...(changes.length > 0 ? [table(changes.slice(0, shownAtMost))] : []),
    ...more,
    ...(delegations ? ['What it delegates to changes:', ...delegationLines(next, published)] : []),
  ].join('\n')
}

function targetChanges(next: Targets, published: Targets | undefined): string[][] {
  const before = published?.targets
  const changed = [...next.targets].flatMap(([path, target]) => {
    const old = before?.get(path)
    if (old !== undefined && canonicalText(old) === canonicalText(target)) return []
    const [[algorithm, digest] = ['', '']] = Object.entries(target.hashes)
    const facts = [plural(target.length, 'byte'), `${algorithm} ${short(digest)}`]
    return [[`  ${old === undefined ? '+' : '~'} ${path}`, ...facts]]
  })
  const gone = [...(before?.keys() ?? [])].filter((path) => !next.targets.has(path)).map((path) => [`  - ${path}`])
  return [...changed, ...gone]
}

function delegationLines(next: Targets, published: Targets | undefined): string[] {
  const lines = (role: Targets | undefined) => {
    const { roles = [], succinct_roles: succinct } = role?.delegations ?? {}
    const named = roles.map(({ name, threshold, keyids, paths }) => {
      return `${name}: ${threshold} of ${keyids.join(', ')}${paths === undefined ? '' : `; ${paths.join(', ')}`}`
    })
    const bins =
      succinct && `${2 ** succinct.bit_length} hash bins: ${succinct.threshold} of ${succinct.keyids.join(', ')}`
    return [...named, ...(bins === undefined ? [] : [bins])]
  }
  const [before, after] = [lines(published), lines(next)]
  return [
    ...after.filter((line) => !before.includes(line)).map((line) => `  + ${line}`),
    ...before.filter((line) => !after.includes(line)).map((line) => `  - ${line}`),
  ]
}
