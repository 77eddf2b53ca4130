import assert from 'node:assert/strict'
import { canonicalBytes } from '../../shared/tuf/canonical.ts'
import type { Json } from '../../shared/tuf/json.ts'
import type { TestApi } from './api.ts'
import { signatureBy, type TestKey } from './keys.ts'

/** A metadata file as the API shows it. */
export interface Envelope {
  readonly signed: Json
  readonly signatures: readonly Json[]
}

export interface Decided {
  readonly state: string
  readonly message: string
  readonly error?: string
  readonly details: Readonly<Record<string, unknown>>
}

/** Sends what becomes a task, and says how it ended. */
export async function decided(api: TestApi, request: string, body: unknown): Promise<Decided> {
  const answered = await api.call(request, { body, headers: { prefer: 'wait=5' } })
  assert.equal(answered.status, 200, JSON.stringify(answered.body))
  const { state, result } = answered.body.data as { state: string; result: Omit<Decided, 'state'> }
  return { ...result, state }
}

/** What waits for signatures, and what it is compared with. */
export async function pending(api: TestApi): Promise<Record<string, Envelope>> {
  const { body } = await api.call('GET /metadata/sign')
  return (body.data as { metadata: Record<string, Envelope> } | undefined)?.metadata ?? {}
}

/** What a holder sends after a look at what waits. */
export async function signatureOf(api: TestApi, role: string, holder: TestKey) {
  const waiting = (await pending(api))[role]
  assert.ok(waiting, `${role} does not wait`)
  return { role, signature: signatureBy(holder, canonicalBytes(waiting.signed)) }
}
