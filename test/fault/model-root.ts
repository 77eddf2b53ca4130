import assert from 'node:assert/strict'
import type { Json, JsonObject } from '../../shared/tuf/json.ts'
import { make, onlineKeys } from './world.ts'

/** A root of a model that waits for signatures. */
export interface PendingRoot {
  readonly version: number
  readonly online: string
  readonly signedBy: ReadonlySet<string>
  readonly compromised: boolean
}

/** A signature is for one root; somebody may have made it for another one. */
export function isSignatureOf({ version, online }: Pick<PendingRoot, 'version' | 'online'>, sig: string): boolean {
  const index = onlineKeys.findIndex(({ keyid }) => keyid === online) === 0 ? 0 : 1
  return ([0, 1] as const).some((by) => make.signature(by, { version, online: index }).signature.sig === sig)
}

export function readRoot(json: Json): Omit<PendingRoot, 'compromised'> {
  const { signed, signatures } = json as { signed: JsonObject; signatures: { keyid: string }[] }
  const online = onlineKeys.find(({ keyid }) =>
    JSON.stringify((signed['roles'] as JsonObject)['targets']).includes(keyid),
  )
  assert.ok(online, 'a root of this world names one of its online keys')
  return {
    version: signed['version'] as number,
    online: online.keyid,
    signedBy: new Set(signatures.map(({ keyid }) => keyid)),
  }
}
