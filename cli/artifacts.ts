import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { inParallel } from '../shared/repository/parallel.ts'
import { type JsonObject, parseJson } from '../shared/tuf/json.ts'
import { targetPath } from '../shared/tuf/names.ts'
import { CliError, endOnTufError, unreadable } from './output.ts'

/** An artifact as the API takes it. */
export interface ArtifactToAdd {
  readonly path: string
  readonly info: {
    readonly length: number
    readonly hashes: { readonly sha256: string }
    readonly custom?: JsonObject
  }
}

export interface ArtifactOptions {
  readonly base: string
  readonly as?: string
  readonly length?: number
  readonly sha256?: string
  /** JSON. */
  readonly custom?: string
}

/** Files hashed at once: enough to keep a disk busy, few enough for the limit on open files. */
const hashedAtOnce = 8

/**
 * The artifacts that arguments name: local files, hashed as they are read; all files below a directory; or, with a length and a
 * hash, target paths whose files are elsewhere. Throws CliError 'usage'.
 */
export async function artifactsFrom(
  paths: readonly string[],
  options: ArtifactOptions,
  progress: (text: string) => void = () => undefined,
): Promise<ArtifactToAdd[]> {
  const custom = options.custom === undefined ? {} : { custom: parseCustom(options.custom) }
  if (options.as !== undefined && paths.length !== 1)
    throw new CliError('usage', `--as renames one file, and ${paths.length} are given.`)
  if ((options.length === undefined) !== (options.sha256 === undefined))
    throw new CliError('usage', '--length and --sha256 belong together: give both, or none to hash a local file.')
  if (options.length !== undefined && options.sha256 !== undefined) {
    const info = { length: options.length, hashes: { sha256: options.sha256 }, ...custom }
    return [...new Set(paths)].map((path) => ({ path: checkedPath(options.as ?? path), info }))
  }
  const files = (await Promise.all(paths.map(filesBelow))).flat()
  if (files.length === 0) throw new CliError('usage', `There is no file in ${paths.join(', ')}.`)
  if (options.as !== undefined && files.length > 1)
    throw new CliError('usage', `--as renames one file, and ${paths[0]} holds ${files.length}.`)
  // Before the work: a path that cannot be is not worth a gigabyte's hash.
  const byPath = new Map(files.map((file) => [checkedPath(options.as ?? pathFrom(options.base, file)), file]))
  const named = [...byPath].map(([path, file]) => ({ path, file }))
  let hashed = 0
  return inParallel(named, hashedAtOnce, async ({ file, path }) => {
    const { length, sha256 } = await hashFile(file)
    progress(`Hashed ${++hashed} of ${named.length}`)
    return { path, info: { length, hashes: { sha256 }, ...custom } }
  })
}

/** The length and the SHA-256 of a file, which is never in memory as a whole. Throws CliError 'usage' where it cannot be read. */
async function hashFile(file: string): Promise<{ length: number; sha256: string }> {
  const hash = createHash('sha256')
  let length = 0
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
      length += (chunk as Buffer).length
      hash.update(chunk as Buffer)
    }
  } catch (cause) {
    throw unreadable(file, cause)
  }
  return { length, sha256: hash.digest('hex') }
}

/** A file itself; a directory's files, in the order of their names, without following links to other directories. */
async function filesBelow(path: string): Promise<string[]> {
  try {
    const found = await stat(path)
    if (found.isFile()) return [path]
    // What a pipe or a device holds has no end, or another one each time.
    if (!found.isDirectory()) throw new CliError('usage', `${path} is neither a file nor a directory.`)
    const entries = await readdir(path, { withFileTypes: true, recursive: true })
    const files = await inParallel(entries, hashedAtOnce, async (entry) => {
      const file = join(entry.parentPath, entry.name)
      const isFile = entry.isSymbolicLink() ? (await followed(file)).isFile() : entry.isFile()
      return isFile ? [file] : []
    })
    return files.flat().sort()
  } catch (cause) {
    throw cause instanceof CliError ? cause : unreadable(path, cause)
  }
}

async function followed(link: string) {
  return stat(link).catch((cause: unknown) => {
    throw unreadable(`The link ${link}`, cause)
  })
}

function pathFrom(base: string, file: string): string {
  const path = relative(resolve(base), resolve(file))
  if (path.startsWith(`..${sep}`))
    throw new CliError(
      'usage',
      `${file} is not below ${base === '.' ? 'the current directory' : base}. Give another --base, or name the target with --as.`,
    )
  return path.split(sep).join('/')
}

const checkedPath = (path: string): string => endOnTufError('usage', '', () => targetPath(path))

function parseCustom(text: string): JsonObject {
  let value: unknown
  try {
    value = parseJson(Buffer.from(text))
  } catch (cause) {
    throw new CliError('usage', `--custom: ${(cause as Error).message}`, { cause })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw new CliError('usage', '--custom has to be a JSON object.')
}
