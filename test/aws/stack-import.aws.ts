import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { after, before, describe, it } from 'node:test'
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import { type Deployed, startDeployed } from './deployed.ts'
import { watchMemory } from './function-memory.ts'

/** A million takes a quarter of an hour and more: see docs/performance.md. */
const artifacts = Number(process.env['TUFFET_IMPORT_ARTIFACTS'] ?? 3_000)
const bins = Number(process.env['TUFFET_IMPORT_BINS'] ?? 64)
const hashOf = (number: number) => createHash('sha256').update(`${number}`).digest('hex')

describe('an import into the deployed stack', () => {
  const cleanup = new AsyncDisposableStack()
  let deployed: Deployed
  before(async () => {
    deployed = cleanup.use(await startDeployed())
    for (const key of ['one.key', 'two.key']) await deployed.tuffet('key', 'new', key, '--password-fd', '0')
    const decided = ['--bins', `${bins}`, '--threshold', '2', '--key', 'one.key', '--key', 'two.key', '--yes', '--send']
    await deployed.tuffet('ceremony', ...decided, '--password-fd', '0')
  })
  after(() => cleanup.disposeAsync())

  it('goes straight to the bucket, and becomes visible in one commit, within a function’s memory', async (t) => {
    const file = join(deployed.directory, 'many.csv')
    await pipeline(Readable.from(linesOf(artifacts)), createWriteStream(file))
    await using watch = watchMemory(deployed.ministack.endpoint)
    const began = Date.now()
    const imported = JSON.parse(await deployed.tuffet('import', 'many.csv', '--json'))
    const seconds = Math.round((Date.now() - began) / 1000)
    assert.deepEqual([imported.artifacts, imported.task.state], [artifacts, 'SUCCESS'])
    const runs = await runsOf('Publish')
    t.diagnostic(`${seconds} s; seconds of each run of the publisher: ${runs.join(', ')}`)
    for (const name of ['Publish', 'Refresh', 'Front']) {
      const peak = watch.peak(name)
      const { MemorySize } = await deployed.configuration(name)
      t.diagnostic(`${name}: ${peak} of ${MemorySize} MiB at the most`)
      if (peak !== undefined) assert.ok(peak < MemorySize, `${name} took ${peak} MiB`)
    }

    const { size } = await stat(file)
    const Bucket = deployed.outputs['StateBucket'] ?? deployed.outputs['StateBucketName']
    const { Contents = [] } = await deployed.s3.send(
      new ListObjectsV2Command({ Bucket, Prefix: `bulk/${imported.import_id}` }),
    )
    assert.ok(Contents.some(({ Key, Size }) => Key === `bulk/${imported.import_id}` && Size === size))
    const { commits } = JSON.parse(await deployed.tuffet('log', '--json'))
    const made = commits.filter(({ tasks }: { tasks: { task: string }[] }) =>
      tasks.some(({ task }) => task === 'import_artifacts'),
    )
    assert.equal(made.length, 1)
    const shown = JSON.parse(await deployed.tuffet('artifact', 'show', 'many/file-1234', '--json'))
    assert.deepEqual(shown.info, { length: 1, hashes: { sha256: hashOf(1234) } })
    const checked = JSON.parse(await deployed.tuffet('check', '--json'))
    assert.deepEqual([checked.valid, checked.targets], [true, artifacts])
  })

  it('is taken back in one commit, whose changes are told page by page', async (t) => {
    await using watch = watchMemory(deployed.ministack.endpoint)
    const began = Date.now()
    const { task } = JSON.parse(await deployed.tuffet('revert', '1', '--json'))
    t.diagnostic(
      `${Math.round((Date.now() - began) / 1000)} s; the publisher: ${watch.peak('Publish')} MiB at the most`,
    )
    assert.equal(task.state, 'SUCCESS')
    assert.equal(task.result.details.removed, artifacts)
    const { commits } = JSON.parse(await deployed.tuffet('log', '-n', '1', '--json'))
    assert.equal(commits[0].changes, artifacts)
    const asked = Date.now()
    const told = (await deployed.tuffet('log', `${commits[0].number}`, '--changes', '--json')).trim().split('\n')
    t.diagnostic(
      `${Math.round((Date.now() - asked) / 1000)} s to tell them; Front: ${watch.peak('Front')} MiB at the most`,
    )
    assert.equal(told.length, artifacts)
    const checked = JSON.parse(await deployed.tuffet('check', '--json'))
    assert.deepEqual([checked.valid, checked.targets], [true, 0])
  })

  /** Seconds of those runs that took longer than one. */
  async function runsOf(word: string): Promise<number[]> {
    const reports = (await deployed.log(word)).map((line) => /^REPORT .*\tDuration: ([\d.]+) ms/.exec(line)?.[1])
    return reports.map((milliseconds) => Math.round(Number(milliseconds ?? 0) / 1000)).filter((seconds) => seconds > 1)
  }
})

function* linesOf(count: number): Iterable<string> {
  for (let number = 0; number < count; number++)
    yield `${number === 0 ? '' : '\n'}many/file-${number};1;sha256;${hashOf(number)}`
}
