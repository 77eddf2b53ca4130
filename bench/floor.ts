import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/**
 * The floor: plain code that does what a publish cannot do without, and nothing else. Four steps that wait for each other
 * (the request is durable; the journal's claim; the files of the commit; the swap), three signatures, the hash of the
 * snapshot, every write synced together with its directory. What did not change is neither read nor serialised again.
 */
export async function makeFloor(directory: string, snapshotBytes: number, roleBytes: number) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  for (const folder of ['inbox', 'commits', 'metadata']) await mkdir(join(directory, folder), { recursive: true })
  const request = Buffer.alloc(400, 'r')
  const entry = Buffer.alloc(1200, 'e')
  const role = Buffer.alloc(roleBytes, 'b')
  const snapshot = Buffer.alloc(snapshotBytes, 's')
  const timestamp = Buffer.alloc(400, 't')
  let publishes = 0

  const signed = async (bytes: Buffer) => {
    const signature = sign('sha256', bytes, privateKey).toString('hex')
    return Buffer.concat([Buffer.from(`{"signatures":"${signature}","signed":`), bytes, Buffer.from('}')])
  }
  const create = (name: string, bytes: Buffer) => writeSynced(join(directory, name), bytes)

  return async function publish(): Promise<void> {
    const number = ++publishes
    await create(`inbox/${number}`, request)
    await create(`commits/${number}`, entry)
    const signedSnapshot = await signed(snapshot)
    const snapshotHash = createHash('sha256').update(signedSnapshot).digest()
    await Promise.all([
      create(`metadata/${number}.bins-0.json`, await signed(role)),
      create(`metadata/${number}.snapshot.json`, signedSnapshot),
    ])
    const next = join(directory, 'metadata/timestamp.next')
    await writeSynced(next, await signed(Buffer.concat([timestamp, snapshotHash])), { andDirectory: false })
    await rename(next, join(directory, 'metadata/timestamp.json'))
    await syncDirectory(join(directory, 'metadata'))
  }
}

/** A file that survives a power cut: its bytes, and its entry in the directory. */
export async function writeSynced(path: string, bytes: Uint8Array, { andDirectory = true } = {}): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  if (andDirectory) await syncDirectory(dirname(path))
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
