import type { BootstrapRequest } from '../../shared/repository/task.ts'
import { addRequest, bootstrapped, run, type TestRepository } from './repository.ts'

export const paths = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

/** A repository of five commits: targets, settings and something parked, all of it decided one after the other. */
export async function published(delegations?: BootstrapRequest['delegations']): Promise<TestRepository> {
  const repository = await bootstrapped(delegations === undefined ? {} : { delegations })
  await run(repository, addRequest(paths, 1))
  await run(repository, { kind: 'update_settings', expiration: { bins: 20, timestamp: 2 } })
  await run(repository, { ...addRequest(['parked'], 1), publish: false })
  await run(repository, addRequest(['a', 'b'], 2))
  return repository
}
