import { parentPort, workerData } from 'node:worker_threads'
import { type DelegatedFile, fileCheck } from '../shared/repository/check/files.ts'
import type { CheckShare, CheckTold } from './check-helper.ts'
import { filesIn } from './metadata-source.ts'
import { CliError } from './output.ts'

/** What `check-helper.ts` runs in a thread. */
const { directory, now } = workerData as CheckShare
/** Files read from one word about it to the next. */
const toldEvery = 64

const tell = (told: CheckTold) => parentPort?.postMessage(told)

parentPort?.once('message', async (delegated: readonly DelegatedFile[]) => {
  let read = 0
  const onRead = () => {
    if (++read % toldEvery === 0) tell({ read: toldEvery })
  }
  const { seen, checkDelegated } = fileCheck({ read: filesIn(directory), now, onRead })
  try {
    const below = await checkDelegated(delegated)
    tell({ read: read % toldEvery })
    tell({ checked: { below, seen } })
  } catch (error) {
    // Of a class nothing gets out of a thread.
    if (error instanceof CliError) tell({ failed: { code: error.code, message: error.message } })
    else throw error
  }
})
