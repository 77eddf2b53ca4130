import { Command, Option } from 'commander'
import type * as z from 'zod'
import type { artifact, parked } from '../../shared/app/result-schemas.ts'
import { type ApiClient, detailsOf, type Task } from '../api-client.ts'
import { collectTargets, sha256Digest, wholeNumber } from '../arguments.ts'
import { type ArtifactOptions, type ArtifactToAdd, artifactsFrom } from '../artifacts.ts'
import { contextOf } from '../context.ts'
import { CliError, complain, exitCodes, paint } from '../output.ts'
import { plural, short, table } from '../table.ts'

export function artifactCommand(): Command {
  return new Command('artifact')
    .description('add, remove, park, publish or show artifacts')
    .addHelpText('after', '\nExample:\n  $ tuffet artifact add dist/ --base dist')
    .addCommand(addCommand())
    .addCommand(removeCommand())
    .addCommand(parkedCommand())
    .addCommand(publishCommand())
    .addCommand(showCommand())
}

interface PublishOption {
  readonly publish: boolean
}

const noPublish = () => new Option('--no-publish', 'park the change, until somebody runs tuffet artifact publish')

function addCommand(): Command {
  return new Command('add')
    .description('hash local files, post them in one request, and wait until clients can see them')
    .argument('<path...>', 'files, or directories with all that is in them')
    .option('--base <dir>', 'target paths are relative to this', '.')
    .option('--as <path>', 'the target path of the one file given')
    .option('--length <bytes>', 'with --sha256: the file is elsewhere, and PATH is the target path', wholeNumber(0))
    .option('--sha256 <hex>', 'with --length', sha256Digest)
    .option('--custom <json>', 'an object that clients are to be told of each artifact')
    .addOption(noPublish())
    .addHelpText(
      'after',
      `
Examples:
  $ tuffet artifact add dist/ --base dist
  $ tuffet artifact add build/out.tar.gz --as releases/1.2.3/app.tar.gz
  $ tuffet artifact add app.tar.gz --length 1024 --sha256 <hex>`,
    )
    .action(async (paths: string[], options: ArtifactOptions & PublishOption, command: Command) => {
      const { api, output } = contextOf(command)
      const artifacts = await output.during('Hashing', (progress) => artifactsFrom(paths, options, progress))
      const body = { artifacts, publish_artifacts: options.publish }
      const what = plural(artifacts.length, 'artifact')
      const task = await output.during(`Publishing ${what}`, () => api.submit('POST', 'artifacts', body))
      output.done(
        { artifacts, ...parkedIf(options), task },
        `${summary(artifacts)}\n${ended('Added', artifacts.length, 'artifact', options, task)}`,
      )
    })
}

function removeCommand(): Command {
  return new Command('remove')
    .description('take target paths out of the repository, in one request')
    .argument('<path...>', 'target paths', collectTargets)
    .addOption(noPublish())
    .addHelpText('after', '\nExample:\n  $ tuffet artifact remove releases/1.2.2/app.tar.gz')
    .action(async (paths: string[], options: PublishOption, command: Command) => {
      const { api, output } = contextOf(command)
      const body = { artifacts: paths, publish_artifacts: options.publish }
      const task = await output.during('Publishing', () => api.submit('POST', 'artifacts/delete', body))
      const { deleted_artifacts = [], not_found_artifacts = [] } = detailsOf<Removed>(task)
      for (const path of not_found_artifacts) output.warn(`${path} was not there.`)
      const { length } = deleted_artifacts
      const text = length === 0 ? 'Nothing was removed.' : ended('Removed', length, 'artifact', options, task)
      output.done({ ...parkedIf(options), task }, text)
    })
}

interface Removed {
  readonly deleted_artifacts: readonly string[]
  readonly not_found_artifacts: readonly string[]
}

const parkedIf = ({ publish }: PublishOption) => (publish ? {} : { parked: true })

function parkedCommand(): Command {
  return new Command('parked')
    .description('what was added or removed with --no-publish, and is not published yet')
    .addHelpText('after', '\nExample:\n  $ tuffet artifact parked')
    .action(async (_options: unknown, command: Command) => {
      const { api, output } = contextOf(command)
      const artifacts = await readParked(api)
      output.result({ artifacts, total: artifacts.length }, describeParked(artifacts))
    })
}

function publishCommand(): Command {
  return new Command('publish')
    .description('publish all that is parked, in one request, and wait until clients can see it')
    .addHelpText('after', '\nExample:\n  $ tuffet artifact publish')
    .action(async (_options: unknown, command: Command) => {
      const { api, output } = contextOf(command)
      const { total } = await readParkedPage(api, 0, 1)
      const task = await output.during('Publishing', () => api.submit('POST', 'artifacts/publish', undefined))
      const text = total === 0 ? 'Nothing was parked.' : ended('Published', total, 'change', { publish: true }, task)
      output.done({ task }, text)
    })
}

type Parked = z.infer<typeof parked>['data']

/** As many as an answer may hold. */
const parkedAtOnce = 1000

async function readParkedPage(api: ApiClient, offset: number, limit: number): Promise<Parked> {
  return (await api.get<{ data: Parked }>('artifacts/parked', { offset: `${offset}`, limit: `${limit}` })).data
}

async function readParked(api: ApiClient): Promise<Parked['artifacts']> {
  const found: Parked['artifacts'] = []
  for (;;) {
    const { artifacts, total } = await readParkedPage(api, found.length, parkedAtOnce)
    found.push(...artifacts)
    if (artifacts.length === 0 || found.length >= total) return found
  }
}

function describeParked(artifacts: Parked['artifacts']): string {
  if (artifacts.length === 0) return 'Nothing is parked.'
  const rows = artifacts.map(({ path, info, principal }) => {
    if (info === undefined) return [paint('red', '-'), path, '', '', principal]
    const [[algorithm, digest] = ['', '']] = Object.entries(info.hashes)
    return [paint('green', '+'), path, plural(info.length, 'byte'), `${algorithm} ${short(digest)}`, principal]
  })
  return `${table(rows)}\nClients do not see ${plural(artifacts.length, 'change')} yet. To publish: tuffet artifact publish`
}

function showCommand(): Command {
  return new Command('show')
    .description('what clients are told of a target path')
    .argument('<path...>', 'target paths', collectTargets)
    .addHelpText('after', '\nExample:\n  $ tuffet artifact show releases/1.2.3/app.tar.gz')
    .action(async (paths: string[], _options: unknown, command: Command) => {
      const { api, output } = contextOf(command)
      const found: Shown[] = []
      const missing: Missing[] = []
      for (const path of paths) {
        const answer = await readArtifact(api, path)
        if ('error' in answer) missing.push(answer)
        else found.push(answer)
      }
      const messages = missing.map(({ error }) => error.message)
      if (found.length === 0) throw new CliError('refused', messages.join('\n'))
      const document = paths.length === 1 ? found[0] : [...found, ...missing]
      output.result(document, found.map(describe).join('\n\n'))
      for (const message of messages) complain(message)
      if (missing.length > 0) process.exitCode = exitCodes.refused
    })
}

type Shown = z.infer<typeof artifact>['data']

interface Missing {
  readonly path: string
  readonly error: { readonly code: string; readonly message: string }
}

/** That one is not there says nothing of the others. */
async function readArtifact(api: ApiClient, path: string): Promise<Shown | Missing> {
  try {
    return (await api.get<z.infer<typeof artifact>>('artifacts', { path })).data
  } catch (cause) {
    if (!(cause instanceof CliError && cause.details['status'] === 404)) throw cause
    return { path, error: { code: cause.code, message: cause.message } }
  }
}

function describe({ path, role, info, commit, imports }: Shown): string {
  return table([
    ['path', path],
    ['role', role],
    ['length', `${info.length}`],
    ...Object.entries(info.hashes),
    ...(info.custom === undefined ? [] : [['custom', JSON.stringify(info.custom)]]),
    ...(commit === undefined ? [] : [['commit', `${commit}`]]),
    ...(imports === undefined ? [] : [['imported', `by one of the commits ${imports.join(', ')}`]]),
  ])
}

const shownAtMost = 20

function summary(artifacts: readonly ArtifactToAdd[]): string {
  const rows = artifacts
    .slice(0, shownAtMost)
    .map(({ path, info }) => [`  ${path}`, plural(info.length, 'byte'), `sha256 ${short(info.hashes.sha256)}`])
  const more = artifacts.length - rows.length
  return more > 0 ? `${table(rows)}\n  and ${more} more` : table(rows)
}

function ended(
  done: 'Added' | 'Removed' | 'Published',
  count: number,
  noun: string,
  { publish }: PublishOption,
  task: Task,
): string {
  const { update } = detailsOf<{ update: string }>(task)
  const what = plural(count, noun)
  const they = count === 1 ? 'it' : 'them'
  const seen = done === 'Removed' ? `clients find ${they} no more` : `clients can see ${they}`
  // A role that is signed offline: its holders come first.
  if (update !== undefined)
    return `Waits: ${update}. Clients see ${what} once all are there (tuffet delegation list says who signs).`
  return publish
    ? `${done} ${what}; ${seen} (task ${task.task_id}).`
    : `Parked: ${what} (task ${task.task_id}). See: tuffet artifact parked; to publish: tuffet artifact publish`
}
