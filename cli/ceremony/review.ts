import { clientsOf, secondsToRefresh, servedClients } from '../../shared/repository/clients.ts'
import type { BootstrapRequest } from '../../shared/repository/task.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { paint } from '../output.ts'
import { describeChanges, saidBesides } from '../root/changes.ts'
import { plural, table } from '../table.ts'
import { onlineRolesOf } from './payload.ts'

/** All that a signature on this root stands for, which follows `before`, to be read before it is given. */
export function review(
  root: Root,
  request: BootstrapRequest,
  sources: ReadonlyMap<string, string>,
  before?: Root,
): string {
  const heading = (text: string) => paint('bold', text, process.stderr)
  const signer = (id: string) => [`  ${id}`, root.keys.get(id)?.scheme ?? '', sources.get(id) ?? '']
  const besides = saidBesides(root)
  const days = Object.entries(request.expiration).map(([role, days]) => [`  ${role}`, plural(days, 'day')])
  return [
    '',
    heading(`Root version ${root.version}, until ${root.expires}`),
    `  ${root.roles.root.threshold} of ${root.roles.root.keyids.length} keys have to sign a root:`,
    table(root.roles.root.keyids.map(signer)),
    '',
    ...predecessorLines(request, before).map((line, at) => (at === 0 ? heading(line) : line)),
    heading('Online keys: compare these keyids with those that the operator of the service tells you'),
    onlineKeys(root),
    '',
    ...(onlineRolesOf(root).includes('targets') ? [] : [heading('Targets'), ...targetsLines(root, signer), '']),
    ...(besides.length === 0 ? [] : [heading('What it says besides'), describeChanges(besides), '']),
    heading('Delegations'),
    ...delegationLines(request.delegations),
    '',
    heading('Clients served'),
    ...clientLines(request),
    '',
    heading('Metadata expires after'),
    table(days),
    '',
  ].join('\n')
}

/** Which keys of the service sign what, and how many of them have to. */
export function onlineKeys(root: Root): string {
  const roles = onlineRolesOf(root).map((role) => ({ role, ...root.roles[role] }))
  return table(
    [...new Set(roles.flatMap(({ keyids }) => keyids))].map((id) => {
      const signed = roles.flatMap(({ role, keyids, threshold }) => {
        if (!keyids.includes(id)) return []
        return keyids.length === 1 ? [role] : [`${role} (${threshold} of ${keyids.length})`]
      })
      return [`  ${id}`, root.keys.get(id)?.scheme ?? '', `signs ${signed.join(', ')}`]
    }),
  )
}

function predecessorLines({ predecessor }: BootstrapRequest, before: Root | undefined): string[] {
  if (predecessor === undefined || before === undefined) return []
  const { keyids, threshold } = before.roles.root
  const scheme = (id: string) => before.keys.get(id)?.scheme ?? ''
  return [
    `Follows root version ${before.version} of a repository that moves here`,
    `  ${threshold} of its ${keyids.length} keys have to sign this root, too:`,
    table(keyids.map((id) => [`  ${id}`, scheme(id)])),
    `  Versions of all other metadata begin above ${predecessor.highestVersion}.`,
    '',
  ]
}

function targetsLines({ roles: { targets } }: Root, signer: (id: string) => string[]): string[] {
  const { keyids, threshold } = targets
  return [`  ${threshold} of ${keyids.length} keys of its own have to sign it:`, table(keyids.map(signer))]
}

function delegationLines(delegations: BootstrapRequest['delegations']): string[] {
  if ('roles' in delegations) {
    const roles = delegations.roles.map(({ name, paths, keyids, threshold }) => {
      const others = keyids.length === 0 ? [] : [`signed by ${threshold} of ${keyids.join(', ')}`]
      return [`  ${name}`, paths.join(', '), ...others]
    })
    return [table(roles), reach('paths')]
  }
  const { number, delegation } = delegations
  return [`  ${number} hash bins by ${delegation}`, reach(delegation)]
}

function clientLines({ clients, delegations }: BootstrapRequest): string[] {
  const served = servedClients(clients)
  const kind = 'roles' in delegations ? 'paths' : delegations.delegation
  const lost = served.filter(({ reads }) => !reads.includes(kind))
  const names = (some: typeof served) => some.map(({ name }) => name).join(', ')
  // Besides the bins the snapshot names targets.
  const roles = ('roles' in delegations ? delegations.roles.length : delegations.number) + 1
  const slow = served.flatMap((client) => {
    const seconds = secondsToRefresh(client, roles)
    return seconds === undefined
      ? []
      : [`  of which slow with so many roles: ${client.name}, ${seconds} seconds or more for each refresh`]
  })
  return [
    `  ${names(served)}`,
    ...(lost.length > 0 ? [`  of which will find nothing here: ${names(lost)}`] : []),
    ...slow,
  ]
}

function reach(kind: Parameters<typeof clientsOf>[0]): string {
  const { reached, lost } = clientsOf(kind)
  return `  read by ${reached.join(', ')}${lost.length > 0 ? `; not by ${lost.join(', ')}` : ''}`
}
