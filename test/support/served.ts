import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const checkout = join(import.meta.dirname, '../..')

/** `tuffet serve` as a process of its own. */
export interface Served {
  readonly url: URL
  readonly child: ChildProcess
  /** What it has said on standard output and standard error so far. */
  readonly output: () => { readonly stdout: string; readonly stderr: string }
  /** Sends the signal and gives back how the process ended. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>
}

export interface ServeEnvironment {
  readonly env?: Readonly<Record<string, string>>
}

/** Resolves once it has said its URL. */
export async function serveProcess(args: readonly string[], { env }: ServeEnvironment = {}): Promise<Served> {
  const { child, output } = run(['serve', ...args], env)
  assert.ok(child.stdout)
  const lines = createInterface({ input: child.stdout })
  const ended = once(child, 'exit')
  const first = await Promise.race([once(lines, 'line'), ended.then(() => undefined)])
  if (first === undefined) throw new Error(`It ended before it said its URL:\n${output().stderr}`)
  return {
    url: new URL(String(first[0])),
    child,
    output,
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      const [code, by] = (await ended) as [number | null, NodeJS.Signals | null]
      return code ?? by
    },
  }
}

/** Runs to the end, for a service that is expected not to start. */
export async function serveInVain(args: readonly string[], { env }: ServeEnvironment = {}) {
  const { child, output } = run(['serve', ...args], env)
  const [code] = await once(child, 'close')
  return { code, ...output() }
}

/** None outlives a test that failed. */
const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

function run(args: readonly string[], env: ServeEnvironment['env'] = {}) {
  const child = spawn(process.execPath, [join(checkout, 'cli/main.ts'), ...args], {
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  return { child, output: () => ({ stdout, stderr }) }
}

/** Posts JSON to the API; the answer's body is whatever the test takes it for. */
export async function post(
  served: Served,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
) {
  const response = await fetch(new URL(`/api/v1/${path}`, served.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as { data: { task_id: string; state?: string } } }
}
