import { hash } from 'node:crypto'
import { parseJson } from '../tuf/json.ts'
import { mending, RepositoryError } from './errors.ts'
import { type ObjectStore, type Stored, StoreError } from './ports.ts'

/** Every object in the state store is a JSON document that says which version of our own format it has. */
export const schemaVersion = 1

export interface Document {
  readonly schema: typeof schemaVersion
}

export function encodeDocument(document: Document): Uint8Array {
  return Buffer.from(JSON.stringify(document))
}

/** Reads a document that this service wrote. Throws RepositoryError 'corrupt' or 'newer', naming the object. */
export function decodeDocument<Kind extends Document>(name: string, bytes: Uint8Array): Kind {
  let value: unknown
  try {
    value = parseJson(bytes)
  } catch (cause) {
    throw new RepositoryError('corrupt', `${name} cannot be read. ${mending}`, { cause })
  }
  if (typeof value !== 'object' || value === null || !('schema' in value)) {
    throw new RepositoryError('corrupt', `${name} is not a document of this service. ${mending}`)
  }
  if (value.schema !== schemaVersion) {
    const isNewer = typeof value.schema === 'number' && value.schema > schemaVersion
    throw new RepositoryError(
      isNewer ? 'newer' : 'corrupt',
      `${name} has schema ${value.schema}; this version understands ${schemaVersion}. Upgrade.`,
    )
  }
  return value as Kind
}

/** Writes the first version of a document, or the one after `before`: what is stored then, or nothing if somebody else was faster. */
export async function writeDocument(
  store: ObjectStore,
  name: string,
  document: Document,
  before: Pick<Stored, 'tag'> | undefined,
): Promise<Stored | undefined> {
  const bytes = encodeDocument(document)
  try {
    const tag = before === undefined ? await store.create(name, bytes) : await store.replace(name, bytes, before.tag)
    return { bytes, tag, age: 0 }
  } catch (error) {
    if (error instanceof StoreError && (error.code === 'changed' || error.code === 'exists')) return undefined
    throw error
  }
}

export function sha256(bytes: Uint8Array | string): string {
  return hash('sha256', bytes)
}
