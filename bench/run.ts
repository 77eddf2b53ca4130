import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchLarge } from './large.ts'
import { benchPublish } from './publish.ts'
import { benchThroughput } from './throughput.ts'

/**
 * `npm run bench` runs every benchmark and prints its table, `npm run bench -- publish` one of them; `-- --short` runs each just long enough
 * to show that it works.
 * The scratch files lie in the checkout, so the disk is the one that the service would use; and until the end, for after many were deleted
 * some file systems take longer to create others.
 */
const benchmarks = { publish: benchPublish, throughput: benchThroughput, large: benchLarge }
const {
  values: { short },
  positionals,
} = parseArgs({ options: { short: { type: 'boolean', default: false } }, allowPositionals: true })
const unknown = positionals.filter((name) => !Object.hasOwn(benchmarks, name))
if (unknown.length > 0) {
  console.error(`No such benchmark: ${unknown.join(', ')}. There are: ${Object.keys(benchmarks).join(', ')}.`)
  process.exit(2)
}
const home = join(import.meta.dirname, '../.cache')
await mkdir(home, { recursive: true })
const scratch = await mkdtemp(join(home, 'bench-'))
try {
  console.log(`Node ${process.version}, ${availableParallelism()} cores, ${cpus()[0]?.model ?? 'unknown processor'}`)
  if (short) console.log('In short: these figures show that the benchmarks run, and nothing about speed.')
  for (const [name, bench] of Object.entries(benchmarks))
    if (positionals.length === 0 || positionals.includes(name)) console.log(`\n${await bench({ short, scratch })}`)
} finally {
  await rm(scratch, { recursive: true })
}
