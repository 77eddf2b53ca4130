/**
 * The process of one function, as Lambda's runtime would be: imports its bundle, and answers one event after the other.
 */

interface Invocation {
  readonly event: unknown
  /** Milliseconds that it may take. */
  readonly time: number
}

/** What comes back of each, and of the import before all. */
export interface Answer {
  readonly result?: unknown
  /** The stack of what the handler threw. */
  readonly error?: string
  /** What was printed meanwhile. */
  readonly output: string
}

let output = ''
for (const stream of [process.stdout, process.stderr]) {
  stream.write = (chunk: string | Uint8Array) => {
    output += String(chunk)
    return true
  }
}

async function answer(work: () => Promise<unknown>): Promise<void> {
  const answered: Omit<Answer, 'output'> = await work().then(
    (result) => ({ result }),
    (error: unknown) => ({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
  process.send?.({ ...answered, output })
  output = ''
}

let handler: ((event: unknown, context: object) => Promise<unknown>) | undefined

process.on('message', ({ event, time }: Invocation) => {
  const end = Date.now() + time
  const context = {
    functionName: 'test',
    functionVersion: '1',
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:test',
    memoryLimitInMB: '1024',
    awsRequestId: crypto.randomUUID(),
    getRemainingTimeInMillis: () => end - Date.now(),
  }
  void answer(async () => handler?.(event, context))
})

await answer(async () => {
  const [, , file = ''] = process.argv
  // biome-ignore lint/plugin: a bundle, which is made when the test runs.
  handler = (await import(file)).handler
})
