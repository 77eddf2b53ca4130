import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { canonicalBytes, canonicalText } from '../../shared/tuf/canonical.ts'
import { CarriedMap } from '../../shared/tuf/carried-map.ts'
import { specVersion, type TargetFile, type Targets } from '../../shared/tuf/metadata.ts'
import { assemble, carryTargets, decodeSigned } from '../../shared/tuf/signed.ts'
import { makeKey, signRole } from '../support/keys.ts'

const online = makeKey('ecdsa')
const common = { _type: 'targets', spec_version: specVersion, version: 7, expires: '2035-01-01T00:00:00Z' } as const
const file = (length: number): TargetFile => ({ length, hashes: { sha256: 'ab'.repeat(32) } })
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

function role(targets: Record<string, TargetFile>, more: object = {}): Targets {
  return { ...common, targets: new Map(Object.entries(targets)), ...more }
}

describe('targets that are carried', () => {
  const paths = fc.uniqueArray(
    fc.string({ unit: 'binary' }).filter((path) => path.isWellFormed()),
    { maxLength: 5 },
  )

  it('are written as if they had been read, whatever they hold', () => {
    fc.assert(
      fc.property(paths, (names) => {
        const signed = signRole(role(Object.fromEntries(names.map((name, at) => [name, file(at)]))), [online])
        const carried = carryTargets(signed.bytes)
        // Control characters are not in the file as they were signed; then the bytes do not verify, and nobody carries them.
        if (carried === undefined || Buffer.compare(carried.signedBytes, signed.signedBytes) !== 0) {
          assert.match(names.join(''), /[^ -\uffff]/)
          return
        }
        const next = { version: 8, expires: '2036-01-01T00:00:00Z' }
        const read = decodeSigned('targets', signed.bytes)
        assert.equal(
          text(canonicalBytes({ ...carried.signed, ...next })),
          text(canonicalBytes({ ...read.signed, ...next })),
        )
        assert.deepEqual(carried.signatures, read.signatures)
        assert.equal(carried.signed.version, 7)
      }),
    )
  })

  it('are read when somebody looks', () => {
    const signed = signRole(role({ b: file(1), a: file(2) }), [online])
    const { targets } = carryTargets(signed.bytes)?.signed ?? role({})
    assert.ok(targets instanceof CarriedMap)
    assert.equal(targets.size, 2)
    assert.equal(targets.get('a')?.length, 2)
    assert.deepEqual([targets.has('b'), targets.has('c')], [true, false])
    assert.deepEqual([...targets], [...decodeSigned('targets', signed.bytes).signed.targets])
    assert.equal(canonicalText(targets), canonicalText(decodeSigned('targets', signed.bytes).signed.targets))
  })

  it('carry fields that stand behind them', () => {
    const signed = signRole(role({ a: file(1) }, { unknown: { version: 3 } }), [online])
    const carried = carryTargets(signed.bytes)?.signed
    assert.match(text(canonicalBytes({ ...carried, version: 8 })), /"unknown":\{"version":3\},"version":8\}$/)
  })

  const keys = new Map([[online.keyid, online.key]])
  const delegations = {
    keys,
    succinct_roles: { bit_length: 1, keyids: [online.keyid], name_prefix: 'b', threshold: 1 },
  }
  const plain = signRole(role({ a: file(1) }), [online])
  const others: readonly [string, Uint8Array][] = [
    ['a role that delegates', signRole(role({}, { delegations }), [online]).bytes],
    ['a field in front of them', signRole(role({}, { aa: 1 }), [online]).bytes],
    ['a field behind the version', signRole(role({}, { z: { version: 3 } }), [online]).bytes],
    ['white space', Buffer.from(JSON.stringify(JSON.parse(text(plain.bytes)), undefined, 1))],
    ['another order', Buffer.from(`{"signed":${text(plain.signedBytes)},"signatures":[]}`)],
    [
      'two signatures under one keyid',
      assemble(plain.signed, plain.signedBytes, [...plain.signatures, ...plain.signatures]).bytes,
    ],
    [
      'another role',
      signRole({ ...common, _type: 'snapshot', meta: new Map([['targets.json', { version: 1 }]]) }, [online]).bytes,
    ],
    ['nothing', new Uint8Array()],
  ]
  for (const [what, bytes] of others)
    it(`are left to who reads all of it: ${what}`, () => assert.equal(carryTargets(bytes), undefined))
})

describe('a file that lies as it was signed', () => {
  const signed = signRole(role({ a: file(1) }), [online])

  it('is not put into canonical form again if its signatures are over these bytes', () => {
    const read = decodeSigned('targets', signed.bytes, ({ signedBytes, signatures }) => {
      assert.deepEqual(signatures, signed.signatures)
      return Buffer.compare(signedBytes, signed.signedBytes) === 0
    })
    assert.equal(read.signedBytes.buffer, signed.bytes.buffer)
    assert.deepEqual(read.signed, signed.signed)
  })

  it('is where they are not, or where it is laid out otherwise', () => {
    assert.equal(text(decodeSigned('targets', signed.bytes, () => false).signedBytes), text(signed.signedBytes))
    const spaced = Buffer.from(JSON.stringify(JSON.parse(text(signed.bytes)), undefined, 1))
    assert.equal(text(decodeSigned('targets', spaced, () => true).signedBytes), text(signed.signedBytes))
  })
})
