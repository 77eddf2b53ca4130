import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Lambda's runtime starts Node with a heap of nine tenths of the function's memory, and a twentieth of it for each half of its young
 * part. The emulator bounds nothing; so its functions are started by a `node` that does. Returns the directory to put first on PATH.
 */
export async function nodeOfLambda(directory: string): Promise<string> {
  const path = join(directory, 'bin')
  const program = join(path, 'node')
  // A command that runs the one behind it: see `lambda-limits.sh`.
  const under = process.env['TUFFET_FUNCTIONS_UNDER'] ?? ''
  const memory = '--max-old-space-size=$((memory * 90 / 100)) --max-semi-space-size=$((memory * 5 / 100))'
  await mkdir(path)
  await writeFile(
    program,
    `#!/bin/sh
memory=$AWS_LAMBDA_FUNCTION_MEMORY_SIZE
# The emulator starts other programs, too.
[ -z "$memory" ] && exec '${process.execPath}' "$@"
exec ${under} '${process.execPath}' ${memory} "$@"
`,
  )
  await chmod(program, 0o755)
  return path
}

/** The most memory in MiB that functions of an emulator had at once, each by itself, while it was watched. */
export interface MemoryWatch extends AsyncDisposable {
  /** Of any process of a function whose name holds this word; nothing where the system does not tell. */
  peak(word: string): number | undefined
}

const every = 500

/** Lambda ends a function that takes more than it has. Here its processes are asked what they took, as Linux tells it. */
export function watchMemory(endpoint: string): MemoryWatch {
  const { port } = new URL(endpoint)
  const peaks = new Map<string, number>()
  async function look(): Promise<void> {
    const processes = await readdir('/proc').catch(() => [])
    for (const id of processes.filter((name) => /^\d+$/.test(name))) {
      // One that has just ended has nothing to read any more.
      const read = (file: string) => readFile(`/proc/${id}/${file}`, 'utf8').catch(() => '')
      const variables = (await read('environ')).split('\0')
      const name = variables.find((variable) => variable.startsWith('AWS_LAMBDA_FUNCTION_NAME='))
      if (name === undefined || !variables.includes(`GATEWAY_PORT=${port}`)) continue
      const kilobytes = Number(/^VmHWM:\s+(\d+) kB$/m.exec(await read('status'))?.[1] ?? 0)
      peaks.set(name, Math.max(peaks.get(name) ?? 0, Math.ceil(kilobytes / 1024)))
    }
  }
  let looking = Promise.resolve()
  const timer = setInterval(() => {
    looking = looking.then(look)
  }, every)
  return {
    peak(word) {
      const found = [...peaks].filter(([name]) => name.includes(word)).map(([, peak]) => peak)
      return found.length === 0 ? undefined : Math.max(...found)
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await looking
    },
  }
}
