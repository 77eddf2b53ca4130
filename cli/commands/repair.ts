import { Command } from 'commander'
import type { Diagnosis } from '../../shared/repository/repair/diagnose.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import { collect, wholeNumber } from '../arguments.ts'
import { contextOf } from '../context.ts'
import { CliError, exitCodes, paint, requireReadable, unreadable } from '../output.ts'

interface Options {
  readonly above?: number
  readonly key?: readonly string[]
  readonly yes?: boolean
}

export function repairCommand(): Command {
  return new Command('repair')
    .description('mend a data directory: finish or roll back what a crash left, rebuild what is lost')
    .argument('<where>', 'a data directory that no service runs on')
    .option('--yes', 'do it; without this it only says what it would do')
    .option(
      '--above <number>',
      'after a backup was restored: the biggest commit number that clients may have seen',
      wholeNumber(1),
    )
    .option('--key <file>', 'an online key, instead of the one in the data directory; repeatable', collect)
    .addHelpText(
      'after',
      `
Clients refuse numbers below those that they have seen. After an older backup was restored, take the biggest version
of timestamp.json that anybody has (a client's cache, a mirror, a log) and name it with --above.`,
    )
    .addHelpText('after', '\nExit code 4: something is to be repaired, is lost, or is wrong still after the repair.')
    .addHelpText(
      'after',
      '\nExamples:\n  $ tuffet repair ./tuffet-data\n  $ tuffet repair ./tuffet-data --above 1041 --yes',
    )
    .action(async (where: string, options: Options, command: Command) => {
      const { output } = contextOf(command)
      const [{ isDataDirectory, openData }, { diagnose }] = await Promise.all([
        import('../../shared/app/data-directory.ts'),
        import('../../shared/repository/repair/diagnose.ts'),
      ])
      const isOne = await isDataDirectory(where).catch((cause: unknown) => {
        throw unreadable(where, cause)
      })
      if (!isOne) {
        throw new CliError(
          'usage',
          `${where} is not a data directory: it has no metadata/ and state/. Other places are not repaired.`,
        )
      }
      const keys = options.key ?? []
      for (const file of keys) await requireReadable(file)
      using data = await openData(where, keys)
      const { repository } = data
      const diagnosis = await output.during('Looking through it', () =>
        diagnose(repository, options.above === undefined ? {} : { above: options.above }),
      )
      const { steps, lost, blocked } = diagnosis
      if (blocked.length > 0)
        throw new CliError('refused', `It cannot be repaired.\n${blocked.map(item).join('\n')}`, {
          details: { steps, lost, blocked },
        })
      const repaired = options.yes === true ? await repairAndCheck(repository, diagnosis) : undefined
      output.result({ where, steps, lost, ...(repaired ?? { repaired: false }) }, describe(diagnosis, repaired))
      // Of what is lost a repair makes up for all but this.
      const contradicted = diagnosis.plan?.contradicted ?? []
      const isWell =
        repaired === undefined ? isNothing(diagnosis) : repaired.findings.length + contradicted.length === 0
      if (!isWell) process.exitCode = exitCodes['not-verified']
    })
}

interface Repaired {
  readonly repaired: true
  /** The commit that was made for it. */
  readonly commit?: number
  readonly findings: readonly { readonly message: string }[]
}

async function repairAndCheck(repository: Repository, { plan }: Diagnosis): Promise<Repaired> {
  const [{ repair }, { checkRepository }] = await Promise.all([
    import('../../shared/repository/repair/repair.ts'),
    import('../../shared/repository/check/check.ts'),
  ])
  const commit = plan && (await repair(repository, plan))
  const { metadata, clock } = repository.ports
  const read = async (file: string) => (await metadata.read(file))?.bytes
  const findings = plan === undefined ? [] : (await checkRepository({ read, now: clock.now() })).findings
  return { repaired: true, ...(commit !== undefined && { commit }), findings }
}

const isNothing = ({ steps, lost }: Diagnosis) => steps.length + lost.length === 0

const item = (text: string) => `  - ${text}`

function describe(diagnosis: Diagnosis, repaired: Repaired | undefined): string {
  if (isNothing(diagnosis)) return 'Nothing is to be repaired.'
  const { steps, lost } = diagnosis
  const sections = [
    ...(steps.length > 0 ? [[repaired === undefined ? 'This would be done:' : 'Done:', ...steps.map(item)]] : []),
    ...(lost.length > 0 ? [['This cannot be brought back:', ...lost.map(item)]] : []),
    ...(repaired === undefined && steps.length > 0
      ? [['Add --yes to do it. A copy of the directory first does no harm.']]
      : []),
    ...(repaired?.commit === undefined ? [] : [[`It became commit ${repaired.commit}.`]]),
    ...(repaired === undefined || repaired.findings.length === 0
      ? []
      : [[paint('red', 'What is wrong still:'), ...repaired.findings.map(({ message }) => item(message))]]),
  ]
  return sections.map((lines) => lines.join('\n')).join('\n\n')
}
