import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { binDelegations, binNames, binOf, delegateBins, hashBins } from '../../shared/tuf/bins.ts'
import { canonicalText } from '../../shared/tuf/canonical.ts'
import { keysOfDelegated } from '../../shared/tuf/delegation.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { type Metadata, specVersion, type Targets } from '../../shared/tuf/metadata.ts'
import { type TopLevelRole, topLevelRoles } from '../../shared/tuf/names.ts'
import { matchesPattern } from '../../shared/tuf/patterns.ts'
import { checkRoot, verifyFirstRoot, verifySuccession } from '../../shared/tuf/root.ts'
import { decodeSigned, lengthAndHashes, type Signed, signedFromJson } from '../../shared/tuf/signed.ts'
import { verifyThreshold } from '../../shared/tuf/threshold.ts'
import { makeKey, makeRoot, signRole } from '../support/keys.ts'
import { refuses } from '../support/tuf-errors.ts'

const fixtures = new URL('../fixtures/python-tuf/', import.meta.url)
const fixture = (name: string) => readFileSync(new URL(name, fixtures))
const answers = <Answer>(name: string): Answer[] => JSON.parse(fixture(name).toString())

/** Written by fixtures/python-tuf/generate.py. */
describe('python-tuf wrote', () => {
  for (const { json, canonical } of answers<{ json: string; canonical: string }>('canonical.json')) {
    test(`as canonical JSON: ${json.slice(0, 40)}`, () => {
      assert.equal(canonicalText(parseJson(Buffer.from(json))), canonical)
    })
  }

  interface Bins {
    readonly number: number
    readonly first: string
    readonly last: string
    readonly sha256OfNames: string
    readonly bins: Readonly<Record<string, string>>
  }
  for (const { number, first, last, sha256OfNames, bins } of answers<Bins>('bins.json')) {
    test(`the names of ${number} bins, and the bin of each path`, () => {
      const ours = hashBins('succinct_roles', number)
      const names = binNames(ours)
      assert.deepEqual([names.length, names[0], names.at(-1)], [number, first, last])
      assert.equal(createHash('sha256').update(names.join('\n')).digest('hex'), sha256OfNames)
      for (const [path, bin] of Object.entries(bins)) assert.equal(binOf(ours, path), bin, path)
    })
  }

  for (const { pattern, paths, of } of answers<{ pattern: string; paths: string[]; of: string[] }>('patterns.json')) {
    test(`which paths match ${pattern}`, () => {
      assert.deepEqual(
        of.filter((path) => matchesPattern(path, pattern)),
        paths,
      )
    })
  }

  /** Of `2.root` and `targets.succinct` alike; a delegated role is one of targets. */
  const typeOf = (name: string): TopLevelRole =>
    topLevelRoles.find((type) => new RegExp(`^(\\d+\\.)?${type}\\b`).test(name)) ?? 'targets'
  const read = <Type extends TopLevelRole>(type: Type, name: string) => decodeSigned(type, fixture(`${name}.json`))

  const roles = readdirSync(fixtures)
    .filter((name) => name.endsWith('.canonical'))
    .map((name) => name.replace('.canonical', ''))
  test('a dozen roles', () => assert.ok(roles.length >= 10))
  for (const name of roles) {
    test(`${name}.json, and we the same again`, () => {
      const file = fixture(`${name}.json`)
      const { signedBytes, signed } = decodeSigned(typeOf(name), file)
      assert.equal(Buffer.from(signedBytes).toString(), fixture(`${name}.canonical`).toString())
      assert.equal(canonicalText(signed), fixture(`${name}.canonical`).toString())
      const { bytes } = signedFromJson(typeOf(name), parseJson(file))
      const compact = name.endsWith('.indented') ? JSON.stringify(JSON.parse(file.toString())) : file.toString()
      assert.equal(Buffer.from(bytes).toString(), compact)
    })
  }

  test('roots of which one may follow the other', () => {
    const first = read('root', '1.root')
    verifyFirstRoot(first)
    verifySuccession(first.signed, read('root', '2.root'))
    checkRoot(read('root', '2.root.by-new-key-only').signed)
    refuses(
      'threshold',
      () => verifySuccession(first.signed, read('root', '2.root.by-new-key-only')),
      'by the keys of version 1',
    )
  })

  test('roles that root and targets trust', () => {
    const { signed: root } = read('root', '1.root')
    const targets = read('targets', 'targets')
    for (const type of ['targets', 'snapshot', 'timestamp'] as const)
      verifyThreshold(type, root.roles[type], root.keys, read(type, type))
    refuses('threshold', () =>
      verifyThreshold('It', root.roles.timestamp, root.keys, read('timestamp', 'timestamp.unsigned')),
    )
    const { delegations } = targets.signed
    const keys = delegations && keysOfDelegated('by-path', delegations)
    assert.ok(keys)
    verifyThreshold('by-path', keys, delegations.keys, read('targets', 'by-path'))
    refuses('threshold', () => verifyThreshold('by-path', keys, delegations.keys, targets))
  })
})

/** Where `npm run test:interop` has installed it. */
const python = fileURLToPath(new URL('../../.cache/interop/venv/bin/python', import.meta.url))

describe('python-tuf itself', {
  skip: existsSync(python) ? false : 'run test/interop/install.sh to have it asked',
}, () => {
  interface Answers {
    canonical: string[]
    matches: boolean[]
    binOf: string[]
    read: { canonical: string; file: string }[]
    isVerified: boolean[]
  }
  const ask = <Kind extends keyof Answers>(kind: Kind, questions: readonly unknown[]): Answers[Kind] => {
    const script = fileURLToPath(new URL('python-tuf-oracle.py', import.meta.url))
    const answers: Answers = JSON.parse(
      execFileSync(python, [script], { input: JSON.stringify({ [kind]: questions }), maxBuffer: 2 ** 28 }).toString(),
    )
    return answers[kind]
  }

  test('writes the same canonical JSON', () => {
    const text = fc.string({
      unit: fc.oneof(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        fc.constantFrom('\ue000', '\uffee', '"', '\\', '\n', 'a', '\u{1f600}'),
      ),
    })
    const value = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        text,
        fc.maxSafeInteger(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value')),
        fc.dictionary(text, tie('value')),
      ),
    })).value
    const questions = fc.sample(value, 1000).map((value) => JSON.stringify(value))
    const ours = questions.map((question) => canonicalText(parseJson(Buffer.from(question))))
    assert.deepEqual(ask('canonical', questions), ours)
  })

  test('matches the same paths', () => {
    // Paths in which some characters have become wildcards, and each with another's pattern.
    const character = fc.constantFrom('a', 'b', '/', '.', '-', '😀')
    const pair = fc.array(fc.tuple(character, fc.constantFrom('', '', '?', '*')), { maxLength: 8 })
    const samples = fc.sample(pair, 3000).map((pairs) => ({
      path: pairs.map(([character]) => character).join(''),
      pattern: pairs.map(([character, wildcard]) => wildcard || character).join(''),
    }))
    const shifted = samples.map(({ path }, at) => ({ path, pattern: samples.at(at - 1)?.pattern ?? '' }))
    const questions = [...samples, ...shifted]
    const ours = questions.map(({ path, pattern }) => matchesPattern(path, pattern))
    assert.ok(ours.filter((matched) => matched).length > 1000)
    assert.deepEqual(ask('matches', questions), ours)
  })

  test('puts paths in the same bins', () => {
    const question = fc.record({ path: fc.string({ unit: 'binary' }), bitLength: fc.integer({ min: 1, max: 14 }) })
    const questions = fc.sample(question, 1000)
    const ours = questions.map(({ path, bitLength }) => binOf(hashBins('succinct_roles', 2 ** bitLength), path))
    assert.deepEqual(ask('binOf', questions), ours)
  })

  test('reads what we write, writes the same, and verifies it', () => {
    const rootKeys = [makeKey('ed25519'), makeKey('ecdsa'), makeKey('rsa')]
    const online = makeKey('ecdsa')
    const common = { spec_version: specVersion, version: 1, expires: '2035-01-01T00:00:00Z' }
    const root = signRole(makeRoot({ root: rootKeys, threshold: 3, online: [online] }), rootKeys)
    const halfSigned = signRole(root.signed, rootKeys.slice(1))
    const bin: Signed<Targets> = signRole(
      {
        _type: 'targets',
        ...common,
        targets: new Map([['a/b', { length: 0, hashes: { sha256: '00' }, custom: { note: '"\\\n\t' } }]]),
      },
      [online],
    )
    const delegators = binDelegations.map((flavour) => {
      const keys = new Map([[online.keyid, online.key]])
      const delegations = { keys, ...delegateBins(hashBins(flavour, 32), { keyids: [online.keyid], threshold: 1 }) }
      return signRole<Targets>({ _type: 'targets', ...common, targets: new Map(), delegations }, [online])
    })
    const snapshot = signRole<Metadata>(
      { _type: 'snapshot', ...common, meta: new Map([['targets.json', { version: 1 }]]) },
      [online],
    )
    const meta = new Map([['snapshot.json', { version: 1, ...lengthAndHashes(snapshot.bytes) }]])
    const timestamp = signRole<Metadata>({ _type: 'timestamp', ...common, meta }, [online])

    const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString()
    const files: Signed[] = [root, bin, ...delegators, snapshot, timestamp]
    assert.deepEqual(
      ask(
        'read',
        files.map(({ bytes }) => textOf(bytes)),
      ),
      files.map(({ signedBytes, bytes }) => ({ canonical: textOf(signedBytes), file: textOf(bytes) })),
    )

    const question = (delegator: Signed, role: string, { bytes }: Signed) => ({
      delegator: textOf(delegator.bytes),
      role,
      file: textOf(bytes),
    })
    const trusted = [
      question(root, 'root', root),
      ...delegators.map((delegator) => question(root, 'targets', delegator)),
      ...delegators.map((delegator) => question(delegator, 'bins-1f', bin)),
      question(root, 'snapshot', snapshot),
      question(root, 'timestamp', timestamp),
    ]
    const untrusted = [question(root, 'root', halfSigned), question(root, 'root', snapshot)]
    assert.deepEqual(ask('isVerified', [...trusted, ...untrusted]), [
      ...trusted.map(() => true),
      ...untrusted.map(() => false),
    ])
  })
})
