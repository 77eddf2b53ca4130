import { Command, Option } from 'commander'
import type * as z from 'zod'
import type { begunImport, importStanding } from '../../shared/app/result-schemas.ts'
import { type Bulk, type BulkFormat, bulkFormats } from '../../shared/repository/bulk/bulk.ts'
import type { ApiClient, Task } from '../api-client.ts'
import { type BulkFile, readBulkFile } from '../bulk-file.ts'
import { type Context, contextOf } from '../context.ts'
import { CliError } from '../output.ts'
import { terminalPrompter } from '../prompt.ts'
import { plural, progressBar } from '../table.ts'
import { upload } from '../upload.ts'

interface ImportOptions {
  readonly format?: BulkFormat
  readonly skipInvalid?: boolean
  readonly yes?: boolean
}

type Standing = z.infer<typeof importStanding>['data']

export function importCommand(): Command {
  return new Command('import')
    .description('publish all artifacts of a file, up to millions, in one transaction')
    .argument('<file>', 'CSV, or JSON Lines')
    .addOption(
      new Option('--format <format>', "default: by the file's name, or its first line").choices([...bulkFormats]),
    )
    .option('--skip-invalid', 'leave broken lines out, and import the others')
    .option('--yes', 'do not ask at the terminal before anything is sent')
    .addHelpText(
      'after',
      `
A line of CSV is path;length;algorithm;digest, further ;algorithm;digest may follow. A line of JSON Lines is
{"path": "…", "info": {"length": 1, "hashes": {"sha256": "…"}, "custom": {…}}}, without "custom" if there is none.
All of the file is checked first: a broken line, and nothing is sent.

Examples:
  $ tuffet import artifacts.csv
  $ tuffet import artifacts.jsonl --skip-invalid --yes`,
    )
    .action(async (file: string, options: ImportOptions, command: Command) => {
      const context = contextOf(command)
      const { output } = context
      const read = await output.during(`Reading ${file}`, (say) =>
        readBulkFile(file, options.format, (lines) => say(`Reading ${file}: ${plural(lines, 'line')}`)),
      )
      const { bulk } = read
      const what = plural(bulk.count, 'artifact')
      refuseBroken(file, bulk, options)
      if (bulk.brokenCount > 0) output.warn(`${plural(bulk.brokenCount, 'broken line')} left out:\n${listed(bulk)}`)
      await confirm(`Import ${what} from ${file} into ${context.apiBase}?`, options)
      const id = await send(read, context)
      const task = await follow(id, options, context)
      output.done(
        { import_id: id, artifacts: bulk.count, skipped: bulk.brokenCount, broken: bulk.broken, task },
        `Imported ${what}; clients can see ${bulk.count === 1 ? 'it' : 'them'} (task ${task.task_id}).`,
      )
    })
}

function refuseBroken(file: string, bulk: Bulk, { skipInvalid = false }: ImportOptions): void {
  if (bulk.brokenCount > 0 && !skipInvalid) {
    const lines = plural(bulk.brokenCount, 'broken line')
    const them = bulk.brokenCount === 1 ? 'it' : 'them'
    throw new CliError(
      'refused',
      `${file} has ${lines}; nothing was sent. Mend ${them}, or leave ${them} out with --skip-invalid.\n${listed(bulk)}`,
      { details: { broken_count: bulk.brokenCount, broken: bulk.broken } },
    )
  }
  if (bulk.count === 0) throw new CliError('refused', `${file} holds no artifact; nothing was sent.`)
}

const shownAtMost = 20

function listed({ broken, brokenCount }: Bulk): string {
  const shown = broken.slice(0, shownAtMost).map(({ line, reason }) => `  line ${line}: ${reason}`)
  const more = brokenCount - shown.length
  return [...shown, ...(more > 0 ? [`  and ${more.toLocaleString('en')} more`] : [])].join('\n')
}

/** A script has decided already. */
async function confirm(question: string, { yes = false }: ImportOptions): Promise<void> {
  const prompter = yes ? undefined : terminalPrompter()
  if (prompter !== undefined && !(await prompter.confirm(question, true)))
    throw new CliError('refused', 'Not confirmed. Nothing was sent.')
}

/** Uploads the file, and gives the id of the import. */
async function send({ bytes, sha256, format }: BulkFile, { api, access, output }: Context): Promise<string> {
  const announced = { format, bytes: bytes.length, sha256 }
  const { data } = await api.send<z.infer<typeof begunImport>>('POST', 'imports', announced)
  const { url, headers } = data.upload
  const isOurs = url.startsWith('/')
  const target = isOurs ? new URL(url.replace(/^\/api\/v1\//, ''), api.url) : new URL(url)
  const shown = isOurs ? await access.headers({ method: 'PUT', url: target, body: bytes }) : {}
  await output.during('Uploading', (say) =>
    upload(target, { ...headers, ...shown }, bytes, (sent) =>
      say(`Uploading ${progressBar(sent, bytes.length, 'byte')}`),
    ),
  )
  return data.import_id
}

/** Submits it, and waits until clients can see it. */
function follow(id: string, { skipInvalid = false }: ImportOptions, { api, output }: Context): Promise<Task> {
  const path = `imports/${id}`
  return output.during('Publishing', async (say) => {
    // Whether it can be told how far it has come is not what decides.
    return api.submit('POST', path, { skip_invalid: skipInvalid }, async () =>
      say(await standing(api, path).then(progressOf, () => 'Waiting for the publisher')),
    )
  })
}

async function standing(api: ApiClient, path: string): Promise<Standing> {
  return (await api.get<z.infer<typeof importStanding>>(path)).data
}

function progressOf({ progress }: Standing): string {
  if (progress === undefined) return 'Waiting for the publisher'
  const { phase, done, total } = progress
  switch (phase) {
    case 'reading':
      return `Reading ${progressBar(done, total, 'line')}`
    case 'preparing':
      return `Signing ${progressBar(done, total, 'role')}`
    case 'committing':
      return 'Committing'
    case 'waiting':
      return 'Waiting for others to finish'
  }
}
