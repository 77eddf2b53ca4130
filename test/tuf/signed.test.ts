import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { MetadataKind, Metadata as TufJs } from '@tufjs/models'
import fc from 'fast-check'
import { type BinDelegation, binDelegations, binNames, delegateBins, hashBins } from '../../shared/tuf/bins.ts'
import { canonicalBytes, canonicalText } from '../../shared/tuf/canonical.ts'
import { type Json, type JsonObject, parseJson } from '../../shared/tuf/json.ts'
import { type Metadata, type Snapshot, specVersion, type Targets, type Timestamp } from '../../shared/tuf/metadata.ts'
import { OrderedMap } from '../../shared/tuf/ordered-map.ts'
import { assemble, decodeSigned, lengthAndHashes, type Signed, signedFromJson } from '../../shared/tuf/signed.ts'
import { makeKey, makeRoot, signRole } from '../support/keys.ts'
import { refuses } from '../support/tuf-errors.ts'

const online = makeKey('ecdsa')
const offline = [makeKey('ed25519'), makeKey('rsa')] as const
const common = { spec_version: specVersion, version: 1, expires: '2035-01-01T00:00:00Z' }
const jsonOf = (signed: Signed) => JSON.parse(Buffer.from(signed.bytes).toString())

const root = signRole(makeRoot({ root: offline, threshold: 2, online: [online] }), offline)

function targets(flavour: BinDelegation, number = 4): Signed<Targets> {
  const keys = new Map([[online.keyid, online.key]])
  const delegations = { keys, ...delegateBins(hashBins(flavour, number), { keyids: [online.keyid], threshold: 1 }) }
  return signRole({ _type: 'targets', ...common, targets: new Map(), delegations }, [online])
}

const bin = signRole<Targets>(
  {
    _type: 'targets',
    ...common,
    targets: new Map([
      [
        'z/file',
        { length: 1, hashes: { sha256: '00' }, custom: { note: 'a "quote", a \\, a\ttab,\na line break, é and 😀' } },
      ],
      ['a/file', { length: 0, hashes: { sha256: '00', sha512: '11' } }],
      ['constructor', { length: 0, hashes: { sha256: '00' } }],
    ]),
  },
  [online],
)

const snapshot = signRole<Snapshot>(
  {
    _type: 'snapshot',
    ...common,
    meta: new Map(
      ['targets', ...binNames(hashBins('succinct_roles', 4))].map((name) => [`${name}.json`, { version: 1 }]),
    ),
  },
  [online],
)

const timestamp = signRole<Timestamp>(
  {
    _type: 'timestamp',
    ...common,
    meta: new Map([['snapshot.json', { version: 1, ...lengthAndHashes(snapshot.bytes) }]]),
  },
  [online],
)

describe('a signed file', () => {
  test('of a role in pieces is the one of the same role whole, however often and with however many signatures', () => {
    const files = binNames(hashBins('succinct_roles', 256)).map((name) => [`${name}.json`, { version: 1 }] as const)
    const whole: Snapshot = {
      _type: 'snapshot',
      ...common,
      meta: new Map([...files, ['targets.json', { version: 1 }]]),
    }
    for (const odd of ['', '\n']) {
      const expected = { ...whole, odd }
      const inPieces = { ...expected, meta: OrderedMap.of(whole.meta) }
      const signedBytes = canonicalBytes(inPieces)
      assert.deepEqual(Buffer.from(signedBytes), Buffer.from(canonicalBytes(expected)))
      const made = [1, 40, 2].map((count) => {
        const signatures = Array.from({ length: count }, (_, at) => ({
          keyid: `${at}`.repeat(32),
          sig: 'ab'.repeat(70),
        }))
        return { signatures, file: assemble(inPieces, signedBytes, signatures) }
      })
      // Only now, for one that is made later may not change one that was made before.
      for (const { signatures, file } of made) {
        const plain = assemble(expected, canonicalBytes(expected), signatures)
        assert.ok(Buffer.from(file.bytes).equals(plain.bytes))
        assert.ok(Buffer.from(file.signedBytes).equals(plain.signedBytes))
      }
    }
  })

  test('is JSON, though the canonical form of a PEM has line breaks in it', () => {
    assert.ok(Buffer.from(root.signedBytes).includes('\n'), 'as signed')
    assert.ok(!Buffer.from(root.bytes).includes('\n'), 'as written')
    assert.equal(canonicalText(jsonOf(root).signed), Buffer.from(root.signedBytes).toString())
  })

  test('is the canonical bytes as they are where these are JSON', () => {
    const signedBytes = canonicalBytes(snapshot.signed)
    const { bytes } = assemble(snapshot.signed, signedBytes, [{ keyid: 'a', sig: 'b' }])
    assert.equal(
      Buffer.from(bytes).toString(),
      `{"signatures":[{"keyid":"a","sig":"b"}],"signed":${Buffer.from(signedBytes)}}`,
    )
  })

  test('keeps every text that can be signed', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })),
        fc.string(),
        (custom, note) => {
          const role: Metadata = { ...bin.signed, 'x-custom': custom }
          const { bytes } = assemble(role, canonicalBytes(role), [{ keyid: 'a\n', sig: '', note }])
          const file = parseJson(bytes) as JsonObject
          assert.deepEqual(file['signatures'], [{ keyid: 'a\n', sig: '', note }])
          assert.equal(canonicalText(file['signed']), canonicalText(role))
        },
      ),
    )
  })

  const roles: readonly (readonly [string, Signed])[] = [
    ['root', root],
    ['targets', targets('succinct_roles')],
    ['targets', targets('path_hash_prefixes')],
    ['targets', bin],
    ['snapshot', snapshot],
    ['timestamp', timestamp],
  ]
  for (const [type, role] of roles) {
    test(`of ${type} is read again, as bytes and as JSON`, () => {
      const read = decodeSigned(role.signed._type, role.bytes)
      assert.deepEqual(read.signed, role.signed)
      assert.deepEqual(read.signatures, role.signatures)
      assert.equal(read.bytes, role.bytes)
      assert.deepEqual(Buffer.from(read.signedBytes), Buffer.from(role.signedBytes))
      const { bytes, ...fromJson } = signedFromJson(role.signed._type, jsonOf(role))
      assert.deepEqual(Buffer.from(bytes), Buffer.from(role.bytes))
      assert.deepEqual(fromJson, { signed: read.signed, signedBytes: read.signedBytes, signatures: read.signatures })
    })
  }

  test('keeps its bytes however it was written, and knows the canonical ones', () => {
    const { signatures, signed } = jsonOf(root)
    const bytes = Buffer.from(JSON.stringify({ signed, signatures }, null, 4))
    const read = decodeSigned('root', bytes)
    assert.equal(read.bytes, bytes)
    assert.deepEqual(Buffer.from(read.signedBytes), Buffer.from(root.signedBytes))
    assert.deepEqual(Buffer.from(signedFromJson('root', { signed, signatures }).bytes), Buffer.from(root.bytes))
  })

  test('may expire at a fraction of a second in a file that is there, and not where it is new', () => {
    const expires = '2035-01-01T00:00:00.123456789Z'
    const { bytes, signedBytes } = signRole({ ...root.signed, expires }, offline)
    const read = decodeSigned('root', bytes)
    assert.deepEqual([read.signed.expires, read.bytes], [expires, bytes])
    assert.deepEqual(Buffer.from(read.signedBytes), Buffer.from(signedBytes))
    refuses('invalid-metadata', () => signedFromJson('root', JSON.parse(Buffer.from(bytes).toString())), 'root.expires')
  })

  test('keeps the fields of a signature, and one that is still empty', () => {
    const { signed } = jsonOf(timestamp)
    const signatures = [{ keyid: 'a', sig: '', 'x-method': { v: 1 } }]
    assert.deepEqual(signedFromJson('timestamp', { signed, signatures }).signatures, signatures)
    assert.deepEqual(signedFromJson('timestamp', { signed, signatures: [] }).signatures, [])
  })

  test('is refused where it is not one', () => {
    const { signed, signatures } = jsonOf(timestamp)
    const broken: readonly Json[] = [
      null,
      [],
      'x',
      {},
      { signed },
      { signatures },
      { signed: null, signatures },
      { signed: [signed], signatures },
      { signed, signatures: {} },
      { signed, signatures: [null] },
      { signed, signatures: [{ keyid: 'a' }] },
      { signed, signatures: [{ sig: 'a' }] },
      { signed, signatures: [{ keyid: 1, sig: 'a' }] },
      { signed, signatures: [{ keyid: 'a', sig: null }] },
    ]
    for (const json of broken) {
      refuses('invalid-metadata', () => signedFromJson('timestamp', json))
      refuses('invalid-metadata', () => decodeSigned('timestamp', Buffer.from(JSON.stringify(json))))
    }
    refuses('invalid-json', () => decodeSigned('timestamp', Buffer.from('{"signed":{},"signed":{}}')))
    refuses('not-canonical', () => signedFromJson('timestamp', { signed: { ...signed, 'x-half': 0.5 }, signatures }))
  })

  test('has the length and hash that timestamp says', () => {
    const sha256 = createHash('sha256').update(snapshot.bytes).digest('hex')
    assert.deepEqual(lengthAndHashes(snapshot.bytes), { length: snapshot.bytes.length, hashes: { sha256 } })
    assert.deepEqual(lengthAndHashes(Buffer.from('é')).length, 2)
  })
})

describe('tuf-js', () => {
  const rootOfTufJs = TufJs.fromJSON(MetadataKind.Root, jsonOf(root))

  test('verifies what we sign', () => {
    rootOfTufJs.verifyDelegate('root', rootOfTufJs)
    rootOfTufJs.verifyDelegate('snapshot', TufJs.fromJSON(MetadataKind.Snapshot, jsonOf(snapshot)))
    rootOfTufJs.verifyDelegate('timestamp', TufJs.fromJSON(MetadataKind.Timestamp, jsonOf(timestamp)))
    for (const flavour of binDelegations) {
      const delegator = TufJs.fromJSON(MetadataKind.Targets, jsonOf(targets(flavour)))
      rootOfTufJs.verifyDelegate('targets', delegator)
      delegator.verifyDelegate('bins-3', TufJs.fromJSON(MetadataKind.Targets, jsonOf(bin)))
    }
  })

  test('does not verify what we sign with too few keys', () => {
    const half = signRole(root.signed, offline.slice(0, 1))
    assert.throws(() => rootOfTufJs.verifyDelegate('root', TufJs.fromJSON(MetadataKind.Root, jsonOf(half))), /1\/2/)
  })

  test('writes what we read, to the same canonical bytes', () => {
    for (const [kind, signed] of [
      [MetadataKind.Root, root],
      [MetadataKind.Snapshot, snapshot],
      [MetadataKind.Timestamp, timestamp],
      [MetadataKind.Targets, bin],
      [MetadataKind.Targets, targets('succinct_roles')],
      [MetadataKind.Targets, targets('path_hash_prefixes')],
    ] as const) {
      const written = TufJs.fromJSON(kind as MetadataKind.Root, jsonOf(signed)).toJSON()
      const read = decodeSigned(signed.signed._type, Buffer.from(JSON.stringify(written)))
      assert.deepEqual(Buffer.from(read.signedBytes), Buffer.from(signed.signedBytes))
      assert.deepEqual(read.signatures, signed.signatures)
    }
  })
})

test('a file with two signatures under one keyid is refused, as clients refuse it', () => {
  const key = makeKey()
  const twice = signRole(makeRoot({ root: [key] }), [key, key])
  refuses('invalid-metadata', () => decodeSigned('root', twice.bytes), 'two signatures')
})
