import { hash, randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { TargetFile, Updater } from 'tuf-js'
import { ExpiredMetadataError } from 'tuf-js/dist/error.js'
import { CliError, unreadable, unwritable } from './output.ts'
import { TufFetcher } from './tuf-fetcher.ts'
import { slowness } from './tuf-slowness.ts'

export interface TufClientOptions {
  readonly metadataUrl: URL
  readonly targetsUrl: URL
  /** A root that came by a trusted way. Without one, the repository's first root is trusted on first use. */
  readonly root?: string
  /** Below it each repository, and each root trusted at first, has a directory of its own. */
  readonly cache: string
  /** The server of targets has them under their plain names, without a hash in front. */
  readonly plain?: boolean
  /** Is told what takes long, before it does. */
  readonly note?: (text: string) => void
}

/** What a client trusts a repository for. */
export interface Trust {
  readonly by: 'file' | 'first-use' | 'cache'
  /** Of the root with which it all began. */
  readonly sha256: string
}

export interface Downloaded {
  readonly path: string
  readonly file: string
  readonly length: number
  readonly hashes: Readonly<Record<string, string>>
}

/** A TUF client, tuf-js inside, that keeps what it knows. Throws CliError: 'not-verified', or 'unreachable' where nobody answers. */
export interface TufClient {
  readonly trust: Trust
  /** Where the metadata lies that was verified last, as `<role>.json`. */
  readonly metadata: string
  /** The client workflow of the specification (5.3 to 5.6), from the trusted root to targets. */
  refresh(): Promise<void>
  /** Finds the target, fetches it, and puts it below `directory` once its bytes are verified; not a byte before. */
  download(path: string, directory: string): Promise<Downloaded>
}

export function defaultCache(): string {
  const base = process.env['XDG_CACHE_HOME']
  return join(base !== undefined && isAbsolute(base) ? base : join(homedir(), '.cache'), 'tuffet')
}

export async function openTufClient(options: TufClientOptions): Promise<TufClient> {
  const warnOfSlowness = (file: string, bytes: Uint8Array) => {
    const slow = slowness(file, bytes)
    if (slow !== undefined) options.note?.(slow)
  }
  const fetcher = new TufFetcher((url, bytes) => warnOfSlowness(basename(url), bytes))
  const { trust, directory } = await establishTrust(options, fetcher).catch((cause: unknown) => {
    throw cause instanceof CliError ? cause : unusable(options.cache, cause)
  })
  const metadata = join(directory, 'metadata')

  async function verified<Value>(work: () => Promise<Value>, otherwise: (cause: unknown) => string): Promise<Value> {
    fetcher.failure = undefined
    try {
      return await work()
    } catch (cause) {
      if (fetcher.failure !== undefined) throw fetcher.failure
      if (isPersistError(cause)) throw unusable(options.cache, cause)
      // What this machine has no place for says nothing of who signed it.
      if (cause instanceof Error && 'syscall' in cause) throw cause
      throw new CliError('not-verified', otherwise(cause), { cause })
    }
  }

  function badMetadata(cause: unknown): string {
    const hint =
      cause instanceof ExpiredMetadataError
        ? 'Either it was not refreshed in time, or somebody withholds what is newer: ask those who run the repository.'
        : `If the repository was founded anew since this client knows it, and you know why, remove ${directory}.`
    return `The metadata at ${options.metadataUrl} was not verified: ${messageOf(cause)}. ${hint}`
  }

  const updater = await makeUpdater(options, { metadata, fetcher }).catch(async (cause: unknown) => {
    // What was never trusted is not to be found in the way the next time.
    if (trust.by !== 'cache') await rm(directory, { recursive: true, force: true })
    throw new CliError('not-verified', badMetadata(cause), { cause })
  })

  async function find(path: string): Promise<TargetFile> {
    if (path in Object.prototype) {
      const why = 'tuf-js, which this command uses, cannot look for a target of that name'
      throw new CliError('refused', `${path}: ${why}. Use another client, such as python-tuf.`)
    }
    const target: unknown = await verified(() => updater.getTargetInfo(path), badMetadata)
    if (target instanceof TargetFile) return target
    throw new CliError('not-verified', `${path}: no trusted role vouches for it.`)
  }

  return {
    trust,
    metadata,
    async refresh() {
      // It is read before tuf-js asks whether there is a newer one.
      const kept = await readIfThere(join(metadata, 'snapshot.json')).catch((cause: unknown) => {
        throw unusable(options.cache, cause)
      })
      if (kept !== undefined) warnOfSlowness('The snapshot kept from last time', kept)
      await verified(() => updater.refresh(), badMetadata)
    },
    async download(path, directory) {
      const file = placeBelow(directory, path)
      const target = await find(path)
      const badTarget = (cause: unknown) =>
        `${path}: what ${options.targetsUrl} serves is not what trusted metadata vouches for: ${messageOf(cause)}.`
      const fetchTo = (temporary: string) => verified(() => updater.downloadTarget(target, temporary), badTarget)
      await putInPlace(file, fetchTo)
      return { path, file, length: target.length, hashes: { ...target.hashes } }
    },
  }
}

function unusable(cache: string, cause: unknown): CliError {
  const why = `The cache ${cache} cannot be used: ${messageOf(cause)}`
  return new CliError('refused', `${why}. Name another directory with --cache.`, { cause })
}

/** tuf-js could not keep what it had verified; mostly it makes another error of that, with the words of the first. */
function isPersistError(cause: unknown): boolean {
  return cause instanceof Error && /Failed to persist metadata/.test(cause.message)
}

async function makeUpdater(
  { metadataUrl, targetsUrl, plain }: TufClientOptions,
  { metadata, fetcher }: { metadata: string; fetcher: TufFetcher },
): Promise<Updater> {
  return new Updater({
    metadataDir: metadata,
    metadataBaseUrl: metadataUrl.href,
    targetBaseUrl: targetsUrl.href,
    fetcher,
    config: { prefixTargetsWithHash: plain !== true },
  })
}

/** The file appears as a whole once `write` has resolved, and not at all if it throws. Throws CliError 'refused' where it cannot be put. */
async function putInPlace(file: string, write: (temporary: string) => Promise<unknown>): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file).slice(0, 100)}.${randomUUID()}.tmp`)
  try {
    await mkdir(dirname(file), { recursive: true })
    await write(temporary)
    await sync(temporary)
    await rename(temporary, file)
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    throw unwritable(file, cause)
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined)
  }
}

/** The root that everything follows from, put where tuf-js looks for it unless a newer one is there already. */
async function establishTrust(options: TufClientOptions, fetcher: TufFetcher) {
  const given = options.root === undefined ? undefined : await readRoot(options.root)
  const key = hash('sha256', `${options.metadataUrl.href}\n${given ? hash('sha256', given) : 'first use'}`)
  const directory = join(options.cache, key.slice(0, 32))
  const initial = join(directory, 'initial-root.json')
  const current = join(directory, 'metadata', 'root.json')
  await mkdir(dirname(current), { recursive: true })
  const found = await readIfThere(initial)
  const known = isJson(found) ? found : undefined
  const root = known ?? given ?? (await fetchFirstRoot(options.metadataUrl, fetcher))
  if (known === undefined) await writeFile(initial, root)
  // A newer root that was adopted since stays, unless a crash cut it short.
  if (!isJson(await readIfThere(current))) await writeFile(current, root)
  const first: Trust['by'] = given === undefined ? 'first-use' : 'file'
  const trust: Trust = {
    by: known !== undefined && given === undefined ? 'cache' : first,
    sha256: hash('sha256', root),
  }
  return { trust, directory }
}

async function fetchFirstRoot(metadataUrl: URL, fetcher: TufFetcher): Promise<Buffer> {
  const url = new URL('1.root.json', metadataUrl).href
  try {
    return await fetcher.downloadBytes(url, 512_000)
  } catch (cause) {
    throw fetcher.failure ?? new CliError('not-verified', `${url} is longer than any root.`, { cause })
  }
}

async function readRoot(file: string): Promise<Buffer> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw unreadable(`--root ${file}`, cause)
  })
  // Whether it is a good one is for tuf-js to say.
  if (isRoot(bytes)) return bytes
  throw new CliError('usage', `--root ${file} is not root metadata.`)
}

function isRoot(bytes: Buffer): boolean {
  try {
    return JSON.parse(bytes.toString())?.signed?._type === 'root'
  } catch {
    return false
  }
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  return readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}

function isJson(bytes: Buffer | undefined): boolean {
  try {
    return bytes !== undefined && typeof JSON.parse(bytes.toString()) === 'object'
  } catch {
    return false
  }
}

/** A repository may hold any path; none leads out of the directory. */
function placeBelow(directory: string, path: string): string {
  const file = resolve(directory, path)
  const inside = relative(resolve(directory), file)
  if (inside !== '' && inside !== '..' && !inside.startsWith(`..${sep}`) && !isAbsolute(inside)) return file
  throw new CliError('refused', `${path} would be written outside of ${directory}.`)
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function messageOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, '')
}
