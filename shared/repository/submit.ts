import { type Document, decodeDocument, encodeDocument, schemaVersion, sha256 } from './documents.ts'
import { RepositoryError } from './errors.ts'
import { createUnlessTaken } from './ports.ts'
import type { Repository } from './repository.ts'
import { type AcceptedTask, inboxName, type TaskRequest } from './task.ts'

/** `idempotency/<SHA-256 of principal and key>.json`: which task a key stands for; expires after 7 days. */
interface IdempotencyDocument extends Document {
  readonly id: string
  /** SHA-256 of the request. */
  readonly request: string
}

export interface Submission {
  readonly request: TaskRequest
  /** Who asks, as the journal will name them. */
  readonly principal: string
  /** With the same key and the same request the answer is the same task, however often it is sent. */
  readonly idempotencyKey?: string
  /** The task's id, where it was decided before. */
  readonly id?: string
}

export interface Submitted {
  readonly id: string
  readonly accepted: Date
}

/**
 * Accepts a task: when this resolves it is durable and will be decided, exactly once. Throws RepositoryError
 * 'idempotency-key-reused'.
 */
export async function submit({ ports }: Repository, submission: Submission): Promise<Submitted> {
  const { request, principal, idempotencyKey, id: decided } = submission
  const now = ports.clock.now()
  const own = decided ?? ports.clock.newId()
  const id = idempotencyKey === undefined ? own : await idFor(idempotencyKey)
  const task: AcceptedTask = { schema: schemaVersion, id, principal, accepted: now.toISOString(), request }
  // Taken, with another time of acceptance: this key was sent before.
  await createUnlessTaken(ports.state, inboxName(id), encodeDocument(task))
  await ports.queue.ring(id)
  return { id, accepted: now }

  async function idFor(key: string): Promise<string> {
    const name = idempotencyName(principal, key)
    const mine: IdempotencyDocument = { schema: schemaVersion, id: own, request: requestHash(request) }
    if (await createUnlessTaken(ports.state, name, encodeDocument(mine))) return own
    const stored = await ports.state.read(name)
    const earlier = stored && decodeDocument<IdempotencyDocument>(name, stored.bytes)
    if (earlier?.request !== mine.request) {
      throw new RepositoryError(
        'idempotency-key-reused',
        'This Idempotency-Key came with another request before. Use a new key for a new request.',
      )
    }
    return earlier.id
  }
}

/** True if this very request came with its key before: the answer is that task then, whatever has changed since. */
export async function wasSubmitted({ ports }: Repository, submission: Submission): Promise<boolean> {
  const { request, principal, idempotencyKey } = submission
  if (idempotencyKey === undefined) return false
  const name = idempotencyName(principal, idempotencyKey)
  const stored = await ports.state.read(name)
  return (
    stored !== undefined && decodeDocument<IdempotencyDocument>(name, stored.bytes).request === requestHash(request)
  )
}

const idempotencyName = (principal: string, key: string) => `idempotency/${sha256(`${principal}\0${key}`)}.json`
const requestHash = (request: TaskRequest) => sha256(JSON.stringify(request))
