import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { CheckHelper, HelpedCheck } from '../shared/repository/check/check.ts'
import { CliError } from './output.ts'

export interface CheckShare {
  readonly directory: string
  readonly now: Date
}

export type CheckTold =
  | { readonly read: number }
  | { readonly checked: HelpedCheck }
  | { readonly failed: Pick<CliError, 'code' | 'message'> }

/** A second thread that checks files of this directory; it is begun when it is asked. None where there is one processor only. */
export function checkHelper(share: CheckShare): CheckHelper | undefined {
  if (availableParallelism() === 1) return undefined
  return (delegated, onRead) =>
    new Promise((resolve, reject) => {
      const file = new URL(`./check-thread${extname(import.meta.filename)}`, import.meta.url)
      const thread = new Worker(file, { workerData: share })
      thread.on('error', reject)
      thread.on('exit', () => reject(new Error('The thread that helps to check has ended.')))
      thread.on('message', (told: CheckTold) => {
        if ('read' in told) onRead(told.read)
        else if ('checked' in told) resolve(told.checked)
        else reject(new CliError(told.failed.code, told.failed.message))
      })
      thread.postMessage(delegated)
    })
}
