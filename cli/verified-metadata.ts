import type { Key } from '../shared/tuf/keys.ts'
import type { Metadata, MetadataByType, RoleKeys } from '../shared/tuf/metadata.ts'
import { decodeSigned, type Signed } from '../shared/tuf/signed.ts'
import { verifyThreshold } from '../shared/tuf/threshold.ts'
import type { MetadataSource } from './metadata-source.ts'
import { endOnTufError } from './output.ts'

/** Who has to have signed: the keys of a role, and where they are found. */
export interface Trusted {
  readonly role: RoleKeys
  readonly keys: ReadonlyMap<string, Key>
}

/** What a file says that enough of these keys have signed, expired or not; nothing if there is no such file. Throws CliError 'not-verified'. */
export async function readVerified<Type extends 'timestamp' | 'snapshot' | 'targets'>(
  source: MetadataSource,
  type: Type,
  file: string,
  { role, keys }: Trusted,
): Promise<MetadataByType[Type] | undefined> {
  const bytes = await source.read(file)
  if (bytes === undefined) return undefined
  return endOnTufError('not-verified', `${file} is not to be trusted: `, () => {
    const signed: Signed<MetadataByType[Type] & Metadata> = decodeSigned(type, bytes)
    verifyThreshold(file, role, keys, signed)
    return signed.signed
  })
}
