import { constants, createPublicKey, generateKeyPairSync, type KeyObject, sign as nodeSign } from 'node:crypto'
import { canonicalBytes } from '../../shared/tuf/canonical.ts'
import { formatExpires } from '../../shared/tuf/expiry.ts'
import { type Key, keyFromPublicKey, keyid } from '../../shared/tuf/keys.ts'
import { type Metadata, type RoleKeys, type Root, specVersion } from '../../shared/tuf/metadata.ts'
import { assemble, type Signature, type Signed } from '../../shared/tuf/signed.ts'

export type KeyKind = 'ed25519' | 'ecdsa' | 'rsa'

export interface TestKey {
  readonly key: Key
  readonly keyid: string
  readonly privateKey: KeyObject
  /** The signature over these bytes, in hex. */
  sign(bytes: Uint8Array): string
}

export function makeKey(kind: KeyKind = 'ed25519'): TestKey {
  const { publicKey, privateKey } = makePair(kind)
  const key = keyFromPublicKey(publicKey)
  return {
    key,
    keyid: keyid(key),
    privateKey,
    sign: (bytes) => signatureBytes(kind, privateKey, bytes).toString('hex'),
  }
}

/** A public key on P-256 with its point in 33 bytes of 65; OpenSSL calls it compressed. */
export const compressedPem = (privateKey: KeyObject) =>
  pointPem(privateKey, '3039301306072a8648ce3d020106082a8648ce3d030107032200', 2)

/** The same with all 65 bytes, of which the first says what the others say, too; OpenSSL calls it hybrid. */
export const mixedPem = (privateKey: KeyObject) =>
  pointPem(privateKey, '3059301306072a8648ce3d020106082a8648ce3d030107034200', 6)

function pointPem(privateKey: KeyObject, algorithm: string, form: 2 | 6): string {
  const { x = '', y = '' } = createPublicKey(privateKey).export({ format: 'jwk' })
  const [first, second] = [Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]
  const point = [Buffer.of(form + ((second.at(-1) ?? 0) % 2)), first, ...(form === 6 ? [second] : [])]
  const der = Buffer.concat([Buffer.from(algorithm, 'hex'), ...point])
  return `-----BEGIN PUBLIC KEY-----\n${der.toString('base64')}\n-----END PUBLIC KEY-----\n`
}

function makePair(kind: KeyKind) {
  if (kind === 'ed25519') return generateKeyPairSync('ed25519')
  if (kind === 'ecdsa') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
}

function signatureBytes(kind: KeyKind, privateKey: KeyObject, bytes: Uint8Array): Buffer {
  if (kind === 'ed25519') return nodeSign(null, bytes, privateKey)
  if (kind === 'ecdsa') return nodeSign('sha256', bytes, privateKey)
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  return nodeSign('sha256', bytes, { key: privateKey, ...pss })
}

export function signatureBy(signer: TestKey, bytes: Uint8Array): Signature {
  return { keyid: signer.keyid, sig: signer.sign(bytes) }
}

/** The role's file, signed by each of these keys. */
export function signRole<Role extends Metadata>(role: Role, signers: readonly TestKey[]): Signed<Role> {
  const bytes = canonicalBytes(role)
  const signatures = signers.map((signer) => signatureBy(signer, bytes))
  return assemble(role, bytes, signatures)
}

/** What a root says of a key, whoever can sign with it. */
export type PublicKey = Pick<TestKey, 'key' | 'keyid'>

export interface RootOptions {
  readonly version?: number
  readonly root: readonly TestKey[]
  readonly threshold?: number
  /** For targets, snapshot and timestamp; the root's keys where there are none. */
  readonly online?: readonly PublicKey[]
  readonly expires?: Date
}

/** A root that says what a usable one has to say. */
export function makeRoot({ version = 1, root, threshold = 1, online = root, expires = inAYear() }: RootOptions): Root {
  const signers = (keys: readonly PublicKey[], threshold: number): RoleKeys => ({
    keyids: keys.map((key) => key.keyid),
    threshold,
  })
  return {
    _type: 'root',
    spec_version: specVersion,
    version,
    expires: formatExpires(expires),
    consistent_snapshot: true,
    keys: new Map([...root, ...online].map(({ keyid, key }) => [keyid, key])),
    roles: {
      root: signers(root, threshold),
      targets: signers(online, 1),
      snapshot: signers(online, 1),
      timestamp: signers(online, 1),
    },
  }
}

/** A root and its file, signed by `signers`: its own root keys unless others are given. */
export function signRoot(options: RootOptions, signers: readonly TestKey[] = options.root): Signed<Root> {
  return signRole(makeRoot(options), signers)
}

export function inAYear(now = new Date()): Date {
  return new Date(now.getTime() + 365 * 24 * 3600 * 1000)
}
