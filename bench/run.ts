import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { benchLarge } from './large.ts'
import { benchPublish } from './publish.ts'
import { benchThroughput } from './throughput.ts'

/**
 * `npm run bench` runs every benchmark and prints its table; `-- --short` runs each just long enough to show that it works.
 * The scratch files lie in the checkout, so the disk is the one that the service would use; and until the end, for after many were deleted
 * some file systems take longer to create others.
 */
const short = process.argv.includes('--short')
const home = join(import.meta.dirname, '../.cache')
await mkdir(home, { recursive: true })
const scratch = await mkdtemp(join(home, 'bench-'))
try {
  console.log(`Node ${process.version}, ${availableParallelism()} cores, ${cpus()[0]?.model ?? 'unknown processor'}`)
  if (short) console.log('In short: these figures show that the benchmarks run, and nothing about speed.')
  console.log(`\n${await benchPublish({ short, scratch })}`)
  console.log(`\n${await benchThroughput({ short, scratch })}`)
  console.log(`\n${await benchLarge({ short, scratch })}`)
} finally {
  await rm(scratch, { recursive: true })
}
