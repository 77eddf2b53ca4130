import { CliError, type Output } from '../output.ts'
import { missing, type Prompter } from '../prompt.ts'

interface Confirming {
  readonly output: Output
  readonly prompter: Prompter | undefined
}

/** Shows what is about to be done, and goes on when somebody has confirmed it. Throws CliError. */
export async function confirmed(
  text: string,
  { yes = false }: { readonly yes?: boolean },
  { output, prompter }: Confirming,
): Promise<void> {
  if (yes) return output.note(text)
  if (prompter === undefined) throw missing('The confirmation', '--yes')
  // Nobody confirms what they do not see, not even with --quiet.
  process.stderr.write(`${text}\n`)
  if (!(await prompter.confirm('Is this right?', false)))
    throw new CliError('refused', 'Not confirmed. Nothing was done.')
}
