import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parseJson } from '../../shared/tuf/json.ts'
import type { Key } from '../../shared/tuf/keys.ts'
import { artifact, bootstrapBody } from '../support/api.ts'
import { makeKey, signatureBy, signRoot } from '../support/keys.ts'
import { serveProcess } from '../support/served.ts'

/**
 * 64 connections that read, post, found, sign and change settings at the same moment, for so many seconds. No answer may
 * contradict what the same or another connection was told before; none may be a 5xx.
 * `npm run test:many`, or `npm run test:many -- --seconds 300 --connections 200`.
 */
const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '20' }, connections: { type: 'string', default: '64' } },
})
const connections = Number(values.connections)
const directory = await mkdtemp(join(tmpdir(), 'tuffet-many-'))
const served = await serveProcess(['--data', join(directory, 'data'), '--port', '0'])
const rootKeys = [makeKey(), makeKey()]
const counts = new Map<string, number>()
let isFounded = false

interface Answer {
  readonly status: number
  readonly body: { readonly data?: Record<string, unknown>; readonly message?: string; readonly detail?: unknown }
}

async function call(method: string, path: string, body?: unknown): Promise<Answer> {
  const wasFounded = isFounded
  const response = await fetch(new URL(`api/v1/${path}`, served.url), {
    method,
    headers: { 'content-type': 'application/json', prefer: 'wait=20' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const { status } = response
  const kind = `${method} ${path.replace(/\?.*|\/\d+$/, '')} ${status}`
  counts.set(kind, (counts.get(kind) ?? 0) + 1)
  assert.ok(status < 500, `${kind}: ${text}`)
  if (wasFounded)
    assert.ok(!/requires bootstrap|No Repository Settings/.test(text), `${kind} after the bootstrap: ${text}`)
  return { status, body: JSON.parse(text) as Answer['body'] }
}

/** How the task of this answer ends. */
async function ending({ status, body }: Answer): Promise<{ state: unknown; text: string }> {
  assert.ok(status === 200 || status === 202, `${status}: ${JSON.stringify(body)}`)
  let task = body
  while (task.data?.['state'] === undefined || task.data['state'] === 'PENDING')
    task = (await call('GET', `task?task_id=${body.data?.['task_id']}`)).body
  return { state: task.data['state'], text: JSON.stringify(task) }
}

async function found(): Promise<void> {
  const { body } = await call('GET', 'keys')
  const online = Object.entries(body.data?.['keys'] as Record<string, Key>).map(([keyid, key]) => ({ keyid, key }))
  const bodies = Array.from({ length: connections }, () => bootstrapBody({ rootKeys, online }))
  const before = Array.from({ length: connections }, (_, at) => call('GET', at % 2 === 0 ? 'bootstrap' : 'status'))
  const answers = await Promise.all(bodies.map((body) => call('POST', 'bootstrap', body)))
  await Promise.all(before)
  // Who comes when it is there already is told so; of those that were accepted one succeeds.
  const accepted = answers.filter(({ status }) => status !== 404)
  const states = await Promise.all(accepted.map(async (answer) => (await ending(answer)).state))
  assert.equal(states.filter((state) => state === 'SUCCESS').length, 1, `bootstraps ended as ${states}`)
  assert.equal(states.filter((state) => state === 'ERRORED').length, states.length - 1)
  isFounded = true
  console.log(`${answers.length} bootstraps at once: ${states.length} accepted, 1 succeeded.`)
}

/** What a connection does again and again; each is told its number and how often it has done so. */
const works: readonly ((me: number, turn: number) => Promise<void>)[] = [
  async (me, turn) => {
    const path = `connection-${me}/${turn % 10}`
    const length = turn + 1
    const posted = await ending(await call('POST', 'artifacts', { artifacts: [artifact(path, { length })] }))
    assert.equal(posted.state, 'SUCCESS', posted.text)
    const { data } = (await call('GET', `artifacts?path=${path}`)).body
    assert.equal((data?.['info'] as { length: number } | undefined)?.length, length, `${path} after SUCCESS`)
  },
  async (me, turn) => {
    const path = `connection-${me}/removed`
    await ending(await call('POST', 'artifacts', { artifacts: [artifact(path, { length: turn + 1 })] }))
    const removed = await ending(await call('POST', 'artifacts/delete', { artifacts: [path] }))
    assert.equal(removed.state, 'SUCCESS', removed.text)
    assert.equal((await call('GET', `artifacts?path=${path}`)).status, 404)
  },
  async () => {
    assert.equal((await call('GET', 'bootstrap')).body.data?.['bootstrap'], true, 'it says that it is not bootstrapped')
    assert.equal((await call('GET', 'config')).status, 200)
    const known = newest
    const { data = {} } = (await call('GET', 'status')).body
    const { number } = data['commit'] as { number: number }
    assert.ok(number >= known, `commit ${number} after ${known}`)
    newest = Math.max(newest, number)
    assert.equal((await call('GET', `commits/${number}`)).status, 200)
  },
  async (me, turn) => {
    const expiration = { timestamp: 1 + ((me + turn) % 5), bins: 10 + (turn % 20) }
    const { state, text } = await ending(await call('PUT', 'config', { settings: { expiration } }))
    assert.equal(state, 'SUCCESS', text)
  },
  async () => {
    // Others do the same: of what is asked, some is refused, with a reason.
    const online = Object.entries((await call('GET', 'keys')).body.data?.['keys'] as Record<string, Key>)
    const [holder, ...others] = rootKeys
    assert.ok(holder)
    const keys = { root: rootKeys, online: online.map(([keyid, key]) => ({ keyid, key })), threshold: 2, version: 2 }
    const root = signRoot(keys, others)
    await ending(await call('POST', 'metadata', { metadata: { root: parseJson(root.bytes) } }))
    const wrong = signatureBy(holder, Buffer.from('something else'))
    await refusedOrDone(await call('POST', 'metadata/sign', { role: 'root', signature: wrong }))
    await call('GET', 'metadata/sign')
    await refusedOrDone(await call('POST', 'metadata/sign/delete', { role: 'root' }))
  },
]
let newest = 0

async function refusedOrDone(answer: Answer): Promise<void> {
  if (answer.status === 404) return
  const { state, text } = await ending(answer)
  assert.ok(state === 'SUCCESS' || (state === 'ERRORED' && text.includes('"error"')), text)
}

await found()
const until = performance.now() + Number(values.seconds) * 1000
await Promise.all(
  Array.from({ length: connections }, async (_, me) => {
    const work = works[me % works.length]
    for (let turn = 0; work !== undefined && performance.now() < until; turn++) await work(me, turn)
  }),
)
assert.equal(await served.stop(), 0)
await rm(directory, { recursive: true })
for (const [kind, count] of [...counts].sort()) console.log(String(count).padStart(7), kind)
console.log(`${connections} connections for ${values.seconds} s: no answer was a 5xx, none contradicted another.`)
process.exit(0)
