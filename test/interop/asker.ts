/** What the interop tests send to the API of a repository at random, and ask of it. */

import assert from 'node:assert/strict'
import type { TestApi } from '../support/api.ts'
import { type Decided, pending } from '../support/holders.ts'

interface Told {
  readonly text: string
  /** Absent if it was refused. */
  readonly details?: Decided['details']
}

export function askerOf(api: TestApi) {
  async function send(request: string, body: unknown): Promise<Pick<Decided, 'state' | 'error' | 'details'>> {
    const answered = await api.call(request, { body, headers: { prefer: 'wait=5' } })
    if ([404, 422].includes(answered.status))
      return { state: 'refused', error: JSON.stringify(answered.body.detail), details: {} }
    assert.equal(answered.status, 200, JSON.stringify(answered.body))
    const { state, result } = answered.body.data as { state: string; result: Omit<Decided, 'state'> }
    assert.ok(state === 'SUCCESS' || state === 'ERRORED', JSON.stringify(answered.body))
    return { ...result, state }
  }

  async function tell(what: string, request: string, body: unknown): Promise<Told> {
    const { state, error, details } = await send(request, body)
    const text = `${what}: ${state} ${error ?? JSON.stringify(details)}`
    return state === 'SUCCESS' ? { text, details } : { text }
  }

  const waitingRoles = async () => Object.keys(await pending(api)).filter((role) => !role.startsWith('trusted_'))

  async function standingRoles() {
    const { body } = await api.call('GET /delegations')
    return body.data['roles'] as { name: string; keyids: string[]; version: number }[]
  }

  async function newestCommit(): Promise<number> {
    const { body } = await api.call('GET /commits?limit=1')
    return (body.data['commits'] as { number: number }[])[0]?.number ?? 0
  }

  /** Which role vouches for a path, if one does. */
  async function roleOf(path: string): Promise<unknown> {
    const { body } = await api.call(`GET /artifacts?path=${encodeURIComponent(path)}`)
    return body.data?.['role']
  }

  return { send, tell, waitingRoles, standingRoles, newestCommit, roleOf }
}
