import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { it } from 'node:test'

const file = join(import.meta.dirname, '../../cli/server/standard-error-log.ts')
const program = `
  const { standardErrorLog } = await import(${JSON.stringify(file)})
  const cause = new Error('the disk is full')
  standardErrorLog().log.error({ err: new Error('it could not be written', { cause }) }, 'a request failed')
`

it('the log tells an error and its cause each in its own words, once', () => {
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  const { level, msg, err } = JSON.parse(stderr)
  assert.deepEqual([level, msg], [50, 'a request failed'])
  assert.deepEqual([err.message, err.cause.message], ['it could not be written', 'the disk is full'])
  assert.ok(!err.stack.includes('the disk is full'))
})
