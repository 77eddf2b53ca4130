import assert from 'node:assert/strict'
import { readPendingBootstrap } from '../../shared/repository/found.ts'
import type { BootstrapRequest, TaskRequest } from '../../shared/repository/task.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { succeeds } from './delegations.ts'
import { makeKey, makeRoot, signatureBy, signRole, type TestKey } from './keys.ts'
import { restarted, type TestRepository, testRepository } from './repository.ts'

/** Repositories whose targets two of these sign, ann and bob the first. */
export const [ann, bob, eve] = [makeKey(), makeKey('ecdsa'), makeKey('rsa')]
/** A root whose targets these holders sign. */
export function offlineRoot({ rootKeys, online }: TestRepository, holders: readonly TestKey[], version = 1): Root {
  const root = makeRoot({ root: rootKeys, threshold: rootKeys.length, online, version })
  const keys = new Map([...root.keys, ...holders.map(({ keyid, key }) => [keyid, key] as const)])
  const targets = { keyids: holders.map(({ keyid }) => keyid), threshold: 2 }
  return { ...root, keys, roles: { ...root.roles, targets } }
}

export function bootstrap(repository: TestRepository, delegations?: BootstrapRequest['delegations']): BootstrapRequest {
  return {
    kind: 'bootstrap',
    root: parseJson(signRole(offlineRoot(repository, [ann, bob, eve]), repository.rootKeys).bytes),
    expiration: { root: 365, targets: 200, snapshot: 7, timestamp: 1, bins: 30 },
    delegations: delegations ?? { delegation: 'succinct_roles', number: 4 },
  }
}

export async function signFirst(
  repository: TestRepository,
  holders: readonly TestKey[],
  role = 'targets',
): Promise<unknown[]> {
  const results: unknown[] = []
  for (const holder of holders) {
    const metadata = (await readPendingBootstrap(repository))?.offline.get(role)
    assert.ok(metadata, `${role} does not wait`)
    const signature = signatureBy(holder, metadata.signedBytes)
    const details = await succeeds(restarted(repository), { kind: 'sign_metadata', role, signature })
    results.push(details['bootstrap'])
  }
  return results
}

export async function founded(delegations?: BootstrapRequest['delegations']): Promise<TestRepository> {
  const repository = testRepository()
  await succeeds(repository, bootstrap(repository, delegations))
  await signFirst(repository, [ann, bob])
  return repository
}

export const update = (root: Root, signers: readonly TestKey[], compromised = false): TaskRequest => ({
  kind: 'metadata_update',
  root: parseJson(signRole(root, signers).bytes),
  compromised,
})
