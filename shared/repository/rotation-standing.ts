import type { Current, Repository } from './repository.ts'

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
