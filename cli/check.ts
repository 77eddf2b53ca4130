import { checkRepository } from '../shared/repository/check/check.ts'
import { checkJournal } from '../shared/repository/check/journal.ts'
import type { CheckReport } from '../shared/repository/check/report.ts'
import { unusedFiles } from '../shared/repository/check/unused-files.ts'
import { sizeWarnings, slownessWarnings } from '../shared/repository/client-rules.ts'
import { type ClientId, clientVerdicts, servedClients, type Verdict } from '../shared/repository/clients.ts'
import type { ApiClient } from './api-client.ts'
import { checkHelper } from './check-helper.ts'
import type { Context } from './context.ts'
import { expiryCell } from './expiry.ts'
import { type MetadataSource, metadataSource } from './metadata-source.ts'
import { exitCodes, type Output, paint } from './output.ts'
import { plural, progressBar, table } from './table.ts'

/** Says whether what is published there is a valid repository, and with `clients` who can read it. Throws CliError. */
export async function check(
  where: string | undefined,
  { clients: wantsClients = false }: { readonly clients?: boolean },
  { api, metadataUrl, output }: Context,
): Promise<void> {
  const now = new Date()
  const source = await metadataSource(where ?? metadataUrl.href)
  const { report, commits } = await reportOn(source, now, output)
  const unused = source.names && unusedFiles(report, source.names)
  // Of what could not be read at all nobody can say who reads it.
  const clients = wantsClients && report.roles.length > 0 ? clientVerdicts(report.traits) : undefined
  const warnings = warningsOf(report, where === undefined ? await clientsServedBy(api) : undefined)
  const expires = report.roles.filter(({ role }, at) => at < 10 || isTopLevel(role))
  const document = {
    where: source.where,
    valid: report.findings.length === 0,
    findings: report.findings,
    warnings,
    roots: report.traits.rootVersions,
    roles: report.roles.length,
    targets: report.targets,
    bytes: report.bytes,
    delegations: [...report.traits.delegations],
    expires,
    expires_left_out: report.roles.length - expires.length,
    ...(commits !== undefined && { journal: { commits } }),
    ...(unused && { unused }),
    ...(clients && { clients }),
  }
  const sections = [
    summary(source.where, report, now, commits, unused?.superseded),
    ...(unused && unused.strange.length > 0 ? [strangers(unused.strange)] : []),
    ...(warnings.length > 0 ? [warnings.map((warning) => `${paint('yellow', 'warning:')} ${warning}`).join('\n')] : []),
    ...(clients ? [clientTable(clients)] : []),
  ]
  output.result(document, sections.join('\n\n'))
  if (report.findings.length > 0) process.exitCode = exitCodes['not-verified']
}

/** Of the metadata; and of the journal, with how many commits it has, where that can be read. */
async function reportOn(
  { where, directory, read, readState }: MetadataSource,
  now: Date,
  output: Output,
): Promise<{ readonly report: CheckReport; readonly commits?: number }> {
  const report = await output.during(`Checking ${where}`, (say) =>
    checkRepository({
      ...{ read, now },
      progress: (read, total) => say(progressBar(read, total, 'file')),
      helper: directory === undefined ? undefined : checkHelper({ directory, now }),
    }),
  )
  const commit = report.roles.find(({ role }) => role === 'timestamp')?.version
  if (readState === undefined || commit === undefined) return { report }
  const { findings, entries } = await checkJournal(readState, commit)
  return { report: { ...report, findings: [...report.findings, ...findings] }, commits: entries }
}

function warningsOf({ traits }: CheckReport, clients: readonly ClientId[] | undefined): string[] {
  const served = servedClients(clients)
  const tooBig = sizedRoles.flatMap((type) => {
    const { bytes, file = type } = traits.sizes[type]
    return sizeWarnings(served, type, [{ name: file, bytes }])
  })
  return [...tooBig, ...slownessWarnings(served, traits.rolesInSnapshot)]
}

const sizedRoles = ['root', 'timestamp', 'snapshot', 'targets'] as const
const isTopLevel = (role: string) => sizedRoles.some((name) => name === role)

/** As far as somebody says so. */
async function clientsServedBy(api: ApiClient): Promise<readonly ClientId[] | undefined> {
  try {
    return (await api.get<{ data: { clients?: readonly ClientId[] } }>('config')).data.clients
  } catch {
    return undefined
  }
}

const findingsShown = 20

function summary(where: string, report: CheckReport, now: Date, commits?: number, superseded = 0): string {
  const { findings, roles, targets, bytes, traits } = report
  const facts = table([
    ['where', where],
    ['roots', plural(traits.rootVersions, 'version')],
    ['roles', `${plural(roles.length, 'role')}, ${plural(bytes, 'byte')}`],
    ['targets', String(targets)],
    ['delegations', [...traits.delegations].join(', ') || 'none'],
    ...(commits === undefined ? [] : [['journal', plural(commits, 'commit')]]),
    ...(superseded === 0 ? [] : [['superseded', `${plural(superseded, 'file')}, taken away after the retention time`]]),
  ])
  const next = roles.slice(0, 5).map(({ role, version, expires }) => {
    return [`  ${role}`, `version ${version}`, expiryCell(expires, now)]
  })
  const expiry = next.length > 0 ? [`${paint('bold', 'Expires next')}\n${table(next)}`] : []
  const wrong = findings
    .slice(0, findingsShown)
    .map(({ file, problem, message }) => [`  ${paint('red', problem)}`, file, message])
  const more = findings.length > findingsShown ? `\n  and ${findings.length - findingsShown} more (--json has all)` : ''
  const verdict =
    findings.length === 0
      ? paint('green', 'Valid: every signature, version, hash and expiry is as it should be.')
      : `${paint('red', plural(findings.length, 'problem'))}\n${table(wrong)}${more}`
  return [facts, ...expiry, verdict].join('\n\n')
}

function strangers(files: readonly string[]): string {
  const shown = files.slice(0, 10).join(', ')
  return paint('yellow', `Files that no client asks for: ${shown}${files.length > 10 ? ', …' : ''}`)
}

function clientTable(clients: readonly Verdict[]): string {
  const rows = clients.map(({ name, reads, why, slow }) => [
    `  ${name}`,
    reads ? paint('green', 'reads it') : paint('yellow', 'cannot'),
    slow ?? why.join('; '),
  ])
  return `${paint('bold', 'Clients')}\n${table(rows)}`
}
