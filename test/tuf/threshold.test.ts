import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Key, keyid } from '../../shared/tuf/keys.ts'
import { goodSignatures, verifyThreshold, verifyThresholdAside } from '../../shared/tuf/threshold.ts'
import { makeKey, signatureBy } from '../support/keys.ts'
import { refuses } from '../support/tuf-errors.ts'

const signers = [makeKey('ed25519'), makeKey('ecdsa'), makeKey('ed25519')] as const
const [first, second, third] = signers
const keys: ReadonlyMap<string, Key> = new Map(signers.map(({ keyid, key }) => [keyid, key]))
const bytes = Buffer.from('what is signed')
const all = signers.map((signer) => signatureBy(signer, bytes))
const role = (threshold: number, keyids: readonly string[] = [...keys.keys()]) => ({ keyids, threshold })

describe('the good signatures', () => {
  test('are those of the role, in its order', () => {
    assert.deepEqual(goodSignatures(role(1), keys, bytes, all), [first.keyid, second.keyid, third.keyid])
    assert.deepEqual(goodSignatures(role(1, [third.keyid, first.keyid]), keys, bytes, all), [third.keyid, first.keyid])
  })

  test('are those over these bytes', () => {
    assert.deepEqual(goodSignatures(role(1), keys, Buffer.from('other bytes'), all), [])
  })

  test('count one key once, whatever keyids it comes under', () => {
    const twin = { ...first.key, note: 'the same key' }
    const twinId = keyid(twin)
    const both = new Map([...keys, [twinId, twin]])
    const signatures = [signatureBy(first, bytes), { keyid: twinId, sig: first.sign(bytes) }]
    assert.deepEqual(goodSignatures(role(2, [first.keyid, twinId]), both, bytes, signatures), [first.keyid])
    assert.deepEqual(goodSignatures(role(2, [twinId, first.keyid]), both, bytes, signatures), [twinId])
    refuses('threshold', () =>
      verifyThreshold('It', role(2, [first.keyid, twinId]), both, { signedBytes: bytes, signatures }),
    )
  })

  test('count a twin whose namesake did not sign', () => {
    const twin = { ...first.key, note: 'the same key' }
    const twinId = keyid(twin)
    const both = new Map([...keys, [twinId, twin]])
    const signatures = [
      { keyid: first.keyid, sig: '' },
      { keyid: twinId, sig: first.sign(bytes) },
    ]
    assert.deepEqual(goodSignatures(role(1, [first.keyid, twinId]), both, bytes, signatures), [twinId])
  })

  test('count a keyid once that a role names twice', () => {
    assert.deepEqual(goodSignatures(role(2, [first.keyid, first.keyid]), keys, bytes, all), [first.keyid])
  })

  test('take of several signatures under one keyid the first, as clients that refuse the rest cannot be told apart', () => {
    const good = signatureBy(first, bytes)
    const bad = { keyid: first.keyid, sig: first.sign(Buffer.from('other bytes')) }
    assert.deepEqual(goodSignatures(role(1), keys, bytes, [good, good, bad]), [first.keyid])
    assert.deepEqual(goodSignatures(role(1), keys, bytes, [bad, good]), [])
  })

  test('leave out keyids that nobody knows, keys that cannot be read, and keys that the role does not name', () => {
    const unreadable: Key = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: 'nonsense' } }
    const known = new Map([...keys, ['unreadable', unreadable]])
    const signatures = [
      ...all,
      { keyid: 'unknown', sig: first.sign(bytes) },
      { keyid: 'unreadable', sig: first.sign(bytes) },
    ]
    assert.deepEqual(goodSignatures(role(1, ['unknown', 'unreadable', second.keyid]), known, bytes, signatures), [
      second.keyid,
    ])
  })

  test('leave out a signature under the keyid of another', () => {
    const signatures = [{ keyid: first.keyid, sig: third.sign(bytes) }]
    assert.deepEqual(goodSignatures(role(1), keys, bytes, signatures), [])
  })
})

describe('verifyThreshold', () => {
  test('passes exactly when so many of the keys have signed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.subarray(all), (threshold, signatures) => {
        const verify = () => verifyThreshold('It', role(threshold), keys, { signedBytes: bytes, signatures })
        if (signatures.length >= threshold) verify()
        else refuses('threshold', verify, `It has ${signatures.length} good`, `of the ${threshold}`)
      }),
    )
  })
})

test('In another thread the verdict is the same', async () => {
  const rsa = makeKey('rsa')
  const known = new Map([...keys, [rsa.keyid, rsa.key]])
  const made = [...all, signatureBy(rsa, bytes)]
  const spoilt = made.map(({ keyid, sig }) => ({ keyid, sig: `${sig.slice(0, -1)}z` }))
  const others = [...signers, rsa].map((signer) => signatureBy(signer, Buffer.from('other bytes')))
  await fc.assert(
    fc.asyncProperty(
      fc.subarray([...known.keys(), 'unknown']),
      fc.subarray([...made, ...spoilt, ...others]),
      fc.integer({ min: 1, max: 4 }),
      async (keyids, signatures, threshold) => {
        const verdict = async (verify: typeof verifyThreshold | typeof verifyThresholdAside) => {
          try {
            await verify('It', role(threshold, keyids), known, { signedBytes: bytes, signatures })
            return 'enough'
          } catch (error) {
            return String(error)
          }
        }
        assert.equal(await verdict(verifyThresholdAside), await verdict(verifyThreshold))
      },
    ),
  )
})
