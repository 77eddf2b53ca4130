import type { Key } from '../../shared/tuf/keys.ts'
import { keyid } from '../../shared/tuf/keys.ts'
import { isEncrypted, openKeyFile, readPublicKey } from '../key-file.ts'
import { CliError } from '../output.ts'
import type { Passwords } from '../prompt.ts'
import { isFile, readPublicPart } from '../signers.ts'

/** The public parts of keys, by keyid; a file may hold either part. Throws CliError. */
export async function holdersIn(names: readonly string[], passwords: Passwords): Promise<ReadonlyMap<string, Key>> {
  const keys = new Map<string, Key>()
  for (const name of names) {
    const { keytype, scheme, keyval } = await publicPart(name, passwords)
    // Other fields, such as a holder's name, stay out of metadata: some clients drop them, and no signature would verify.
    const key: Key = { keytype, scheme, keyval: { public: keyval.public } }
    keys.set(keyid(key), key)
  }
  return keys
}

async function publicPart(file: string, passwords: Passwords): Promise<Key> {
  if (!isFile(file)) return readPublicPart(file)
  if (await isEncrypted(file)) return (await openKeyFile(file, await passwords.next(`Password for ${file}`))).key
  try {
    return await readPublicKey(file)
  } catch (notPublic) {
    if (!(notPublic instanceof CliError)) throw notPublic
    const signer = await openKeyFile(file).catch(() => undefined)
    if (signer === undefined) throw notPublic
    return signer.key
  }
}
