import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

/**
 * Something that speaks an AWS API on a port of 127.0.0.1, and ends with the variable that holds it or with the test's
 * process.
 */
export interface Emulator extends AsyncDisposable {
  /** Without a slash at the end: `http://127.0.0.1:40123`. */
  readonly endpoint: string
  /**
   * What an SDK client made with no options needs, and so do the AWS tools, the `cdk` command among them: endpoint,
   * region, credentials, and in strict mode the certificate. Give it to a child process, or to `useEnvironment`.
   */
  readonly environment: Readonly<Record<string, string>>
  /** Everything that it has printed so far. */
  log(): string
}

export interface Start {
  readonly program: string
  readonly args: readonly string[]
  /** All of it: nothing of the test's own environment leaks in. */
  readonly environment: Readonly<Record<string, string>>
  /** True once it takes requests. */
  readonly ready: () => Promise<boolean>
  readonly log: string
}

export const cache = join(import.meta.dirname, '../../.cache/aws')

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('There is no free port.')
  return address.port
}

/** A new directory below the system's one for temporary files, and how to remove it. */
export async function workDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'tuffet-aws-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

const patience = 60_000

/** Starts it in a process group of its own, so that its children end with it, and waits until it is ready. */
export async function start({ program, args, environment, ready, log }: Start): Promise<AsyncDisposable> {
  const output = openSync(log, 'w')
  const child = spawn(program, args, { env: { ...environment }, stdio: ['ignore', output, output], detached: true })
  closeSync(output)
  const kill = () => signal(child, 'SIGKILL')
  process.once('exit', kill)
  const failed = once(child, 'error').then(([error]) => Promise.reject(error))
  await Promise.race([failed, untilReady(child, ready, log)]).catch((error) => {
    kill()
    throw error
  })
  return {
    async [Symbol.asyncDispose]() {
      process.removeListener('exit', kill)
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      signal(child, 'SIGTERM')
      await Promise.race([exit, setTimeout(5_000, undefined, { ref: false })])
      kill()
      await exit
    },
  }
}

async function untilReady(child: ChildProcess, ready: () => Promise<boolean>, log: string): Promise<void> {
  const end = Date.now() + patience
  while (!(await ready().catch(() => false))) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended at once:\n${readFileSync(log, 'utf8')}`)
    if (Date.now() > end) throw new Error(`${child.spawnfile} was not ready in time:\n${readFileSync(log, 'utf8')}`)
    await setTimeout(50)
  }
}

/** To the whole group; one that is gone already is no error. */
function signal(child: ChildProcess, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name)
  } catch {}
}

/** Sets these variables for this process until the returned value is disposed of. */
export function useEnvironment(variables: Readonly<Record<string, string>>): Disposable {
  const before = new Map(Object.keys(variables).map((name) => [name, process.env[name]]))
  Object.assign(process.env, variables)
  return {
    [Symbol.dispose]() {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    },
  }
}
