import { Command, InvalidArgumentError } from 'commander'
import { detailsOf } from '../api-client.ts'
import { collectDays, type Days } from '../arguments.ts'
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
    .description('change how many days roles live; each takes it on when it is signed next')
    .argument('[role=days...]', 'targets, snapshot, timestamp, bins or a custom role', collectSettings)
    .option('--expiration <role=days>', 'the same as an option; repeatable', collectDays)
    .addHelpText('after', '\nExample:\n  $ tuffet config set timestamp=2 snapshot=14')
    .action(async (settings: Days | undefined, options: { expiration?: Days }, command: Command) => {
      const { api, output } = contextOf(command)
      const expiration = { ...settings, ...options.expiration }
      const asked = Object.entries(expiration)
      if (asked.length === 0) throw new CliError('usage', 'Nothing to set. Say what, such as timestamp=2.')
      const task = await output.during('Changing settings', () =>
        api.submit('PUT', 'config', { settings: { expiration } }),
      )
      const { invalid_roles = [] } = detailsOf<{ invalid_roles: readonly string[] }>(task)
      for (const role of invalid_roles) output.warn(`There is no role ${role}; it was left out.`)
      const done = asked
        .filter(([role]) => !invalid_roles.includes(role))
        .map(([role, days]) => `${role}: ${days} days`)
      output.done({ task }, `Set ${done.join(', ')}.`)
      if (invalid_roles.length > 0) process.exitCode = exitCodes.refused
    })
}

function collectSettings(text: string, before: unknown): Days {
  try {
    return collectDays(text, before as Days | undefined)
  } catch (cause) {
    if (!(cause instanceof InvalidArgumentError)) throw cause
    throw new InvalidArgumentError(`${cause.message} Expirations are what can be set now.`)
  }
}
