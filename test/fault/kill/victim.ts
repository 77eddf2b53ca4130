import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const main = join(import.meta.dirname, '../../../cli/main.ts')

/** The embedded service over one data directory, at one address, started again and again. */
export interface Victim {
  readonly url: URL
  /** Starts it; resolves once it serves. Throws if it ends by itself. */
  start(): Promise<void>
  /** Starts it and kills it so many milliseconds later, whether it serves by then or not. */
  startAndKill(after: number): Promise<void>
  /** Kills it so many milliseconds from now. */
  kill(after: number): Promise<void>
  /** Has it end in order. Throws if it does not. */
  stop(): Promise<void>
}

export async function makeVictim(data: string, log: string): Promise<Victim> {
  const port = await freePort()
  let child: ChildProcess | undefined
  process.once('exit', () => child?.kill('SIGKILL'))

  function run(): ChildProcess {
    const args = ['serve', '--data', data, '--port', String(port), '--trial']
    const started = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    started.stderr?.on('data', (bytes) => appendFileSync(log, bytes))
    child = started
    return started
  }

  async function end(signal: NodeJS.Signals): Promise<unknown> {
    const ended = child
    if (ended === undefined || ended.exitCode !== null || ended.signalCode !== null) return ended?.exitCode
    const exit = once(ended, 'exit')
    ended.kill(signal)
    const [code, by] = (await exit) as [number | null, string | null]
    return code ?? by
  }

  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    async start() {
      const started = run()
      if (started.stdout === null) throw new Error('It has no standard output.')
      const line = once(createInterface({ input: started.stdout }), 'line')
      const exit = once(started, 'exit').then(([code]) => {
        throw new Error(`The service ended with ${code} instead of serving; see ${log}.`)
      })
      exit.catch(() => {})
      await Promise.race([line, exit])
    },
    async startAndKill(after) {
      run()
      await sleep(after)
      await end('SIGKILL')
    },
    async kill(after) {
      await sleep(after)
      const how = await end('SIGKILL')
      if (how !== 'SIGKILL') throw new Error(`The service ended by itself, with ${how}; see ${log}.`)
    },
    async stop() {
      const how = await end('SIGTERM')
      if (how !== 0) throw new Error(`At SIGTERM it ended with ${how}; see ${log}.`)
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('No port is free.')
  return address.port
}
