import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { workDirectory } from './emulator.ts'

const repository = join(import.meta.dirname, '../..')
const { devDependencies, version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
  devDependencies: Record<string, string>
  version: string
}

/** An app of somebody else's, who has installed the package and nothing of this repository. */
const app = `
import { App, Stack } from 'aws-cdk-lib'
import { TufRepository } from 'tuffet'

const app = new App({ outdir: 'cdk.out', analyticsReporting: false })
const stack = new Stack(app, 'updates')
new TufRepository(stack, 'Stable', { alarmEmail: 'somebody@example.org' })
new TufRepository(stack, 'Nightly', { expirations: { timestamp: 2 } })
app.synth()
`

/** Types that got lost on the way would be `any`, and then nothing here would be an error. */
const stranger = `
import type { Stack } from 'aws-cdk-lib'
import { TufRepository } from 'tuffet'
export function use(stack: Stack): string {
  // @ts-expect-error: a stage is a text
  const { storage, apiUrl } = new TufRepository(stack, 'Updates', { stage: 5 })
  // @ts-expect-error: a bucket has no such property
  storage.metadata.colour
  return apiUrl + storage.metadata.bucketName
}
`

describe('the package', () => {
  const cleanup = new AsyncDisposableStack()
  let home: string

  const run = async (program: string, ...args: string[]) => {
    const PATH = `${dirname(process.execPath)}:${process.env['PATH']}`
    return (await promisify(execFile)(program, args, { cwd: home, env: { ...process.env, PATH } })).stdout
  }

  before(async () => {
    const directory = cleanup.use(await workDirectory()).path
    home = join(directory, 'app')
    await mkdir(home)
    await promisify(execFile)('npm', ['pack', '--ignore-scripts=false', '--pack-destination', directory], {
      cwd: repository,
    })
    await writeFile(join(home, 'package.json'), '{"name":"app","version":"1.0.0","private":true,"type":"module"}')
    await writeFile(join(home, 'app.js'), app)
    const cdk = ['aws-cdk-lib', 'constructs'].map((name) => `${name}@${devDependencies[name]}`)
    await run('npm', 'install', '--no-audit', '--no-fund', join(directory, `tuffet-${version}.tgz`), ...cdk)
  })
  after(() => cleanup.disposeAsync())

  it('synthesises two repositories in one stack, each with its own buckets, keys, API and functions', async () => {
    await run(process.execPath, 'app.js')
    const template = JSON.parse(await readFile(join(home, 'cdk.out/updates.template.json'), 'utf8')) as {
      Resources: Record<string, { Type: string; Properties: { Environment?: { Variables: { TUFFET_STAGE: string } } } }>
    }
    const resources = Object.values(template.Resources)
    const count = (type: string) => resources.filter(({ Type }) => Type === type).length
    assert.deepEqual(
      ['S3::Bucket', 'KMS::Key', 'ApiGatewayV2::Api', 'Lambda::Function', 'CloudFront::Distribution'].map((type) =>
        count(`AWS::${type}`),
      ),
      [6, 4, 2, 6, 2],
    )
    const stages = resources.flatMap(({ Properties }) => Properties.Environment?.Variables.TUFFET_STAGE ?? [])
    assert.deepEqual([...new Set(stages)].sort(), ['updates/Nightly', 'updates/Stable'])
  })

  it('has declarations that a stranger’s compiler takes', async () => {
    await writeFile(join(home, 'app.ts'), stranger)
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--types', '']
    await run(join(repository, 'node_modules/.bin/tsc'), ...options, 'app.ts')
  })

  it('brings the command', async () => {
    assert.equal((await run(join(home, 'node_modules/.bin/tuffet'), '--version')).trim(), version)
  })

  it('holds no source, no test and nothing of the machine it was made on', async () => {
    const files = await run('tar', 'tzf', join(home, '..', `tuffet-${version}.tgz`))
    for (const file of files.trim().split('\n')) {
      assert.match(
        file,
        /^package\/(package\.json|README\.md|LICENSE|CHANGELOG\.md|dist\/.*(\.js|\.mjs|\.d\.ts|\.json|bin\/tuffet))$/,
      )
    }
    const bundles = await run('grep', '-rl', repository, join(home, 'node_modules/tuffet')).catch(() => '')
    assert.equal(bundles, '')
  })
})
