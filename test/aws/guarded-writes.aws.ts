import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { S3Client } from '@aws-sdk/client-s3'
import { App, Stack } from 'aws-cdk-lib'
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Bucket } from 'aws-cdk-lib/aws-s3'
import { upload } from '../../cli/upload.ts'
import { metadataGuards, stateGuards } from '../../infra/guards.ts'
import { s3ObjectStore } from '../../shared/adapters/aws/s3-object-store.ts'
import { variables } from '../../shared/app/environment.ts'
import { artifact } from '../support/api.ts'
import type { FaultProxy, ProxiedRequest } from '../support/fault-proxy.ts'
import { clientConfig } from './clients.ts'
import type { Deployment } from './deployment.ts'
import { type Functions, startBehindProxy } from './function-harness.ts'
import type { Ministack } from './ministack.ts'

/**
 * The emulator does not know the condition keys with which the bucket policies insist on conditional writes. So every
 * write that functions and uploads make is held against the statements here.
 */
describe('what functions and clients write', () => {
  const cleanup = new AsyncDisposableStack()
  let ministack: Ministack
  let proxy: FaultProxy
  let deployment: Deployment
  let functions: Functions

  before(async () => {
    ;({ ministack, proxy, deployment, functions } = await startBehindProxy(cleanup))
  })
  after(() => cleanup.disposeAsync())

  const bucket = (name: 'metadataBucket' | 'stateBucket') => deployment.environment[variables[name]] ?? assert.fail()
  const writes = () => proxy.requests.filter(isWrite)

  async function importFile(text: string): Promise<void> {
    const begun = await functions.call('POST /imports', { body: { format: 'csv' } })
    assert.equal(begun.status, 201, JSON.stringify(begun.body))
    const { import_id: id, upload: to } = begun.body.data
    await upload(new URL(to.url), to.headers, Buffer.from(text), () => undefined)
    const task = await functions.accepted(`POST /imports/${id}`, {})
    await functions.hear()
    assert.equal(await functions.stateOf(task), 'SUCCESS')
  }

  it('is what the bucket policies let through', async () => {
    await functions.found(16)
    const added = { body: { artifacts: [artifact('a')] }, headers: { 'idempotency-key': 'once' } }
    assert.equal((await functions.call('POST /artifacts', added)).status, 202)
    await functions.hear()
    // Of a path that is there already, so that what it held before is kept.
    await importFile(`a;2;sha256;${'ab'.repeat(32)}\n`)
    const state = s3ObjectStore(
      { bucket: bucket('stateBucket') },
      new S3Client({ ...clientConfig(ministack), forcePathStyle: true }),
    )
    await state.create(`inbox/${'0'.repeat(32)}.json`, Buffer.from('spoilt'))
    await functions.refresh.invoke({})

    const stateWrites = writes().flatMap((write) => keyIn(bucket('stateBucket'), write) ?? [])
    const kinds = new Set(stateWrites.map((key) => key.replace(/\/.*/, '')))
    const known =
      'inbox idempotency bulk spoilt tasks commits state preparations lease.json bootstrap.json collected.json'
    assert.deepEqual([...kinds].sort(), known.split(' ').sort())
    assert.ok(stateWrites.some((key) => /^bulk\/.*\.before$/.test(key)))
    for (const name of ['stateBucket', 'metadataBucket'] as const) {
      const guards = guardsOf(name, bucket(name))
      const all = writes().filter((write) => keyIn(bucket(name), write) !== undefined)
      assert.ok(all.length > 5)
      for (const write of all) assert.deepEqual(denials(guards, bucket(name), write), [], write.url)
    }
  })

  it('would be denied without its condition', () => {
    const name = bucket('stateBucket')
    const guards = guardsOf('stateBucket', name)
    const write = (key: string, headers: Record<string, string> = {}): ProxiedRequest => {
      return { method: 'PUT', url: `/${name}/${key}`, headers, body: Buffer.of() }
    }
    assert.deepEqual(denials(guards, name, write('bulk/one')), ['CreatedOnceOnly'])
    assert.deepEqual(denials(guards, name, write('bulk/one', { 'if-match': '"a"' })), ['CreatedOnceOnly'])
    assert.deepEqual(denials(guards, name, write('lease.json')), ['ReplacedByCompareAndSwapOnly'])
    assert.deepEqual(denials(guards, name, write('lease.json', { 'if-match': '"a"' })), [])
  })
})

const isWrite = ({ method, url }: ProxiedRequest) => method === 'PUT' && url.split('/').length > 2

/** The key of the object that is written, if it is one of this bucket. */
function keyIn(bucket: string, { url }: ProxiedRequest): string | undefined {
  const { pathname } = new URL(url, 'http://s3')
  return pathname.startsWith(`/${bucket}/`) ? decodeURIComponent(pathname.slice(bucket.length + 2)) : undefined
}

interface Guard {
  readonly Sid: string
  readonly Action: string
  readonly Resource?: unknown
  readonly NotResource?: unknown
  readonly Condition: { readonly Null: Readonly<Record<string, string>> }
}

/** The statements about conditional writes, of a bucket with this name. */
function guardsOf(which: 'metadataBucket' | 'stateBucket', name: string): Guard[] {
  const stack = new Stack(new App(), 'Guards')
  const place = Bucket.fromBucketName(stack, 'Bucket', name)
  const guards = which === 'stateBucket' ? stateGuards : metadataGuards
  const statements: PolicyStatement[] = guards(place, { conditionalWrites: true })
  const resolved = statements.map((statement) => stack.resolve(statement.toStatementJson()) as Guard)
  return resolved.filter(({ Action }) => Action === 's3:PutObject')
}

/** Which of them deny a write. The condition keys are there if the headers of their names are. */
function denials(guards: readonly Guard[], bucket: string, write: ProxiedRequest): string[] {
  const key = keyIn(bucket, write)
  const isOneOf = (resources: unknown) =>
    [resources].flat().some((resource) => {
      const pattern = /:s3:::[^/]+\/([^"]*)"/.exec(JSON.stringify(resource))?.[1] ?? assert.fail()
      return pattern.endsWith('*') ? key?.startsWith(pattern.slice(0, -1)) : key === pattern
    })
  return guards
    .filter(({ Resource, NotResource }) => (Resource === undefined ? !isOneOf(NotResource) : isOneOf(Resource)))
    .filter(({ Condition: { Null } }) =>
      Object.keys(Null).every((name) => write.headers[name.replace(/^s3:/, '')] === undefined),
    )
    .map(({ Sid }) => Sid)
}
