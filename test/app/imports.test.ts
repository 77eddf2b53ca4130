import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { type Principal, principal } from '../../shared/app/principal.ts'
import { prepare } from '../../shared/repository/ahead/prepare.ts'
import { preparationName } from '../../shared/repository/preparation.ts'
import { publish } from '../../shared/repository/publish.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import { maximumBulkBytes } from '../../shared/repository/uploads.ts'
import { apiOver, type TestApi } from '../support/api.ts'
import { bootstrapped, testRepository } from '../support/repository.ts'

const file = Buffer.from(`a;1;sha256;${'ab'.repeat(32)}\nb/c;2;sha256;${'cd'.repeat(32)}\n`)
const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** The id of an import that has begun. */
async function begin(api: TestApi, body: object = { format: 'csv' }): Promise<string> {
  const answer = await api.call('POST /imports', { body })
  assert.equal(answer.status, 201, JSON.stringify(answer.body))
  return String(answer.body.data['import_id'])
}

const upload = ({ ports }: Repository, id: string, bytes: Uint8Array = file) => ports.state.create(`bulk/${id}`, bytes)

/** The repository, and its API while nobody publishes. */
async function quiet() {
  const repository = await bootstrapped()
  return { repository, api: apiOver(repository, { ring: async () => {} }) }
}

/** The same, where all is done that a publisher does. */
async function working() {
  const repository = await bootstrapped()
  const ring = async () => {
    const { unprepared } = await publish(repository)
    if (unprepared === undefined) return
    await prepare(repository, unprepared)
    await publish(repository)
  }
  return { repository, api: apiOver(repository, { ring }) }
}

describe('POST /imports', () => {
  it('gives an id that is no one else’s, and the place to upload to', async () => {
    const { api } = await quiet()
    const ids = new Set<string>()
    for (let time = 0; time < 10; time++) {
      const { status, body } = await api.call('POST /imports', { body: { format: 'jsonl' } })
      assert.equal(status, 201)
      assert.equal(body.message, 'Import begun.')
      assert.match(String(body.data['import_id']), /^[0-9a-f]{64}$/)
      // What comes after the time and its counter.
      ids.add(String(body.data['import_id']).slice(32))
      assert.match((body.data['upload'] as { url: string }).url, new RegExp(`/${body.data['import_id']}$`))
    }
    assert.equal(ids.size, 10)
  })

  it('is refused before the bootstrap', async () => {
    const { status, body } = await apiOver(testRepository()).call('POST /imports', { body: { format: 'csv' } })
    assert.equal(status, 404)
    assert.match(String(body.detail['error']), /bootstrap/)
  })

  it('refuses what is too large to be an import, and says what to do', async () => {
    const { api } = await quiet()
    await begin(api, { format: 'csv', bytes: maximumBulkBytes })
    const { status, body } = await api.call('POST /imports', { body: { format: 'csv', bytes: maximumBulkBytes + 1 } })
    assert.equal(status, 413)
    assert.match(String(body.detail['error']), /512 MiB.*Split it by lines into several imports/)
  })

  it('refuses a body that it does not understand, and whoever may not publish', async () => {
    const { repository, api } = await quiet()
    for (const body of [{}, { format: 'xml' }, { format: 'csv', bytes: -1 }, { format: 'csv', sha256: 'ab' }])
      assert.equal((await api.call('POST /imports', { body })).status, 422, JSON.stringify(body))
    const reader = apiOver(repository, { authenticate: async () => principal('reader', 'read') })
    assert.equal((await reader.call('POST /imports', { body: { format: 'csv' } })).status, 403)
  })
})

describe('POST /imports/{id}', () => {
  it('submits what was uploaded as one task that says what it has to be', async () => {
    const { repository, api } = await quiet()
    const id = await begin(api, { format: 'csv', bytes: file.length, sha256: hashOf(file).toUpperCase() })
    await upload(repository, id)
    const body = { skip_invalid: true, add_task_id_to_custom: true }
    const accepted = await api.call(`POST /imports/${id}`, { body })
    assert.equal(accepted.status, 202)
    assert.equal(accepted.body.message, 'Import accepted.')
    const stored = await repository.ports.state.read(`inbox/${accepted.body.data['task_id']}.json`)
    assert.deepEqual(JSON.parse(Buffer.from(stored?.bytes ?? '').toString()).request, {
      kind: 'import_artifacts',
      bulk: `bulk/${id}`,
      sha256: hashOf(file),
      bytes: file.length,
      format: 'csv',
      skipInvalid: true,
      addTaskIdToCustom: true,
    })
  })

  it('takes no body for one that wishes for nothing', async () => {
    const { repository, api } = await quiet()
    const id = await begin(api)
    await upload(repository, id)
    const first = await api.call(`POST /imports/${id}`)
    assert.equal(first.status, 202)
    const again = await api.call(`POST /imports/${id}`, { body: { skip_invalid: false } })
    assert.equal(again.body.data['task_id'], first.body.data['task_id'])
  })

  it('is one task however often it is sent, with keys and without, by whoever may', async () => {
    const { repository, api } = await quiet()
    const id = await begin(api)
    await upload(repository, id)
    const headers = [{}, { 'idempotency-key': 'one' }, { 'idempotency-key': 'two' }, { 'idempotency-key': 'one' }, {}]
    const asked = headers.map((headers) => api.call(`POST /imports/${id}`, { headers }))
    const administrator = apiOver(repository, {
      authenticate: async () => principal('boss', 'administer'),
      ring: async () => {},
    })
    const answers = await Promise.all([...asked, administrator.call(`POST /imports/${id}`)])
    assert.deepEqual(
      answers.map(({ status }) => status),
      [202, 202, 202, 202, 202, 202],
    )
    assert.equal(new Set(answers.map(({ body }) => body.data['task_id'])).size, 1)
    assert.equal((await repository.ports.state.list('inbox/')).length, 1)
  })

  it('refuses to be another task than it was', async () => {
    const { repository, api } = await quiet()
    const id = await begin(api)
    await upload(repository, id)
    await api.call(`POST /imports/${id}`)
    const { status, body } = await api.call(`POST /imports/${id}`, { body: { skip_invalid: true } })
    assert.equal(status, 409)
    assert.match(String(body.detail['error']), /Begin another import/)
  })

  it('refuses a key that came with something else', async () => {
    const { repository, api } = await quiet()
    const id = await begin(api)
    await upload(repository, id)
    const headers = { 'idempotency-key': 'used' }
    await api.call('POST /artifacts/publish', { headers })
    assert.equal((await api.call(`POST /imports/${id}`, { headers })).status, 422)
    assert.equal((await api.call(`POST /imports/${id}`)).status, 202)
  })

  it('answers with the finished task if it is asked to wait, and once more when it is sent again', async () => {
    const { repository, api } = await working()
    const id = await begin(api)
    await upload(repository, id)
    const waiting = { headers: { prefer: 'wait=5' } }
    const first = await api.call(`POST /imports/${id}`, waiting)
    assert.deepEqual([first.status, first.headers['preference-applied']], [200, 'wait=5'])
    assert.equal(first.body.data['state'], 'SUCCESS', JSON.stringify(first.body))
    for (const path of ['a', 'b/c']) assert.equal((await api.call(`GET /artifacts?path=${path}`)).status, 200)
    const commits = async () => ((await api.call('GET /commits')).body.data['commits'] as object[]).length
    const before = await commits()
    assert.deepEqual((await api.call(`POST /imports/${id}`, waiting)).body, first.body)
    await publish(repository)
    assert.equal(await commits(), before)
    assert.deepEqual(await repository.ports.state.list('inbox/'), [])
    const { data } = (await api.call(`GET /imports/${id}`)).body
    assert.deepEqual([data['state'], data['result']], ['SUCCESS', first.body.data['result']])
  })

  it('publishes nothing of a file with a broken line, unless it is to be skipped', async () => {
    const { repository, api } = await working()
    const broken = Buffer.concat([Buffer.from('x\n'), file])
    const ended = async (body: object) => {
      const id = await begin(api)
      await upload(repository, id, broken)
      return (await api.call(`POST /imports/${id}`, { body, headers: { prefer: 'wait=5' } })).body.data
    }
    const refused = await ended({})
    assert.equal(refused['state'], 'ERRORED')
    assert.match(JSON.stringify(refused['result']), /line 1/i)
    assert.equal((await api.call('GET /artifacts?path=a')).status, 404)
    assert.equal((await ended({ skip_invalid: true }))['state'], 'SUCCESS')
    assert.equal((await api.call('GET /artifacts?path=a')).status, 200)
  })

  it('refuses what was not uploaded, and there is nothing in the inbox', async () => {
    const { repository, api } = await quiet()
    const id = await begin(api)
    const { status, body } = await api.call(`POST /imports/${id}`)
    assert.equal(status, 404)
    assert.match(String(body.detail['error']), /Upload the file first/)
    assert.deepEqual(await repository.ports.state.list('inbox/'), [])
    await upload(repository, id)
    assert.equal((await api.call(`POST /imports/${id}`)).status, 202)
  })

  it('refuses what is not what was announced, or too large', async () => {
    const { repository, api } = await quiet()
    const other = await begin(api, { format: 'csv', sha256: '0'.repeat(64) })
    await upload(repository, other)
    const wrongHash = await api.call(`POST /imports/${other}`)
    assert.equal(wrongHash.status, 422)
    assert.match(String(wrongHash.body.detail[0]?.['msg']), /SHA-256 of what was uploaded is .* 0{64} was announced/)
    const longer = await begin(api, { format: 'csv', bytes: file.length + 1 })
    await upload(repository, longer)
    assert.equal((await api.call(`POST /imports/${longer}`)).status, 422)
    const uploads = {
      address: async () => ({ method: 'PUT' as const, url: '/', headers: {} }),
      arrived: async () => ({ bytes: maximumBulkBytes + 1, sha256: '' }),
    }
    const large = apiOver(repository, { uploads })
    assert.equal((await large.call(`POST /imports/${await begin(large)}`)).status, 413)
  })

  it('knows only ids that were given', async () => {
    const { api } = await quiet()
    for (const id of ['0'.repeat(64), 'x', 'imports', '..', `${'0'.repeat(63)}g`])
      for (const method of ['POST', 'GET'])
        assert.equal((await api.call(`${method} /imports/${id}`)).status, 404, `${method} ${id}`)
  })

  it('is only for who began it, and administrators', async () => {
    const repository = await bootstrapped()
    const as = (who: Principal) => apiOver(repository, { authenticate: async () => who, ring: async () => {} })
    const [one, two, boss] = [principal('one', 'publish'), principal('two', 'publish'), principal('boss', 'administer')]
    const id = await begin(as(one))
    await upload(repository, id)
    for (const method of ['POST', 'GET']) {
      const { status, body } = await as(two).call(`${method} /imports/${id}`)
      assert.equal(status, 403)
      assert.match(String(body.detail['error']), /Another principal began this import/)
      assert.ok((await as(one).call(`${method} /imports/${id}`)).status < 300)
      assert.ok((await as(boss).call(`${method} /imports/${id}`)).status < 300)
    }
  })
})

describe('GET /imports/{id}', () => {
  it('says how far it has come', async () => {
    const { repository, api } = await quiet()
    const id = await begin(api)
    const get = async () => (await api.call(`GET /imports/${id}`)).body.data
    const begun = await get()
    assert.deepEqual(Object.keys(begun).sort(), ['begun', 'format', 'import_id'])
    await upload(repository, id)
    const task = String((await api.call(`POST /imports/${id}`)).body.data['task_id'])
    const pending = { ...begun, task_id: task, state: 'PENDING' }
    assert.deepEqual(await get(), { ...pending, progress: { phase: 'waiting', done: 0, total: 0 } })
    const prepared = async (phase: string, done: number) => {
      const name = preparationName(task)
      await repository.ports.state.delete(name)
      await repository.ports.state.create(name, Buffer.from(JSON.stringify({ schema: 1, phase, done, total: 4 })))
    }
    await prepared('preparing', 2)
    assert.deepEqual(await get(), { ...pending, progress: { phase: 'preparing', done: 2, total: 4 } })
    await prepared('ready', 4)
    assert.deepEqual(await get(), { ...pending, progress: { phase: 'committing', done: 4, total: 4 } })
  })
})
