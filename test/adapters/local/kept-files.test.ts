import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FileSystem, nodeFileSystem } from '../../../shared/adapters/local/file-system.ts'
import { keptFiles } from '../../../shared/adapters/local/kept-files.ts'
import { text } from '../../contract/object-store-helpers.ts'

/** Kept files, and the writes that hand them over: each ends when it is told to. */
function opened() {
  const placing: (PromiseWithResolvers<void> & { readonly content: string })[] = []
  const fs: FileSystem = {
    ...nodeFileSystem,
    place(_, bytes) {
      const one = { ...Promise.withResolvers<void>(), content: Buffer.from(bytes).toString() }
      placing.push(one)
      return one.promise
    },
  }
  return { kept: keptFiles(fs), placing }
}

describe('Kept files', () => {
  it('are counted by their directory, until they are forgotten or handed over', async () => {
    const { kept, placing } = opened()
    for (const [path, content] of [
      ['/a/1', 'one'],
      ['/a/2', 'four'],
      ['/b/1', '!'],
    ] as const)
      kept.keep(path, text(content))
    assert.deepEqual([kept.bytesIn('/a'), kept.pathsIn('/a'), kept.bytesIn('/b')], [7, ['/a/1', '/a/2'], 1])
    assert.equal(await kept.forget('/a/1'), false)
    assert.deepEqual([kept.bytesIn('/a'), kept.pathsIn('/a')], [4, ['/a/2']])
    const placed = kept.place('/a/2')
    assert.equal(kept.bytesIn('/a'), 4)
    placing[0]?.resolve()
    await placed
    assert.deepEqual([kept.bytesIn('/a'), kept.pathsIn('/a')], [0, []])
  })

  it('are handed over once by all who ask for it, and again where that failed', async () => {
    const { kept, placing } = opened()
    kept.keep('/a/1', text('one'))
    const first = Promise.allSettled([kept.place('/a/1'), kept.place('/a/1')])
    assert.equal(placing.length, 1)
    placing[0]?.reject(new Error('full'))
    assert.deepEqual(
      (await first).map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    assert.notEqual(kept.get('/a/1'), undefined)
    const second = kept.place('/a/1')
    assert.equal(placing.length, 2)
    placing[1]?.resolve()
    await second
    assert.equal(kept.get('/a/1'), undefined)
  })

  it('may have got to the file system once that was begun, and only when it is over who forgets them goes on', async () => {
    const { kept, placing } = opened()
    kept.keep('/a/1', text('one'))
    const placed = kept.place('/a/1')
    let isForgotten = false
    const forgotten = kept.forget('/a/1').finally(() => {
      isForgotten = true
    })
    await new Promise(setImmediate)
    assert.deepEqual([isForgotten, kept.get('/a/1')], [false, undefined])
    placing[0]?.resolve()
    await placed
    assert.equal(await forgotten, true)
  })

  it('stay where they took the place of one that was just handed over', async () => {
    const { kept, placing } = opened()
    kept.keep('/a/1', text('one'))
    const placed = kept.place('/a/1')
    const forgotten = kept.forget('/a/1')
    kept.keep('/a/1', text('other'))
    placing[0]?.resolve()
    await Promise.all([placed, forgotten])
    assert.equal(Buffer.from(kept.get('/a/1')?.bytes ?? []).toString(), 'other')
    assert.equal(kept.bytesIn('/a'), 5)
  })
})
