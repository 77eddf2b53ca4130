import assert from 'node:assert/strict'
import { constants, createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { describe, test } from 'node:test'
import { Key as TufJsKey } from '@tufjs/models'
import fc from 'fast-check'
import { canonicalText } from '../../shared/tuf/canonical.ts'
import {
  checkForEveryClient,
  type Key,
  keyFromPublicKey,
  keyIdentity,
  keyid,
  publicKeyOf,
  publicPart,
  verifySignature,
  verifySignatureAside,
} from '../../shared/tuf/keys.ts'
import { compressedPem, type KeyKind, makeKey, mixedPem, type TestKey } from '../support/keys.ts'
import { refuses } from '../support/tuf-errors.ts'

const kinds: readonly KeyKind[] = ['ed25519', 'ecdsa', 'rsa']
const keys: Readonly<Record<KeyKind, TestKey>> = {
  ed25519: makeKey('ed25519'),
  ecdsa: makeKey('ecdsa'),
  rsa: makeKey('rsa'),
}
const message = Buffer.from('what is signed')

const withPublic = (key: Key, text: string): Key => ({ ...key, keyval: { public: text } })
const pemOf = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString()

describe('a key in metadata', () => {
  test('names type and scheme as the clients do', () => {
    assert.deepEqual(
      kinds.map((kind) => [keys[kind].key.keytype, keys[kind].key.scheme]),
      [
        ['ed25519', 'ed25519'],
        ['ecdsa', 'ecdsa-sha2-nistp256'],
        ['rsa', 'rsassa-pss-sha256'],
      ],
    )
    assert.match(publicPart(keys.ed25519.key), /^[0-9a-f]{64}$/)
    for (const kind of ['ecdsa', 'rsa'] as const) {
      assert.match(publicPart(keys[kind].key), /^-----BEGIN PUBLIC KEY-----\n[\s\S]+\n-----END PUBLIC KEY-----\n$/)
    }
  })

  test('is the public key it was made from', () => {
    for (const { key, privateKey } of Object.values(keys))
      assert.ok(publicKeyOf(key).equals(createPublicKey(privateKey)))
  })

  test('is read by tuf-js', () => {
    for (const { key, keyid } of Object.values(keys)) {
      const json = { ...key, keyval: { public: publicPart(key) } }
      assert.deepEqual(TufJsKey.fromJSON(keyid, json).toJSON(), json)
    }
  })

  test('has for its keyid the SHA-256 of its canonical form, fields that we do not know included', () => {
    const key: Key = { scheme: 'ed25519', keyval: { public: 'ab' }, keytype: 'ed25519' }
    const canonical = '{"keytype":"ed25519","keyval":{"public":"ab"},"scheme":"ed25519"}'
    assert.equal(keyid(key), createHash('sha256').update(canonical).digest('hex'))
    const old = { ...key, keyid_hash_algorithms: ['sha256', 'sha512'] }
    assert.equal(keyid(old), createHash('sha256').update(canonicalText(old)).digest('hex'))
    assert.notEqual(keyid(old), keyid(key))
  })

  test('may name its type as older tools did', () => {
    const old = { ...keys.ecdsa.key, keytype: 'ecdsa-sha2-nistp256' }
    assert.ok(verifySignature(old, message, keys.ecdsa.sign(message)))
    assert.notEqual(keyid(old), keys.ecdsa.keyid)
    assert.equal(keyIdentity(old), keyIdentity(keys.ecdsa.key))
  })

  test('is refused where clients refuse it', () => {
    const make = (publicKey: KeyObject) => () => keyFromPublicKey(publicKey)
    refuses('invalid-key', make(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey), 'secp384r1', 'P-256')
    refuses('invalid-key', make(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), '2048', '1024')
    refuses('invalid-key', make(generateKeyPairSync('x25519').publicKey), 'x25519')
    refuses('invalid-key', make(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey), 'rsa-pss')
  })
})

function rsaWithExponent(e: number): KeyObject {
  const { n = '' } = createPublicKey(keys.rsa.privateKey).export({ format: 'jwk' })
  return createPublicKey({ format: 'jwk', key: { kty: 'RSA', n, e: Buffer.from([e]).toString('base64url') } })
}

const brokenKeys: readonly (readonly [string, Key])[] = [
  [
    'P-384 under the scheme of P-256',
    withPublic(keys.ecdsa.key, pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey)),
  ],
  [
    'P-384 under its own scheme',
    {
      keytype: 'ecdsa',
      scheme: 'ecdsa-sha2-nistp384',
      keyval: { public: pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey) },
    },
  ],
  ['RSA of 1024 bits', withPublic(keys.rsa.key, pemOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey))],
  ['RSA under the scheme of ECDSA', withPublic(keys.ecdsa.key, publicPart(keys.rsa.key))],
  ['ECDSA under the scheme of RSA', withPublic(keys.rsa.key, publicPart(keys.ecdsa.key))],
  ['the type of RSA with the scheme of ECDSA', { ...keys.ecdsa.key, keytype: 'rsa' }],
  ['Ed25519 as PEM', withPublic(keys.ed25519.key, pemOf(createPublicKey(keys.ed25519.privateKey)))],
  [
    'Ed25519 in upper case',
    withPublic(keys.ed25519.key, publicPart(keys.ed25519.key).replace(/^./, 'A').toUpperCase()),
  ],
  ['Ed25519 too short', withPublic(keys.ed25519.key, 'ab'.repeat(31))],
  ['Ed25519 too long', withPublic(keys.ed25519.key, 'ab'.repeat(33))],
  ['Ed25519 with a line break', withPublic(keys.ed25519.key, `${publicPart(keys.ed25519.key)}\n`)],
  ...['00'.repeat(32), `${'00'.repeat(31)}80`, `01${'00'.repeat(31)}`, `ec${'ff'.repeat(31)}`].map(
    (point): readonly [string, Key] => [`Ed25519 ${point}`, withPublic(keys.ed25519.key, point)],
  ),
  ['RSA whose signatures are what is signed', withPublic(keys.rsa.key, pemOf(rsaWithExponent(1)))],
  ['no PEM', withPublic(keys.ecdsa.key, 'not a PEM')],
  ['nothing', withPublic(keys.ecdsa.key, '')],
  ['a PEM without its end', withPublic(keys.ecdsa.key, publicPart(keys.ecdsa.key).slice(0, 100))],
  ['a PEM of rubbish', withPublic(keys.ecdsa.key, '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n')],
  [
    'a private key',
    withPublic(keys.ecdsa.key, keys.ecdsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
  ],
  [
    'a private key behind the public one',
    withPublic(
      keys.ecdsa.key,
      publicPart(keys.ecdsa.key) + keys.ecdsa.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ),
  ],
  [
    'RSA in the older kind of PEM',
    withPublic(keys.rsa.key, createPublicKey(keys.rsa.privateKey).export({ type: 'pkcs1', format: 'pem' }).toString()),
  ],
  ['a scheme that objects have a use for', { ...keys.ecdsa.key, scheme: 'constructor' }],
  ['a scheme nobody knows', { ...keys.ecdsa.key, scheme: 'ecdsa-sha2-nistp257' }],
  ['one without a public part', { ...keys.ed25519.key, keyval: {} }],
  ['a public part that is no text', { ...keys.ecdsa.key, keyval: { public: { e: '010001' } } }],
  ['a key of Sigstore', { keytype: 'sigstore-oidc', scheme: 'Fulcio', keyval: { identity: 'a', issuer: 'b' } }],
  ['RSA with another padding', { ...keys.rsa.key, scheme: 'rsa-pkcs1v15-sha256' }],
]

describe('a key that cannot be used', () => {
  for (const [what, key] of brokenKeys) {
    test(what, async () => {
      refuses('invalid-key', () => publicKeyOf(key))
      refuses('invalid-key', () => keyIdentity(key))
      for (const kind of kinds) {
        assert.equal(verifySignature(key, message, keys[kind].sign(message)), false)
        assert.equal(await verifySignatureAside(key, message, keys[kind].sign(message)), false)
      }
    })
  }
})

describe('two keys', () => {
  test('are one and the same, whatever their spelling', () => {
    for (const { key } of Object.values(keys)) {
      assert.equal(keyIdentity({ ...key, note: 'another keyid' }), keyIdentity(key))
      assert.notEqual(keyid({ ...key, note: 'another keyid' }), keyid(key))
    }
    for (const { key } of [keys.ecdsa, keys.rsa]) {
      const respelt = publicPart(key).trimEnd().replaceAll('\n', '\r\n')
      assert.equal(keyIdentity(withPublic(key, respelt)), keyIdentity(key))
    }
  })

  test('are one and the same where one has its point compressed', () => {
    const compressed = withPublic(keys.ecdsa.key, compressedPem(keys.ecdsa.privateKey))
    assert.ok(verifySignature(compressed, message, keys.ecdsa.sign(message)))
    assert.equal(keyIdentity(compressed), keyIdentity(keys.ecdsa.key))
  })

  test('are two', () => {
    for (const kind of kinds.filter((kind) => kind !== 'rsa'))
      assert.notEqual(keyIdentity(makeKey(kind).key), keyIdentity(keys[kind].key))
    assert.equal(new Set(kinds.map((kind) => keyIdentity(keys[kind].key))).size, 3)
  })
})

describe('a key that is good, but not for every client', () => {
  test('is refused where it is to be published, and is written in full where it is made', () => {
    for (const { key } of Object.values(keys)) checkForEveryClient(key)
    for (const pem of [compressedPem(keys.ecdsa.privateKey), mixedPem(keys.ecdsa.privateKey)]) {
      const key = withPublic(keys.ecdsa.key, pem)
      refuses(
        'invalid-key',
        () => checkForEveryClient(key),
        'not written in full',
        JSON.stringify(publicPart(keys.ecdsa.key)),
      )
      assert.deepEqual(keyFromPublicKey(createPublicKey(pem)), keys.ecdsa.key)
    }
    const rsa = (n: Buffer, e: string) => {
      const jwk = { kty: 'RSA', n: n.toString('base64url'), e: Buffer.from(e, 'hex').toString('base64url') }
      return withPublic(keys.rsa.key, pemOf(createPublicKey({ format: 'jwk', key: jwk })))
    }
    checkForEveryClient(rsa(Buffer.alloc(1024, 0xff), '7fffffff'))
    refuses('invalid-key', () => checkForEveryClient(rsa(Buffer.alloc(1025, 0xff), '010001')), '8192 bits', '8200')
    refuses('invalid-key', () => checkForEveryClient(rsa(Buffer.alloc(256, 0xff), '80000001')), 'exponent')
  })
})

describe('a signature', () => {
  for (const kind of kinds) {
    const { key, privateKey } = keys[kind]
    const good = keys[kind].sign(message)

    test(`by ${kind} is good over its own bytes, by its own key`, () => {
      assert.ok(verifySignature(key, message, good))
      assert.ok(verifySignature(key, message, good.toUpperCase()), 'hex in capitals')
      assert.ok(verifySignature(key, new Uint8Array(0), keys[kind].sign(new Uint8Array(0))))
      assert.equal(verifySignature(key, Buffer.from('what is signeD'), good), false)
      for (const other of kinds) assert.equal(verifySignature(keys[other].key, message, good), other === kind)
    })

    test(`by ${kind} that has been tampered with is bad, and never throws`, () => {
      const length = good.length / 2
      fc.assert(
        fc.property(fc.nat(length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
          const bytes = Buffer.from(good, 'hex')
          bytes[at] = (bytes[at] ?? 0) ^ change
          assert.equal(verifySignature(key, message, bytes.toString('hex')), false)
        }),
      )
      for (let end = 0; end < good.length; end++) assert.equal(verifySignature(key, message, good.slice(0, end)), false)
      for (const bad of [
        `${good}0`,
        ` ${good}`,
        `${good}\n`,
        `0x${good}`,
        good.replace(/..$/, 'zz'),
        `${good}zz`,
        'ab'.repeat(100_000),
      ]) {
        assert.equal(verifySignature(key, message, bad), false)
      }
      fc.assert(
        fc.property(fc.string({ unit: 'binary' }), (text) => assert.equal(verifySignature(key, message, text), false)),
      )
    })

    test(`by ${kind} is judged in the same way on another thread`, async () => {
      const tampered = Buffer.from(good, 'hex').fill(0, 5, 10).toString('hex')
      for (const signature of [good, good.toUpperCase(), tampered, good.slice(2), `${good}0`, `${good}\n`, 'zz', ''])
        assert.equal(await verifySignatureAside(key, message, signature), verifySignature(key, message, signature))
      for (const other of kinds)
        assert.equal(await verifySignatureAside(keys[other].key, message, good), other === kind)
    })

    test(`by ${kind} over another hash or in another form is bad`, () => {
      if (kind === 'ed25519') return
      const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
      const options = kind === 'rsa' ? { key: privateKey, ...pss } : { key: privateKey }
      assert.equal(verifySignature(key, message, sign('sha512', message, options).toString('hex')), false)
      const otherForm = kind === 'rsa' ? { key: privateKey } : { key: privateKey, dsaEncoding: 'ieee-p1363' as const }
      assert.equal(verifySignature(key, message, sign('sha256', message, otherForm).toString('hex')), false)
    })
  }
})
