import assert from 'node:assert/strict'
import type { Entry } from '../../shared/repository/journal.ts'
import { formatExpires, type TargetFile } from '../../shared/tuf/metadata.ts'

type TargetFiles = ReadonlyMap<string, TargetFile>

const day = 24 * 60 * 60 * 1000

/** Each change that the journal names was made, and no other. */
export function changesAreExplained({ changes }: Entry, before: TargetFiles, after: TargetFiles): void {
  for (const change of changes) {
    assert.deepEqual(change.before, before.get(change.path), `the journal's old value of ${change.path}`)
    assert.deepEqual(change.after, after.get(change.path), `the journal's new value of ${change.path}`)
  }
  const named = new Set(changes.map(({ path }) => path))
  for (const path of new Set([...before.keys(), ...after.keys()]))
    if (!named.has(path)) assert.deepEqual(after.get(path), before.get(path), `${path} is not in the journal`)
}

/** What the commit signed lives as many days from its time on as the settings say now. */
export function filesExpireAsSettingsSay(
  { creates, time }: Entry,
  expiration: ReadonlyMap<string, number>,
  metadata: ReadonlyMap<string, Uint8Array>,
): void {
  for (const file of [...creates, 'timestamp.json']) {
    const role = file.replace(/^\d+\./, '').replace(/\.json$/, '')
    const days = expiration.get(role.startsWith('bins') ? 'bins' : role) ?? 30
    const { signed } = JSON.parse(Buffer.from(metadata.get(file) ?? '').toString())
    assert.equal(signed.expires, formatExpires(new Date(Date.parse(time) + days * day)), `the expiry of ${file}`)
  }
}

/** `accepted`: ids of tasks in the order in which each submitter got them; `decided`: in that of the commits. */
export function everythingIsDone(
  accepted: readonly (readonly string[])[],
  decided: readonly string[],
  state: ReadonlyMap<string, Uint8Array>,
): void {
  for (const ids of accepted) {
    for (const id of ids) assert.ok(decided.includes(id), `accepted task ${id} was lost`)
    const inOrder = [...ids].sort((one, other) => decided.indexOf(one) - decided.indexOf(other))
    assert.deepEqual(inOrder, ids, 'tasks were not decided in the order of acceptance')
  }
  for (const id of decided) assert.ok(state.has(`tasks/${id}.json`), `task ${id} was never finished`)
  const inbox = [...state.keys()].filter((name) => name.startsWith('inbox/'))
  assert.deepEqual(inbox, [], 'tasks still wait')
}
