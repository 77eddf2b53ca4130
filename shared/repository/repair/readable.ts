import { TufError } from '../../tuf/errors.ts'
import type { MetadataByType } from '../../tuf/metadata.ts'
import { decodeSigned, type Signed } from '../../tuf/signed.ts'
import { type Document, decodeDocument } from '../documents.ts'
import { RepositoryError } from '../errors.ts'
import type { ObjectStore } from '../ports.ts'

/** What a stored object says, or nothing if it is missing or cannot be read: then it is to be rebuilt or done without. */

export async function metadataIn<Type extends keyof MetadataByType>(
  store: ObjectStore,
  type: Type,
  name: string,
): Promise<Signed<MetadataByType[Type]> | undefined> {
  const stored = await store.read(name)
  return stored && decodedMetadata(type, stored.bytes)
}

export function decodedMetadata<Type extends keyof MetadataByType>(
  type: Type,
  bytes: Uint8Array,
): Signed<MetadataByType[Type]> | undefined {
  return ignoring(TufError, () => decodeSigned(type, bytes))
}

export async function documentIn<Kind extends Document>(store: ObjectStore, name: string): Promise<Kind | undefined> {
  const stored = await store.read(name)
  return stored && decodedDocument<Kind>(name, stored.bytes)
}

export function decodedDocument<Kind extends Document>(name: string, bytes: Uint8Array): Kind | undefined {
  return ignoring(RepositoryError, () => decodeDocument<Kind>(name, bytes))
}

/** Nothing if it throws such an error. What a later version wrote is not spoilt: it is not for this one to do without. */
export function ignoring<Value>(kind: typeof TufError | typeof RepositoryError, work: () => Value): Value | undefined {
  try {
    return work()
  } catch (error) {
    const isNewer = error instanceof RepositoryError && error.code === 'newer'
    if (error instanceof kind && !isNewer) return undefined
    throw error
  }
}
