import assert from 'node:assert/strict'
import type { Json, JsonObject } from '../../shared/tuf/json.ts'
import { holderKeys, make, onlineKeys, type TargetsKeys } from './world.ts'

/** A root of a model that waits for signatures. */
export interface PendingRoot {
  readonly version: number
  readonly online: string
  readonly targets: TargetsKeys
  readonly signedBy: ReadonlySet<string>
  readonly compromised: boolean
}

/** A signature is for one root; somebody may have made it for another one. */
export function isSignatureOf(
  { version, online, targets }: Pick<PendingRoot, 'version' | 'online' | 'targets'>,
  sig: string,
): boolean {
  const index = onlineKeys.findIndex(({ keyid }) => keyid === online) === 0 ? 0 : 1
  return ([0, 1] as const).some((by) => make.signature(by, { version, online: index, targets }).signature.sig === sig)
}

export function readRoot(json: Json): Omit<PendingRoot, 'compromised'> {
  const { signed, signatures } = json as { signed: JsonObject; signatures: { keyid: string }[] }
  const roles = signed['roles'] as unknown as Record<string, { keyids: readonly string[] }>
  const online = onlineKeys.find(({ keyid }) => roles['snapshot']?.keyids.includes(keyid))
  assert.ok(online, 'a root of this world names one of its online keys')
  return {
    version: signed['version'] as number,
    online: online.keyid,
    targets: targetsKeysIn(roles['targets']?.keyids ?? []),
    signedBy: new Set(signatures.map(({ keyid }) => keyid)),
  }
}

function targetsKeysIn(keyids: readonly string[]): TargetsKeys {
  const holders = holderKeys.filter(({ keyid }) => keyids.includes(keyid))
  if (holders.length === 0) return 'online'
  return holders.length === 3 ? 'of three holders' : 'of two holders'
}
