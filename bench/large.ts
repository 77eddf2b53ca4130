import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createKeyFile } from '../shared/adapters/local/key-file-signer.ts'
import { pythonTuf } from '../test/fault/kill/clients.ts'
import { tufClient } from '../test/support/client.ts'
import { tuffet } from '../test/support/tuffet.ts'
import { type Floors, makeFloors } from './floor-large.ts'
import { publishOne } from './publish.ts'
import {
  artifact,
  bootstrap,
  importFile,
  memoryOf,
  post,
  rootMaker,
  type Service,
  startService,
  submitted,
} from './service.ts'
import { quantile, table } from './statistics.ts'
import { watchVisible } from './visible.ts'

interface Sizes {
  readonly bins: number
  readonly fewBins: number
  readonly artifacts: number
  /** Of the import beside which others publish. */
  readonly more: number
}

const large: Sizes = { bins: 16_384, fewBins: 256, artifacts: 1_000_000, more: 200_000 }
const small: Sizes = { bins: 64, fewBins: 16, artifacts: 2_000, more: 500 }

/**
 * Long work over HTTP to an embedded service with synced writes, as multiples of floors that are measured in the same run on the same
 * disk; what others see of it meanwhile; and what a big repository costs whoever starts it.
 */
export async function benchLarge({ short, scratch }: { short: boolean; scratch: string }): Promise<string> {
  const sizes = short ? small : large
  const directory = await mkdtemp(join(scratch, 'large-'))
  const rows: string[][] = []
  const row = (what: string, ours: number, floor?: number, note = '') => {
    rows.push([
      what,
      seconds(ours),
      floor === undefined ? '' : seconds(floor),
      floor ? `${(ours / floor).toFixed(2)}x` : '',
      note,
    ])
    console.error(rows.at(-1)?.join('  '))
  }
  try {
    const csv = join(directory, 'artifacts.csv')
    await writeFile(csv, csvOf(0, sizes.artifacts))
    const floors = await makeFloors(join(directory, 'floors'))
    const [empty, full] = [await startService(join(directory, 'empty')), await startService(join(directory, 'full'))]
    try {
      await bootstrap(empty, sizes.bins)
      row(
        `bootstrap with ${sizes.bins} bins`,
        await timeOf(() => bootstrap(full, sizes.bins)),
        await floors.bootstrap(sizes.bins),
      )
      await longRows(full, csv, sizes, floors, row)
      rows.push(...(await growthRows(empty, full, short)))
    } finally {
      await empty.stop()
      await full.stop()
    }
    await startRow(join(directory, 'full'), row)
    await besideRows(directory, csv, sizes, row)
  } finally {
    await rm(directory, { recursive: true })
  }
  return table(['long work', 's', 'floor, s', 'ratio', ''], rows)
}

type Row = (what: string, ours: number, floor?: number, note?: string) => void

async function longRows(service: Service, csv: string, sizes: Sizes, floors: Floors, row: Row): Promise<void> {
  const { bins, artifacts } = sizes
  const took = await importFile(service, csv)
  const peak = `${memoryOf(service).most} MiB at most; ${seconds(took.uploading)} s to upload before it`
  row(`import of ${artifacts} artifacts into ${bins} bins`, took.importing, await floors.import(csv, bins), peak)
  const refresh = await timeOf(() => submitted(service, 'POST', 'metadata/online', { roles: ['bins'] }))
  row(`refresh of all ${bins} bins`, refresh, await floors.refresh())
  const check = await timeOf(async () => {
    const { code, stdout, stderr } = await tuffet(['check', service.data])
    if (code !== 0) throw new Error(`tuffet check: ${stdout}${stderr}`)
  })
  row(`tuffet check of ${artifacts} artifacts in ${bins} bins`, check, await floors.check())
}

/** One small publish after the other to two services in turn, so that whatever else the machine does meets both. */
async function growthRows(empty: Service, full: Service, short: boolean): Promise<string[][]> {
  await post(empty, 'artifacts', { artifacts: Array.from({ length: 10 }, (_, at) => artifact(`few/${at}`)) })
  // Until the disk has done what filling them left.
  await sleep(short ? 0 : 10_000)
  using fewVisible = watchVisible(empty)
  using manyVisible = watchVisible(full)
  const times = { few: [] as number[], many: [] as number[] }
  for (let round = 0; round < (short ? 10 : 100); round++) {
    times.few.push(await timeOf(() => publishOne(empty, fewVisible, `growth/${round}`)))
    times.many.push(await timeOf(() => publishOne(full, manyVisible, `growth/${round}`)))
  }
  const [few, many] = [quantile(times.few, 0.5), quantile(times.many, 0.5)]
  const cells = [(many / 1000).toFixed(4), (few / 1000).toFixed(4), `${(many / few).toFixed(2)}x`]
  return [['publish of 1 artifact among all of them, against among 10', ...cells, 'p50']]
}

/** Ready is who answers. */
async function startRow(data: string, row: Row): Promise<void> {
  const start = performance.now()
  const service = await startService(data)
  const ready = performance.now() - start
  // By then the service has given back what the start has left.
  await sleep(5_000)
  const idle = memoryOf(service).now
  await service.stop()
  row('start of the service on that repository', ready, undefined, `${idle} MiB idle`)
}

/**
 * Small publishes and clients that refresh, beside each kind of long work. So few bins for so many artifacts are files of 700 kB: there a
 * few publishes a second have to do.
 */
async function besideRows(directory: string, csv: string, sizes: Sizes, row: Row): Promise<void> {
  const keys = ['first.pem', 'second.pem'].map((file) => join(directory, file))
  for (const file of keys) await createKeyFile(file)
  const service = await startService(join(directory, 'beside'), keys)
  try {
    const makeRoot = rootMaker(service)
    await bootstrap(service, sizes.fewBins, makeRoot)
    await importFile(service, csv)
    const more = join(directory, 'more.csv')
    await writeFile(more, csvOf(sizes.artifacts, sizes.more))
    const changeBins = (number: number) => () =>
      submitted(service, 'PUT', 'config', { settings: { bins: { number_of_delegated_bins: number } } })
    const works: readonly (readonly [what: string, work: () => Promise<unknown>, publishesPerSecond: number])[] = [
      [`change from ${sizes.fewBins} to ${sizes.bins} bins`, changeBins(sizes.bins), 2],
      [
        `refresh of all ${sizes.bins} bins`,
        () => submitted(service, 'POST', 'metadata/online', { roles: ['bins'] }),
        100,
      ],
      [
        `change of online keys at ${sizes.bins} bins`,
        async () => submitted(service, 'POST', 'metadata', { metadata: { root: await makeRoot(2, 1) } }),
        100,
      ],
      [`import of ${sizes.more} more`, () => importFile(service, more), 100],
      [`change from ${sizes.bins} to ${sizes.bins / 2} bins`, changeBins(sizes.bins / 2), 100],
    ]
    for (const [what, work, rate] of works) {
      const beside = await others(service, directory, rate)
      const took = await timeOf(work)
      row(`${what}, beside others`, took, undefined, await beside.stop())
    }
  } finally {
    await service.stop()
  }
}

async function others(service: Service, directory: string, rate: number) {
  const root = join(service.data, 'metadata/1.root.json')
  const own = await mkdtemp(join(directory, 'clients-'))
  const python = await pythonTuf(new URL(`${service.url}/`), own, root)
  let over = false
  const counts = { ours: 0, python: () => python?.counts.refreshed ?? 0 }
  const running = [python?.run(() => over), refreshing()]
  const waits: Promise<number>[] = []
  let waiting = 0
  const publish = async () => {
    waiting++
    const taken = await timeOf(() =>
      post(service, 'artifacts', { artifacts: [artifact(`beside/${waits.length % 500}`)] }),
    )
    waiting--
    return taken
  }
  const timer = setInterval(() => {
    // Who finds so many before it comes later, and they have waited long enough to be seen.
    if (waiting < 500) waits.push(publish())
  }, 1000 / rate)

  /** One that keeps what it has seen. With a pause, for it shares two cores with the service. */
  async function refreshing(): Promise<void> {
    const fetched = async (file: string) => {
      const response = await fetch(`${service.url}/metadata/${file}`)
      return response.ok ? Buffer.from(await response.arrayBuffer()) : undefined
    }
    const client = tufClient(fetched, () => new Date())
    for (; !over; await sleep(100)) {
      await client.refresh()
      counts.ours++
    }
  }

  return {
    async stop(): Promise<string> {
      clearInterval(timer)
      const taken = await Promise.all(waits)
      over = true
      await Promise.all(running)
      python?.end()
      const longest = seconds(Math.max(0, ...taken))
      const clients = `python-tuf ${counts.python()} times, a client of ours ${counts.ours}, none failed`
      return `${taken.length} small publishes, the longest ${longest} s; refreshed: ${clients}`
    },
  }
}

/** The same lines in every run. */
function csvOf(from: number, count: number): Buffer {
  const lines = Array.from({ length: count }, (_, at) => {
    const number = from + at
    const digest = createHash('sha256').update(`artifact ${number}`).digest('hex')
    return `packages/${digest.slice(0, 2)}/${digest.slice(2, 10)}/project-${number}-1.0.tar.gz;${number};sha256;${digest}\n`
  })
  return Buffer.from(lines.join(''))
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(2)
