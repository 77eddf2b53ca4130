import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { DirectoryLockError, lockDirectory } from '../../../shared/adapters/local/directory-lock.ts'
import { temporaryDirectory } from './temporary-directory.ts'

describe('lockDirectory', () => {
  it('makes the directory, and frees it when released', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'deep', 'data')
    const lock = await lockDirectory(path)
    lock.release()
    lock.release()
    assert.deepEqual(await readdir(path), ['lock'])
    using again = await lockDirectory(path)
    assert.ok(again)
  })

  it('refuses a second holder in the same process', async () => {
    await using directory = await temporaryDirectory()
    using lock = await lockDirectory(directory.path)
    assert.ok(lock)
    await assert.rejects(lockDirectory(directory.path), { name: 'DirectoryLockError', code: 'held' })
  })

  it('refuses a second process soon, and tells it who holds the directory', async () => {
    await using directory = await temporaryDirectory()
    await using holder = await start(directory.path)
    assert.equal(holder.answer, 'locked')
    const began = performance.now()
    const error = await lockDirectory(directory.path).catch((error: unknown) => error)
    assert.ok(performance.now() - began < 1_000)
    assert.ok(error instanceof DirectoryLockError)
    assert.equal(error.code, 'held')
    assert.ok(error.message.includes(directory.path))
    assert.ok(error.message.includes(`(${holder.pid})`))
  })

  it('is free at once when its holder was killed', async () => {
    await using directory = await temporaryDirectory()
    for (let round = 0; round < 2; round++) {
      await using holder = await start(directory.path)
      assert.equal(holder.answer, 'locked')
      await holder[Symbol.asyncDispose]()
      const lock = await lockDirectory(directory.path)
      assert.deepEqual(await readdir(directory.path), ['lock', 'lock.pid'])
      lock.release()
    }
  })

  it('lets one of many win who begin at the same moment', async () => {
    await using directory = await temporaryDirectory()
    await using started = new AsyncDisposableStack()
    const contenders = await Promise.all(Array.from({ length: 6 }, () => start(directory.path)))
    for (const contender of contenders) started.use(contender)
    assert.deepEqual(contenders.map(({ answer }) => answer).sort(), ['held', 'held', 'held', 'held', 'held', 'locked'])
  })

  it('is held although nobody keeps it', async () => {
    await using directory = await temporaryDirectory()
    await using holder = await start(directory.path, ['--expose-gc'])
    assert.equal(holder.answer, 'locked')
    await assert.rejects(lockDirectory(directory.path), { code: 'held' })
  })

  it('says when there can be no directory', async () => {
    await using directory = await temporaryDirectory()
    const file = join(directory.path, 'file')
    await writeFile(file, '')
    await assert.rejects(lockDirectory(join(file, 'data')), { name: 'DirectoryLockError', code: 'unavailable' })
    await assert.rejects(lockDirectory(file), { name: 'DirectoryLockError', code: 'unavailable' })
  })

  it('says when the directory cannot be written to', { skip: process.getuid?.() === 0 }, async () => {
    await assert.rejects(lockDirectory('/'), { name: 'DirectoryLockError', code: 'read-only' })
    await assert.rejects(lockDirectory('/tuffet-data'), { name: 'DirectoryLockError', code: 'read-only' })
  })
})

/** A process that has tried to lock the directory, and is killed in the end. */
interface Contender extends AsyncDisposable {
  readonly pid: number | undefined
  readonly answer: string
}

async function start(directory: string, options: string[] = []): Promise<Contender> {
  const script = join(import.meta.dirname, 'lock-holder.ts')
  const child = spawn(process.execPath, [...options, script, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const [answer] = await once(child.stdout, 'data')
  return {
    pid: child.pid,
    answer: String(answer).trim(),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
