import { existsSync } from 'node:fs'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { lockDirectory } from '../adapters/local/directory-lock.ts'
import { openDirectoryObjectStore } from '../adapters/local/directory-object-store.ts'
import { createKeyFile, keyFileSigner } from '../adapters/local/key-file-signer.ts'
import { processQueue } from '../adapters/local/process-queue.ts'
import { systemClock } from '../adapters/local/system-clock.ts'
import { collect } from '../repository/collect.ts'
import { readCurrent } from '../repository/current.ts'
import { expireLease } from '../repository/lease.ts'
import { type ObjectStore, type Signer, StoreError } from '../repository/ports.ts'
import { type Published, publish } from '../repository/publish.ts'
import { defaultLimits, openRepository, type Repository } from '../repository/repository.ts'
import { type ApiHandler, apiHandler } from './handlers/api.ts'
import type { Logger } from './logger.ts'
import type { Authenticate } from './principal.ts'

/** The whole service over one directory, in one process. */
export interface EmbeddedService {
  readonly api: ApiHandler
  /** What clients read. */
  readonly metadata: ObjectStore
  /** Throws what keeps clients or publishers from their work. */
  check(): Promise<void>
  /** Ends when the cycle under way has; then another process may have the directory. */
  close(): Promise<void>
}

export interface EmbeddedOptions {
  /** Made if missing: `metadata/`, `state/`, and `keys/` unless keys are given. */
  readonly data: string
  /** Files of the online keys, the one to sign with first. None: a key of its own in the data directory. */
  readonly keys: readonly string[]
  readonly authenticate: Authenticate
  readonly log: Logger
  /** See `Limits`. */
  readonly rotationGrace?: number
}

/** How often the refresher looks for roles that are due, for what a lost ring left waiting, and for what is not needed any more. */
const refreshInterval = 60_000

/** Throws DirectoryLockError, StoreError or SignerError; the directory is free again then. */
export async function openEmbedded(options: EmbeddedOptions): Promise<EmbeddedService> {
  const { data, keys, authenticate, log, rotationGrace = defaultLimits.rotationGrace } = options
  const lock = await lockDirectory(data)
  try {
    await makePrivate(join(data, 'state'))
    const [metadata, state, signers] = await Promise.all([
      openDirectoryObjectStore(join(data, 'metadata')),
      openDirectoryObjectStore(join(data, 'state')),
      openSigners(data, keys),
    ])
    let trouble: unknown
    let leaseIsFree = false
    const queue = processQueue((error) => {
      trouble = error
      log.error({ err: error }, 'the publisher failed; what was accepted waits for the next run')
    })
    const repository = openRepository({ metadata, state, signers, queue, clock: systemClock() }, { rotationGrace })
    queue.listen(async () => {
      // The lock says that no other publisher lives. Not before somebody listens: a full disk is no reason to serve nothing.
      if (!leaseIsFree) await expireLease(state)
      leaseIsFree = true
      await publish(repository, (published) => report(log, published))
      trouble = undefined
    })
    const ring = () => void queue.ring('')
    ring()
    let collecting = Promise.resolve()
    const timer = setInterval(
      () => {
        ring()
        collecting = collecting.then(() => tidy(repository, log))
      },
      Math.min(refreshInterval, rotationGrace),
    )
    return {
      api: apiHandler({ repository, authenticate, log }),
      metadata,
      check: () => check(repository, trouble),
      async close() {
        clearInterval(timer)
        queue.close()
        await queue.idle()
        await collecting
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

async function openSigners(data: string, files: readonly string[]): Promise<Signer[]> {
  if (files.length > 0) return Promise.all(files.map((file) => keyFileSigner(file)))
  await makePrivate(join(data, 'keys'))
  const file = join(data, 'keys', 'online.pem')
  // On a full disk nothing can be made, not even to see that it is there.
  if (!existsSync(file))
    await createKeyFile(file).catch((error: unknown) => {
      if (!(error instanceof StoreError && error.code === 'exists')) throw error
    })
  return [await keyFileSigner(file)]
}

/** A directory that nobody but its owner looks into. */
async function makePrivate(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await chmod(directory, 0o700)
}

async function check(repository: Repository, trouble: unknown): Promise<void> {
  await readCurrent(repository)
  if (trouble !== undefined) throw trouble
}

/** Takes away what nobody needs any more, now and then. */
async function tidy(repository: Repository, log: Logger): Promise<void> {
  try {
    const collected = await collect(repository, { records: true })
    if (Object.values(collected).some((count) => count > 0)) log.info({ ...collected }, 'collected')
  } catch (err) {
    log.error({ err }, 'what is not needed any more could not be taken away; the next run tries again')
  }
}

function report(log: Logger, { commit, head, tasks, refreshed, broken }: Published): void {
  // The head's hash, so that an edit of history shows against the log.
  log.info({ commit, head, tasks: tasks.length, refreshed }, 'published')
  for (const [task, err] of broken) log.error({ task, err }, 'a task broke')
}
