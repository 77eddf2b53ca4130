import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import { type Deployed, startDeployed } from './deployed.ts'

const artifacts = 3_000
const hashOf = (number: number) => createHash('sha256').update(`${number}`).digest('hex')

describe('an import into the deployed stack', () => {
  const cleanup = new AsyncDisposableStack()
  let deployed: Deployed
  before(async () => {
    deployed = cleanup.use(await startDeployed())
    for (const key of ['one.key', 'two.key']) await deployed.tuffet('key', 'new', key, '--password-fd', '0')
    const decided = ['--bins', '64', '--threshold', '2', '--key', 'one.key', '--key', 'two.key', '--yes', '--send']
    await deployed.tuffet('ceremony', ...decided, '--password-fd', '0')
  })
  after(() => cleanup.disposeAsync())

  it('goes straight to the bucket, and becomes visible in one commit', { timeout: 120_000 }, async () => {
    const lines = Array.from({ length: artifacts }, (_, number) => `many/file-${number};1;sha256;${hashOf(number)}`)
    await writeFile(join(deployed.directory, 'many.csv'), lines.join('\n'))
    const imported = JSON.parse(await deployed.tuffet('import', 'many.csv', '--json'))
    assert.deepEqual([imported.artifacts, imported.task.state], [artifacts, 'SUCCESS'])
    const Bucket = deployed.outputs['StateBucket'] ?? deployed.outputs['StateBucketName']
    const { Contents = [] } = await deployed.s3.send(
      new ListObjectsV2Command({ Bucket, Prefix: `bulk/${imported.import_id}` }),
    )
    assert.ok(
      Contents.some(({ Key, Size }) => Key === `bulk/${imported.import_id}` && Size === lines.join('\n').length),
    )
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
})
