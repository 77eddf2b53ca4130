import assert from 'node:assert/strict'
import type { ObjectStore, StoreError, StoreErrorCode } from '../../shared/repository/ports.ts'
import { asText, content, noTag, range, text } from './object-store-helpers.ts'

/** What holds when many use one object at the same time. */
export function testRaces(test: (what: string, body: (store: ObjectStore) => Promise<void>) => void): void {
  test('lets one of 32 creates win', async (store) => {
    const attempts = await Promise.allSettled(range(32).map((index) => store.create('a', text(`by ${index}`))))
    assert.equal(onlyWinner(attempts, 'exists'), await content(store, 'a'))
  })

  test('lets all of 32 creates with the same bytes win', async (store) => {
    const tags = await Promise.all(range(32).map(() => store.create('a', text('same'))))
    assert.equal(new Set(tags).size, 1)
  })

  test('lets one of 32 replacements win', async (store) => {
    const tag = await store.create('a', text('before'))
    const attempts = await Promise.allSettled(range(32).map((index) => store.replace('a', text(`by ${index}`), tag)))
    assert.equal(onlyWinner(attempts, 'changed'), await content(store, 'a'))
  })

  test('loses no change of those who read, replace, and try again when they were too late', async (store) => {
    await store.create('count', text('0 nobody'))
    async function increment(who: string): Promise<void> {
      for (;;) {
        const stored = await store.read('count')
        assert.ok(stored)
        const next = `${Number.parseInt(asText(stored.bytes), 10) + 1} ${who}`
        try {
          await store.replace('count', text(next), stored.tag)
          return
        } catch (error) {
          assert.equal((error as StoreError).code, 'changed')
        }
      }
    }
    await Promise.all(range(5).flatMap((worker) => range(3).map((turn) => increment(`${worker}.${turn}`))))
    assert.equal(Number.parseInt((await content(store, 'count')) ?? '', 10), 15)
  })

  test('leaves nothing when a replacement and a deletion race', async (store) => {
    const tag = await store.create('a', text('one'))
    const [replaced, deleted] = await Promise.allSettled([store.replace('a', text('two'), tag), store.delete('a')])
    assert.equal(deleted.status, 'fulfilled')
    if (replaced.status === 'rejected') assert.equal(replaced.reason.code, 'changed')
    assert.equal(await store.read('a'), undefined)
  })

  test('shows readers the whole of one version, with its own tag', async (store) => {
    const version = (index: number) => Buffer.alloc(50_000 + index, `${index},`)
    const tags = [await store.create('a', version(0))]
    let done = false
    const reading = range(4).map(async () => {
      const seen = []
      do {
        const stored = await store.read('a')
        assert.ok(stored)
        const index = stored.bytes.length - 50_000
        assert.ok(version(index).equals(stored.bytes))
        seen.push({ index, tag: stored.tag })
      } while (!done)
      return seen
    })
    for (let index = 1; index < 30; index++) {
      tags.push(await store.replace('a', version(index), tags[index - 1] ?? noTag))
    }
    done = true
    for (const seen of await Promise.all(reading)) {
      for (const { index, tag } of seen) assert.equal(tag, tags[index])
      assert.deepEqual(
        seen.map(({ index }) => index),
        seen.map(({ index }) => index).sort((a, b) => a - b),
      )
    }
  })
}

/** What the one that succeeded wrote; all others were refused with `code`. */
function onlyWinner(attempts: PromiseSettledResult<unknown>[], code: StoreErrorCode): string {
  const winners = attempts.flatMap((attempt, index) => (attempt.status === 'fulfilled' ? [index] : []))
  for (const attempt of attempts) if (attempt.status === 'rejected') assert.equal(attempt.reason.code, code)
  assert.equal(winners.length, 1)
  return `by ${winners[0]}`
}
