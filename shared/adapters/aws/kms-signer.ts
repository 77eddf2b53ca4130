import { createHash, createPublicKey } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import {
  GetPublicKeyCommand,
  type GetPublicKeyCommandOutput,
  KMSClient,
  SignCommand,
  SigningAlgorithmSpec,
} from '@aws-sdk/client-kms'
import { type Signer, SignerError } from '../../repository/ports.ts'
import { TufError } from '../../tuf/errors.ts'
import { type Key, keyFromPublicKey, keyid } from '../../tuf/keys.ts'
import { clientSettings } from './client-settings.ts'
import { serviceError } from './service-error.ts'

/**
 * How often a signature is asked for again that KMS has no room for, each time by the SDK's own attempts. Those are meant for a few
 * requests, and a commit may need hundreds of signatures at once, of a quota that all of the account share.
 */
const repetitions = 6
/** Milliseconds before the first repetition at the most, doubled for each one after. */
const firstPause = 200

/** By region; nothing for the one that the environment says. */
const shared = new Map<string | undefined, KMSClient>()

/** One for all signers of a region, so that they share its connections; made when it is first needed. An ARN says its region. */
function sharedClient(keyId: string): KMSClient {
  const region = /^arn:[\w-]+:kms:([\w-]+):/.exec(keyId)?.[1]
  const client = shared.get(region) ?? new KMSClient({ ...clientSettings, ...(region !== undefined && { region }) })
  shared.set(region, client)
  return client
}

/**
 * Signs with a KMS key: P-256, or RSA with PSS. Only the SHA-256 of what is signed leaves the process, so metadata may
 * be of any size (https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html, MessageType DIGEST); Ed25519 in
 * KMS has no such mode. Costs one GetPublicKey now and one Sign for each signature. `keyId` is a key id, an ARN or an
 * alias. Throws SignerError: 'unusable' for a key that is missing, disabled, about to be deleted, not ours to use or of
 * another type; 'unavailable' when KMS throttles, fails or does not answer, after the SDK's own attempts.
 */
export async function kmsSigner(keyId: string, client: KMSClient = sharedClient(keyId)): Promise<Signer> {
  const attempt = async <Result>(what: string, request: () => Promise<Result>): Promise<Result> => {
    try {
      return await request()
    } catch (error) {
      throw asSignerError(error, what, keyId)
    }
  }
  const found = await attempt('read', () => client.send(new GetPublicKeyCommand({ KeyId: keyId })))
  const { key, algorithm } = usable(keyId, found)

  return {
    keyid: keyid(key),
    key,
    async sign(bytes) {
      const Message = createHash('sha256').update(bytes).digest()
      const request = { KeyId: keyId, Message, MessageType: 'DIGEST', SigningAlgorithm: algorithm } as const
      const { Signature } = await attempt('use', () => unthrottled(() => client.send(new SignCommand(request))))
      if (Signature === undefined)
        throw new SignerError('unavailable', `KMS answered without a signature of key ${keyId}.`)
      // ECDSA comes in DER, as TUF has it.
      return Buffer.from(Signature).toString('hex')
    },
  }
}

async function unthrottled<Result>(request: () => Promise<Result>): Promise<Result> {
  for (let repetition = 0; ; repetition++) {
    try {
      return await request()
    } catch (error) {
      if (repetition === repetitions || serviceError(error).name !== 'ThrottlingException') throw error
      await setTimeout(Math.random() * firstPause * 2 ** repetition)
    }
  }
}

const algorithms: Readonly<Record<string, SigningAlgorithmSpec>> = {
  'ecdsa-sha2-nistp256': SigningAlgorithmSpec.ECDSA_SHA_256,
  'rsassa-pss-sha256': SigningAlgorithmSpec.RSASSA_PSS_SHA_256,
}

/** The key as metadata holds it, and how KMS signs with it. */
function usable(
  keyId: string,
  { PublicKey, KeySpec, KeyUsage, SigningAlgorithms = [] }: GetPublicKeyCommandOutput,
): { key: Key; algorithm: SigningAlgorithmSpec } {
  const refused = (why: string, cause?: unknown) =>
    new SignerError('unusable', `KMS key ${keyId} ${why} Use ECC_NIST_P256 or RSA_3072 for signing.`, { cause })
  if (PublicKey === undefined) throw new SignerError('unavailable', `KMS answered without the public key of ${keyId}.`)
  if (KeyUsage !== 'SIGN_VERIFY') throw refused(`is made for ${KeyUsage}.`)
  let key: Key
  try {
    key = keyFromPublicKey(createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' }))
  } catch (cause) {
    throw refused(cause instanceof TufError ? `(${KeySpec}): ${cause.message}` : `(${KeySpec}) cannot be read.`, cause)
  }
  const algorithm = algorithms[key.scheme]
  if (algorithm === undefined || !SigningAlgorithms.includes(algorithm)) {
    throw refused(`(${KeySpec}) does not sign the hash of a message.`)
  }
  return { key, algorithm }
}

/** Those after which the key will not sign, however often one asks. */
const final = new Set([
  'AccessDeniedException',
  'DisabledException',
  'InvalidArnException',
  'InvalidKeyUsageException',
  'KMSInvalidStateException',
  'NotFoundException',
  'UnsupportedOperationException',
  'ValidationException',
])

function asSignerError(error: unknown, what: string, keyId: string): SignerError {
  const { name, summary } = serviceError(error)
  const code = final.has(name) ? 'unusable' : 'unavailable'
  return new SignerError(code, `Could not ${what} KMS key ${keyId}: ${summary}`, { cause: error })
}
