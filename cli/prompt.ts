import { readFileSync } from 'node:fs'
import type * as Inquirer from '@inquirer/prompts'
import { CliError } from './output.ts'

/** Asks the person at the terminal. Each question has a default, which an empty answer takes. */
export interface Prompter {
  text(message: string, options?: { default?: string; validate?: Check }): Promise<string>
  secret(message: string, options?: { validate?: Check }): Promise<string>
  choose<Value>(message: string, choices: readonly Choice<Value>[]): Promise<Value>
  confirm(message: string, assumed: boolean): Promise<boolean>
}

/** True, or what is wrong with the answer. */
export type Check = (answer: string) => true | string

export interface Choice<Value> {
  readonly value: Value
  readonly name: string
  readonly description?: string
}

export interface Streams {
  readonly input: NodeJS.ReadableStream
  readonly output: NodeJS.WritableStream
}

/** Nothing unless somebody sits there: a script must never hang on a question that nobody sees. */
export function terminalPrompter(): Prompter | undefined {
  // Questions go to standard error, so that standard output holds the outcome alone.
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined
  return prompter({ input: process.stdin, output: process.stderr })
}

export function prompter(streams: Streams): Prompter {
  const { input } = streams
  async function answerTo<Answer>(
    ask: (inquirer: typeof Inquirer, context: Asked) => Promise<Answer>,
  ): Promise<Answer> {
    // Input that ends (Ctrl-D) closes the question, and nobody hears of it: it would be waited for until the process ends.
    const closed = new AbortController()
    const close = () => closed.abort()
    const inquirer = await import('@inquirer/prompts')
    input.once('pause', close)
    try {
      return await ask(inquirer, { ...streams, signal: closed.signal }).catch(interrupted)
    } finally {
      input.off('pause', close)
    }
  }
  return {
    text: (message, options = {}) => answerTo(({ input }, asked) => input({ message, ...options }, asked)),
    secret: (message, options = {}) =>
      answerTo(({ password }, asked) => password({ message, mask: true, ...options }, asked)),
    choose: (message, choices) => answerTo(({ select }, asked) => select({ message, choices: [...choices] }, asked)),
    confirm: (message, assumed) => answerTo(({ confirm }, asked) => confirm({ message, default: assumed }, asked)),
  }
}

type Asked = Streams & { readonly signal: AbortSignal }

const withoutAnswer = ['ExitPromptError', 'AbortPromptError']

function interrupted(cause: unknown): never {
  if (cause instanceof Error && withoutAnswer.includes(cause.name))
    throw new CliError('refused', 'Interrupted. Nothing was done.', { cause })
  throw cause
}

/** Without a terminal and without an answer on the command line. */
export function missing(what: string, flag: string): CliError {
  return new CliError('usage', `${what} is missing, and there is no terminal to ask at. Give it with ${flag}.`)
}

/** The name of a key (see `signers.ts`) that its holder signs with. Throws CliError 'usage' where nobody is there to be asked. */
export async function askKeyName(prompter: Prompter | undefined): Promise<string> {
  if (prompter === undefined) throw missing('The key', '--key')
  return prompter.text('File with your key (or kms:…, or pkcs11:…)')
}

/** Where passwords come from: never from an argument, which everybody on the machine can read. */
export interface Passwords {
  /** The next one; `message` is what a person is asked. With `twice` it is a new one, asked for again to be sure. */
  next(message: string, options?: { twice?: boolean }): Promise<string>
}

const shortest = 12

/**
 * Reads them from the file descriptor, one a line in the order in which they are needed (one line alone serves for all), or
 * asks. Throws CliError 'usage' where neither is possible.
 */
export function passwords(descriptor: number | undefined, prompter: Prompter | undefined): Passwords {
  const lines = descriptor === undefined ? undefined : readLines(descriptor)
  let used = 0
  return {
    async next(message, { twice = false } = {}) {
      const longEnough: Check = (answer) =>
        !twice ||
        answer.length >= shortest ||
        `A password needs at least ${shortest} characters; a few random words make a good one.`
      if (lines === undefined) {
        if (prompter === undefined) throw missing('A password', '--password-fd')
        const answer = await prompter.secret(message, { validate: longEnough })
        if (twice) {
          const validate: Check = (again) => again === answer || 'That is not the same. Type it once more.'
          await prompter.secret('The same again', { validate })
        }
        return answer
      }
      const line = lines.length === 1 ? lines[0] : lines[used++]
      if (!line) throw new CliError('usage', `File descriptor ${descriptor} has no line left for: ${message}.`)
      const judged = longEnough(line)
      if (judged !== true) throw new CliError('usage', judged)
      return line
    },
  }
}

function readLines(descriptor: number): string[] {
  try {
    return readFileSync(descriptor, 'utf8')
      .replace(/\r?\n$/, '')
      .split(/\r?\n/)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause
    throw new CliError('usage', `No password can be read from file descriptor ${descriptor}: ${why}.`, { cause })
  }
}
