import { verifySignature } from '../tuf/keys.ts'
import { commit, Overtaken, type Published } from './commit.ts'
import { readCurrent } from './current.ts'
import { type Document, decodeDocument, schemaVersion, sha256, writeDocument } from './documents.ts'
import { mending, Refusal, RepositoryError } from './errors.ts'
import { finishTasks } from './finish.ts'
import { readTasks, type WaitingTask } from './inbox.ts'
import type { Lease } from './lease.ts'
import {
  type Bootstrapped,
  bootstrapWarnings,
  checkBootstrap,
  foundingDraft,
  readBootstrap,
  signBootstrap,
  unsignedRole,
} from './operations/bootstrap.ts'
import { deleteSignMetadata, signMetadata } from './operations/offline-signatures.ts'
import { firstRoots, versionsBefore } from './operations/predecessor.ts'
import { poisoned, refused, succeeded } from './outcomes.ts'
import type { Signer, Tag } from './ports.ts'
import type { Repository } from './repository.ts'
import type { AcceptedTask, BootstrapRequest, DecidedTask, TaskKind } from './task.ts'

/**
 * `bootstrap.json`: the head of a repository that has no `timestamp.json` yet. Once it is sealed nobody changes it, and the
 * first commit is made from it, however often that is begun.
 */
export interface BootstrapDocument extends Document {
  readonly nonce: string
  /** What the cycle that wrote it has decided. Those of a sealed one end with the first commit, not before. */
  readonly tasks: readonly DecidedTask[]
  /** Waits for signatures of its root. */
  readonly pending?: BootstrapRequest
  /** The bootstrap that will be made, and the task that completed it. */
  readonly sealed?: { readonly taskId: string; readonly request: BootstrapRequest }
}

export const bootstrapName = 'bootstrap.json'

/** What a cycle builds on while there is no commit. */
export interface Head {
  readonly document: BootstrapDocument
  readonly tag: Tag
  readonly sha256: string
}

export async function readHead({ ports }: Repository): Promise<Head | undefined> {
  const stored = await ports.state.read(bootstrapName)
  if (stored === undefined) return undefined
  const document = decodeDocument<BootstrapDocument>(bootstrapName, stored.bytes)
  return { document, tag: stored.tag, sha256: sha256(stored.bytes) }
}

/** The bootstrap that waits for signatures; nothing if none does, or once it is sealed. */
export async function readPendingBootstrap(repository: Repository): Promise<Bootstrapped | undefined> {
  const { pending } = (await readHead(repository))?.document ?? {}
  return pending && readBootstrap(pending)
}

/** Every root that clients find once this request is done, in their order. Throws TufError where one cannot be read. */
export const foundingRoots = (request: BootstrapRequest) => firstRoots(readBootstrap(request))

/** One cycle while there is no repository: refuses what comes too early, seals the bootstrap, makes the first commit. */
export async function foundRepository(
  repository: Repository,
  head: Head | undefined,
  ids: readonly string[],
  lease: Lease,
  now: Date,
): Promise<Published | 'go on'> {
  const { sealed, pending, tasks: decided = [] } = head?.document ?? {}
  if (head !== undefined && sealed !== undefined) return firstCommit(repository, head, sealed, lease)
  await finishTasks(repository, 0, decided, ids)
  const tasks = await readTasks(repository, lease.batch, lease.poisoned)
  if (tasks.length === 0) return 'go on'
  await writeHead(repository, await decideTasks(repository, tasks, pending, now), head?.tag)
  return 'go on'
}

/** Goes through the tasks up to the one that completes a bootstrap; those behind it wait. */
async function decideTasks(
  repository: Repository,
  tasks: readonly WaitingTask[],
  earlier: BootstrapRequest | undefined,
  now: Date,
): Promise<BootstrapDocument> {
  const { signers, clock } = repository.ports
  const nonce = clock.newId()
  const decided: DecidedTask[] = []
  let pending = earlier
  for (const task of tasks) {
    if ('poisoned' in task) {
      decided.push(poisoned(task, now))
      continue
    }
    try {
      const step = decideStep(task, pending, signers, now)
      const unsigned = step.pending && unsignedRole(step.pending)
      const complete = step.pending !== undefined && unsigned === undefined
      if (complete) await Promise.all(signers.map(testSignature))
      const waits = unsigned && `${shownName(unsigned.role)} v${unsigned.version} is pending signature`
      const bootstrap = complete ? `Bootstrap finished ${task.id}` : (step.stopped ?? waits)
      const warnings =
        complete && step.pending
          ? bootstrapWarnings(step.pending, { signers, now, taskId: task.id, principal: task.principal })
          : []
      decided.push(succeeded(task, now, { message: step.message, details: { bootstrap }, warnings }))
      pending = step.pending
      if (complete && pending)
        return { schema: schemaVersion, nonce, tasks: decided, sealed: { taskId: task.id, request: pending } }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      decided.push(refused(task, now, refusedMessages[task.request.kind] ?? 'Task not accepted.', error))
    }
  }
  return { schema: schemaVersion, nonce, tasks: decided, ...(pending && { pending }) }
}

const shownName = (role: string) =>
  (({ root: 'Root', targets: 'Targets' }) as Record<string, string>)[role] ?? `Role ${role}`

const refusedMessages: Partial<Record<TaskKind, string>> = {
  bootstrap: 'Bootstrap Failed',
  sign_metadata: signMetadata.refusedMessage,
  delete_sign_metadata: deleteSignMetadata.refusedMessage,
}

interface Step {
  readonly message: string
  /** What waits for signatures after it. */
  readonly pending?: BootstrapRequest
  readonly stopped?: string
}

/** What one task does while there is no repository. Throws a Refusal. */
function decideStep(
  { request, id: taskId, principal }: AcceptedTask,
  pending: BootstrapRequest | undefined,
  signers: readonly Signer[],
  now: Date,
): Step {
  const context = { now, signers, taskId, principal }
  switch (request.kind) {
    case 'bootstrap':
      if (pending !== undefined)
        throw new Refusal('Another bootstrap waits for signatures. Sign it, or stop its signing first.')
      return { message: 'Bootstrap Processed', pending: checkBootstrap(request, context) }
    case 'sign_metadata':
      if (pending === undefined) throw new Refusal(`No metadata of role ${request.role} waits for signatures.`)
      return {
        message: 'Signature Processed',
        pending: signBootstrap(pending, request.role, request.signature, context),
      }
    case 'delete_sign_metadata':
      if (pending === undefined) throw new Refusal(`No signing process for ${request.role}.`)
      if (request.role !== 'root')
        throw new Refusal(`The bootstrap is signed, or given up, as a whole: stop the signing of role root.`)
      return {
        message: 'Deletion of root metadata successful, signing process stopped',
        stopped: `Bootstrap has been stopped by ${taskId}`,
      }
    default:
      throw new Refusal('The repository is not bootstrapped. Run the ceremony first.')
  }
}

/** A key that cannot sign must show before it is in a root that nobody can change without a ceremony. */
async function testSignature(signer: Signer): Promise<void> {
  const bytes = Buffer.from('Tuffet tests its online keys before it founds a repository.')
  if (!verifySignature(signer.key, bytes, await signer.sign(bytes))) {
    throw new RepositoryError('key-not-held', `Online key ${signer.keyid} makes signatures that do not verify.`)
  }
}

async function writeHead(
  { ports: { state } }: Repository,
  head: BootstrapDocument,
  tag: Tag | undefined,
): Promise<void> {
  // If another publisher was faster, the next cycle starts from what it wrote.
  await writeDocument(state, bootstrapName, head, tag && { tag })
}

async function firstCommit(
  repository: Repository,
  { document: { tasks }, sha256 }: Head,
  { taskId, request }: NonNullable<BootstrapDocument['sealed']>,
  lease: Lease,
): Promise<Published> {
  const waiting = await readTasks(repository, [taskId], undefined)
  if (waiting.length === 0) {
    // The first commit takes this task out of the inbox, so there has been one.
    if ((await readCurrent(repository)) !== undefined) throw new Overtaken('Another publisher made the first commit.')
    throw new RepositoryError(
      'corrupt',
      `timestamp.json is missing, although the repository was bootstrapped. ${mending}`,
    )
  }
  const bootstrapped = readBootstrap(request)
  const now = repository.ports.clock.now()
  const { principal = 'unknown' } = tasks.find(({ id }) => id === taskId) ?? {}
  const draft = foundingDraft(bootstrapped, { signers: repository.ports.signers, now, taskId, principal })
  // One after the other, so that nobody ever sees a root without those before it.
  for (const { signed, bytes } of firstRoots(bootstrapped)) {
    await lease.renew()
    await repository.ports.metadata.create(`${signed.version}.root.json`, bytes)
  }
  const above = versionsBefore(bootstrapped.predecessor)
  const current = await commit(repository, { number: 0, sha256, above }, draft, tasks, lease)
  await finishTasks(repository, current.entry.number, tasks)
  repository.cache.finished = current.sha256
  return { commit: current.entry.number, head: current.sha256, tasks, refreshed: 0, broken: new Map(), ahead: false }
}
