import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { TufError } from '../../shared/tuf/errors.ts'
import { targetPath } from '../../shared/tuf/names.ts'

/** A file that a URL may mean: its path below the directory, and what its content has to hash to, if the URL says so. */
interface Wanted {
  readonly path: string
  readonly hash?: string
}

/**
 * Serves the files of a directory under `/artifacts/`: under their own names, and under the names by which clients ask in a
 * repository with consistent snapshots. Files may come, change and go at any time.
 */
export function serveArtifacts(server: FastifyInstance, directory: string): void {
  const hashes = contentHashes()
  server.get<{ Params: { '*': string } }>('/artifacts/*', async (request, reply) => {
    for (const { path, hash } of meanings(request.params['*'])) {
      const file = await openWithin(directory, path)
      if (file === undefined) continue
      try {
        const { size } = await file.stat()
        if (hash === undefined || (await hashes(file, hash))) {
          reply.headers({ ...fileHeaders, 'content-length': size })
          if (request.method === 'HEAD' || size === 0) {
            await file.close()
            return await reply.send(Readable.from([]))
          }
          // Of the size that was found: a file that grows meanwhile is another version.
          const content = file.createReadStream({ start: 0, end: size - 1, autoClose: true })
          // What one that shrinks lacks must not be waited for, nor be taken from the next answer on this connection.
          content.once('end', () => content.bytesRead < size && reply.raw.destroy())
          return await reply.send(content)
        }
      } catch (error) {
        await file.close()
        throw error
      }
      await file.close()
    }
    return reply.code(404).header('cache-control', 'no-store').type('text/plain').send('There is no such file.\n')
  })
}

/** A page among the artifacts must not act in the name of ours. */
const fileHeaders = {
  'cache-control': 'no-cache',
  'content-type': 'application/octet-stream',
  'content-disposition': 'attachment',
  'content-security-policy': "sandbox; default-src 'none'",
}

const hashed = /^([0-9a-f]{64}|[0-9a-f]{128})\.(.+)$/s

/** Plain; `<dir>/<hash>.<name>` as most clients ask; `<hash>.<dir>/<name>` as tough does. */
function meanings(asked: string): Wanted[] {
  const slash = asked.lastIndexOf('/') + 1
  const inName = hashed.exec(asked.slice(slash))
  const inPath = hashed.exec(asked)
  const wanted: Wanted[] = [{ path: asked }]
  if (inName?.[1] && inName[2]) wanted.push({ path: asked.slice(0, slash) + inName[2], hash: inName[1] })
  if (slash > 0 && inPath?.[1] && inPath[2]) wanted.push({ path: inPath[2], hash: inPath[1] })
  return wanted
}

/** A pipe that nobody writes to would hold the thread that opens it for ever, and there are four. */
const readAtOnce = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
const notServed = ['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'EACCES', 'ENXIO']

/** The file, if the path could be a target's and stays below the directory, symbolic links followed. */
async function openWithin(directory: string, path: string): Promise<FileHandle | undefined> {
  try {
    const root = await realpath(directory)
    const real = await realpath(join(root, targetPath(path)))
    if (!isWithin(root, real)) return undefined
    const file = await open(real, readAtOnce)
    if ((await file.stat()).isFile() && isWithin(root, await placeOf(file, real))) return file
    await file.close()
    return undefined
  } catch (error) {
    if (error instanceof TufError) return undefined
    const { code } = error as NodeJS.ErrnoException
    if (code !== undefined && notServed.includes(code)) return undefined
    throw error
  }
}

export const isWithin = (directory: string, path: string): boolean =>
  path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep)

/** Where the system has opened it, if it says so: a directory on the way may have become a link since that was looked at. */
const placeOf = (file: FileHandle, otherwise: string) => readlink(`/proc/self/fd/${file.fd}`).catch(() => otherwise)

const maximumRemembered = 10_000

/** Whether a file has that SHA-256 or SHA-512; each version of a file is hashed once, however many ask for it meanwhile. */
function contentHashes() {
  const known = new Map<string, Promise<string>>()
  return async (file: FileHandle, hash: string): Promise<boolean> => {
    const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true })
    const algorithm = hash.length === 64 ? 'sha256' : 'sha512'
    const version = [algorithm, dev, ino, size, mtimeNs, ctimeNs].join('/')
    let actual = known.get(version)
    if (actual === undefined) {
      actual = hashOf(file, algorithm)
      actual.catch(() => known.delete(version))
      if (known.size >= maximumRemembered) known.clear()
      known.set(version, actual)
    }
    return (await actual) === hash
  }
}

async function hashOf(file: FileHandle, algorithm: string): Promise<string> {
  const digest = createHash(algorithm)
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false })) digest.update(chunk)
  return digest.digest('hex')
}
