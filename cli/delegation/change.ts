import type { BinDelegation } from '../../shared/tuf/bins.ts'
import type { Key } from '../../shared/tuf/keys.ts'
import { detailsOf, type Task } from '../api-client.ts'
import type { Hands } from '../holder.ts'
import { CliError } from '../output.ts'
import { missing } from '../prompt.ts'
import { plural } from '../table.ts'
import { holdersIn } from './keys.ts'
import { findRole, readDelegations, readPending } from './read.ts'

export interface RoleOptions {
  readonly path?: readonly string[]
  readonly key?: readonly string[]
  readonly threshold?: number
  readonly terminating?: boolean
  readonly before?: readonly string[]
  readonly expiration?: number
  readonly removeArtifacts?: boolean
}

export interface AddOptions extends RoleOptions {
  readonly bins?: number
  readonly binDelegation?: BinDelegation
}

export interface UpdateOptions extends RoleOptions {
  readonly online?: boolean
}

/** A role as the API takes it. */
interface AskedRole {
  readonly name: string
  readonly paths: readonly string[]
  readonly keyids: readonly string[]
  readonly threshold: number
  readonly terminating: boolean
}

/** Throws CliError. */
export async function addRole(name: string, options: AddOptions, hands: Hands): Promise<void> {
  const { path: paths, threshold = 1, terminating = false, bins, binDelegation: delegation } = options
  if (paths === undefined) throw new CliError('usage', 'Say which paths the role is trusted with: --path "project/*"')
  if (delegation !== undefined && bins === undefined) throw new CliError('usage', '--bin-delegation needs --bins.')
  const keys = await holdersIn(options.key ?? [], hands.passwords)
  const role = { name, paths, keyids: [...keys.keys()], threshold, terminating }
  const inner = bins === undefined ? {} : { bins: { number_of_delegated_bins: bins, delegation } }
  await submitRole('POST', { ...role, ...inner }, keys, options, hands)
}

/** Whatever is not said stays as it is. Throws CliError. */
export async function updateRole(name: string, options: UpdateOptions, hands: Hands): Promise<void> {
  const now = await readDelegations(hands.api)
  const role = findRole(now, name)
  if (options.online && options.key !== undefined) throw new CliError('usage', 'Either --online or --key.')
  const given = await holdersIn(options.key ?? [], hands.passwords)
  const stays = new Map(role.keyids.flatMap((keyid) => (now.keys[keyid] ? [[keyid, now.keys[keyid]] as const] : [])))
  const staysOnline = options.online ?? (role.online && options.key === undefined)
  const held = options.key === undefined ? stays : given
  const keys: ReadonlyMap<string, Key> = staysOnline ? new Map() : held
  const asked: AskedRole = {
    name,
    paths: options.path ?? role.paths ?? [],
    keyids: [...keys.keys()],
    threshold: options.threshold ?? (staysOnline && !role.online ? 1 : role.threshold),
    terminating: options.terminating ?? role.terminating ?? false,
  }
  await submitRole('PUT', asked, keys, options, hands)
}

async function submitRole(
  method: 'POST' | 'PUT',
  role: AskedRole,
  keys: ReadonlyMap<string, Key>,
  { expiration, before, removeArtifacts = false }: RoleOptions,
  { api, output }: Hands,
): Promise<void> {
  const placed = { ...role, ...(before && { before }), ...(expiration && { 'x-rstuf-expire-policy': expiration }) }
  const body = { delegations: { keys: Object.fromEntries(keys), roles: [placed] }, remove_artifacts: removeArtifacts }
  const task = await output.during(`Delegating to ${role.name}`, () => api.submit(method, 'delegations', body))
  const { pending_roles: pending = [] } = detailsOf<Changed>(task)
  const { waiting, steps } = await readPending(api, pending)
  const done = `${method === 'POST' ? 'Added' : 'Updated'} role ${role.name}; clients can see it.`
  const lines = [...(pending.length === 0 ? [done] : steps), ...artifactLines(task)]
  output.done({ task, ...(pending.length > 0 && { awaited_signatures: waiting }) }, lines.join('\n'))
}

interface Changed {
  readonly pending_roles: readonly string[]
  readonly moved_artifacts: readonly string[]
  readonly removed_artifacts: readonly string[]
}

const shownAtMost = 20

function artifactLines(task: Task): string[] {
  const {
    pending_roles: pending = [],
    moved_artifacts: moved = [],
    removed_artifacts: removed = [],
  } = detailsOf<Changed>(task)
  const listed = (what: string, paths: readonly string[]) => {
    if (paths.length === 0) return []
    const more = paths.length > shownAtMost ? [`  and ${paths.length - shownAtMost} more`] : []
    const shown = paths.slice(0, shownAtMost).map((path) => `  ${path}`)
    return [`${plural(paths.length, 'artifact')} ${what}:`, ...shown, ...more]
  }
  return [
    ...listed('went to the first role that is trusted with them', moved),
    ...listed(pending.length > 0 ? 'to be removed' : 'removed', removed),
  ]
}

export interface RemoveOptions {
  readonly removeArtifacts?: boolean
}

/** Takes roles out, and with them their artifacts, if somebody has said that they may go. Throws CliError. */
export async function removeRoles(names: readonly string[], options: RemoveOptions, hands: Hands): Promise<void> {
  const { api, output, prompter } = hands
  const now = await readDelegations(api)
  const full = names
    .map((name) => findRole(now, name))
    .filter(({ targets, bins }) => targets > 0 || bins !== undefined)
    .map(({ name, targets, bins }) => `${name} (${bins === undefined ? plural(targets, 'artifact') : 'in hash bins'})`)
  if (full.length > 0 && options.removeArtifacts !== true) {
    if (prompter === undefined) throw missing(`The removal of what is in ${full.join(', ')}`, '--remove-artifacts')
    if (!(await prompter.confirm(`What is in ${full.join(', ')} goes with the role. Remove it?`, false)))
      throw new CliError('refused', 'Not confirmed. Nothing was done.')
  }
  const roles = names.map((name) => ({ name }))
  const task = await output.during('Removing', () =>
    api.submit('POST', 'delegations/delete', { delegations: { roles } }),
  )
  const { pending_roles: pending = [] } = detailsOf<Changed>(task)
  const done = `Removed ${names.join(', ')}; clients do not trust ${names.length === 1 ? 'it' : 'them'} any more.`
  const waits = pending.map((name) => `It waits for signatures: tuffet delegation sign ${name} --key FILE`)
  output.done({ task }, [...(pending.length === 0 ? [done] : waits), ...artifactLines(task)].join('\n'))
}
