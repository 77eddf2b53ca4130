import assert from 'node:assert/strict'
import { readCurrent } from '../../shared/repository/current.ts'
import type { Repository } from '../../shared/repository/repository.ts'
import { pendingTargets } from '../../shared/repository/signing.ts'
import type { CustomRole, MetadataDelegationRequest, TaskRequest } from '../../shared/repository/task.ts'
import { roleName } from '../../shared/tuf/names.ts'
import { signatureBy, type TestKey } from './keys.ts'
import { bootstrapped, restarted, run, type TestRepository } from './repository.ts'

export type RoleOptions = Partial<Omit<CustomRole, 'name'>> & { readonly holders?: readonly TestKey[] }

/** A custom role that is asked for; signed online unless it has holders. */
export function customRole(name: string, { holders = [], ...options }: RoleOptions = {}): CustomRole {
  const keyids = holders.map(({ keyid }) => keyid)
  return { name: roleName(name), terminating: false, threshold: 1, paths: [`${name}/*`], keyids, ...options }
}

export const keysOf = (holders: readonly TestKey[]) => Object.fromEntries(holders.map(({ keyid, key }) => [keyid, key]))

export function delegation(
  action: 'add' | 'update',
  roles: readonly CustomRole[],
  holders: readonly TestKey[] = [],
  removeArtifacts = false,
): MetadataDelegationRequest {
  return { kind: 'metadata_delegation', action, keys: keysOf(holders), roles, removeArtifacts }
}

/** A repository with the role `project`, which all of these holders have to sign, and have. */
export async function withOfflineRole(holders: readonly TestKey[]): Promise<TestRepository> {
  const repository = await bootstrapped()
  const project = customRole('project', { holders, threshold: holders.length })
  await succeeds(repository, delegation('add', [project], holders))
  await sign(repository, 'project', ...holders)
  return repository
}

/** The roles of which something waits for signatures. */
export const pendingRoles = async (repository: TestRepository) =>
  Object.keys((await readCurrent(repository))?.signing.roles ?? {})

export function removal(...names: string[]): MetadataDelegationRequest {
  return { kind: 'metadata_delegation', action: 'delete', names: names.map(roleName) }
}

/** Runs a request that has to succeed; the details of its result. */
export async function succeeds(
  repository: Repository,
  request: TaskRequest,
): Promise<Readonly<Record<string, unknown>>> {
  const standing = await run(repository, request)
  assert.ok('result' in standing.task, 'the task is not finished')
  assert.equal(standing.state, 'SUCCESS', standing.task.result.error)
  return standing.task.result.details
}

/** Runs a request that has to be refused, with nothing changed; returns the reason. */
export async function refusal(repository: Repository, request: TaskRequest): Promise<string> {
  const before = await readCurrent(repository)
  const standing = await run(repository, request)
  const after = await readCurrent(repository)
  assert.ok('result' in standing.task, 'the task is not finished')
  assert.equal(standing.state, 'ERRORED', JSON.stringify(standing.task.result))
  assert.deepEqual(after?.snapshot, before?.snapshot)
  assert.deepEqual(after?.entry.state, before?.entry.state)
  return standing.task.result.error ?? ''
}

/** The signature of a holder for what waits of a role. */
export async function signatureFor(repository: Repository, role: string, holder: TestKey): Promise<TaskRequest> {
  const current = await readCurrent(repository)
  const pending = current && pendingTargets(current.signing, role)
  assert.ok(pending, `nothing waits of ${role}`)
  return { kind: 'sign_metadata', role, signature: signatureBy(holder, pending.metadata.signedBytes) }
}

/** Each holder signs what waits of a role, in a process of its own; what each of the tasks reports. */
export async function sign(repository: TestRepository, role: string, ...holders: TestKey[]): Promise<unknown[]> {
  const updates: unknown[] = []
  for (const holder of holders) {
    const details = await succeeds(restarted(repository), await signatureFor(repository, role, holder))
    updates.push(details['update'])
  }
  return updates
}
