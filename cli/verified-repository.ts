import type { Key } from '../shared/tuf/keys.ts'
import type { MetadataByType, RoleKeys, Root, Snapshot, Timestamp } from '../shared/tuf/metadata.ts'
import type { TopLevelRole } from '../shared/tuf/names.ts'
import type { Signed } from '../shared/tuf/signed.ts'
import { type MetadataSource, metadataSource } from './metadata-source.ts'
import { CliError } from './output.ts'
import { readRoots } from './root/trusted.ts'
import { readVerified } from './verified-metadata.ts'

/** A TUF repository of any tool, verified as a client does from its first root on; that it may have expired is no reason not to read it. */
export interface VerifiedRepository {
  readonly where: string
  readonly roots: readonly Signed<Root>[]
  /** The newest of them. */
  readonly last: Root
  readonly timestamp: Timestamp
  readonly snapshot: Snapshot
  /** The version of a role that the snapshot names, signed by enough of these keys. Throws CliError. */
  targets(role: string, signers: RoleKeys, keys: ReadonlyMap<string, Key>): Promise<MetadataByType['targets']>
}

/** Throws CliError. */
export async function readRepository(where: string): Promise<VerifiedRepository> {
  const source = await metadataSource(where)
  const roots = await readRoots(source)
  const last = roots.at(-1)?.signed
  if (last === undefined)
    throw new CliError('refused', `${source.where} has no 1.root.json. All roots are needed, from the first one on.`)
  const { roles, keys } = last
  const named = (role: string, version: number | undefined) =>
    last.consistent_snapshot ? `${version}.${role}.json` : `${role}.json`
  const timestamp = await load(source, 'timestamp', 'timestamp.json', { signers: roles.timestamp, keys })
  const version = timestamp.meta.get('snapshot.json')?.version
  const ofSnapshot = { signers: roles.snapshot, keys, version }
  const snapshot = await load(source, 'snapshot', named('snapshot', version), ofSnapshot)
  return {
    ...{ where: source.where, roots, last, timestamp, snapshot },
    async targets(role, signers, keys) {
      const version = snapshot.meta.get(`${role}.json`)?.version
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
  const metadata = await readVerified(source, type, file, { role: signers, keys })
  if (metadata === undefined) throw new CliError('refused', `${source.where} has no ${file}, which its clients need.`)
  if (version === undefined || metadata.version === version) return metadata
  throw new CliError(
    'not-verified',
    `${file} is version ${metadata.version}, where ${version} was named. Was it changed just now? Try again.`,
  )
}
