import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const lookEvery = 1000

export interface IdleOptions {
  /** Milliseconds from one look at how busy the process is to the next. */
  readonly every?: number
  readonly collect?: () => void
}

/** Of an interval: from here on a service counts as at work. A collection takes less. */
const busyFrom = 0.1

/**
 * Gives back, whenever there is nothing to do, what the work before has left in the heap: to start with many hash bins leaves
 * some 40 MB, and V8 itself keeps them until it is short of memory. Ends with the process, or when it is disposed of.
 */
export function giveBackWhenIdle({ every = lookEvery, collect = collector() }: IdleOptions = {}): Disposable {
  let before = performance.eventLoopUtilization()
  let isGivenBack = false
  const look = () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    if (utilization >= busyFrom) isGivenBack = false
    else if (!isGivenBack) {
      isGivenBack = true
      collect()
    }
  }
  const timer = setInterval(look, every).unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** What `node --expose-gc` shows to everybody, for this process alone. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect: NodeJS.GCFunction = runInNewContext('gc')
  // The kind that keeps nothing in reserve. It stops the process for some 40 ms.
  return () => collect({ execution: 'sync', flavor: 'last-resort' })
}
