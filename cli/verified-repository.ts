import type { Key } from '../shared/tuf/keys.ts'
import type { Metadata, MetadataByType, RoleKeys, Root, Snapshot, Targets, Timestamp } from '../shared/tuf/metadata.ts'
import { versionOf } from '../shared/tuf/metadata.ts'
import type { TopLevelRole } from '../shared/tuf/names.ts'
import { decodeSigned, type Signed } from '../shared/tuf/signed.ts'
import { verifyThreshold } from '../shared/tuf/threshold.ts'
import { type MetadataSource, metadataSource } from './metadata-source.ts'
import { CliError, endOnTufError } from './output.ts'
import { readRoots } from './root/trusted.ts'

/** What lies below a root, of whatever tool, verified as a client does; that it may have expired is no reason not to read it. */
export interface VerifiedMetadata {
  readonly timestamp: Timestamp
  readonly snapshot: Snapshot
  /** The version of a role that the snapshot names, signed by enough of these keys. Throws CliError. */
  targets(role: string, signers: RoleKeys, keys: ReadonlyMap<string, Key>): Promise<Targets>
}

export interface VerifiedRepository extends VerifiedMetadata {
  readonly roots: readonly Signed<Root>[]
  /** The newest of them. */
  readonly last: Root
}

/** A repository from its first root on. Throws CliError. */
export async function readRepository(where: string): Promise<VerifiedRepository> {
  const source = await metadataSource(where)
  const roots = await readRoots(source)
  const last = roots.at(-1)?.signed
  if (last === undefined)
    throw new CliError('refused', `${source.where} has no 1.root.json. All roots are needed, from the first one on.`)
  return { roots, last, ...(await readBelow(source, last)) }
}

/** What a root that is trusted vouches for. Throws CliError. */
export async function readBelow(source: MetadataSource, root: Root): Promise<VerifiedMetadata> {
  const { roles, keys } = root
  const named = (role: string, version: number | undefined) =>
    root.consistent_snapshot ? `${version}.${role}.json` : `${role}.json`
  const timestamp = await load(source, 'timestamp', 'timestamp.json', { signers: roles.timestamp, keys })
  const version = timestamp.meta.get('snapshot.json')?.version
  const ofSnapshot = { signers: roles.snapshot, keys, version }
  const snapshot = await load(source, 'snapshot', named('snapshot', version), ofSnapshot)
  return {
    ...{ timestamp, snapshot },
    async targets(role, signers, keys) {
      const version = versionOf(snapshot, role)
      if (version !== undefined) return load(source, 'targets', named(role, version), { signers, keys, version })
      throw new CliError(
        'not-verified',
        `${source.where} delegates to role ${role}, and its snapshot has no ${role}.json.`,
      )
    },
  }
}

interface Expected {
  readonly signers: RoleKeys
  readonly keys: ReadonlyMap<string, Key>
  readonly version?: number | undefined
}

async function load<Type extends Exclude<TopLevelRole, 'root'>>(
  source: MetadataSource,
  type: Type,
  file: string,
  { signers, keys, version }: Expected,
): Promise<MetadataByType[Type]> {
  const bytes = await source.read(file)
  if (bytes === undefined) throw new CliError('refused', `${source.where} has no ${file}, which its clients need.`)
  const metadata = endOnTufError('not-verified', `${file} is not to be trusted: `, () => {
    const signed: Signed<MetadataByType[Type] & Metadata> = decodeSigned(type, bytes)
    verifyThreshold(file, signers, keys, signed)
    return signed.signed
  })
  if (version === undefined || metadata.version === version) return metadata
  throw new CliError(
    'not-verified',
    `${file} is version ${metadata.version}, where ${version} was named. Was it changed just now? Try again.`,
  )
}
