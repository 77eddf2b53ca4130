/** tuf-js as a driver (see ../README.md for the protocol). */

import { createHash } from 'node:crypto'
import { constants, copyFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { TargetFile, Updater } from 'tuf-js'
import type { Answer, Request, TargetAnswer } from '../protocol.ts'

const TIMEOUT_MILLISECONDS = 5_000

async function answer(request: Request): Promise<Answer> {
  try {
    const updater = await open(request)
    await updater.refresh()
    const targets: TargetAnswer[] = []
    for (const path of request.targets) targets.push(await fetchTarget(updater, path, join(request.state, 'download')))
    return { ok: true, versions: await versions(request.state), targets }
  } catch (error) {
    return { ok: false, error: String(error) }
  }
}

async function open(request: Request): Promise<Updater> {
  await mkdir(request.state, { recursive: true })
  // tuf-js trusts the root.json that lies in its directory: the first use puts it there, later uses must not overwrite it.
  await copyFile(request.root, join(request.state, 'root.json'), constants.COPYFILE_EXCL).catch(ignoreExisting)
  return new Updater({
    metadataDir: request.state,
    metadataBaseUrl: request.metadataUrl,
    targetBaseUrl: request.targetsUrl,
    config: { fetchTimeout: TIMEOUT_MILLISECONDS, fetchRetry: false },
  })
}

async function fetchTarget(updater: Updater, path: string, destination: string): Promise<TargetAnswer> {
  try {
    const info: unknown = await updater.getTargetInfo(path)
    // For `constructor` it may answer with what every object has by that name: see clients.ts.
    if (!(info instanceof TargetFile)) return { path, outcome: 'absent' }
    await updater.downloadTarget(info, destination)
    const sha256 = createHash('sha256')
      .update(await readFile(destination))
      .digest('hex')
    return { path, outcome: 'verified', sha256 }
  } catch (error) {
    return { path, outcome: 'refused', error: String(error) }
  }
}

async function versions(state: string) {
  const version = async (role: string): Promise<number> =>
    JSON.parse(await readFile(join(state, `${role}.json`), 'utf8')).signed.version
  return { root: await version('root'), timestamp: await version('timestamp'), snapshot: await version('snapshot') }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`)
}
