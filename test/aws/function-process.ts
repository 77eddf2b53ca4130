import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import type { Answer } from './function-host.ts'

/** A function in a process of its own, from its bundle. */
export interface FunctionProcess extends AsyncDisposable {
  /**
   * One event after the other, as Lambda gives them to one process. Rejects if the handler throws, or its process ends.
   */
  invoke(event: unknown, milliseconds?: number): Promise<unknown>
  /** What it has logged so far: each line of it is JSON, metrics among them. */
  lines(): Readonly<Record<string, unknown>>[]
}

/** Starts it with this environment and no other, so with no credentials but those in it. */
export async function startFunction(
  directory: string,
  environment: Readonly<Record<string, string>>,
): Promise<FunctionProcess> {
  const child = fork(join(import.meta.dirname, 'function-host.ts'), [join(directory, 'index.mjs')], {
    env: { PATH: dirname(process.execPath), NODE_OPTIONS: '--enable-source-maps', ...environment },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  let printed = ''
  const take = ({ result, error, output }: Answer): unknown => {
    printed += output
    if (error !== undefined) throw new Error(error)
    return result
  }
  take(await answerOf(child))
  return {
    async invoke(event, milliseconds = 30_000) {
      const answer = answerOf(child)
      child.send({ event, time: milliseconds })
      return take(await answer)
    },
    lines: () =>
      printed
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    },
  }
}

async function answerOf(child: ChildProcess): Promise<Answer> {
  const listening = new AbortController()
  const { signal } = listening
  const ended = once(child, 'exit', { signal }).then(([code, name]) => {
    throw new Error(`The function's process ended with ${code ?? name}.`)
  })
  ended.catch(() => {})
  try {
    const [answer] = await Promise.race([once(child, 'message', { signal }), ended])
    return answer
  } finally {
    listening.abort()
  }
}
