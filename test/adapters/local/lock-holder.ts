import { setImmediate } from 'node:timers/promises'
import { DirectoryLockError, lockDirectory } from '../../../shared/adapters/local/directory-lock.ts'

// Locks a directory and holds it until killed, or says why it could not.

try {
  await lockDirectory(process.argv[2] ?? '')
  await setImmediate()
  globalThis.gc?.()
  console.log('locked')
  setInterval(() => {}, 60_000)
} catch (error) {
  console.log(error instanceof DirectoryLockError ? error.code : error)
}
