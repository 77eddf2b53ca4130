import { tufClient } from '../support/client.ts'
import type { Auditor } from './auditor.ts'
import type { Process, Scheduler } from './scheduler.ts'
import type { VirtualTime } from './world.ts'

interface ClientsWorld {
  readonly schedule: Scheduler
  readonly time: VirtualTime
  readonly auditor: Auditor
  readonly random: () => number
  /** What it has begun to read stays that long. */
  readonly retention: number
}

const minute = 60_000

/** Refreshes and looks for a file, again and again; with the state that it keeps, or from the first root on each time. */
export async function liveAsClient(world: ClientsWorld, process: Process, keeps: boolean): Promise<void> {
  const { schedule, time, auditor, random, retention } = world
  const read = (file: string) =>
    schedule.turn(process, `read ${file}`, async () => (await auditor.metadata.read(file))?.bytes)
  const fresh = () => tufClient(read, () => new Date(time.now))
  let client = fresh()
  for (;;) {
    await schedule.turn(process, 'sleep', async () => {}, { from: time.now + random() * minute })
    if (auditor.commits() === 0) continue
    if (!keeps) client = fresh()
    const began = time.now
    try {
      await client.refresh()
      await client.find('f')
    } catch (error) {
      // What it began to read may be gone by now.
      if (time.now - began < retention && auditor.exposedUntil() < began) throw error
    }
  }
}
