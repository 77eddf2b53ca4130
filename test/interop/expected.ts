/** What clients are to find in a repository, as its changes are sent and signed. */

import type { Decided } from '../support/holders.ts'
import type { Content } from './scenario.ts'

/** By path; nothing where it is removed. */
export type Changes = ReadonlyMap<string, Buffer | undefined>
type Details = Decided['details']

export interface Expected {
  content(): Content
  /** What a task has done that succeeded: now, or when the role that its result names is signed. */
  changed(changes: Changes, details?: Details): void
  /** What a change of delegations has done, or will do once it is signed. */
  delegated(details: Details): void
  signed(role: string, details: Details): void
  /** Nothing else waits any more. */
  waitingFor(roles: readonly string[]): void
  /** As it was with a commit. */
  remember(commit: number): void
  commits(): number[]
  returnTo(commit: number): void
}

export function expected(): Expected {
  let content: Content = new Map()
  const past = new Map<number, Content>()
  const waiting = new Map<string, Changes>()

  function change(changes: Changes): void {
    const next = new Map(content)
    for (const [path, bytes] of changes) {
      if (bytes === undefined) next.delete(path)
      else next.set(path, bytes)
    }
    content = next
  }

  const remove = (paths: unknown) => change(new Map(((paths ?? []) as string[]).map((path) => [path, undefined])))

  return {
    content: () => content,
    changed(changes, details = {}) {
      const [, role] = /^Role (\S+) is pending signatures$/.exec(String(details['update'])) ?? []
      if (role === undefined) change(changes)
      else waiting.set(role, changes)
    },
    delegated(details) {
      if (!('pending_roles' in details)) remove(details['removed_artifacts'])
    },
    signed(role, details) {
      if (details['update'] !== `Role ${role} signing complete`) return
      remove(details['removed_artifacts'])
      change(waiting.get(role) ?? new Map())
      waiting.delete(role)
    },
    waitingFor(roles) {
      for (const role of waiting.keys()) if (!roles.includes(role)) waiting.delete(role)
    },
    remember: (commit) => void past.set(commit, content),
    commits: () => [...past.keys()],
    returnTo(commit) {
      content = past.get(commit) ?? content
    },
  }
}
