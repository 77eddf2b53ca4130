import assert from 'node:assert/strict'
import type { BootstrapRequest, Predecessor, TaskRequest } from '../../shared/repository/task.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { signRole, type TestKey } from './keys.ts'
import { type OldRepository, oldRepository, rootAfter } from './predecessor.ts'
import { bootstrapRequest, run, type TestRepository, testRepository } from './repository.ts'

export interface Move {
  readonly root?: Root
  readonly signers?: readonly TestKey[]
  readonly predecessor?: Partial<Predecessor>
}

/** The bootstrap with which the old repository goes on here, or one that differs from it in this. */
export function moveRequest(repository: TestRepository, old: OldRepository, move: Move = {}): BootstrapRequest {
  const { root = rootAfter(old, repository.online), signers = old.holders } = move
  const { roots, highestVersion } = old
  return {
    ...bootstrapRequest(repository),
    root: parseJson(signRole(root, signers).bytes),
    predecessor: { roots, highestVersion, ...move.predecessor },
  }
}

export async function ends(repository: TestRepository, request: TaskRequest) {
  const { state, task } = await run(repository, request)
  assert.ok('result' in task, 'it is not finished')
  return { state, ...task.result }
}

export async function moved(old = oldRepository()): Promise<TestRepository> {
  const repository = testRepository()
  const { state, error } = await ends(repository, moveRequest(repository, old))
  assert.deepEqual([state, error], ['SUCCESS', undefined])
  return repository
}
