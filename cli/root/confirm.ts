import { CliError, type Output, say } from '../output.ts'
import { missing, type Prompter } from '../prompt.ts'

interface Confirming {
  readonly output: Output
  readonly prompter: Prompter | undefined
}

interface Confirmed {
  readonly yes?: boolean
}

/** Shows what is about to be done, and goes on when somebody has confirmed it. Throws CliError. */
export async function confirmed(text: string, options: Confirmed, hands: Confirming): Promise<void> {
  const { prompter } = hands
  if (!options.yes && prompter === undefined) throw missing('The confirmation', '--yes')
  showBefore(text, options, hands)
  if (options.yes || (await prompter?.confirm('Is this right?', false))) return
  throw new CliError('refused', 'Not confirmed. Nothing was done.')
}

/** Nobody confirms what they do not see, not even with --quiet. */
export function showBefore(text: string, { yes = false }: Confirmed, { output, prompter }: Confirming): void {
  if (yes || prompter === undefined) output.note(text)
  else say(text)
}
