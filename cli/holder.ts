import { type Command, Option } from 'commander'
import { wholeNumber } from './arguments.ts'
import { contextOf } from './context.ts'
import { passwords, terminalPrompter } from './prompt.ts'

/** What commands share that open keys and ask people: for the holders of keys. */

export interface PasswordOption {
  readonly passwordFd?: number
}

export const passwordFd = () =>
  new Option('--password-fd <n>', 'read passwords and PINs from this file descriptor, one a line').argParser(
    wholeNumber(0),
  )

export const yes = () => new Option('-y, --yes', 'confirm')

export function handsOf(command: Command, { passwordFd }: PasswordOption) {
  const prompter = terminalPrompter()
  return { ...contextOf(command), prompter, passwords: passwords(passwordFd, prompter) }
}
