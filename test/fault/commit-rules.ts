import assert from 'node:assert/strict'
import type { Stretch } from '../../shared/repository/blocks.ts'
import { sha256 } from '../../shared/repository/documents.ts'
import type { BootstrapDocument } from '../../shared/repository/found.ts'
import type { Entry } from '../../shared/repository/journal.ts'
import { formatExpires } from '../../shared/tuf/expiry.ts'
import type { TargetFile } from '../../shared/tuf/metadata.ts'

type TargetFiles = ReadonlyMap<string, TargetFile>

const day = 24 * 60 * 60 * 1000

/**
 * The first commit builds on the seal: before it there is every root that the bootstrap brought, as it came, and it gives no version
 * again that clients have seen.
 */
export function followsSeal(
  { number, base }: Pick<Entry, 'number' | 'base'>,
  head: BootstrapDocument | undefined,
  { state, metadata }: Readonly<Record<'state' | 'metadata', ReadonlyMap<string, Uint8Array>>>,
): void {
  const bytes = state.get('bootstrap.json')
  assert.ok(bytes && head?.sealed, 'a commit before the seal')
  assert.deepEqual(base, { number: 0, sha256: sha256(bytes) }, 'the first commit builds on the seal')
  const { roots = [], highestVersion = 0 } = head.sealed.request.predecessor ?? {}
  for (const [at, text] of roots.entries())
    assert.equal(Buffer.from(metadata.get(`${at + 1}.root.json`) ?? '').toString(), text, `root ${at + 1} as it was`)
  assert.ok(metadata.has(`${roots.length + 1}.root.json`), 'a timestamp before the root that the bootstrap brought')
  assert.ok(number > highestVersion, `the first commit is ${number}, and clients have seen ${highestVersion}`)
}

/** Each change that the journal names was made, and no other. */
export function changesAreExplained(
  { changes, imported, listed }: Entry,
  before: TargetFiles,
  after: TargetFiles,
  stored: Stored,
): void {
  const all: readonly Change[] = [
    ...changes,
    ...(imported === undefined ? [] : changesIn(imported, stored)),
    ...(listed === undefined ? [] : changesListed(listed, stored)),
  ]
  for (const change of all) {
    assert.deepEqual(change.before, before.get(change.path), `the journal's old value of ${change.path}`)
    assert.deepEqual(change.after, after.get(change.path), `the journal's new value of ${change.path}`)
  }
  const named = new Set(all.map(({ path }) => path))
  for (const path of new Set([...before.keys(), ...after.keys()]))
    if (!named.has(path)) assert.deepEqual(after.get(path), before.get(path), `${path} is not in the journal`)
}

type Change = Pick<Entry['changes'][number], 'path' | 'before' | 'after'>

type Stored = (name: string) => Uint8Array | undefined

const linesIn = (stored: Stored, name: string) =>
  Buffer.from(stored(name) ?? '')
    .toString()
    .split('\n')
    .filter((line) => line !== '')

/** Each block is what its hash says, and together they have all lines. */
function blocksAreWhole(
  blocks: readonly (Stretch & { readonly lines?: number })[],
  file: string,
  stored: Stored,
): void {
  const bytes = stored(file) ?? new Uint8Array()
  const texts = blocks.map(({ start, end, sha256: hash, lines }) => {
    const block = bytes.subarray(start, end)
    assert.equal(sha256(block), hash, `a block of ${file}`)
    const text = Buffer.from(block).toString().trimEnd()
    if (lines !== undefined) assert.equal(text.split('\n').length, lines, `the lines of a block of ${file}`)
    return text
  })
  assert.equal(texts.join('\n'), linesIn(stored, file).join('\n'), `the blocks of ${file}`)
}

function changesListed({ file, except, changes, blocks }: NonNullable<Entry['listed']>, stored: Stored): Change[] {
  blocksAreWhole(blocks ?? [], file, stored)
  const all: Change[] = linesIn(stored, file).map((line) => JSON.parse(line))
  assert.equal(all.length, changes, `the changes in ${file}`)
  return all.filter(({ path }) => !except.includes(path))
}

function changesIn(
  { bulk, before, except, addedByTaskId, blocks = [] }: NonNullable<Entry['imported']>,
  stored: Stored,
): Change[] {
  blocksAreWhole(blocks, bulk, stored)
  const blocksBefore = blocks.flatMap((block) => block.before ?? [])
  if (before !== undefined) blocksAreWhole(blocksBefore, before, stored)
  const lines = (name: string) => linesIn(stored, name)
  const held = new Map<string, TargetFile>()
  for (const line of before === undefined ? [] : lines(before)) {
    const { path, info } = JSON.parse(line)
    held.set(path, info)
  }
  const custom = addedByTaskId !== undefined && { custom: { added_by_task_id: addedByTaskId } }
  return lines(bulk)
    .map((line) => line.split(';'))
    .filter(([path = '']) => !except.includes(path))
    .map(([path = '', length, , sha256 = '']) => {
      const info = held.get(path)
      return { path, after: { length: Number(length), hashes: { sha256 }, ...custom }, ...(info && { before: info }) }
    })
}

/** What the commit signed lives as many days from its time on as the settings say now. */
export function filesExpireAsSettingsSay(
  { creates, time }: Entry,
  expiration: ReadonlyMap<string, number>,
  metadata: ReadonlyMap<string, Uint8Array>,
  timeOf: (number: number) => string,
): void {
  for (const file of [...creates, 'timestamp.json']) {
    const role = file.replace(/^\d+\./, '').replace(/\.json$/, '')
    const days = expiration.get(role.startsWith('bins') ? 'bins' : role) ?? 30
    const { signed } = JSON.parse(Buffer.from(metadata.get(file) ?? '').toString())
    // What was signed ahead has a number of its own.
    const made = file === 'timestamp.json' ? time : timeOf(Number.parseInt(file, 10))
    assert.equal(signed.expires, formatExpires(new Date(Date.parse(made) + days * day)), `the expiry of ${file}`)
  }
}

/** `accepted`: ids of tasks in the order in which each submitter got them; `decided`: in that of the commits. */
export function everythingIsDone(
  accepted: readonly (readonly string[])[],
  decided: readonly string[],
  state: ReadonlyMap<string, Uint8Array>,
  isLong: (id: string) => boolean,
): void {
  for (const all of accepted) {
    const ids = all.filter((id) => !isLong(id))
    for (const id of all) assert.ok(decided.includes(id), `accepted task ${id} was lost`)
    const inOrder = [...ids].sort((one, other) => decided.indexOf(one) - decided.indexOf(other))
    assert.deepEqual(inOrder, ids, 'tasks were not decided in the order of acceptance')
  }
  for (const id of decided) assert.ok(state.has(`tasks/${id}.json`), `task ${id} was never finished`)
  const inbox = [...state.keys()].filter((name) => name.startsWith('inbox/'))
  assert.deepEqual(inbox, [], 'tasks still wait')
  // A request that came again when its task was finished waits for the collector.
  for (const [name, bytes] of state)
    if (name.startsWith('preparations/'))
      assert.deepEqual(JSON.parse(Buffer.from(bytes).toString()).rounds, [], `${name} was left behind`)
}
