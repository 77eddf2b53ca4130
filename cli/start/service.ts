import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { CliError } from '../output.ts'

/** `tuffet serve --trial` in a process of its own. */
export interface TrialService {
  readonly url: URL
  /** Resolves with its exit code when it ends, for whatever reason. */
  readonly ended: Promise<number | null>
  stop(): void
}

const usualPort = 8080

/** Starts it and waits until it serves. Throws with what it said if it ends instead. */
export async function startTrialService(data: string, artifacts: string, log: string): Promise<TrialService> {
  const port = (await isFree(usualPort)) ? usualPort : 0
  const logFile = await open(log, 'a')
  const { size: logged } = await logFile.stat()
  const withParent = pathToFileURL(join(import.meta.dirname, 'with-parent.ts')).href
  const main = join(import.meta.dirname, '..', 'main.ts')
  const flags = ['--trial', '--data', data, '--artifacts', artifacts, '--host', '127.0.0.1', '--port', String(port)]
  const child = spawn(process.execPath, ['--import', withParent, main, 'serve', ...flags], {
    stdio: ['pipe', 'pipe', logFile.fd],
    env: ownEnvironment(),
  })
  await logFile.close()
  const ended = exitOf(child)
  const { stdout } = child
  if (stdout === null) throw new Error('The service has no standard output.')
  for await (const line of createInterface({ input: stdout })) {
    return { url: new URL(line), ended, stop: () => child.kill('SIGTERM') }
  }
  await ended
  throw new CliError('refused', await lastWords(log, logged))
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  const [code] = await once(child, 'exit')
  return code
}

/** What a person has set for another service is not meant for this one. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TUFFET_')))
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}

/** What the log holds for people from `start` on: all that is not JSON. */
async function lastWords(log: string, start: number): Promise<string> {
  const lines = (await readFile(log))
    .subarray(start)
    .toString()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('{'))
  return lines.join('\n').replace(/^error: /, '') || `The service ended. Its log is ${log}.`
}
