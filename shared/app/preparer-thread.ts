import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { prepare } from '../repository/ahead/prepare.ts'
import type { Helper } from '../repository/ahead/units.ts'
import { comeAfterPublisher, type PreparerWork, repositoryOf } from './preparer-repository.ts'
import { fromPlain, type Told } from './thread-errors.ts'

/** What `preparer.ts` runs in a thread. */
comeAfterPublisher()
const work = workerData as PreparerWork
// More than two would leave no memory to speak of for the rest.
const thread = availableParallelism() > 1 ? startHelper() : undefined
try {
  const helper = thread && helperIn(thread)
  parentPort?.postMessage(await prepare(await repositoryOf(work), work.taskId, { helper }))
} finally {
  await thread?.terminate()
  work.state?.close()
}

function startHelper(): Worker {
  const file = new URL(`./helper-thread${extname(import.meta.filename)}`, import.meta.url)
  const { state: _, ...share } = work
  return new Worker(file, { workerData: share })
}

function helperIn(thread: Worker): Helper {
  return (share) =>
    new Promise((resolve, reject) => {
      thread.once('error', reject)
      thread.once('exit', () => reject(new Error('The thread that helps with long work has ended.')))
      thread.once('message', (told: Told) => ('made' in told ? resolve(told.made) : reject(fromPlain(told.failed))))
      thread.postMessage(share)
    })
}
