import { once } from 'node:events'
import { access, constants, stat } from 'node:fs/promises'
import { getSystemErrorMessage, styleText } from 'node:util'
import { TufError } from '../shared/tuf/errors.ts'
import { printable } from './printable.ts'

/** How a command can end, and the exit code of each ending. */
export const exitCodes = {
  done: 0,
  /** The service or a file said no. */
  refused: 1,
  /** The command line is not one that can be carried out. */
  usage: 2,
  /** Nobody answered, or not with what was asked for. */
  unreachable: 3,
  /** What was read is not what trusted metadata vouches for. */
  'not-verified': 4,
} as const
export type Ending = keyof typeof exitCodes

/** What ends a command before it is done. The message is for people: what was wrong, where, and what to do. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly code: Exclude<Ending, 'done'>
  /** More for the document of `--json`. */
  readonly details: Readonly<Record<string, unknown>>
  constructor(
    code: Exclude<Ending, 'done'>,
    message: string,
    options: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options)
    this.code = code
    this.details = options.details ?? {}
  }
}

/** A file or directory of this machine that the command line names, and that cannot be read. */
export function unreadable(file: string, cause: unknown): CliError {
  const { message, code = '' } = cause as NodeJS.ErrnoException
  const mend = howToRead[code]
  return new CliError('usage', `${file} cannot be read: ${message}${mend === undefined ? '' : `. ${mend}`}`, { cause })
}

const howToRead: Readonly<Record<string, string>> = {
  ENOENT: 'Is the path right?',
  ENOTDIR: 'A part of the path that has to be a directory is a file.',
  EISDIR: 'It is a directory: name a file.',
  EACCES: 'Let the user of this process read it.',
}

/** A file that could not be written: without the name of the temporary file that was to become it. */
export function unwritable(file: string, cause: unknown): CliError {
  const { message, errno } = cause as NodeJS.ErrnoException
  const reason = errno === undefined ? message.replace(/\.$/, '') : getSystemErrorMessage(errno)
  return new CliError('refused', `${file} cannot be written: ${reason}.`, { cause })
}

/**
 * For a file that is opened by what knows nothing of exit codes. It is not opened here, for what comes out of a pipe comes once.
 * Throws CliError 'usage'.
 */
export async function requireReadable(file: string): Promise<void> {
  try {
    await access(file, constants.R_OK)
    if ((await stat(file)).isDirectory()) throw Object.assign(new Error('EISDIR'), { code: 'EISDIR' })
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

/** Does what may break a rule of TUF: that ends the command with this code, and with `before` in front of the reason. */
export function endOnTufError<Value>(code: CliError['code'], before: string, work: () => Value): Value {
  try {
    return work()
  } catch (cause) {
    if (!(cause instanceof TufError)) throw cause
    throw new CliError(code, `${before}${cause.message}`, { cause })
  }
}

export type Colour = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan'

/** Where a command says things: its outcome on standard output, what goes on meanwhile on standard error. */
export interface Output {
  /** What was asked for: the document with `--json`, the text otherwise, `--quiet` or not. Once a command. */
  result(document: unknown, text: string): void
  /** The same for a command that did something: `--quiet` does not show the text. */
  done(document: unknown, text: string): void
  /** A part of what was asked for, where that may be too much for one document: with `--json` one on each line. Waits for whoever reads. */
  part(documents: readonly unknown[], text: string): Promise<void>
  /** For people who watch: not with `--quiet` and not with `--json`. */
  note(text: string): void
  /** For everybody. */
  warn(text: string): void
  /** Shows what is going on while `work` runs, on a terminal only. */
  during<Value>(text: string, work: (progress: (text: string) => void) => Promise<Value>): Promise<Value>
}

export interface OutputOptions {
  readonly json?: boolean
  readonly quiet?: boolean
}

/** Coloured where standard output is a terminal and NO_COLOR does not forbid it. */
export function paint(colour: Colour, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(colour, text, { stream })
}

export function createOutput({ json = false, quiet = false }: OutputOptions): Output {
  const line = (text: string) => process.stdout.write(printable(text.endsWith('\n') ? text : `${text}\n`))
  // A terminal that says it has no columns has no room for it either.
  const showsProgress = !json && !quiet && process.stderr.isTTY && process.stderr.columns > 0
  let spinning: { clear(): unknown } | undefined
  return {
    result: (document, text) => line(json ? JSON.stringify(document, undefined, 2) : text),
    async part(documents, text) {
      const said = json ? documents.map((document) => JSON.stringify(document)).join('\n') : text
      if (said !== '' && !process.stdout.write(printable(`${said}\n`))) await once(process.stdout, 'drain')
    },
    done(document, text) {
      if (json) this.result(document, text)
      else if (!quiet) line(text)
    },
    note: (text) => {
      if (!json && !quiet) say(text)
    },
    warn: (text) => {
      // Not behind what is going on, in its line.
      spinning?.clear()
      say(`${paint('yellow', 'warning:', process.stderr)} ${text}`)
    },
    async during(text, work) {
      if (!showsProgress) return work(() => undefined)
      const { default: ora } = await import('ora')
      // Whoever takes the keyboard takes Ctrl-C with it.
      const spinner = ora({ text: printable(text), stream: process.stderr, discardStdin: false }).start()
      spinning = spinner
      let shown = performance.now()
      try {
        return await work((progress) => {
          spinner.text = printable(progress)
          // Work that leaves no time for anything else has to show it here.
          const now = performance.now()
          if (now - shown < 100) return
          shown = now
          spinner.render()
        })
      } finally {
        spinner.stop()
        spinning = undefined
      }
    },
  }
}

/** To whoever watches, on standard error. */
export function say(text: string): void {
  process.stderr.write(printable(`${text}\n`))
}

/** Says what went wrong. */
export function complain(message: string): void {
  say(`${paint('red', 'error:', process.stderr)} ${message}`)
}

/** Says why a command ended early, and returns the exit code. */
export function reportFailure(error: unknown, { json = false }: OutputOptions): number {
  const known = error instanceof CliError
  const code = known ? error.code : 'refused'
  const message = error instanceof Error ? error.message : String(error)
  complain(message)
  if (!known && error instanceof Error && process.env['TUFFET_DEBUG']) say(`${error.stack}`)
  if (json) {
    const details = known ? error.details : {}
    process.stdout.write(printable(`${JSON.stringify({ error: { code, message }, ...details }, undefined, 2)}\n`))
  }
  return exitCodes[code]
}
