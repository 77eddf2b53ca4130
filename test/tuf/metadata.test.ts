import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { canonicalText } from '../../shared/tuf/canonical.ts'
import { type Json, type JsonObject, parseJson } from '../../shared/tuf/json.ts'
import { decodeMetadata } from '../../shared/tuf/metadata.ts'
import { type TopLevelRole, topLevelRoles } from '../../shared/tuf/names.ts'
import { refuses } from '../support/tuf-errors.ts'

const common = { spec_version: '1.0.31', version: 1, expires: '2030-01-01T00:00:00Z' }
const key = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: 'ab' } }
const roleKeys = { keyids: ['a'], threshold: 1 }
const hashes = { sha256: 'aa' }

const root = {
  _type: 'root',
  ...common,
  consistent_snapshot: true,
  keys: { a: key },
  roles: { root: roleKeys, targets: roleKeys, snapshot: roleKeys, timestamp: roleKeys },
}
const timestamp = { _type: 'timestamp', ...common, meta: { 'snapshot.json': { version: 1, length: 2, hashes } } }
const snapshot = {
  _type: 'snapshot',
  ...common,
  meta: { 'targets.json': { version: 1 }, 'a.json': { version: 2, length: 0 } },
}
const byPath = { ...roleKeys, name: 'a', terminating: true, paths: ['a/*'] }
const byHash = { ...roleKeys, name: 'b', terminating: false, path_hash_prefixes: ['0'] }
const succinct = { ...roleKeys, bit_length: 8, name_prefix: 'bins' }
const targets = {
  _type: 'targets',
  ...common,
  targets: {
    'a/b': { length: 0, hashes, custom: { any: [1, 'x', null] } },
    c: { length: 1, hashes: { sha256: 'aa', sha512: 'bb' } },
  },
  delegations: { keys: { a: key }, roles: [byPath, byHash] },
}
const binned = { ...targets, delegations: { keys: { a: key }, succinct_roles: succinct } }

const strange = { keytype: 'sigstore-oidc', scheme: 'Fulcio', keyval: { identity: 'a', issuer: 'b' } }
const oldRoot = { ...root, expires: '2030-01-01T00:00:00.123456789Z', keys: { a: key, b: strange } }

const samples: Readonly<Record<string, JsonObject & { _type: string }>> = {
  ...{ root, timestamp, snapshot, targets, binned },
  'a root of others': oldRoot,
}
const decode = (json: JsonObject) => decodeMetadata(json['_type'] as TopLevelRole, json)

/** A copy of `json` with what is at `path` changed; undefined takes it away. */
function changed(json: JsonObject, path: string, value: Json | undefined): JsonObject {
  const copy = structuredClone(json) as Record<string, Json>
  const steps = path.split(' ')
  const last = steps.pop() ?? ''
  const parent = steps.reduce<Record<string, Json>>((object, step) => object[step] as Record<string, Json>, copy)
  if (value === undefined && Array.isArray(parent)) parent.splice(Number(last), 1)
  else if (value === undefined) delete parent[last]
  else parent[last] = value
  return copy
}

describe('metadata', () => {
  for (const [name, sample] of Object.entries(samples)) {
    test(`${name} is read, and written again as it was`, () => {
      assert.equal(canonicalText(decode(sample)), canonicalText(sample))
    })

    test(`${name} keeps fields that we do not know, wherever they are`, () => {
      const everywhere = withFieldsEverywhere(
        sample,
        JSON.parse('{"x-new":{"deep":[{"0":"zero","b":null}]},"__proto__":{"p":1}}'),
        [],
      )
      assert.equal(canonicalText(decode(everywhere)), canonicalText(everywhere))
      assert.ok(canonicalText(everywhere).split('x-new').length > 2)
    })

    test(`${name} throws nothing but a TufError, whatever becomes of one of its fields`, () => {
      const paths = pathsIn(sample)
      const value = fc.oneof(
        fc.jsonValue(),
        fc.constantFrom<Json>(0, -1, 1, 1.5, 2 ** 53, '', 'root', [], {}, null, [null], { a: 1 }),
      )
      fc.assert(
        fc.property(fc.constantFrom(...paths), fc.option(value, { nil: undefined }), (path, value) => {
          const json = changed(sample, path, value as Json | undefined)
          try {
            assert.equal(canonicalText(decodeMetadata(sample._type as TopLevelRole, json)), canonicalText(json))
          } catch (error) {
            assert.ok(['invalid-metadata', 'not-canonical'].includes((error as { code: string }).code), String(error))
          }
        }),
        { numRuns: 300 },
      )
    })
  }

  test('is held in Maps where others choose the names', () => {
    const json = parseJson(
      Buffer.from(JSON.stringify(targets).replaceAll('"a/b"', '"__proto__"').replaceAll('"c"', '"constructor"')),
    )
    const decoded = decodeMetadata('targets', json)
    assert.deepEqual([...decoded.targets.keys()], ['__proto__', 'constructor'])
    assert.equal(decoded.targets.get('__proto__')?.length, 0)
    assert.equal(decoded.targets.get('toString'), undefined)
    assert.equal(canonicalText(decoded), canonicalText(json))
    const files = decodeMetadata(
      'snapshot',
      parseJson(Buffer.from(JSON.stringify(snapshot).replace('"a.json"', '"__proto__"'))),
    )
    assert.equal(files.meta.get('__proto__')?.version, 2)
    const keys = decodeMetadata(
      'root',
      parseJson(Buffer.from(JSON.stringify(root).replace('"keys":{"a"', '"keys":{"__proto__"'))),
    )
    assert.equal(keys.keys.get('__proto__')?.keytype, 'ed25519')
  })

  test('is not taken for another kind', () => {
    for (const type of topLevelRoles) {
      for (const sample of Object.values(samples)) {
        if (sample._type === type) continue
        refuses('invalid-metadata', () => decodeMetadata(type, sample), '_type')
      }
    }
    refuses('invalid-metadata', () => decodeMetadata('root', changed(root, '_type', undefined)))
    for (const json of [null, 1, 'root', [root], true])
      refuses('invalid-metadata', () => decodeMetadata('root', json), 'root has to be an object')
  })

  const everyone = Object.values(samples)
  const refused: readonly (readonly [string, string, readonly JsonObject[], readonly (Json | undefined)[]])[] = [
    ['a version', 'version', everyone, [0, -1, 1.5, 2 ** 53, '1', null, undefined, true, [1]]],
    [
      'a spec_version',
      'spec_version',
      everyone,
      ['2.0.0', '2', '1', '10.0', '0.9', '1.x', '1.0.0.0', '1.', ' 1.0', '1.0\n', '', 1, null, undefined],
    ],
    [
      'an expiry',
      'expires',
      everyone,
      ['2030-01-01T00:00:00.000+00:00', '2030-01-01T00:00:00+00:00', '', 0, null, undefined],
    ],
    ['consistent_snapshot', 'consistent_snapshot', [root], [null, 'true', 1, undefined]],
    ['keys', 'keys', [root], [undefined, null, [], 'a']],
    ['a key', 'keys a', [root], [null, 'ab', []]],
    ['a key type', 'keys a keytype', [root], [undefined, 1, null]],
    ['a scheme', 'keys a scheme', [root], [undefined, 1, null]],
    ['a keyval', 'keys a keyval', [root], [undefined, 'ab', null, []]],
    ['a public key', 'keys a keyval public', [root], [undefined, 1, null]],
    ['roles', 'roles', [root], [undefined, null, []]],
    ...topLevelRoles.map((role): (typeof refused)[number] => [
      `the role ${role}`,
      `roles ${role}`,
      [root],
      [undefined, null, []],
    ]),
    ['a threshold', 'roles targets threshold', [root], [0, -1, 1.5, 2 ** 53, '1', undefined, null]],
    ['keyids', 'roles root keyids', [root], [undefined, 'a', {}, [1], ['a', 'a'], ['a', 'b', 'a']]],
    ['the snapshot', 'meta snapshot.json', [timestamp], [undefined, null]],
    ['the targets', 'meta targets.json', [snapshot], [undefined, null]],
    ["a file's version", 'meta a.json version', [snapshot], [0, 1.5, 2 ** 53, '1', undefined]],
    ["a file's length", 'meta a.json length', [snapshot], [-1, 0.5, '0', null]],
    [
      "a file's hashes",
      'meta snapshot.json hashes',
      [timestamp],
      [{}, [], null, { sha256: 1 }, { sha256: 'aa', sha512: null }],
    ],
    ['targets', 'targets', [targets], [undefined, null, []]],
    ["a target's length", 'targets c length', [targets], [undefined, -1, 0.5, 2 ** 53, '0', null]],
    ["a target's hashes", 'targets c hashes', [targets], [undefined, {}, { sha256: 1 }, []]],
    ["a target's custom", 'targets c custom', [targets], [null, 1, 'x', []]],
    ['delegations', 'delegations', [targets, binned], [null, [], 1]],
    ['keys of delegations', 'delegations keys', [targets, binned], [undefined, []]],
    ['delegations both ways', 'delegations succinct_roles', [targets], [succinct, null]],
    ['delegations neither way', 'delegations roles', [targets], [undefined, null, {}]],
    ['succinct roles', 'delegations succinct_roles', [binned], [undefined, null, []]],
    ['a bit length', 'delegations succinct_roles bit_length', [binned], [0, 33, -1, 1.5, '8', undefined]],
    ['a name prefix', 'delegations succinct_roles name_prefix', [binned], [undefined, 1, null]],
    ["the bins' threshold", 'delegations succinct_roles threshold', [binned], [0, undefined]],
    ["the bins' keyids", 'delegations succinct_roles keyids', [binned], [['a', 'a'], undefined]],
    [
      "a delegated role's name",
      'delegations roles 0 name',
      [targets],
      [undefined, 1, '', 'root', 'targets', 'snapshot', 'timestamp', 'b'],
    ],
    ['terminating', 'delegations roles 0 terminating', [targets], [undefined, 'true', null, 1]],
    ['paths', 'delegations roles 0 paths', [targets], [undefined, 'a', [1], null, {}]],
    ['paths beside prefixes', 'delegations roles 1 paths', [targets], [[], ['a']]],
    ['prefixes', 'delegations roles 1 path_hash_prefixes', [targets], [undefined, '0', [0]]],
    ["a delegated role's threshold", 'delegations roles 1 threshold', [targets], [0, 0.5, undefined]],
    ["a delegated role's keyids", 'delegations roles 1 keyids', [targets], [['a', 'a'], [null], undefined]],
  ]
  for (const [what, path, examples, values] of refused) {
    test(`is refused for ${what} that cannot be`, () => {
      for (const sample of examples) {
        for (const value of values) refuses('invalid-metadata', () => decode(changed(sample, path, value)))
      }
    })
  }

  const accepted: readonly (readonly [string, string, JsonObject, readonly Json[]])[] = [
    ['versions', 'version', root, [1, 2, 2 ** 53 - 1]],
    [
      'a key of a kind that we do not know, with anything for a value',
      'keys a',
      root,
      [
        strange,
        { keytype: 'rsa', scheme: 'pgp+rsa-pkcsv1.5', keyval: { public: { e: '010001', n: 'ab' }, private: '' } },
        { keytype: 'constructor', scheme: 'constructor', keyval: {} },
      ],
    ],
    ['fractions of a second', 'expires', root, ['2030-01-01T00:00:00.5Z', '2030-01-01T00:00:00.123456789Z']],
    ['spec_versions', 'spec_version', root, ['1.0', '1.0.0', '1.0.31', '1.1', '1.20.300']],
    ['consistent_snapshot', 'consistent_snapshot', root, [true, false]],
    ['a threshold beyond the keys, for delegations wait for theirs', 'delegations roles 0 threshold', targets, [2]],
    ['no keys', 'roles root keyids', root, [[]]],
    ['no delegated roles', 'delegations roles', targets, [[]]],
    ['no targets', 'targets', targets, [{}]],
    ['bits', 'delegations succinct_roles bit_length', binned, [1, 32]],
  ]
  for (const [what, path, sample, values] of accepted) {
    test(`may have ${what}`, () => {
      for (const value of values) {
        const json = changed(sample, path, value)
        assert.equal(canonicalText(decode(json)), canonicalText(json))
      }
    })
  }

  test('may have its whole numbers written with an exponent: what counts is the canonical form', () => {
    const read = decodeMetadata(
      'root',
      parseJson(Buffer.from(JSON.stringify(root).replace('"version":1', '"version":1e3'))),
    )
    assert.equal(read.version, 1000)
    assert.match(canonicalText(read), /"version":1000/)
  })

  test('is refused with the place and what was found there', () => {
    const says = (sample: JsonObject, path: string, value: Json | undefined, ...words: string[]) =>
      refuses('invalid-metadata', () => decode(changed(sample, path, value)), ...words)
    says(snapshot, 'meta targets.json version', 'x', 'snapshot.meta["targets.json"].version', 'it is "x"')
    says(root, 'roles root keyids', ['a', 1], 'root.roles.root.keyids[1] has to be a string; it is 1')
    says(root, 'keys a keyval public', undefined, 'root.keys.a.keyval.public', 'missing')
    says(targets, 'delegations roles 1 threshold', 0, 'targets.delegations.roles[1].threshold', 'it is 0')
    says(targets, 'targets a/b hashes', { sha256: 1 }, 'targets.targets["a/b"].hashes.sha256')
    says(root, 'keys', 'x'.repeat(100_000), 'root.keys')
    says(targets, 'delegations', {}, 'targets.delegations needs either')
  })
})

/** `json` with these fields in every object but those whose members others name. */
function withFieldsEverywhere(json: Json, fields: JsonObject, path: readonly string[]): JsonObject {
  const named = ['keys', 'meta', 'targets', 'hashes'].includes(path.at(-1) ?? '')
  const entries = Object.entries(json as JsonObject).map(([key, member]): [string, Json] => {
    if (Array.isArray(member)) {
      const elements: Json[] = member
      return [
        key,
        elements.map((element) =>
          typeof element === 'object' && element !== null ? withFieldsEverywhere(element, fields, []) : element,
        ),
      ]
    }
    return [
      key,
      typeof member === 'object' && member !== null ? withFieldsEverywhere(member, fields, [...path, key]) : member,
    ]
  })
  return Object.fromEntries([...entries, ...(named ? [] : Object.entries(fields))])
}

function pathsIn(json: Json, path: readonly string[] = []): string[] {
  const here = path.length === 0 ? [] : [path.join(' ')]
  if (typeof json !== 'object' || json === null) return here
  return [...here, ...Object.entries(json).flatMap(([key, member]) => pathsIn(member as Json, [...path, key]))]
}
