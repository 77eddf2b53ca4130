import type { Key } from '../../shared/tuf/keys.ts'
import { keyid } from '../../shared/tuf/keys.ts'
import { isEncrypted, openKeyFile, readPublicKey } from '../key-file.ts'
import { CliError } from '../output.ts'
import type { Passwords } from '../prompt.ts'

/** The public parts of keys, by keyid; a file may hold either part. Throws CliError 'refused'. */
export async function holdersIn(files: readonly string[], passwords: Passwords): Promise<ReadonlyMap<string, Key>> {
  const keys = new Map<string, Key>()
  for (const file of files) {
    const { keytype, scheme, keyval } = await publicPart(file, passwords)
    // Other fields, such as a holder's name, stay out of metadata: some clients drop them, and no signature would verify.
    const key: Key = { keytype, scheme, keyval: { public: keyval.public } }
    keys.set(keyid(key), key)
  }
  return keys
}

async function publicPart(file: string, passwords: Passwords): Promise<Key> {
  if (await isEncrypted(file)) return (await openKeyFile(file, await passwords.next(`Password for ${file}`))).key
  try {
    return await readPublicKey(file)
  } catch (notPublic) {
    if (!(notPublic instanceof CliError)) throw notPublic
    return (await openKeyFile(file)).key
  }
}
