import { type Command, Option } from 'commander'
import { wholeNumber } from './arguments.ts'
import { type Context, contextOf } from './context.ts'
import { type Passwords, type Prompter, passwords, terminalPrompter } from './prompt.ts'

/** What commands share that open keys and ask people: for the holders of keys. */

export interface PasswordOption {
  readonly passwordFd?: number
}

export const passwordFd = () =>
  new Option('--password-fd <n>', 'read passwords and PINs from this file descriptor, one a line').argParser(
    wholeNumber(0),
  )

/** What somebody is shown is compared with what clients read, which is verified from this root on. */
export const trustedRoot = () =>
  new Option('--root <file>', 'a root that you trust (default: the first that is published)')

export const yes = () => new Option('-y, --yes', 'confirm')

/** What a command of theirs works with. */
export interface Hands extends Context {
  readonly prompter: Prompter | undefined
  readonly passwords: Passwords
}

export function handsOf(command: Command, { passwordFd }: PasswordOption): Hands {
  const prompter = terminalPrompter()
  return { ...contextOf(command), prompter, passwords: passwords(passwordFd, prompter) }
}
