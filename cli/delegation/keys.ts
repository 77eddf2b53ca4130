import { type Key, keyid, publicPart } from '../../shared/tuf/keys.ts'
import type { Passwords } from '../prompt.ts'
import { isFile, readEitherPart, readPublicPart } from '../signers.ts'

/** The public parts of keys, by keyid; a file may hold either part. Throws CliError. */
export async function holdersIn(names: readonly string[], passwords: Passwords): Promise<ReadonlyMap<string, Key>> {
  const keys = new Map<string, Key>()
  for (const name of names) {
    const read = await (isFile(name) ? readEitherPart(name, passwords) : readPublicPart(name))
    // Other fields, such as a holder's name, stay out of metadata: some clients drop them, and no signature would verify.
    const key: Key = { keytype: read.keytype, scheme: read.scheme, keyval: { public: publicPart(read) } }
    keys.set(keyid(key), key)
  }
  return keys
}
