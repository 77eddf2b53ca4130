import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { Targets as TufJsTargets } from '@tufjs/models'
import fc from 'fast-check'
import {
  binDelegations,
  binNames,
  binOf,
  delegateBins,
  type HashBins,
  hashBins,
  isBinName,
} from '../../shared/tuf/bins.ts'
import { delegatedNames, keysOfDelegated, rolesTrustedWith } from '../../shared/tuf/delegation.ts'
import type { Delegations } from '../../shared/tuf/metadata.ts'
import { refuses } from '../support/tuf-errors.ts'

const numbers = Array.from({ length: 14 }, (_, index) => 2 ** (index + 1))
const signers = { keyids: ['a'], threshold: 1 }
const path = fc.oneof(fc.string(), fc.webPath(), fc.string({ unit: 'binary' }))

const delegationsTo = (bins: HashBins): Delegations => ({ keys: new Map(), ...delegateBins(bins, signers) })

/** Both flavours of every number, made once: 16,384 roles take their time. */
const flavours = new Map(
  numbers.map((number) => [
    number,
    binDelegations.map((flavour) => {
      const bins = hashBins(flavour, number)
      return { bins, delegations: delegationsTo(bins) }
    }),
  ]),
)

/** The first bits of the hash, read from the hash as a text of bits. */
function binByBits(path: string, number: number): number {
  const hash = createHash('sha256').update(path, 'utf8').digest()
  const bits = [...hash.subarray(0, 4)].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return Number.parseInt(bits.slice(0, Math.log2(number)), 2)
}

describe('hash bins', () => {
  test('come in powers of two from 2 to 16,384', () => {
    for (const number of numbers) assert.equal(hashBins('succinct_roles', number).number, number)
    for (const number of [
      0,
      1,
      3,
      6,
      100,
      16_383,
      32_768,
      2 ** 31,
      2 ** 32,
      -2,
      0.5,
      2.5,
      4 + 2 ** -50,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ]) {
      refuses('invalid-metadata', () => hashBins('succinct_roles', number), 'power of two', String(number))
    }
  })

  test('have names that roles can have', () => {
    assert.equal(hashBins('succinct_roles', 2).namePrefix, 'bins')
    for (const prefix of ['', '1', 'a/b', '../x', 'é', 'x'.repeat(200)]) {
      refuses('invalid-role-name', () => hashBins('succinct_roles', 2, prefix))
    }
  })

  for (const [number, first, last] of [
    [2, 'bins-0', 'bins-1'],
    [16, 'bins-0', 'bins-f'],
    [32, 'bins-00', 'bins-1f'],
    [256, 'bins-00', 'bins-ff'],
    [512, 'bins-000', 'bins-1ff'],
    [4096, 'bins-000', 'bins-fff'],
    [8192, 'bins-0000', 'bins-1fff'],
    [16_384, 'bins-0000', 'bins-3fff'],
  ] as const) {
    test(`${number} of them are called ${first} to ${last}`, () => {
      const names = binNames(hashBins('succinct_roles', number))
      assert.equal(names.length, number)
      assert.equal(new Set(names).size, number)
      assert.deepEqual([names[0], names.at(-1)], [first, last])
      assert.deepEqual(names, names.toSorted(), 'in the order of their numbers, which is that of their names')
    })
  }

  test('hold a path each by the first bits of its hash', () => {
    fc.assert(
      fc.property(path, fc.constantFrom(...numbers), (path, number) => {
        const bins = hashBins('succinct_roles', number, 'x')
        assert.equal(binOf(bins, path), binNames(bins)[binByBits(path, number)])
      }),
    )
  })

  test('are spread evenly', () => {
    const bins = hashBins('succinct_roles', 16)
    const counts = new Map<string, number>()
    for (let n = 0; n < 16_000; n++)
      counts.set(binOf(bins, `file-${n}`), (counts.get(binOf(bins, `file-${n}`)) ?? 0) + 1)
    assert.equal(counts.size, 16)
    assert.ok([...counts.values()].every((count) => count > 800 && count < 1200))
  })

  test('know their names from others', () => {
    for (const number of numbers)
      for (const name of binNames(hashBins('succinct_roles', number)).slice(-2)) assert.ok(isBinName('bins', name))
    for (const name of [
      'bins',
      'bins-',
      'bins-00000',
      'bins-0A',
      'bins-g',
      'team-cafe',
      'bins0',
      'my-bins-0',
      'bins-0x',
    ])
      assert.equal(isBinName('bins', name), false, name)
  })
})

describe('the delegations to hash bins', () => {
  test('trust exactly one bin with a path, the same in both flavours', () => {
    fc.assert(
      fc.property(path, fc.constantFrom(...numbers), (path, number) => {
        for (const { bins, delegations } of flavours.get(number) ?? []) {
          const trusted = rolesTrustedWith(path, delegations)
          assert.deepEqual(
            trusted.map((role) => role.name),
            [binOf(bins, path)],
            bins.delegation,
          )
          assert.deepEqual(
            trusted.map((role) => role.keyids),
            [['a']],
          )
        }
      }),
    )
  })

  test('name every bin in order, and the keys of each', () => {
    for (const { bins, delegations } of [...flavours.values()].flat()) {
      assert.deepEqual(delegatedNames(delegations), binNames(bins))
      for (const name of [binNames(bins)[0], binNames(bins).at(-1)]) {
        assert.deepEqual(keysOfDelegated(name ?? '', delegations)?.keyids, ['a'])
      }
      for (const name of [
        'bins',
        'bins-',
        'bins-g',
        'bins--1',
        'bins-0x0',
        'xins-0',
        'bin-0',
        'bins-00000',
        `bins-${bins.number.toString(16)}`,
        'targets',
      ]) {
        assert.equal(keysOfDelegated(name, delegations), undefined, `${name} of ${bins.number}`)
      }
    }
  })

  test('share out every prefix of a hash, each once and of the same length', () => {
    for (const [number, both] of flavours) {
      const roles = both.flatMap(({ delegations }) => delegations.roles ?? [])
      const prefixes = roles.flatMap((role) => role.path_hash_prefixes ?? [])
      const digits = (number - 1).toString(16).length
      assert.equal(new Set(prefixes).size, 16 ** digits)
      assert.deepEqual(prefixes, prefixes.toSorted())
      assert.ok(prefixes.every((prefix) => /^[0-9a-f]+$/.test(prefix) && prefix.length === digits))
      assert.equal(new Set(roles.map((role) => role.path_hash_prefixes?.length)).size, 1)
    }
  })

  test('have the fields of the specification, no more: some clients compute anew what they know of', () => {
    const classic = delegateBins(hashBins('path_hash_prefixes', 2), signers)
    assert.deepEqual(classic, {
      roles: [
        { name: 'bins-0', keyids: ['a'], threshold: 1, terminating: false, path_hash_prefixes: [...'01234567'] },
        { name: 'bins-1', keyids: ['a'], threshold: 1, terminating: false, path_hash_prefixes: [...'89abcdef'] },
      ],
    })
    assert.deepEqual(delegateBins(hashBins('succinct_roles', 16_384, 'b'), { ...signers, note: 'ours' }), {
      succinct_roles: { keyids: ['a'], threshold: 1, bit_length: 14, name_prefix: 'b' },
    })
  })

  test('lead tuf-js to the same bin', () => {
    const common = {
      _type: 'targets',
      spec_version: '1.0.31',
      version: 1,
      expires: '2030-01-01T00:00:00Z',
      targets: {},
    }
    const tufJs = [2, 32, 256].flatMap((number) =>
      (flavours.get(number) ?? []).map(({ bins }) => ({
        bins,
        delegations: TufJsTargets.fromJSON({
          ...common,
          delegations: JSON.parse(JSON.stringify({ keys: {}, ...delegateBins(bins, signers) })),
        }).delegations,
      })),
    )
    fc.assert(
      fc.property(path, (path) => {
        for (const { bins, delegations } of tufJs) {
          assert.deepEqual(
            [...(delegations?.rolesForTarget(path) ?? [])].map(({ role }) => role),
            [binOf(bins, path)],
          )
        }
      }),
    )
    const succinct = tufJs.find(({ bins }) => bins.number === 256)?.delegations?.succinctRoles
    assert.deepEqual([...(succinct?.getRoles() ?? [])], binNames(hashBins('succinct_roles', 256)))
  })

  test("of somebody else's repository may have more bins, and names that ours have not", () => {
    const succinct_roles = { ...signers, bit_length: 32, name_prefix: 'a.b/c' }
    const delegations = { keys: new Map(), succinct_roles }
    const hash = createHash('sha256').update('some/path').digest('hex')
    assert.deepEqual(rolesTrustedWith('some/path', delegations), [
      { ...signers, name: `a.b/c-${hash.slice(0, 8)}`, terminating: true },
    ])
    assert.equal(keysOfDelegated('a.b/c-ffffffff', delegations), succinct_roles)
    refuses('invalid-metadata', () => delegatedNames(delegations))
  })
})
