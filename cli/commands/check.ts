import { Command } from 'commander'
import type { CheckReport } from '../../shared/repository/check/report.ts'
import type { ClientId, Verdict } from '../../shared/repository/clients.ts'
import type { ApiClient } from '../api-client.ts'
import { contextOf } from '../context.ts'
import { expiryCell } from '../expiry.ts'
import { exitCodes, paint } from '../output.ts'
import { plural, progressBar, table } from '../table.ts'

export function checkCommand(): Command {
  return new Command('check')
    .description('is what is published a valid repository, and which clients can read it')
    .argument(
      '[where]',
      'a URL of metadata or of a service, s3://bucket, a data directory, or a directory of metadata (default: --metadata-url)',
    )
    .option('--clients', 'say which TUF clients can read it')
    .addHelpText('after', '\nExit code 4: something is missing, expired or not as it was signed.')
    .addHelpText('after', '\nExamples:\n  $ tuffet check\n  $ tuffet check ./tuffet-data --clients')
    .action(async (where: string | undefined, options: { clients?: boolean }, command: Command) => {
      const { api, metadataUrl, output } = contextOf(command)
      const [
        { checkRepository },
        { checkJournal },
        { metadataSource },
        { unusedFiles },
        { clientVerdicts, servedClients },
        { sizeWarnings, slownessWarnings },
        { checkHelper },
      ] = await Promise.all([
        import('../../shared/repository/check/check.ts'),
        import('../../shared/repository/check/journal.ts'),
        import('../metadata-source.ts'),
        import('../../shared/repository/check/unused-files.ts'),
        import('../../shared/repository/clients.ts'),
        import('../../shared/repository/client-rules.ts'),
        import('../check-helper.ts'),
      ])
      const now = new Date()
      const source = await metadataSource(where ?? metadataUrl.href)
      const { directory } = source
      const checked = await output.during(`Checking ${source.where}`, (say) =>
        checkRepository({
          ...{ read: source.read, now },
          progress: (read, total) => say(progressBar(read, total, 'file')),
          helper: directory === undefined ? undefined : checkHelper({ directory, now }),
        }),
      )
      const commit = checked.roles.find(({ role }) => role === 'timestamp')?.version
      const { readState } = source
      const journal = readState && commit !== undefined ? await checkJournal(readState, commit) : undefined
      const report = { ...checked, findings: [...checked.findings, ...(journal?.findings ?? [])] }
      const unused = source.names && unusedFiles(report, source.names)
      // Of what could not be read at all nobody can say who reads it.
      const clients = options.clients && report.roles.length > 0 ? clientVerdicts(report.traits) : undefined
      const served = servedClients(where === undefined ? await clientsServedBy(api) : undefined)
      const tooBig = sizedRoles.flatMap((type) => {
        const { bytes, file = type } = report.traits.sizes[type]
        return sizeWarnings(served, type, [{ name: file, bytes }])
      })
      const warnings = [...tooBig, ...slownessWarnings(served, report.traits.rolesInSnapshot)]
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
        ...(journal && { journal: { commits: journal.entries } }),
        ...(unused && { unused }),
        ...(clients && { clients }),
      }
      const sections = [
        summary(source.where, report, now, journal?.entries, unused?.superseded),
        ...(unused && unused.strange.length > 0 ? [strangers(unused.strange)] : []),
        ...(warnings.length > 0
          ? [warnings.map((warning) => `${paint('yellow', 'warning:')} ${warning}`).join('\n')]
          : []),
        ...(clients ? [clientTable(clients)] : []),
      ]
      output.result(document, sections.join('\n\n'))
      if (report.findings.length > 0) process.exitCode = exitCodes['not-verified']
    })
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
