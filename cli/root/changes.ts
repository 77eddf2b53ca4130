import { canonicalText } from '../../shared/tuf/canonical.ts'
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
  }
  for (const [keyid, key] of next.keys) {
    const before = current.keys.get(keyid)
    if (before !== undefined) changes.push(...changed(`key ${keyid}`, canonicalText(before), canonicalText(key)))
  }
  const known = ['_type', 'version', 'expires', 'roles', 'keys']
  for (const field of new Set([...Object.keys(current), ...Object.keys(next)])) {
    if (known.includes(field)) continue
    const [before, after] = [current[field as keyof Root], next[field as keyof Root]]
    const text = (value: unknown) => (value === undefined ? undefined : canonicalText(value as never))
    changes.push(...changed(field, text(before), text(after)))
  }
  return changes
}

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
