import assert from 'node:assert/strict'
import { constants, createHash, generateKeyPairSync, sign } from 'node:crypto'
import { canonicalBytes } from '../../shared/tuf/canonical.ts'
import { type Json, type JsonObject, parseJson } from '../../shared/tuf/json.ts'
import type { Key } from '../../shared/tuf/keys.ts'
import type { Signature } from '../../shared/tuf/signed.ts'
import { compressedPem, makeKey, makeRoot, signatureBy, type TestKey } from './keys.ts'
import { keyOfSigstore } from './predecessor.ts'
import type { TestRepository } from './repository.ts'

/** A root that cannot be, made of a good one. */
export interface BadRoot {
  readonly name: string
  /** Changes the `signed` part in place. */
  readonly spoil?: (signed: Spoiled, repository: TestRepository) => void
  /** Who signs; each of the root's holders, unless it says otherwise. */
  readonly sign?: (repository: TestRepository, bytes: Uint8Array) => readonly (Signature | Json)[]
  /** What was wrong, and what to do. */
  readonly reason: RegExp
}

type Signers = { keyids: string[]; threshold: number }
export interface Spoiled {
  [field: string]: unknown
  spec_version: string
  version: number
  expires: string
  keys: Record<string, Key>
  roles: Record<string, Signers>
}

const role = ({ roles }: Spoiled, name: string): Signers => {
  const found = roles[name]
  assert.ok(found)
  return found
}

const keyidOf = (key: unknown) =>
  createHash('sha256')
    .update(canonicalBytes(key as Json))
    .digest('hex')

/** The same public key as TUF's older tools name it: the keyid is another one. */
function twinOf({ key }: Pick<TestKey, 'key'>): [string, Key] {
  const twin = { ...key, keytype: 'ecdsa-sha2-nistp256' }
  return [keyidOf(twin), twin]
}

function keyOfType(type: 'P-384' | 'secp256k1'): Key {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: type })
  const scheme = type === 'P-384' ? 'ecdsa-sha2-nistp384' : 'ecdsa-sha2-nistp256'
  return { keytype: 'ecdsa', scheme, keyval: { public: publicKey.export({ type: 'spki', format: 'pem' }).toString() } }
}

export const addRootKey = (signed: Spoiled, id: string, key: Key) => {
  signed.keys[id] = key
  role(signed, 'root').keyids.push(id)
}

const years = (from: Date, number: number) =>
  `${new Date(from.getTime() + number * 365.25 * 24 * 3600 * 1000).toISOString().slice(0, 19)}Z`

const rsaKey = makeKey('rsa')

export const badRoots: readonly BadRoot[] = [
  {
    name: 'a signature by an unknown key',
    sign: ({ rootKeys }, bytes) => [...rootKeys, makeKey()].map((key) => signatureBy(key, bytes)),
    reason: /Key [0-9a-f]{64} may not sign this\. Those that may: [0-9a-f]{64}, [0-9a-f]{64}\./,
  },
  {
    name: 'two signatures by one key',
    sign: ({ rootKeys: [first = makeKey()] }, bytes) => [signatureBy(first, bytes), signatureBy(first, bytes)],
    reason: /root\.json has two signatures under one keyid, which clients refuse/,
  },
  {
    name: 'a signature over other bytes',
    sign: ({ rootKeys }, bytes) => rootKeys.map((key) => signatureBy(key, Buffer.concat([bytes, bytes]))),
    reason: /signature of key [0-9a-f]{64} is not good: .*other bytes.*sign its canonical form/,
  },
  {
    name: 'a malformed signature',
    sign: ({ rootKeys }) => rootKeys.map(({ keyid }) => ({ keyid, sig: 'xyz' })),
    reason: /signature of key [0-9a-f]{64} is not good: .*malformed/,
  },
  {
    name: 'a signature of another algorithm',
    sign: ({ rootKeys }, bytes) => rootKeys.map(({ keyid }) => ({ keyid, sig: makeKey('rsa').sign(bytes) })),
    reason: /signature of key [0-9a-f]{64} is not good: .*another key/,
  },
  {
    name: 'a signature with a salt that tough does not take',
    spoil(signed) {
      addRootKey(signed, rsaKey.keyid, rsaKey.key)
    },
    sign: ({ rootKeys }, bytes) => {
      const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_MAX_SIGN }
      const sig = sign('sha256', bytes, { key: rsaKey.privateKey, ...pss }).toString('hex')
      return [...rootKeys.map((key) => signatureBy(key, bytes)), { keyid: rsaKey.keyid, sig }]
    },
    reason: /signature of key [0-9a-f]{64} has a salt that is not as long as its hash.*rsa_pss_saltlen:digest/,
  },
  {
    name: 'a signature that is a number',
    sign: ({ rootKeys }) => rootKeys.map(({ keyid }) => ({ keyid, sig: 5 })),
    reason: /signatures.*sig.*has to be/,
  },
  {
    name: 'a threshold of 0',
    spoil: (signed) => (role(signed, 'root').threshold = 0),
    reason: /root\.roles\.root\.threshold has to be .* from 1/,
  },
  {
    name: 'a threshold of timestamp of 0',
    spoil: (signed) => (role(signed, 'timestamp').threshold = 0),
    reason: /root\.roles\.timestamp\.threshold has to be/,
  },
  {
    name: 'a threshold above the number of keys',
    spoil: (signed) => (role(signed, 'root').threshold = 3),
    reason: /role root asks for 3 signatures and has 2 keys; lower the threshold or add keys/,
  },
  {
    name: 'a threshold of an online role above its keys',
    spoil: (signed) => (role(signed, 'snapshot').threshold = 2),
    reason: /role snapshot asks for 2 signatures and has 1 keys/,
  },
  {
    name: 'a threshold of an online role above the keys that the service holds',
    spoil(signed) {
      const { key, keyid } = makeKey('ecdsa')
      signed.keys[keyid] = key
      role(signed, 'timestamp').keyids.push(keyid)
      role(signed, 'timestamp').threshold = 2
    },
    reason:
      /Role timestamp names key [0-9a-f]{64}, which this service does not hold\. Its threshold is 2, and the service holds 1 of its keys\. GET \/api\/v1\/keys lists/,
  },
  {
    name: 'one public key under two keyids',
    spoil(signed, { online: [online = makeKey()] }) {
      const [id, key] = twinOf(online)
      signed.keys[id] = key
      role(signed, 'snapshot').keyids.push(id)
    },
    reason: /keyids [0-9a-f]{64} and [0-9a-f]{64} are one and the same key/,
  },
  {
    name: 'a keyid of another key',
    spoil: (signed) => addRootKey(signed, 'ab'.repeat(32), makeKey().key),
    reason: /keyid (ab){32} is not the SHA-256 of its key's canonical form, which is [0-9a-f]{64}/,
  },
  {
    name: 'a keyid without key',
    spoil: (signed) => role(signed, 'root').keyids.push('ab'.repeat(32)),
    reason: /role root names keyid (ab){32}, which is not among its keys/,
  },
  {
    name: "an online key among root's keys",
    spoil: (signed, { online: [{ keyid } = makeKey()] }) => role(signed, 'root').keyids.push(keyid),
    reason: /Key [0-9a-f]{64} is online and among root's keys\. .*name another one in its place/,
  },
  {
    name: 'consistent_snapshot false',
    spoil: (signed) => (signed['consistent_snapshot'] = false),
    reason: /consistent_snapshot has to be true/,
  },
  {
    name: 'a spec_version of another major',
    spoil: (signed) => (signed.spec_version = '2.0.0'),
    reason: /root\.spec_version is "2\.0\.0"; only 1\.x is understood/,
  },
  {
    name: 'more bytes than the smallest served client takes',
    spoil: (signed) => (signed['x-note'] = 'x'.repeat(101_376)),
    reason:
      /The file of root version \d would have 10\d{4} bytes, and sigstore-java 2 takes 101376 at most\. Name fewer keys/,
  },
  {
    name: 'the name of a key in a form that tough composes',
    spoil(signed) {
      const { key, keyid } = makeKey()
      addRootKey(signed, keyid, { ...key, 'x-rstuf-key-name': 'Jose\u0301' })
    },
    reason: /Root version \d has text that is not in Unicode's composed form \(NFC\), in .*Then have it signed again/,
  },
  {
    name: 'names of fields that JavaScript clients sort in another way',
    spoil(signed) {
      const { key, keyid } = makeKey()
      addRootKey(signed, keyid, { ...key, 'x-note': { '\u{1f600}': 1, '\uffee': 2 } })
    },
    reason: /Root version \d has the names .* beside each other, which JavaScript clients sort the other way round/,
  },
  {
    name: 'an expiry in the past',
    spoil: (signed) => (signed.expires = '2020-01-01T00:00:00Z'),
    reason: /This root expired at 2020-01-01T00:00:00Z\. Sign one that expires later/,
  },
  {
    name: 'an expiry beyond ten years',
    spoil: (signed, { ports }) => (signed.expires = years(ports.clock.now(), 10.1)),
    reason: /expires at \d{4}-.*beyond ten years protects nobody\. Sign one that expires at \d{4}-.* or before/,
  },
  {
    name: 'an expiry that some clients cannot read',
    spoil: (signed) => (signed.expires = '2030-01-01T00:00:00.000Z'),
    reason: /expires has to read YYYY-MM-DDTHH:MM:SSZ/,
  },
  {
    name: 'a version that skips',
    spoil: (signed) => (signed.version += 1),
    reason: /version 1, not 2|the next one has 2, not 3/,
  },
  ...(['P-384', 'secp256k1'] as const).map((type) => ({
    name: `a key that clients refuse (${type})`,
    spoil(signed: Spoiled) {
      const key = keyOfType(type)
      addRootKey(signed, keyidOf(key), key)
    },
    reason: /This key cannot be used: .* Use a P-256, an Ed25519 or an RSA key/,
  })),
  {
    name: 'a key whose point is compressed',
    spoil(signed) {
      const { key: plain, privateKey } = makeKey('ecdsa')
      const key = { ...plain, keyval: { public: compressedPem(privateKey) } }
      addRootKey(signed, keyidOf(key), key)
    },
    reason: /Key [0-9a-f]{64} of this root: .*not written in full\. Write it as "-----BEGIN PUBLIC KEY-----\\n.*\\n"/,
  },
  {
    name: 'a key without a public part',
    spoil: (signed) => addRootKey(signed, keyOfSigstore.keyid, keyOfSigstore.key),
    reason:
      /Key [0-9a-f]{64} of this root: This key cannot be used: .*"Fulcio".* Use a P-256, an Ed25519 or an RSA key/,
  },
  {
    name: 'a fifth role',
    spoil: (signed) => (signed.roles['mirrors'] = role(signed, 'root')),
    reason: /it has a role "mirrors", and clients know four/,
  },
]

/** The file of such a root, by the holders of a repository. */
export function fileOf(
  repository: TestRepository,
  { spoil, sign }: Omit<BadRoot, 'name' | 'reason'>,
  version: number,
): Json {
  const { rootKeys: root, online } = repository
  const good = makeRoot({ root, online, version, threshold: 2 })
  const signed = parseJson(canonicalBytesAsJson(good)) as unknown as Spoiled
  spoil?.(signed, repository)
  const bytes = canonicalBytes(signed as unknown as Json)
  const signatures = sign?.(repository, bytes) ?? root.map((key) => signatureBy(key, bytes))
  return { signatures: [...signatures] as Json[], signed: signed as unknown as JsonObject }
}

/** Canonical JSON leaves line breaks in strings as they are. */
const canonicalBytesAsJson = (value: object) =>
  Buffer.from(Buffer.from(canonicalBytes(value)).toString().replaceAll('\n', '\\n'))
