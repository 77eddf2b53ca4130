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
  await eachInParallel(items.entries(), Math.min(limit, items.length), async ([index, item]) => {
    results[index] = await work(item)
  })
  return results
}

/** The same for what comes from elsewhere and has no end that is known. */
export async function eachInParallel<Item>(
  items: Iterable<Item>,
  limit: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  // A generator, for the loop that an error leaves closes it for all the others.
  const rest = (function* () {
    yield* items
  })()
  const worker = async () => {
    for (const item of rest) await work(item)
  }
  await Promise.all(Array.from({ length: limit }, worker))
}
