import type { Json } from '../tuf/json.ts'
import { decodeMetadata, type Root } from '../tuf/metadata.ts'
import { type Document, schemaVersion } from './documents.ts'

/**
 * A change of online keys under way; private state, versioned by commits. Until it is over, timestamp, snapshot and targets
 * carry the signatures that the root before asks for, too: a client may have looked for the new root just before it appeared.
 */
export interface Rotation extends Document {
  /** The whole file of the root before; nothing while no online key changes. */
  readonly previousRoot?: Json
  /** The old keys are in the wrong hands: no wait. */
  readonly compromised: boolean
  /** Keys that roots have taken from the service, which roles that it does not sign may trust still. It outlives the change. */
  readonly removed?: readonly string[]
}

export const noRotation: Rotation = { schema: schemaVersion, compromised: false }

export function endedRotation({ removed }: Rotation): Rotation {
  return { ...noRotation, ...(removed && { removed }) }
}

export function previousRootOf({ previousRoot }: Rotation): Root | undefined {
  // Not `signedFromJson`, which is stricter: a predecessor may have signed it.
  if (previousRoot === undefined) return undefined
  return decodeMetadata('root', (previousRoot as { readonly signed: Json }).signed)
}
