/**
 * Does `work` for every item, at most `limit` at once; results in the order of the items. The first failure rejects, and
 * nothing is begun after it.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(items.length)
  // A generator, for the loop that an error leaves closes it for all the others.
  const rest = (function* () {
    yield* items.entries()
  })()
  const worker = async () => {
    for (const [index, item] of rest) results[index] = await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  return results
}
