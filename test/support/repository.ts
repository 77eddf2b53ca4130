import { systemClock } from '../../shared/adapters/local/system-clock.ts'
import type { Clock, ObjectStore, Ports, Signer } from '../../shared/repository/ports.ts'
import { publish } from '../../shared/repository/publish.ts'
import { readTask, type TaskStanding } from '../../shared/repository/read.ts'
import { type Limits, openRepository, type Repository } from '../../shared/repository/repository.ts'
import { submit } from '../../shared/repository/submit.ts'
import type {
  AddArtifactsRequest,
  BootstrapRequest,
  RemoveArtifactsRequest,
  TaskRequest,
} from '../../shared/repository/task.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { targetPath } from '../../shared/tuf/names.ts'
import { makeKey, type PublicKey, signRoot, type TestKey } from './keys.ts'
import { memoryObjectStore } from './memory-object-store.ts'

/** A repository in memory, whose clock stands still unless it is moved, and the keys of its root. */
export interface TestRepository extends Repository {
  readonly rootKeys: readonly TestKey[]
  readonly online: readonly TestKey[]
  /** Moves the clock on. */
  pass(milliseconds: number): void
}

export function signerOf({ key, keyid, sign }: TestKey): Signer {
  return { key, keyid, sign: async (bytes) => sign(bytes) }
}

export interface TestRepositoryOptions {
  readonly limits?: Partial<Limits>
  /** Wraps the stores, to count or to break what is asked of them. */
  readonly around?: (store: ObjectStore, which: 'metadata' | 'state') => ObjectStore
  readonly wrapSigner?: (signer: Signer) => Signer
}

export function testRepository({
  limits,
  around = (store) => store,
  wrapSigner = (signer) => signer,
}: TestRepositoryOptions = {}): TestRepository {
  let passed = 0
  const system = systemClock()
  const start = Date.now()
  const now = () => start + passed
  const clock: Clock = {
    now: () => new Date(now()),
    newId: () => system.newId(),
    async sleep(milliseconds) {
      passed += milliseconds
    },
  }
  const online = [makeKey('ecdsa')]
  const ports: Ports = {
    metadata: around(memoryObjectStore(now), 'metadata'),
    state: around(memoryObjectStore(now), 'state'),
    signers: online.map((key) => wrapSigner(signerOf(key))),
    queue: { ring: async () => {} },
    clock,
  }
  return {
    ...openRepository(ports, limits),
    rootKeys: [makeKey(), makeKey()],
    online,
    pass: (milliseconds) => {
      passed += milliseconds
    },
  }
}

/** The same stores read by a process that has just started. */
export function restarted(repository: TestRepository): TestRepository {
  return { ...repository, ...openRepository(repository.ports, repository.limits) }
}

/** The keys that a root is made of. */
export interface RootKeys {
  readonly rootKeys: readonly TestKey[]
  readonly online: readonly PublicKey[]
}

export function bootstrapRequest(
  { rootKeys, online }: RootKeys,
  delegations: BootstrapRequest['delegations'] = { delegation: 'succinct_roles', number: 4 },
  expires?: Date,
): BootstrapRequest {
  const root = signRoot({ root: rootKeys, online, threshold: rootKeys.length, ...(expires && { expires }) })
  const expiration = { root: 365, targets: 90, snapshot: 7, timestamp: 1, bins: 30 }
  return { kind: 'bootstrap', root: parseJson(root.bytes), expiration, delegations }
}

export function addRequest(paths: readonly string[], length = 1): AddArtifactsRequest {
  const artifacts = paths.map((path) => ({
    path: targetPath(path),
    info: { length, hashes: { sha256: 'ab'.repeat(32) } },
  }))
  return { kind: 'add_artifacts', artifacts, addTaskIdToCustom: false, publish: true }
}

export function removeRequest(...paths: string[]): RemoveArtifactsRequest {
  return { kind: 'remove_artifacts', paths: paths.map(targetPath), publish: true }
}

/** Submits, publishes until nothing is left, and returns how the task ended. */
export async function run(repository: Repository, request: TaskRequest): Promise<TaskStanding> {
  const { id } = await submit(repository, { request, principal: 'test' })
  await publish(repository)
  const standing = await readTask(repository, id)
  if (standing === undefined) throw new Error(`Task ${id} is lost.`)
  return standing
}

export async function bootstrapped(
  options: TestRepositoryOptions & { delegations?: BootstrapRequest['delegations'] } = {},
): Promise<TestRepository> {
  const repository = testRepository(options)
  const standing = await run(repository, bootstrapRequest(repository, options.delegations))
  if (standing.state !== 'SUCCESS')
    throw new Error(`The bootstrap ended as ${standing.state}: ${JSON.stringify(standing.task)}`)
  return repository
}
