import { hasIdentity, keyIdentity } from '../../tuf/keys.ts'
import type { Root } from '../../tuf/metadata.ts'
import { verifyRoots } from '../../tuf/root.ts'
import { decodeSigned, type Signed } from '../../tuf/signed.ts'
import { Refusal, refuseTufErrors } from '../errors.ts'
import type { Predecessor } from '../task.ts'

/** A repository that goes on here, with its roots decoded. */
export interface ReadPredecessor {
  readonly roots: readonly Signed<Root>[]
  readonly highestVersion: number
}

/** Throws TufError where a root cannot be read. */
export function readPredecessor({ roots, highestVersion }: Predecessor): ReadPredecessor {
  return { roots: roots.map((text) => decodeSigned('root', Buffer.from(text))), highestVersion }
}

/** The root that the first one of ours follows. */
export const lastRoot = (predecessor: ReadPredecessor | undefined) => predecessor?.roots.at(-1)?.signed

/** No version up to this one is given again; 0 where there was no repository before. */
export const versionsBefore = (predecessor: ReadPredecessor | undefined) => predecessor?.highestVersion ?? 0

/** Every root that clients find once the repository is founded, in their order. */
export function firstRoots({ root, predecessor }: FirstRoots): Signed<Root>[] {
  return [...(predecessor?.roots ?? []), root]
}

interface FirstRoots {
  readonly root: Signed<Root>
  readonly predecessor?: ReadPredecessor
}

/** Throws a Refusal unless clients that trust any of these roots come to trust `next`, once enough of its holders have signed it. */
export function checkPredecessor(predecessor: ReadPredecessor, next: Root): void {
  refuseTufErrors(() => verifyRoots(predecessor.roots))
  const last = lastRoot(predecessor)
  if (last === undefined) return
  const expected = last.version + 1
  if (next.version !== expected)
    throw new Refusal(`After root version ${last.version} of the predecessor comes ${expected}, not ${next.version}.`)
  checkNewKeys(last, next)
}

/**
 * Clients forget the timestamp and the snapshot that they know when the keys of these change (specification, section 5.3.11). Those
 * that do not would miss in our snapshot the delegated roles of the one before, and never refresh again.
 */
function checkNewKeys(last: Root, next: Root): void {
  const signing = ({ roles, keys }: Root) =>
    [...roles.timestamp.keyids, ...roles.snapshot.keyids].flatMap((id) => {
      const key = keys.get(id)
      return key === undefined ? [] : [{ id, key }]
    })
  const before = signing(last)
  for (const { id, key } of signing(next)) {
    const identity = keyIdentity(key)
    if (!before.some((old) => hasIdentity(old.key, identity))) continue
    throw new Refusal(
      `Key ${id} signs timestamp or snapshot in root version ${last.version} of the predecessor already. Clients refuse a snapshot ` +
        'without the roles that they know from it, unless its keys are new: name other online keys for both.',
    )
  }
}
