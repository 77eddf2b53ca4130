import { createHash } from 'node:crypto'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
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
          // Of the size that was found: a file that grows meanwhile is another version.
          const content = file.createReadStream({ start: 0, autoClose: true, ...(size > 0 && { end: size - 1 }) })
          return await reply.headers({ ...fileHeaders, 'content-length': size }).send(content)
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

/** The file, if the path could be a target's and stays below the directory, symbolic links followed. */
async function openWithin(directory: string, path: string): Promise<FileHandle | undefined> {
  try {
    const root = await realpath(directory)
    const real = await realpath(join(root, targetPath(path)))
    if (!real.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined
    const file = await open(real)
    if ((await file.stat()).isFile()) return file
    await file.close()
    return undefined
  } catch (error) {
    if (error instanceof TufError) return undefined
    const { code } = error as NodeJS.ErrnoException
    if (code !== undefined && ['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'EACCES'].includes(code))
      return undefined
    throw error
  }
}

const maximumRemembered = 10_000

/** Whether a file has that SHA-256 or SHA-512; each version of a file is hashed once. */
function contentHashes() {
  const known = new Map<string, string>()
  return async (file: FileHandle, hash: string): Promise<boolean> => {
    const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true })
    const algorithm = hash.length === 64 ? 'sha256' : 'sha512'
    const version = [algorithm, dev, ino, size, mtimeNs, ctimeNs].join('/')
    let actual = known.get(version)
    if (actual === undefined) {
      const digest = createHash(algorithm)
      for await (const chunk of file.createReadStream({ start: 0, autoClose: false })) digest.update(chunk)
      actual = digest.digest('hex')
      if (known.size >= maximumRemembered) known.clear()
      known.set(version, actual)
    }
    return actual === hash
  }
}
