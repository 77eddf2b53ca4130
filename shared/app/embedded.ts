import { existsSync } from 'node:fs'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { lockDirectory } from '../adapters/local/directory-lock.ts'
import { directoryObjectStore, temporaryDirectory } from '../adapters/local/directory-object-store.ts'
import { directoryUploads } from '../adapters/local/directory-uploads.ts'
import { nodeFileSystem } from '../adapters/local/file-system.ts'
import { createKeyFile, keyFileSigner } from '../adapters/local/key-file-signer.ts'
import { processQueue } from '../adapters/local/process-queue.ts'
import { systemClock } from '../adapters/local/system-clock.ts'
import { unsyncedFiles } from '../adapters/local/unsynced-files.ts'
import { readCurrent } from '../repository/current.ts'
import { RepositoryError } from '../repository/errors.ts'
import { bootstrapName } from '../repository/found.ts'
import { lastWaiting } from '../repository/inbox.ts'
import { keysNotHeld } from '../repository/keys-not-held.ts'
import type { ObjectStore, Signer } from '../repository/ports.ts'
import { defaultLimits, openRepository, type Repository } from '../repository/repository.ts'
import { backlog } from './backlog.ts'
import { type DataStores, keyFiles, keyIsMissing, openStores, ownKeyFile } from './data-directory.ts'
import { type ApiHandler, apiHandler } from './handlers/api.ts'
import type { Service } from './handlers/handler.ts'
import { type UploadHandler, uploadHandler, uploadsHere } from './handlers/upload.ts'
import { beginHousekeeping } from './housekeeping.ts'
import { howToHoldKeys } from './key-warnings.ts'
import type { Logger } from './logger.ts'
import { threadedPreparer } from './preparer.ts'
import type { Authenticate } from './principal.ts'
import { beginPublishing } from './publishing.ts'

/** The whole service over one directory, in one process. */
export interface EmbeddedService {
  readonly api: ApiHandler
  /** For `uploadPath`: the API itself takes no body that large. */
  readonly upload: UploadHandler
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
  readonly retention?: number
}

/** How often the refresher looks for roles that are due, for what a lost ring left waiting, and for what is not needed any more. */
const refreshInterval = 60_000

/** How long a post is held back while more wait than one cycle takes. Milliseconds. */
const patience = 2_000

/** Throws DirectoryLockError, StoreError or SignerError; the directory is free again then. */
export async function openEmbedded(options: EmbeddedOptions): Promise<EmbeddedService> {
  const { data, keys, authenticate, log } = options
  const { rotationGrace = defaultLimits.rotationGrace, retention = defaultLimits.retention } = options
  const lock = await lockDirectory(data)
  try {
    const { writes, ...ports } = await openPorts(data, keys)
    const queue = processQueue()
    const clock = systemClock(await lastWaiting(ports.state))
    const repository = openRepository({ ...ports, queue, clock }, { rotationGrace, retention })
    const ring = () => void queue.ring('')
    const preparer = threadedPreparer({ data, keys: keyFiles(data, keys), retention }, ports.state, log, ring)
    const undecided = backlog(repository.limits.tasksPerCycle, patience)
    const publishing = beginPublishing(repository, queue, preparer, undecided, log)
    ring()
    const housekeeping = beginHousekeeping(repository, writes, log)
    const look = () => {
      ring()
      housekeeping.goRound()
    }
    const timer = setInterval(look, Math.min(refreshInterval, rotationGrace))
    const files = directoryUploads(join(data, 'state'))
    const troubles = () => [publishing.trouble, preparer.trouble].filter((error) => error !== undefined)
    const uploads = uploadsHere(files.arrived)
    const service: Service = { repository, uploads, authenticate, log, troubles, room: undecided.enter }
    return {
      api: apiHandler(service),
      upload: uploadHandler(service, files.receive),
      metadata: ports.metadata,
      check: () => check(repository, troubles),
      async close() {
        clearInterval(timer)
        await publishing.end()
        await preparer.close()
        await housekeeping.end()
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

/** One step after the other, so that nothing is under way in the directory where one fails. Throws StoreError or SignerError. */
async function openPorts(data: string, keys: readonly string[]) {
  await makePrivate(join(data, 'state'))
  const given = await Promise.all(keys.map((file) => keyFileSigner(file)))
  // What has not become a file of the state yet is nobody else's either.
  for (const directory of [temporaryDirectory(join(data, 'state')), join(data, 'log')]) await makePrivate(directory)
  const stores = await openStores(data)
  const { metadata, state } = stores
  const signers = given.length > 0 ? given : [await ownSigner(data, stores)]
  const hints = directoryObjectStore(join(data, 'state'), nodeFileSystem, unsyncedFiles(nodeFileSystem))
  return { writes: stores.log, metadata, state, hints, signers }
}

/** The key that lies in the data directory; made where nobody counts on one yet. */
async function ownSigner(data: string, { metadata, state }: DataStores): Promise<Signer> {
  await makePrivate(join(data, 'keys'))
  const file = ownKeyFile(data)
  // On a full disk nothing can be made, not even to see that it is there.
  if (!existsSync(file)) {
    // Of a repository, or of a bootstrap that waits for its last signatures.
    const begun = [await metadata.read('timestamp.json'), await state.read(bootstrapName)]
    if (begun.some((stored) => stored !== undefined)) throw keyIsMissing(file)
    await createKeyFile(file)
  }
  return keyFileSigner(file)
}

/** A directory that nobody but its owner looks into. */
async function makePrivate(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await chmod(directory, 0o700)
}

async function check(repository: Repository, troubles: () => readonly unknown[]): Promise<void> {
  const current = await readCurrent(repository)
  const { signers } = repository.ports
  const lacking = current === undefined ? [] : keysNotHeld(current, signers)
  // Before what the publisher says who tried without them: this says what to do.
  if (lacking.length > 0) throw new RepositoryError('key-not-held', howToHoldKeys(lacking, signers))
  for (const trouble of troubles()) throw trouble
}
