import { isMainThread } from 'node:worker_threads'

/**
 * Loaded into the service that `npm start` starts: it ends when the one who started it is gone. At once, for whoever starts it again
 * should find the directory free; the service loses nothing by it.
 */
// Its threads load it, too, and have nothing to wait for there.
if (isMainThread) {
  process.stdin.once('end', () => process.kill(process.pid, 'SIGKILL')).resume()
  // It is not what the service lives for.
  process.stdin.unref()
}
