import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { exitCodes } from '../../cli/output.ts'
import { bootstrapped } from '../support/repository.ts'
import { tuffet } from '../support/tuffet.ts'

const bins = 1024

describe('tuffet check of so many files that two threads read them', () => {
  let directory = ''
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet-'))
    const { ports } = await bootstrapped({ delegations: { delegation: 'succinct_roles', number: bins } })
    for (const name of await ports.metadata.list(''))
      await writeFile(join(directory, name), (await ports.metadata.read(name))?.bytes ?? '')
  })
  after(() => rm(directory, { recursive: true }))

  it('reads all of them', async () => {
    const { code, stdout, stderr } = await tuffet(['check', directory, '--json'])
    assert.equal(code, 0, stderr)
    const report = JSON.parse(stdout)
    assert.deepEqual([report.valid, report.roles, report.unused.superseded], [true, bins + 4, 0])
  })

  it('tells what is wrong with the last one', async () => {
    await rm(join(directory, '1.bins-3ff.json'))
    const { code, stdout } = await tuffet(['check', directory, '--json'])
    assert.equal(code, exitCodes['not-verified'])
    assert.deepEqual(
      JSON.parse(stdout).findings.map(({ file }: { file: string }) => file),
      ['1.bins-3ff.json'],
    )
  })

  it('ends with what either thread cannot read', async () => {
    await mkdir(join(directory, '1.bins-3ff.json'))
    const { code, stderr } = await tuffet(['check', directory])
    assert.equal(code, exitCodes.usage)
    assert.match(stderr, /1\.bins-3ff\.json cannot be read/)
  })
})
