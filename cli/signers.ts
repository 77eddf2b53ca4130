import { type Signer, SignerError } from '../shared/repository/ports.ts'
import type { Key } from '../shared/tuf/keys.ts'
import { awsFailure } from './access.ts'
import { isEncrypted, openKeyFile, proved, readPublicKey } from './key-file.ts'
import { CliError } from './output.ts'
import type { Passwords } from './prompt.ts'

/**
 * A key is named by its file, as `kms:<id, ARN or alias>`, or as `pkcs11:<URI>`. Whatever begins otherwise is a file: one whose own
 * name begins so is `./kms:…`. The AWS SDK, and what speaks to tokens, are loaded for the names that need them.
 */
export function isFile(name: string): boolean {
  return !/^(kms|pkcs11):/.test(name)
}

/** The signer of that name, which has just shown that it signs; may ask for a password or a PIN. Throws CliError. */
export async function openSigner(name: string, passwords: Passwords): Promise<Signer> {
  if (isFile(name)) {
    const password = (await isEncrypted(name)) ? await passwords.next(`Password for ${name}`) : undefined
    return openKeyFile(name, password)
  }
  return refusals(async () => {
    if (!name.startsWith('kms:')) {
      const { tokenSigner } = await import('./pkcs11/token-signer.ts')
      return proved(name, await tokenSigner(name, passwords))
    }
    return proved(name, await kms(name))
  })
}

/** The public part of a key: of a file that holds nothing else, of a KMS key, or as a token shows it without a PIN. Throws CliError. */
export async function readPublicPart(name: string): Promise<Key> {
  if (isFile(name)) return readPublicKey(name)
  return refusals(async () => {
    if (name.startsWith('kms:')) return (await kms(name)).key
    const { tokenPublicKey } = await import('./pkcs11/token-signer.ts')
    return tokenPublicKey(name)
  })
}

/** The public part of a key whose file holds either part; may ask for a password. Throws CliError. */
export async function readEitherPart(file: string, passwords: Passwords): Promise<Key> {
  if (await isEncrypted(file)) return (await openSigner(file, passwords)).key
  try {
    return await readPublicKey(file)
  } catch (notPublic) {
    if (!(notPublic instanceof CliError)) throw notPublic
    const signer = await openKeyFile(file).catch(() => undefined)
    if (signer === undefined) throw notPublic
    return signer.key
  }
}

async function kms(name: string): Promise<Signer> {
  const id = name.slice('kms:'.length)
  if (id === '')
    throw new CliError('usage', 'kms: names no key. Write kms:<key id, ARN or alias>, as in kms:alias/root.')
  const { kmsSigner } = await import('../shared/adapters/aws/kms-signer.ts')
  return kmsSigner(id)
}

/** Says what signers and tokens threw as a command says it. */
async function refusals<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof SignerError)
      throw cause.code === 'unavailable' ? awsFailure(cause) : new CliError('refused', cause.message, { cause })
    const { TokenError } = await import('./pkcs11/token-error.ts')
    if (cause instanceof TokenError)
      throw new CliError(cause.code === 'uri' ? 'usage' : 'refused', cause.message, { cause })
    throw cause
  }
}
