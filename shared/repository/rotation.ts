import type { Json } from '../tuf/json.ts'
import type { Root } from '../tuf/metadata.ts'
import { signedFromJson } from '../tuf/signed.ts'
import { type Document, schemaVersion } from './documents.ts'
import type { Current, Repository } from './repository.ts'

/**
 * A change of online keys under way; private state, versioned by commits. Until it is over, timestamp, snapshot and targets
 * carry the signatures that the root before asks for, too: a client may have looked for the new root just before it appeared.
 */
export interface Rotation extends Document {
  /** The whole file of the root before; nothing while no online key changes. */
  readonly previousRoot?: Json
  /** The old keys are in the wrong hands: no wait. */
  readonly compromised: boolean
}

export const noRotation: Rotation = { schema: schemaVersion, compromised: false }

export function previousRootOf({ previousRoot }: Rotation): Root | undefined {
  return previousRoot === undefined ? undefined : signedFromJson('root', previousRoot).signed
}

/** How far a change of online keys has come. */
export interface RotationStanding {
  readonly compromised: boolean
  /** When the old keys stop signing, by the store's clock; absent until the new root is visible. */
  readonly ends?: Date
}

/** Nothing while no online key changes. */
export async function readRotation(
  { ports, limits }: Repository,
  { rotation, root }: Current,
): Promise<RotationStanding | undefined> {
  const { previousRoot, compromised } = rotation
  if (previousRoot === undefined) return undefined
  const visible = await ports.metadata.read(`${root.signed.version}.root.json`)
  if (visible === undefined) return { compromised }
  const left = compromised ? 0 : limits.rotationGrace - visible.age
  return { compromised, ends: new Date(ports.clock.now().getTime() + left) }
}

/**
 * True when the old keys may stop signing: the new root has been visible, by the store's clock, for as long as the slowest
 * client's refresh and every cache last.
 */
export async function rotationIsOver(repository: Repository, current: Current): Promise<boolean> {
  const standing = await readRotation(repository, current)
  return standing?.ends !== undefined && standing.ends <= repository.ports.clock.now()
}
