import assert from 'node:assert/strict'
import { type Entry, entryName, type StateName } from '../../shared/repository/journal.ts'
import type { Stores } from './world.ts'

/** Each file and each piece of private state is one that an entry names, and that entry is there. */
export async function everythingIsExplained(
  { metadata, state }: Stores,
  signedElsewhere: readonly string[],
): Promise<void> {
  const entryOf = async (name: string, number: number): Promise<Entry> => {
    const stored = await state.read(entryName(number))
    assert.ok(stored, `${name} is there, and no entry ${number} that explains it`)
    return JSON.parse(Buffer.from(stored.bytes).toString())
  }
  for (const name of await metadata.list('')) {
    const [, version, role = ''] = /^(\d+)\.(.+)\.json$/.exec(name) ?? []
    // Roots count by one, and what is signed elsewhere has versions of its own.
    if (version === undefined || role === 'root' || signedElsewhere.includes(role)) continue
    const { creates } = await entryOf(name, Number(version))
    assert.ok(creates.includes(name), `${name} is not in its journal entry`)
  }
  for (const name of await state.list('state/')) {
    const [, number = 0, part] = /^state\/(\d+)\.(\w+)\.json$/.exec(name) ?? []
    const decided = (await entryOf(name, Number(number))).state[part as StateName]
    assert.equal(decided, Number(number), `${name} is not in its journal entry`)
  }
}
