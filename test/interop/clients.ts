/** The foreign clients, and how to talk to one. */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Answer, Request } from './protocol.ts'
import type { Flavour } from './service.ts'

export interface TufClient {
  name: string
  flavours: readonly Flavour[]
  command: string
  args: readonly string[]
  /** Paths for which this client finds no target, whatever the repository says. */
  cannotFind?: readonly string[]
}

const drivers = join(import.meta.dirname, 'clients')
const installed = join(import.meta.dirname, '../../.cache/interop')

const alwaysThere: readonly TufClient[] = [
  {
    name: 'python-tuf',
    flavours: ['succinct_roles', 'path_hash_prefixes'],
    command: join(installed, 'venv/bin/python'),
    args: [join(drivers, 'python_tuf.py')],
  },
  {
    name: 'tuf-js',
    flavours: ['succinct_roles', 'path_hash_prefixes'],
    command: process.execPath,
    args: [join(drivers, 'tuf-js.ts')],
    // It looks paths up in a plain object, so every role on the way seems to have these and the search ends too early.
    cannotFind: ['__proto__', 'constructor'],
  },
  {
    name: 'go-tuf-v2',
    // Up to v2.4.2 it finds nothing behind `path_hash_prefixes`; mended upstream, not released.
    flavours: ['succinct_roles'],
    command: join(installed, 'bin/go-tuf-v2'),
    args: [],
  },
  {
    name: 'go-tuf-v0',
    // Older than TAP 15: it finds nothing behind `succinct_roles`.
    flavours: ['path_hash_prefixes'],
    command: join(installed, 'bin/go-tuf-v0'),
    args: [],
  },
]

const tough: TufClient = {
  name: 'tough',
  // It has no TAP 15 either: it refuses a targets.json with `succinct_roles`.
  flavours: ['path_hash_prefixes'],
  command: join(installed, 'bin/tough'),
  args: [],
}

/** It takes minutes to build, so it takes part only where it is asked for. */
export const withTough = process.env['WITH_TOUGH'] === '1'
const clients = withTough ? [...alwaysThere, tough] : alwaysThere

/** The clients that can read the flavour. Throws if one is not installed. */
export function clientsFor(flavour: Flavour): TufClient[] {
  const chosen = clients.filter((client) => client.flavours.includes(flavour))
  for (const { name, command } of chosen) {
    if (existsSync(command)) continue
    const script = name === 'tough' ? 'install-tough.sh' : 'install.sh'
    throw new Error(`${name} is not installed: run test/interop/${script} (there is no ${command})`)
  }
  return chosen
}

export interface RunningClient {
  name: string
  cannotFind: readonly string[]
  /** One request at a time. Throws if the driver ends instead of answering. */
  ask(request: Request): Promise<Answer>
  stop(): void
}

export function startClient({ name, command, args, cannotFind = [] }: TufClient): RunningClient {
  const driver = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1' },
  })
  // Writing to a driver that has ended: `ask` reports it, by the answer that never comes.
  driver.stdin.on('error', () => {})
  const answers = createInterface({ input: driver.stdout })[Symbol.asyncIterator]()
  return {
    name,
    cannotFind,
    async ask(request) {
      driver.stdin.write(`${JSON.stringify(request)}\n`)
      const { done, value } = await answers.next()
      if (done) throw new Error(`the driver of ${name} ended without an answer: see its standard error`)
      return JSON.parse(value)
    },
    stop() {
      driver.kill()
    },
  }
}
