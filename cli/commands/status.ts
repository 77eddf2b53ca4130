import { Command } from 'commander'
import type * as z from 'zod'
import type { status } from '../../shared/app/result-schemas.ts'
import { contextOf } from '../context.ts'
import { paint } from '../output.ts'
import { duration, fromNow, plural, short, table } from '../table.ts'

type Status = z.infer<typeof status>['data']

export function statusCommand(): Command {
  return new Command('status')
    .description('what the repository is, what expires when, what waits')
    .addHelpText('after', '\nExample:\n  $ tuffet status')
    .action(async (_options: unknown, command: Command) => {
      const { api, output } = contextOf(command)
      const { data } = await api.get<z.infer<typeof status>>('status')
      output.result(data, describe(data, api.url, new Date()))
    })
}

function describe(data: Status, url: URL, now: Date): string {
  const { bootstrap, tasks, commit, versions, parked = 0, bins, expires = [], survives_seconds } = data
  const waiting = `${tasks.waiting}${tasks.more ? ' or more' : ''}`
  const oldest = tasks.oldest === undefined ? '' : `, the oldest accepted ${fromNow(new Date(tasks.oldest), now)}`
  const facts = [
    ['service', url.href],
    ['state', bootstrap.state === 'finished' ? 'serving clients' : stateBefore(bootstrap.state)],
  ]
  if (commit !== undefined) {
    facts.push(['commit', `${commit.number}, ${fromNow(new Date(commit.time), now)} (head ${short(commit.head)})`])
  }
  if (versions !== undefined) {
    facts.push([
      'versions',
      Object.entries(versions)
        .map(([role, version]) => `${role} ${version}`)
        .join(', '),
    ])
  }
  if (bins !== undefined) facts.push(['hash bins', `${bins.number}, ${bins.delegation}`])
  facts.push(['tasks waiting', waiting + oldest])
  facts.push(['parked', plural(parked, 'change')])
  if (survives_seconds !== undefined)
    facts.push(['if it stopped', `clients could go on for ${duration(survives_seconds)}`])
  if (expires.length === 0) return table(facts)
  const rows = expires.map(({ role, version, expires }) => {
    const time = new Date(expires)
    const left = fromNow(time, now)
    return [`  ${role}`, `version ${version}`, time <= now ? paint('red', `expired ${left}`) : left, expires]
  })
  return `${table(facts)}\n\n${paint('bold', 'Expires')}\n${table(rows)}`
}

function stateBefore(state: string | undefined): string {
  return state === undefined ? 'not bootstrapped: run tuffet ceremony' : `being bootstrapped (${state})`
}
