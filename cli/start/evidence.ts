import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findTarget } from '../../shared/tuf/delegation.ts'
import { expiresAt } from '../../shared/tuf/expiry.ts'
import type { MetadataByType } from '../../shared/tuf/metadata.ts'
import type { TopLevelRole } from '../../shared/tuf/names.ts'
import { decodeSigned, type Signed } from '../../shared/tuf/signed.ts'
import { goodSignatures } from '../../shared/tuf/threshold.ts'
import { duration } from '../table.ts'

/** What a client has verified on the way to a target: a row for each role, with what it says of the next. */
export async function evidence(directory: string, path: string, now: Date): Promise<string[][]> {
  const read = <Type extends TopLevelRole>(type: Type, role: string = type): Promise<Signed<MetadataByType[Type]>> =>
    readFile(join(directory, `${role}.json`)).then((bytes) => decodeSigned(type, bytes))
  const [root, timestamp, snapshot, targets] = await Promise.all([
    read('root'),
    read('timestamp'),
    read('snapshot'),
    read('targets'),
  ])
  const { threshold, keyids } = root.signed.roles.root
  const good = goodSignatures(root.signed.roles.root, root.signed.keys, root.signedBytes, root.signatures)
  const found = await findTarget(path, targets, (name) => read('targets', name))
  const lives = (role: Parameters<typeof expiresAt>[0]) =>
    `good for ${duration((expiresAt(role).getTime() - now.getTime()) / 1000)}`
  const row = (name: string, { signed }: Signed, says: string) => [
    name,
    `version ${signed.version}`,
    says,
    lives(signed),
  ]
  const rows = [
    row('root', root, `signed by ${good.length} of ${keyids.length} root keys, ${threshold} needed`),
    row('timestamp', timestamp, `names snapshot ${snapshot.signed.version} by its hash`),
    row('snapshot', snapshot, `names the version of ${snapshot.signed.meta.size} roles`),
    row('targets', targets, found === undefined ? '' : `delegates this path to ${found.role}`),
  ]
  if (found !== undefined) rows.push(row(found.role, found.metadata, `vouches for ${path}`))
  return rows
}
