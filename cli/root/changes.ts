import { canonicalText } from '../../shared/tuf/canonical.ts'
import type { Key } from '../../shared/tuf/keys.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { topLevelRoles } from '../../shared/tuf/names.ts'
import { table } from '../table.ts'
import { nameOf } from './holders.ts'

/** One thing in which two roots differ; without `before` it is new, without `after` it is gone. */
export interface Change {
  readonly what: string
  readonly before?: string
  readonly after?: string
}

/** Everything in which a root differs from the one before it, fields that we do not know included. */
export function changesBetween(current: Root, next: Root): Change[] {
  const changes: Change[] = [
    ...changed('version', String(current.version), String(next.version)),
    ...changed('expires', current.expires, next.expires),
  ]
  for (const role of topLevelRoles) {
    const [before, after] = [current.roles[role], next.roles[role]]
    changes.push(...changed(`threshold of ${role}`, String(before.threshold), String(after.threshold)))
    const gone = before.keyids.filter((keyid) => !after.keyids.includes(keyid))
    const come = after.keyids.filter((keyid) => !before.keyids.includes(keyid))
    changes.push(...gone.map((keyid) => ({ what: `key of ${role}`, before: shown(current, keyid) })))
    changes.push(...come.map((keyid) => ({ what: `key of ${role}`, after: shown(next, keyid) })))
    changes.push(...changedFields(before, after, ['threshold', 'keyids'], ` of ${role}`))
  }
  const [usedBefore, used] = [usedIn(current), usedIn(next)]
  for (const keyid of new Set([...current.keys.keys(), ...next.keys.keys()])) {
    const [before, after] = [current.keys.get(keyid), next.keys.get(keyid)]
    // Of a key that comes or goes with a role its keyid was said there, and that stands for it.
    const isSaid = before === undefined ? used.has(keyid) && isPlain(after) : !after && usedBefore.has(keyid)
    if (!isSaid) changes.push(...changed(`key ${keyid}`, textOf(before), textOf(after)))
  }
  return [...changes, ...changedFields(current, next, ['_type', 'version', 'expires', 'roles', 'keys'])]
}

/** What a root says beyond what every root has to say: fields that we do not know, and keys that no role names. */
export function saidBesides(root: Root): Change[] {
  const { _type, spec_version, version, expires, consistent_snapshot } = root
  const used = usedIn(root)
  const keys = new Map([...root.keys].filter(([keyid, key]) => used.has(keyid) && isPlain(key)))
  const roles = Object.fromEntries(
    topLevelRoles.map((role) => [role, { keyids: root.roles[role].keyids, threshold: root.roles[role].threshold }]),
  ) as Root['roles']
  return changesBetween({ _type, spec_version, version, expires, consistent_snapshot, keys, roles }, root)
}

/** A name that somebody gave it is shown with its keyid. */
function isPlain(key: Key | undefined): boolean {
  const plain = ['keytype', 'scheme', 'keyval', 'x-rstuf-key-name']
  return Object.keys(key ?? {}).every((field) => plain.includes(field))
}

const usedIn = ({ roles }: Root) => new Set(topLevelRoles.flatMap((role) => roles[role].keyids))

function changedFields(
  current: Readonly<Record<string, unknown>>,
  next: Readonly<Record<string, unknown>>,
  known: readonly string[],
  where = '',
): Change[] {
  const fields = [...new Set([...Object.keys(current), ...Object.keys(next)])].filter((field) => !known.includes(field))
  return fields.flatMap((field) => changed(`${field}${where}`, textOf(current[field]), textOf(next[field])))
}

const textOf = (value: unknown) => (value === undefined ? undefined : canonicalText(value))

function changed(what: string, before: string | undefined, after: string | undefined): Change[] {
  if (before === after) return []
  return [{ what, ...(before !== undefined && { before }), ...(after !== undefined && { after }) }]
}

function shown(root: Root, keyid: string): string {
  const name = nameOf(root, keyid)
  return name === undefined ? keyid : `${keyid} (${name})`
}

export function describeChanges(changes: readonly Change[]): string {
  return table(
    changes.map(({ what, before, after }) => {
      if (before === undefined) return [`  ${what}`, `+ ${after}`]
      return after === undefined ? [`  ${what}`, `- ${before}`] : [`  ${what}`, `${before} → ${after}`]
    }),
  )
}
