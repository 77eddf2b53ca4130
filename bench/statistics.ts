/** The value that so many of the values (0 to 1) do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** How long `work` takes each time, in milliseconds. */
export async function timed(times: number, work: (index: number) => Promise<void>): Promise<number[]> {
  const taken: number[] = []
  for (let index = 0; index < times; index++) {
    const start = performance.now()
    await work(index)
    taken.push(performance.now() - start)
  }
  return taken
}

/** Rows under their headings, in columns: figures to the right, words to the left. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const holdsFigures = headings.map((_, column) => rows.every((row) => /^[\d.]*x?$/.test(row[column] ?? '')))
  const inPlace = (cell: string, column: number) =>
    holdsFigures[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)
  const line = (cells: readonly string[]) => cells.map(inPlace).join('  ').trimEnd()
  return [line(headings), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}
