/** Values by the patterns that they stand under. */
export interface PatternIndex<Value> {
  /** Those under a pattern that could match, going by how many segments it has and what it begins with. */
  like(path: string): (readonly [pattern: string, value: Value])[]
  /** Those under a pattern that matches. */
  matching(path: string): Value[]
}

/** Spares going through thousands of patterns for each path: it takes one look-up for each segment. */
export function patternIndex<Value>(entries: Iterable<readonly [pattern: string, value: Value]>): PatternIndex<Value> {
  const byBeginning = new Map<string, (readonly [string, Value])[]>()
  for (const entry of entries) {
    const segments = entry[0].split('/')
    const wild = segments.findIndex((segment) => /[*?]/.test(segment))
    const key = keyOf(segments, wild < 0 ? segments.length : wild)
    const alike = byBeginning.get(key)
    if (alike === undefined) byBeginning.set(key, [entry])
    else alike.push(entry)
  }
  const like = (path: string) => {
    const segments = path.split('/')
    return Array.from(
      { length: segments.length + 1 },
      (_, known) => byBeginning.get(keyOf(segments, known)) ?? [],
    ).flat()
  }
  const matching = (path: string) =>
    like(path).flatMap(([pattern, value]) => (matchesPattern(path, pattern) ? [value] : []))
  return { like, matching }
}

const indexes = new WeakMap<readonly string[], PatternIndex<undefined>>()

/** Those of these patterns that could match. The index of a list is made once. */
export function patternsLike(path: string, patterns: readonly string[]): string[] {
  const index = indexes.get(patterns) ?? patternIndex(patterns.map((pattern) => [pattern, undefined]))
  indexes.set(patterns, index)
  return index.like(path).map(([pattern]) => pattern)
}

const keyOf = (segments: readonly string[], known: number) =>
  `${segments.length}/${known}/${segments.slice(0, known).join('/')}`

/** `*` is any run of characters within one segment, `?` any one of them; all else stands for itself. */
export function matchesPattern(path: string, pattern: string): boolean {
  const segments = path.split('/')
  const patterns = pattern.split('/')
  return segments.length === patterns.length && patterns.every((part, at) => matchesSegment(segments[at] ?? '', part))
}

/** Not a regular expression: many `*` in one could keep it busy for hours. */
function matchesSegment(segment: string, pattern: string): boolean {
  const characters = [...segment]
  const wanted = [...pattern]
  let at = 0
  let next = 0
  // What to go back to: the last `*`, and where the run that it stands for ends so far.
  let star: number | undefined
  let runEnd = 0
  while (at < characters.length) {
    if (wanted[next] === '*') {
      star = next++
      runEnd = at
    } else if (wanted[next] === '?' || wanted[next] === characters[at]) {
      next++
      at++
    } else if (star !== undefined) {
      next = star + 1
      at = ++runEnd
    } else {
      return false
    }
  }
  return wanted.slice(next).every((character) => character === '*')
}
