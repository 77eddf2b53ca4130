import { Command } from 'commander'
import type * as z from 'zod'
import type { commit, commitChanges, commits } from '../../shared/app/result-schemas.ts'
import { inParallel } from '../../shared/repository/parallel.ts'
import type { ApiClient } from '../api-client.ts'
import { wholeNumber } from '../arguments.ts'
import { contextOf } from '../context.ts'
import { type Output, paint } from '../output.ts'
import { plural, short, table } from '../table.ts'

type Commits = z.infer<typeof commits>['data']
type Commit = z.infer<typeof commit>['data']
type Changes = z.infer<typeof commitChanges>['data']

interface LogOptions {
  readonly limit: number
  readonly newest?: number
  readonly changes?: boolean
}

/** Each is a search of its own for the service. */
const askedAtOnce = 4

export function logCommand(): Command {
  return new Command('log')
    .description('the journal: what changed, when, for whom; newest first')
    .argument('[commit]', 'show this one in full', wholeNumber(1))
    .option('-n, --limit <n>', 'how many', wholeNumber(1, 100), 20)
    .option('--newest <commit>', 'begin there', wholeNumber(1))
    .option(
      '--changes',
      'show the old and the new value of each target that changed; of one commit, those of an import too',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  $ tuffet log -n 5\n  $ tuffet log 42\n  $ tuffet log --changes\n  $ tuffet log 42 --changes --json > changes.jsonl',
    )
    .action(async (number: number | undefined, options: LogOptions, command: Command) => {
      const { api, output } = contextOf(command)
      if (number !== undefined && options.changes) return showChanges(api, output, number)
      if (number !== undefined) {
        const { data } = await api.get<{ data: Commit }>(`commits/${number}`)
        return output.result(data, describe(data))
      }
      const query = {
        limit: String(options.limit),
        ...(options.newest !== undefined && { newest: String(options.newest) }),
      }
      const { data } = await api.get<{ data: Commits }>('commits', query)
      if (!options.changes) return output.result(data, list(data))
      const whole = await inParallel(data.commits, askedAtOnce, async ({ number }) => {
        return (await api.get<{ data: Commit }>(`commits/${number}`)).data
      })
      output.result({ ...data, commits: whole }, [list(data), ...whole.flatMap(changesOf)].join('\n\n'))
    })
}

/** As many as an answer may hold. */
const changesAtOnce = 5000

/** Page after page, for there may be a million. */
async function showChanges(api: ApiClient, output: Output, number: number): Promise<void> {
  for (let offset: number | undefined = 0; offset !== undefined; ) {
    const query: Record<string, string> = { offset: `${offset}`, limit: `${changesAtOnce}` }
    const { data } = await api.get<{ data: Changes }>(`commits/${number}/changes`, query)
    await output.part(data.changes, table(data.changes.flatMap(oldAndNew)))
    offset = data.next
  }
}

function list({ commits, next }: Commits): string {
  if (commits.length === 0) return 'There is no commit yet.'
  const rows = commits.map(({ number, time, tasks, changes }) => [
    String(number),
    seconds(time),
    tasks.length === 0 ? 'refresh' : [...new Set(tasks.map(({ task }) => task ?? 'unread'))].join(', '),
    changes === 0 ? '' : plural(changes, 'target'),
    [...new Set(tasks.map(({ principal }) => principal))].join(', '),
    refused(tasks),
  ])
  const more = next === undefined ? '' : `\n${paint('dim', `older ones: tuffet log --newest ${next}`)}`
  return table(rows) + more
}

function refused(tasks: Commits['commits'][number]['tasks']): string {
  const count = tasks.filter(({ state }) => state !== 'SUCCESS').length
  return count === 0 ? '' : paint('yellow', `${count} refused`)
}

/** More files are for nobody to read. */
const mostFiles = 20

function describe({ number, time, base, tasks, changes, next, imported, listed, creates }: Commit): string {
  const files = creates.slice(0, mostFiles).join(', ')
  const sections = [
    table([
      ['commit', String(number)],
      ['time', time],
      ['base', `${base.number} (${short(base.sha256)})`],
      ['files', creates.length > mostFiles ? `${files} and ${creates.length - mostFiles} more` : files],
      ...(imported
        ? [
            [
              'imported',
              `${plural(imported.artifacts, 'target')} from a file (${short(imported.sha256)}): tuffet log ${number} --changes`,
            ],
          ]
        : []),
      ...(listed ? [['taken back', `${plural(listed.changes, 'target')}: tuffet log ${number} --changes`]] : []),
    ]),
  ]
  if (tasks.length > 0) {
    const rows = tasks.map((task) => [
      `  ${task.task_id}`,
      task.task ?? '',
      task.state,
      task.principal,
      task.error ?? '',
    ])
    sections.push(`${paint('bold', 'Tasks')}\n${table(rows)}`)
  }
  if (changes.length > 0)
    sections.push(`${paint('bold', 'Targets')}\n${table(changes.flatMap(oldAndNew))}${others(number, next)}`)
  return sections.join('\n\n')
}

/** Where to find those that one answer does not hold. */
function others(number: number, next: number | undefined): string {
  return next === undefined ? '' : `\n${paint('dim', `all of them: tuffet log ${number} --changes`)}`
}

function changesOf({ number, changes, next, imported, listed }: Commit): string[] {
  const many =
    (imported && `${plural(imported.artifacts, 'target')} from a file`) ??
    (listed && `${plural(listed.changes, 'target')} taken back`)
  if (many !== undefined) return [`${paint('bold', `Commit ${number}`)}\n  ${many}: tuffet log ${number} --changes`]
  if (changes.length === 0) return []
  return [`${paint('bold', `Commit ${number}`)}\n${table(changes.flatMap(oldAndNew))}${others(number, next)}`]
}

/** A row for the old value of a target and one for the new, as far as there are such. */
function oldAndNew({ path, role = '', before, after }: Changes['changes'][number]): string[][] {
  const row = (sign: string, { length, hashes, custom }: NonNullable<typeof before>) => {
    const digests = Object.entries(hashes).map(([algorithm, digest]) => `${algorithm}:${digest}`)
    const said = custom === undefined ? [] : [JSON.stringify(custom)]
    return [`  ${sign}`, path, role, plural(length, 'byte'), ...digests, ...said]
  }
  return [
    ...(before === undefined ? [] : [row(paint('red', '-'), before)]),
    ...(after === undefined ? [] : [row(paint('green', '+'), after)]),
  ]
}

function seconds(time: string): string {
  return `${time.slice(0, 19).replace('T', ' ')} UTC`
}
