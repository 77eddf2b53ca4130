import { Command, InvalidArgumentError } from 'commander'
import type { ClientId } from '../../shared/repository/clients.ts'
import { detailsOf } from '../api-client.ts'
import { clientList, collectDays, type Days, numberOfBins } from '../arguments.ts'
import { contextOf } from '../context.ts'
import { CliError, exitCodes } from '../output.ts'
import { table } from '../table.ts'

export function configCommand(): Command {
  return new Command('config')
    .description('the settings of the repository')
    .addHelpText('after', '\nExample:\n  $ tuffet config set timestamp=2')
    .addCommand(getCommand())
    .addCommand(setCommand())
}

function getCommand(): Command {
  return new Command('get')
    .description('show the settings')
    .argument('[name]', 'such as timestamp_expiration')
    .addHelpText('after', '\nExample:\n  $ tuffet config get timestamp_expiration')
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      const { api, output } = contextOf(command)
      const { data } = await api.get<{ data: Record<string, unknown> }>('config')
      if (name === undefined) {
        output.result(data, table(Object.entries(data).map(([name, value]) => [name, String(value)])))
      } else if (Object.hasOwn(data, name)) {
        output.result(data[name], String(data[name]))
      } else {
        throw new CliError('usage', `There is no setting ${name}. There are ${Object.keys(data).join(', ')}.`)
      }
    })
}

function setCommand(): Command {
  return new Command('set')
    .description(
      'change how many days roles live (each takes it on when it is signed next), which clients are served, or the number of hash bins',
    )
    .argument(
      '[name=value...]',
      'targets, snapshot, timestamp, bins or a custom role (with _expiration or without) = days; clients = names; number_of_delegated_bins = 2 to 16384',
      collectSettings,
    )
    .option('--expiration <role=days>', 'the same as an option; repeatable', collectDays)
    .addHelpText(
      'after',
      '\nExamples:\n  $ tuffet config set timestamp=2 snapshot=14\n  $ tuffet config set clients=python-tuf,tuf-js,go-tuf' +
        '\n  $ tuffet config set number_of_delegated_bins=1024' +
        '\n\nThe bins that are no more stay in the snapshot. From 4096 roles on tuf-js takes seconds for each refresh.',
    )
    .action(async (settings: Wanted | undefined, options: { expiration?: Days }, command: Command) => {
      const { api, output } = contextOf(command)
      const expiration = { ...settings?.days, ...options.expiration }
      const clients = settings?.clients
      const asked = Object.entries(expiration)
      if (expiration['root'] !== undefined) throw rootExpires(expiration['root'])
      const bins = settings?.bins
      if (bins !== undefined) {
        if (asked.length > 0 || clients !== undefined)
          throw new CliError('usage', 'The number of hash bins changes by itself. Set the rest with another command.')
        const changing = () => api.submit('PUT', 'config', { settings: { bins: { number_of_delegated_bins: bins } } })
        const task = await output.during(`Spreading the targets over ${bins} hash bins`, changing)
        output.done({ task }, `There are ${bins} hash bins now.`)
        return
      }
      if (asked.length === 0 && clients === undefined)
        throw new CliError('usage', 'Nothing to set. Say what, such as timestamp=2.')
      const task = await output.during('Changing settings', () =>
        api.submit('PUT', 'config', {
          settings: { ...(asked.length > 0 && { expiration }), ...(clients && { clients }) },
        }),
      )
      const { invalid_roles = [] } = detailsOf<{ invalid_roles: readonly string[] }>(task)
      for (const role of invalid_roles) output.warn(`There is no role ${role}; it was left out.`)
      const done = asked
        .filter(([role]) => !invalid_roles.includes(role))
        .map(([role, days]) => `${role}: ${days} days`)
      if (clients !== undefined) done.push(`clients: ${clients.join(', ')}`)
      output.done({ task }, `Set ${done.join(', ')}.`)
      if (invalid_roles.length > 0) process.exitCode = exitCodes.refused
    })
}

function rootExpires(days: number): CliError {
  return new CliError('usage', `The holders of root decide when it expires: tuffet root update --expiration ${days}`)
}

interface Wanted {
  readonly days?: Days
  readonly clients?: readonly ClientId[]
  /** Their number. */
  readonly bins?: number
}

const binsSetting = 'number_of_delegated_bins='

function collectSettings(text: string, before: unknown): Wanted {
  const earlier = before as Wanted | undefined
  if (text.startsWith('clients=')) return { ...earlier, clients: clientList(text.slice('clients='.length)) }
  if (text.startsWith(binsSetting)) return { ...earlier, bins: numberOfBins(text.slice(binsSetting.length)) }
  try {
    // As `config get` spells it, too.
    return { ...earlier, days: collectDays(text.replace(/^(.+)_expiration=/, '$1='), earlier?.days) }
  } catch (cause) {
    if (!(cause instanceof InvalidArgumentError)) throw cause
    throw new InvalidArgumentError(`${cause.message} Besides, clients=NAME,NAME and ${binsSetting}NUMBER can be set.`)
  }
}
