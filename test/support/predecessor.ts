import { hash } from 'node:crypto'
import { formatExpires } from '../../shared/tuf/expiry.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { type Key, keyid } from '../../shared/tuf/keys.ts'
import { type Root, specVersion } from '../../shared/tuf/metadata.ts'
import { lengthAndHashes, type Signed } from '../../shared/tuf/signed.ts'
import { inAYear, makeKey, makeRoot, signRole, type TestKey } from './keys.ts'

/** A TUF repository as another tool leaves it, in its last state. */
export interface OldRepository {
  /** Every file, by its name. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** The texts of its roots, oldest first. */
  readonly roots: readonly string[]
  /** Those of its last root, both of whom have to sign. */
  readonly holders: readonly [TestKey, TestKey]
  /** Of timestamp and snapshot. */
  readonly online: TestKey
  /** Its holders have changed with each root; these left. */
  readonly former: readonly [TestKey, TestKey]
  readonly highestVersion: number
}

export interface OldShape {
  readonly odd?: boolean
  readonly fractions?: boolean
}

/**
 * Three roots, timestamp 57, snapshot 41, targets 12, and a delegated role of version 30 (a target in each), in JSON with line breaks.
 * `fractions`: of a second, wherever it says when it expires. `odd`: with them, with the keyids of an early python-tuf, without consistent
 * snapshots, and with a key in between that we could not read.
 */
export function oldRepository({ odd = false, fractions = odd }: OldShape = {}): OldRepository {
  const named = (key: TestKey) => (odd ? withEarlyKeyid(key) : key)
  const [first, second, third, fourth] = [
    named(makeKey()),
    named(makeKey('ecdsa')),
    named(makeKey('rsa')),
    named(makeKey()),
  ] as const
  const online = makeKey()
  const unreadable = { ...makeKey(), ...keyOfSigstore }
  const expires = formatExpires(inAYear()).replace('Z', fractions ? '.123456789Z' : 'Z')
  const rootOf = (version: number, root: readonly TestKey[]) => ({
    ...makeRoot({ version, root, threshold: 2, online: [online] }),
    expires,
    consistent_snapshot: !odd,
  })
  const roots = [
    signRole(rootOf(1, [first, second]), [first, second]),
    signRole(rootOf(2, odd ? [second, third, unreadable] : [second, third]), [first, second, third]),
    signRole(rootOf(3, [third, fourth]), [second, third, fourth]),
  ].map(indented)
  const common = { spec_version: specVersion, expires }
  const legacy = { name: 'legacy', keyids: [online.keyid], threshold: 1, terminating: false, paths: ['legacy/*'] }
  const targets = {
    ...({ _type: 'targets', ...common, version: 12, targets: targetsOf('old.txt') } as const),
    delegations: { keys: new Map([[online.keyid, online.key]]), roles: [legacy] },
  }
  const delegated = { _type: 'targets', ...common, version: 30, targets: targetsOf('legacy/old.txt') } as const
  const meta = new Map([
    ['targets.json', { version: 12 }],
    ['legacy.json', { version: 30 }],
  ])
  const snapshot = indented(signRole({ _type: 'snapshot', ...common, version: 41, meta }, [online]))
  const ofSnapshot = new Map([['snapshot.json', { version: 41, ...lengthAndHashes(snapshot) }]])
  const timestamp = signRole({ _type: 'timestamp', ...common, version: 57, meta: ofSnapshot }, [online])
  return {
    files: new Map([
      ...roots.map((bytes, at) => [`${at + 1}.root.json`, bytes] as const),
      ['timestamp.json', indented(timestamp)],
      [odd ? 'snapshot.json' : '41.snapshot.json', snapshot],
      [odd ? 'targets.json' : '12.targets.json', indented(signRole(targets, [online]))],
      [odd ? 'legacy.json' : '30.legacy.json', indented(signRole(delegated, [online]))],
    ]),
    roots: roots.map((bytes) => bytes.toString()),
    holders: [third, fourth],
    online,
    former: [first, second],
    highestVersion: 57,
  }
}

const sigstore: Key = { keytype: 'sigstore-oidc', scheme: 'Fulcio', keyval: { identity: 'a@example.com', issuer: 'b' } }

/** A person's, as tuf-on-ci names it: with no public part. */
export const keyOfSigstore = { key: sigstore, keyid: keyid(sigstore) }

function withEarlyKeyid(made: TestKey): TestKey {
  return { ...made, keyid: keyid({ ...made.key, keyid_hash_algorithms: ['sha256', 'sha512'] }) }
}

const targetsOf = (path: string) => new Map([[path, { length: 3, hashes: { sha256: hash('sha256', 'old') } }]])
const indented = ({ bytes }: Signed) => Buffer.from(`${JSON.stringify(parseJson(bytes), undefined, 1)}\n`)

/** The root that follows its last one, of these holders, naming these online keys. */
export function rootAfter(
  { holders }: OldRepository,
  online: readonly Pick<TestKey, 'key' | 'keyid'>[],
  { version = 4, root = holders as readonly TestKey[] } = {},
): Root {
  return makeRoot({ version, root, threshold: 2, online })
}
