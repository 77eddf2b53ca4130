import type * as z from 'zod'
import type { keys as keysAnswer } from '../../shared/app/result-schemas.ts'
import { type Key, keyid, publicKeyOf } from '../../shared/tuf/keys.ts'
import type { ApiClient } from '../api-client.ts'
import { CliError } from '../output.ts'
import type { OnlineKeys } from './payload.ts'

/** The keys that the service says are its own: those that its roles name, each under its true keyid. Throws CliError. */
export async function fetchOnlineKeys(api: ApiClient): Promise<OnlineKeys> {
  const { data } = await api.get<z.infer<typeof keysAnswer>>('keys')
  const keys = new Map<string, Key>()
  const keysOf = (role: string) => {
    const { keyids = [], threshold = 1 } = data.roles[role] ?? {}
    for (const id of keyids) {
      const key = data.keys[id]
      if (key === undefined || keyid(key) !== id)
        throw new CliError('not-verified', `${api.url} names key ${id} for role ${role}, and shows another or none.`)
      publicKeyOf(key)
      keys.set(id, key)
    }
    if (keyids.length === 0) throw new CliError('refused', `${api.url} holds no online key for role ${role}.`)
    return { keyids, threshold }
  }
  return { keys, roles: { targets: keysOf('targets'), snapshot: keysOf('snapshot'), timestamp: keysOf('timestamp') } }
}

/** Throws CliError 'not-verified' unless the keys are the very ones that were expected. */
export function compareOnlineKeys({ keys }: OnlineKeys, expected: readonly string[]): void {
  const strange = [...keys.keys()].filter((id) => !expected.includes(id))
  const absent = expected.filter((id) => !keys.has(id))
  if (strange.length === 0 && absent.length === 0) return
  throw new CliError(
    'not-verified',
    `The service's online keys are ${[...keys.keys()].join(', ')}, and not ${expected.join(', ')} as expected. Somebody may be in between.`,
  )
}
