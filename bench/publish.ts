import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Bins, publishBearing } from './bearings.ts'
import { makeFloor, writeSynced } from './floor.ts'
import { artifact, bootstrap, post, type Service, startService } from './service.ts'
import { quantile, table, timed } from './statistics.ts'
import { type Visible, watchVisible } from './visible.ts'

/**
 * From POST to visible, one artifact at a time, over HTTP to an embedded service with synced writes; and as a multiple of
 * the floor, measured in the same run on the same disk, or of the bearing where that is faster. The last rows show that it does not grow with what is there already.
 */
export async function benchPublish({ short, scratch }: { short: boolean; scratch: string }): Promise<string> {
  const times = short ? 20 : 200
  const rows: string[][] = []
  for (const bins of (short ? [256] : [256, 16_384]) satisfies Bins[]) {
    const directory = await mkdtemp(join(scratch, 'publish-'))
    const service = await startService(join(directory, 'data'))
    try {
      await bootstrap(service, bins)
      rows.push(await measure(`${bins} bins, empty`, bins, service, directory, times))
      const present = short ? 1_000 : 50_000
      for (let from = 0; from < present; from += 1_000) await addThousand(service, from)
      // What filling it left for the disk to do is not what a publish costs.
      execFileSync('sync')
      await sleep(short ? 0 : 2_000)
      rows.push(await measure(`${bins} bins, ${present} artifacts`, bins, service, directory, times))
    } finally {
      await service.stop()
    }
  }
  return table(['POST to visible, ms', 'p50', 'p95', 'floor p50', 'floor p95', 'bearing', 'p50 / floor'], rows)
}

async function measure(
  what: string,
  bins: Bins,
  service: Service,
  directory: string,
  times: number,
): Promise<string[]> {
  using visible = watchVisible(service)
  await publishOne(service, visible, 'bench/first')
  const { snapshot, bin } = newestBytes(service, visible.current())
  // Alternating, so that whatever else the machine does meets both.
  const floor = await makeFloor(await mkdtemp(join(directory, 'floor-')), snapshot, bin)
  const calibration = await mkdtemp(join(directory, 'calibration-'))
  const warmUp = 5
  const ours: number[] = []
  const floors: number[] = []
  const creates: number[] = []
  for (let round = 0; round < times + warmUp; round++) {
    const [own] = await timed(1, () => publishOne(service, visible, `bench/${what.replaceAll(/\W+/g, '-')}/${round}`))
    const [plain] = await timed(1, floor)
    const [create] = await timed(1, () => writeSynced(join(calibration, String(round)), Buffer.alloc(400, 'c')))
    if (round < warmUp || own === undefined || plain === undefined || create === undefined) continue
    ours.push(own)
    floors.push(plain)
    creates.push(create)
  }
  const bearing = publishBearing(bins, quantile(creates, 0.5))
  const cells = [quantile(ours, 0.5), quantile(ours, 0.95), quantile(floors, 0.5), quantile(floors, 0.95), bearing]
  const ratio = quantile(ours, 0.5) / Math.min(quantile(floors, 0.5), bearing)
  return [what, ...cells.map((value) => value.toFixed(1)), `${ratio.toFixed(2)}x`]
}

/** Resolves when it can be seen. */
export async function publishOne(service: Service, visible: Visible, path: string): Promise<void> {
  const next = visible.current() + 1
  const response = await fetch(`${service.url}/api/v1/artifacts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ artifacts: [artifact(path)] }),
  })
  if (response.status !== 202) throw new Error(`POST artifacts: ${response.status} ${await response.text()}`)
  await response.arrayBuffer()
  await visible.reached(next)
}

/** How long the files of the last publish are: of the snapshot, and of the bin that it changed. */
function newestBytes(service: Service, version: number): { readonly snapshot: number; readonly bin: number } {
  const metadata = join(service.data, 'metadata')
  const bin = readdirSync(metadata).find((file) => file.startsWith(`${version}.bins-`))
  if (bin === undefined) throw new Error(`Commit ${version} has changed no bin.`)
  const bytes = (file: string) => statSync(join(metadata, file)).size
  return { snapshot: bytes(`${version}.snapshot.json`), bin: bytes(bin) }
}

async function addThousand(service: Service, from: number): Promise<void> {
  const artifacts = Array.from({ length: 1_000 }, (_, index) => artifact(`present/${from + index}`))
  await post(service, 'artifacts', { artifacts })
}
