import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Place {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

const main = join(import.meta.dirname, '../../cli/main.ts')

/** Runs `tuffet` to its end, without a terminal; `passwords` are what it reads from file descriptor 3. */
export async function tuffet(args: readonly string[], passwords = '', { cwd, env }: Place = {}): Promise<Ran> {
  const child = spawn(process.execPath, [main, ...args], {
    ...(cwd !== undefined && { cwd }),
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const [, stdout, stderr, passwordPipe] = child.stdio
  const said = { stdout: '', stderr: '' }
  stdout?.on('data', (bytes) => {
    said.stdout += bytes
  })
  stderr?.on('data', (bytes) => {
    said.stderr += bytes
  })
  if (passwordPipe && 'end' in passwordPipe) {
    // Who needs none may be gone before it is written.
    passwordPipe.on('error', () => undefined)
    passwordPipe.end(passwords)
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...said }
}
