import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { directoryObjectStore } from '../adapters/local/directory-object-store.ts'
import { keyFileSigner } from '../adapters/local/key-file-signer.ts'
import { systemClock } from '../adapters/local/system-clock.ts'
import { prepare } from '../repository/prepare.ts'
import { openRepository } from '../repository/repository.ts'
import type { PreparerWork } from './preparer.ts'

/**
 * What `preparer.ts` runs in a thread. The publisher beside it has the directory: nothing here replaces what it writes,
 * and nothing clears away what it has under way.
 */
const { data, keys, taskId } = workerData as PreparerWork
const repository = openRepository({
  metadata: directoryObjectStore(join(data, 'metadata')),
  state: directoryObjectStore(join(data, 'state')),
  signers: await Promise.all(keys.map((file) => keyFileSigner(file))),
  queue: { ring: async () => undefined },
  clock: systemClock(),
})
parentPort?.postMessage(await prepare(repository, taskId))
