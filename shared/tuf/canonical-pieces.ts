/**
 * The members of a big Map, serialised in pieces that are remembered from one call to the next: the snapshot of 16,384 bins
 * changes by a few entries a commit, and an entry that did not change need not be serialised again.
 *
 * Only the last big Map is remembered, by the identity of its values. Those may not be changed once they were serialised,
 * which metadata never is.
 */

export const bigMap = 1024
const pieceLength = 128

let keys: readonly string[] = []
let values: readonly unknown[] = []
let pieces: readonly string[] = []

/** The members of a Map whose keys are in canonical order; `isInOrder` and `serialise` are asked of what is not remembered. */
export function membersInPieces(
  map: ReadonlyMap<string, unknown>,
  isInOrder: (keys: readonly string[]) => boolean,
  serialise: (keys: readonly string[]) => string,
): string | undefined {
  const nextKeys = [...map.keys()]
  const nextValues = [...map.values()]
  const sameKeys = isSame(nextKeys, keys)
  if (!sameKeys && !isInOrder(nextKeys)) return undefined
  const nextPieces: string[] = []
  for (let from = 0; from < nextKeys.length; from += pieceLength) {
    const known =
      sameKeys && isSame(nextValues, values, from, from + pieceLength) ? pieces[nextPieces.length] : undefined
    nextPieces.push(known ?? serialise(nextKeys.slice(from, from + pieceLength)))
  }
  keys = nextKeys
  values = nextValues
  pieces = nextPieces
  return pieces.filter((piece) => piece !== '').join(',')
}

function isSame(some: readonly unknown[], others: readonly unknown[], from = 0, to = some.length): boolean {
  if (some.length !== others.length) return false
  for (let at = from; at < to && at < some.length; at++) if (some[at] !== others[at]) return false
  return true
}
