import { Command } from 'commander'
import type { Task } from '../api-client.ts'
import { contextOf } from '../context.ts'
import { exitCodes } from '../output.ts'
import { table } from '../table.ts'

export function taskCommand(): Command {
  return new Command('task')
    .description('where a task stands, and how it ended; exit code 1 if it was refused or failed')
    .argument('<id>', '32 hex digits, as an accepted request gave them')
    .addHelpText('after', '\nExample:\n  $ tuffet task 0197f2c1d3a07c4e8b5a6d7e8f901234')
    .action(async (id: string, _options: unknown, command: Command) => {
      const { api, output } = contextOf(command)
      const { data } = await api.get<{ data: Task }>('task', { task_id: id })
      output.result(data, describe(data))
      if (data.state === 'ERRORED' || data.state === 'FAILURE') process.exitCode = exitCodes.refused
    })
}

function describe({ task_id, state, result }: Task): string {
  const rows = [
    ['task', task_id],
    ['state', state],
  ]
  if (result !== undefined) {
    rows.push(['kind', result.task ?? ''], ['message', result.message])
    if (result.error !== undefined) rows.push(['error', result.error])
    for (const [name, value] of Object.entries(result.details)) rows.push([name, shown(value)])
    rows.push(['finished', result.last_update])
  }
  return table(rows)
}

function shown(value: unknown): string {
  if (Array.isArray(value))
    return value.every((item) => typeof item === 'string') ? value.join(', ') : JSON.stringify(value)
  return typeof value === 'string' ? value : JSON.stringify(value)
}
