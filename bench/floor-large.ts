import { createHash, generateKeyPairSync, hash, sign, verify } from 'node:crypto'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory, writeSynced } from './floor.ts'

/**
 * Floors of long work: plain code in one thread that does the reading, hashing, signing and synced writing that cannot be
 * avoided, and nothing else. No input is checked, nothing is kept for a crash, and no client could go on meanwhile.
 */

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const writesAtOnce = 64
const expires = '2030-01-01T00:00:00Z'

/** Milliseconds. */
export interface Floors {
  /** So many empty bins, signed once, each a file of its own. */
  bootstrap(bins: number): Promise<number>
  /** A CSV file, spread over the bins by the hashes of its paths. */
  import(csv: string, bins: number): Promise<number>
  /** Every bin read, signed again and written under another number. */
  refresh(): Promise<number>
  /** Every bin read, its signature verified and each of its paths hashed. */
  check(): Promise<number>
}

/** Works on files of its own in this directory; `refresh` and `check` on those that `import` has written. */
export async function makeFloors(directory: string): Promise<Floors> {
  await mkdir(directory)
  let number = 0

  async function measured(work: (folder: string) => Promise<void>): Promise<number> {
    const folder = join(directory, String(++number))
    await mkdir(folder)
    const start = performance.now()
    await work(folder)
    await syncDirectory(folder)
    return performance.now() - start
  }

  return {
    bootstrap: (bins) =>
      measured(async (folder) => {
        const empty = signed(binOf(1, ''))
        await atOnce(bins, (bin) => writeFile(folder, `${bin}.json`, empty))
        await writeFile(folder, 'snapshot.json', snapshotOf(bins, 1))
      }),
    import: (csv, bins) =>
      measured(async (folder) => {
        const targets = spread(await readFile(csv), bins)
        await atOnce(bins, (bin) => {
          const members = targets[bin]?.sort().join(',') ?? ''
          return writeFile(folder, `${bin}.json`, signed(binOf(number, members)))
        })
        await writeFile(folder, 'snapshot.json', snapshotOf(bins, number))
      }),
    refresh: async () => {
      const before = join(directory, String(number))
      const names = (await readdir(before)).filter((name) => name !== 'snapshot.json')
      return measured(async (folder) => {
        await atOnce(names.length, async (at) => {
          const name = names[at] ?? ''
          const { signed: role } = JSON.parse(await readFile(join(before, name), 'utf8'))
          await writeFile(folder, name, signed(JSON.stringify({ ...role, version: number })))
        })
        await writeFile(folder, 'snapshot.json', snapshotOf(names.length, number))
      })
    },
    check: async () => {
      const folder = join(directory, String(number))
      const names = (await readdir(folder)).filter((name) => name !== 'snapshot.json')
      const start = performance.now()
      await atOnce(names.length, async (at) => {
        const text = await readFile(join(folder, names[at] ?? ''), 'utf8')
        const { signatures, signed: role } = JSON.parse(text)
        const bytes = Buffer.from(text.slice(text.indexOf('"signed":') + '"signed":'.length, -1))
        if (!verify('sha256', bytes, publicKey, Buffer.from(signatures[0].sig, 'hex'))) throw new Error('Not verified.')
        for (const path of Object.keys(role.targets)) hash('sha256', path)
      })
      return performance.now() - start
    },
  }
}

/** The members of each bin's targets, as JSON. */
function spread(csv: Buffer, bins: number): string[][] {
  const targets = Array.from({ length: bins }, (): string[] => [])
  const text = csv.toString('latin1')
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf('\n', start)
    const [path = '', length, algorithm, digest] = text.slice(start, end).split(';')
    const bin = Math.floor(createHash('sha256').update(path).digest().readUInt32BE(0) / (2 ** 32 / bins))
    targets[bin]?.push(`"${path}":{"hashes":{"${algorithm}":"${digest}"},"length":${length}}`)
    start = end + 1
  }
  return targets
}

const binOf = (version: number, members: string) =>
  `{"_type":"targets","expires":"${expires}","spec_version":"1.0.31","targets":{${members}},"version":${version}}`

function snapshotOf(bins: number, version: number): Uint8Array {
  const meta = Array.from({ length: bins }, (_, bin) => `"bins-${bin}.json":{"version":${version}}`).join(',')
  const snapshot = signed(`{"_type":"snapshot","expires":"${expires}","meta":{${meta}},"version":${version}}`)
  createHash('sha256').update(snapshot).digest()
  return snapshot
}

function signed(role: string): Uint8Array {
  const sig = sign('sha256', Buffer.from(role), privateKey).toString('hex')
  return Buffer.from(`{"signatures":[{"keyid":"${'0'.repeat(64)}","sig":"${sig}"}],"signed":${role}}`)
}

const writeFile = (folder: string, name: string, bytes: Uint8Array) =>
  writeSynced(join(folder, name), bytes, { andDirectory: false })

async function atOnce(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: Math.min(count, writesAtOnce) }, worker))
}
