import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'

const file = join(import.meta.dirname, '../../cli/server/standard-error-log.ts')
const node = (program: string) => [
  '--input-type=module',
  '--eval',
  `const { standardErrorLog } = await import(${JSON.stringify(file)}); const log = standardErrorLog(); ${program}`,
]
/** More than the system keeps on its way to who reads it; the first are written while the others come. */
const many = `
  for (let line = 0; line < 10_000; line++) {
    log.info({ line, text: 'x'.repeat(100) })
    if (line % 1000 === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  }`

describe('the log on standard error', () => {
  it('tells an error and its cause each in its own words, once', () => {
    const program = `
      const cause = new Error('the disk is full')
      log.error({ err: new Error('it could not be written', { cause }) }, 'a request failed')`
    const { stderr } = spawnSync(process.execPath, node(program), { encoding: 'utf8' })
    const { level, msg, err } = JSON.parse(stderr)
    assert.deepEqual([level, msg], [50, 'a request failed'])
    assert.deepEqual([err.message, err.cause.message], ['it could not be written', 'the disk is full'])
    assert.ok(!err.stack.includes('the disk is full'))
  })

  it('is whole and in order', async () => {
    const { stderr } = spawn(process.execPath, node(many))
    const lines = (await text(stderr)).trim().split('\n')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).line),
      Array.from({ length: 10_000 }, (_, line) => line),
    )
  })

  it('lets the process end on a full disk', { skip: process.platform !== 'linux' }, () => {
    const full = openSync('/dev/full', 'w')
    const { status } = spawnSync(process.execPath, node(many), { stdio: ['ignore', 'ignore', full], timeout: 60_000 })
    closeSync(full)
    assert.equal(status, 0)
  })

  it('lets the process end where nobody reads it', { timeout: 60_000 }, async (test) => {
    const silent = spawn(process.execPath, node(many))
    test.after(() => silent.kill('SIGKILL'))
    assert.deepEqual(await once(silent, 'exit'), [0, null])
  })
})
