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
  now = ports.clock.now(),
): Promise<RotationStanding | undefined> {
  const { previousRoot, compromised } = rotation
  if (previousRoot === undefined) return undefined
  const visible = await ports.metadata.read(`${root.signed.version}.root.json`)
  if (visible === undefined) return { compromised }
  const left = compromised ? 0 : limits.rotationGrace - visible.age
  return { compromised, ends: new Date(now.getTime() + left) }
}

/**
 * True when the old keys may stop signing: the new root has been visible, by the store's clock, for as long as the slowest
 * client's refresh and every cache last.
 */
export async function rotationIsOver(repository: Repository, current: Current): Promise<boolean> {
  // Asked once: a clock that is set meanwhile is not to make it look over.
  const now = repository.ports.clock.now()
  const standing = await readRotation(repository, current, now)
  return standing?.ends !== undefined && standing.ends <= now
}
