import { parentPort, workerData } from 'node:worker_threads'
import { help } from '../repository/ahead/help.ts'
import type { Share } from '../repository/ahead/units.ts'
import { type PreparerWork, repositoryOf } from './preparer-repository.ts'
import { asPlain, type Told } from './thread-errors.ts'

/** What `preparer-thread.ts` runs in a second thread, so that long work has both cores of a small machine. */
const repository = await repositoryOf(workerData as PreparerWork)

parentPort?.on('message', async (share: Share) => {
  const told: Told = await help(repository, share).then(
    (made) => ({ made }),
    (error: unknown) => ({ failed: asPlain(error) }),
  )
  parentPort?.postMessage(told)
})
