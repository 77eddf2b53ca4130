import type * as z from 'zod'
import type { keys as keysAnswer } from '../../shared/app/result-schemas.ts'
import type { Key } from '../../shared/tuf/keys.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import type { ApiClient, Task } from '../api-client.ts'
import type { Hands } from '../holder.ts'
import { CliError, type Output } from '../output.ts'
import type { RootPayload } from '../root-payload.ts'
import type { Change } from './changes.ts'
import { describeStanding, isSigned, type Standing } from './holders.ts'

/** The body of `POST /metadata`. */
export interface UpdatePayload extends RootPayload {
  readonly compromised?: boolean
}

/** A root that is to be submitted, and what is known of it. */
export interface Update {
  readonly current: Root
  readonly next: Root
  readonly standing: Standing
  readonly changes: readonly Change[]
}

/** Throws CliError. */
export async function submitUpdate(payload: UpdatePayload, update: Update, { api, output }: Hands): Promise<void> {
  await requireTimestampKey(payload, update, api)
  updated(update, await output.during('Updating the root', () => api.submit('POST', 'metadata', payload)), output)
}

/** Says what has become of a root that was sent. */
export function updated({ standing, changes }: Pick<Update, 'standing' | 'changes'>, task: Task, output: Output): void {
  output.done({ published: isSigned(standing), changes, ...standing, task }, outcome(standing))
}

/** The online keys of the service. */
export async function heldKeys(api: ApiClient): Promise<ReadonlyMap<string, Key>> {
  const { data } = await api.get<z.infer<typeof keysAnswer>>('keys')
  return new Map(Object.entries(data.keys))
}

/**
 * Every commit signs the timestamp. A service that has lost the key for that can do nothing with a root, not even refuse it, unless
 * it is one by which it can go on. Throws CliError that says what such a root takes.
 */
async function requireTimestampKey(
  { compromised }: UpdatePayload,
  { current, next, standing }: Update,
  api: ApiClient,
): Promise<void> {
  const held = await heldKeys(api)
  if (signs(current, held)) return
  const refuse = (why: string) => new CliError('refused', `The service has lost the key of the timestamp. ${why}`)
  if (!signs(next, held))
    throw refuse(`This root has to name another one that it holds: --online-key, one of ${[...held.keys()].join(', ')}`)
  if (!compromised) throw refuse('It cannot sign along with the next one: --compromised')
  if (isSigned(standing)) return
  const way = 'Save it with --out FILE, have it signed with tuffet root sign --in FILE, then: tuffet root send FILE'
  throw refuse(`So it cannot keep a root that waits for signatures. ${way}`)
}

/** Whether the service holds the key of the timestamp that this root names. */
export async function signsTimestamp(root: Root, api: ApiClient): Promise<boolean> {
  return signs(root, await heldKeys(api))
}

function signs({ roles: { timestamp } }: Root, held: ReadonlyMap<string, Key>): boolean {
  return timestamp.keyids.filter((keyid) => held.has(keyid)).length >= timestamp.threshold
}

function outcome(standing: Standing): string {
  if (isSigned(standing)) return `Root version ${standing.version} is published.`
  return [describeStanding(standing), 'Each of them runs: tuffet root sign --key FILE'].join('\n')
}
