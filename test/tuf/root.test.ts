import { describe, test } from 'node:test'
import { type Key, keyid } from '../../shared/tuf/keys.ts'
import type { RoleKeys, Root } from '../../shared/tuf/metadata.ts'
import { type TopLevelRole, topLevelRoles } from '../../shared/tuf/names.ts'
import { checkRoot, verifyFirstRoot, verifySuccession } from '../../shared/tuf/root.ts'
import { makeKey, makeRoot, signRole, signRoot } from '../support/keys.ts'
import { refuses } from '../support/tuf-errors.ts'

const [a, b, c, d] = [makeKey('ed25519'), makeKey('ecdsa'), makeKey('ed25519'), makeKey('ecdsa')]
const online = makeKey('ecdsa')
const base = { root: [a, b], online: [online] }

describe('checkRoot', () => {
  const root = makeRoot(base)
  const withRole = (role: TopLevelRole, keys: RoleKeys): Root => ({ ...root, roles: { ...root.roles, [role]: keys } })
  const withKey = (id: string, key: Key): Root => ({ ...root, keys: new Map([...root.keys, [id, key]]) })

  test('passes a root that clients can live with', () => {
    checkRoot(root)
    checkRoot(makeRoot({ root: [a, b, c], threshold: 3, online: [online, makeKey('rsa')] }))
    checkRoot(withKey(c.keyid, c.key))
  })

  test('refuses one without consistent snapshots', () => {
    refuses('invalid-metadata', () => checkRoot({ ...root, consistent_snapshot: false }), 'consistent_snapshot')
  })

  test('refuses an expiry that not all clients read', () => {
    const expires = '2030-01-01T00:00:00.5Z'
    refuses('invalid-metadata', () => checkRoot({ ...root, expires }), `root.expires`, expires)
  })

  for (const role of topLevelRoles) {
    test(`refuses a threshold of ${role} that cannot be met`, () => {
      const { keyids } = root.roles[role]
      checkRoot(withRole(role, { keyids, threshold: keyids.length }))
      refuses(
        'invalid-metadata',
        () => checkRoot(withRole(role, { keyids, threshold: keyids.length + 1 })),
        role,
        'threshold',
      )
      refuses('invalid-metadata', () => checkRoot(withRole(role, { keyids: [], threshold: 1 })), role)
    })

    test(`refuses a keyid of ${role} that is not among the keys`, () => {
      refuses(
        'invalid-metadata',
        () => checkRoot(withRole(role, { keyids: [a.keyid, c.keyid], threshold: 1 })),
        role,
        c.keyid,
      )
    })
  }

  test('refuses a key under a keyid that is not its own', () => {
    refuses('invalid-metadata', () => checkRoot(withKey('c', c.key)), 'keyid c', c.keyid)
    refuses('invalid-metadata', () => checkRoot(withKey(c.keyid.toUpperCase(), c.key)))
  })

  test('passes the keyid that rstuf and tuf-on-ci give a key before they add fields of their own', () => {
    for (const field of ['x-rstuf-key-name', 'x-tuf-on-ci-keyowner'])
      checkRoot(withKey(c.keyid, { ...c.key, [field]: 'carol' }))
    refuses('invalid-metadata', () => checkRoot(withKey(c.keyid, { ...c.key, note: 'carol' })), c.keyid)
    const twin = { ...a.key, 'x-rstuf-key-name': 'alice' }
    refuses('invalid-metadata', () => checkRoot(withKey(keyid(twin), twin)), 'one and the same key')
  })

  test('passes the keyid that python-tuf gave a key up to version 3', () => {
    const { key } = c
    const algorithms = { keyid_hash_algorithms: ['sha256', 'sha512'] }
    checkRoot(withKey(keyid({ ...key, ...algorithms }), key))
    checkRoot(withKey(keyid({ ...key, ...algorithms }), { ...key, 'x-rstuf-key-name': 'carol' }))
    checkRoot(withKey(keyid({ ...key, ...algorithms }), { ...key, ...algorithms }))
    refuses(
      'invalid-metadata',
      () => checkRoot(withKey(keyid({ ...key, keyid_hash_algorithms: ['sha256'] }), key)),
      c.keyid,
    )
  })

  test('refuses one key under two keyids, though each is its own', () => {
    const twin = { ...a.key, note: 'the same key' }
    refuses('invalid-metadata', () => checkRoot(withKey(keyid(twin), twin)), a.keyid, keyid(twin))
  })

  test('refuses a key that clients cannot use, even one that no role names', () => {
    for (const unusable of [
      { ...c.key, scheme: 'ed448' },
      {
        keytype: 'sigstore-oidc',
        scheme: 'Fulcio',
        keyval: { identity: 'c@example.com', issuer: 'https://example.com' },
      },
      { ...c.key, keyval: { public: 'AB' } },
    ]) {
      refuses('invalid-key', () => checkRoot(withKey(keyid(unusable), unusable)), keyid(unusable), 'Use a P-256')
    }
  })

  test('refuses a fifth role, for which python-tuf refuses the whole root', () => {
    const roles = { ...root.roles, mirrors: root.roles.targets }
    refuses('invalid-metadata', () => checkRoot({ ...root, roles }), 'mirrors')
  })
})

describe('the first root', () => {
  test('is signed as it asks itself', () => {
    verifyFirstRoot(signRoot({ ...base, threshold: 2 }))
    verifyFirstRoot(signRoot({ ...base, threshold: 1 }, [b]))
    refuses(
      'threshold',
      () => verifyFirstRoot(signRoot({ ...base, threshold: 2 }, [a])),
      'Root version 1',
      '1 good',
      'of the 2',
    )
    refuses('threshold', () => verifyFirstRoot(signRoot(base, [])), '0 good')
    refuses('threshold', () => verifyFirstRoot(signRoot(base, [online, c])), '0 good')
    refuses('threshold', () => verifyFirstRoot(signRoot({ ...base, threshold: 2 }, [a, a])), '1 good')
  })

  test('is signed over itself', () => {
    const signed = signRoot(base)
    const other = makeRoot({ ...base, online: [c] })
    const { signedBytes } = signRole(other, [])
    refuses('threshold', () => verifyFirstRoot({ ...signed, signed: other, signedBytes }))
  })

  test('has version 1', () => {
    refuses('version', () => verifyFirstRoot(signRoot({ ...base, version: 2 })), 'version 1, not 2')
  })

  test('may be one that clients cannot live with, where another follows it', () => {
    verifyFirstRoot(signRole({ ...makeRoot(base), consistent_snapshot: false }, [a, b]))
  })
})

describe('the next root', () => {
  const current = makeRoot({ ...base, version: 7, threshold: 2 })
  const next = (signers: readonly (typeof a)[], options: Partial<Parameters<typeof makeRoot>[0]> = {}) =>
    signRoot({ ...base, version: 8, threshold: 2, ...options }, signers)

  test('is signed by the same keys', () => {
    verifySuccession(current, next([a, b]))
  })

  test('is signed as both ask where keys change', () => {
    const rotated = { root: [b, c], threshold: 2 }
    verifySuccession(current, next([a, b, c], rotated))
    refuses(
      'threshold',
      () => verifySuccession(current, next([b, c], rotated)),
      'by the keys of version 7',
      '1 good',
      'of the 2',
    )
    refuses(
      'threshold',
      () => verifySuccession(current, next([a, b], rotated)),
      'by its own keys',
      '1 good',
      'of the 2',
    )
    const replaced = { root: [c, d], threshold: 1 }
    verifySuccession(current, next([a, b, d], replaced))
    refuses('threshold', () => verifySuccession(current, next([c, d], replaced)), 'by the keys of version 7', '0 good')
    refuses('threshold', () => verifySuccession(current, next([a, b], replaced)), 'by its own keys', '0 good')
  })

  test('is signed as both ask where the threshold changes', () => {
    const lower = { threshold: 1 }
    refuses('threshold', () => verifySuccession(current, next([a], lower)), 'by the keys of version 7')
    verifySuccession(current, next([a, b], lower))
    const higher = { root: [a, b, c], threshold: 3 }
    refuses('threshold', () => verifySuccession(current, next([a, b], higher)), 'by its own keys', '2 good', 'of the 3')
    verifySuccession(current, next([a, b, c], higher))
  })

  test('is not helped by the keys of other roles', () => {
    refuses('threshold', () => verifySuccession(current, next([a, online])), '1 good')
  })

  test('has the next version', () => {
    for (const version of [1, 6, 7, 9, 15]) {
      refuses('version', () => verifySuccession(current, next([a, b], { version })), 'comes 8', `not ${version}`)
    }
  })

  test('may be one that clients cannot live with, and so may the one before it', () => {
    const keys = new Map([...current.keys, ['c', { ...c.key, scheme: 'ed448' }] as const])
    const odd = { ...current, consistent_snapshot: false, keys }
    verifySuccession(odd, signRole({ ...odd, version: 8 }, [a, b]))
    verifySuccession(odd, next([a, b]))
  })

  test('is not helped by keys of a kind that we do not know, whatever they sign with, and needs none of them', () => {
    const strange: readonly Key[] = [
      {
        keytype: 'sigstore-oidc',
        scheme: 'Fulcio',
        keyval: { identity: 'c@example.com', issuer: 'https://example.com' },
      },
      { keytype: 'rsa', scheme: 'pgp+rsa-pkcsv1.5', keyval: { private: '', public: { e: '010001', n: 'ab' } } },
      { ...d.key, scheme: 'hsm' },
      { ...a.key, scheme: 'hsm' },
      { ...a.key, keytype: 'hsm' },
    ]
    const named = new Map([...current.keys, ...strange.map((key) => [keyid(key), key] as const)])
    const root = (threshold: number): Root => {
      const roles = { ...current.roles, root: { keyids: [a.keyid, b.keyid, ...strange.map(keyid)], threshold } }
      return { ...current, version: 8, keys: named, roles }
    }
    const signers = [a, b, ...strange.map((key, at) => ({ ...(at === 2 ? d : a), key, keyid: keyid(key) }))]
    verifySuccession({ ...root(2), version: 7 }, signRole(root(2), signers))
    refuses('threshold', () => verifySuccession(current, signRole(root(3), signers)), 'by its own keys', '2 good')
  })

  test('is not helped by a key that nobody can read, and says so', () => {
    const inHex = { ...d.key, keyval: { public: '04ab' } }
    const root = { keyids: [a.keyid, d.keyid], threshold: 2 }
    const keys = new Map([...current.keys, [d.keyid, inHex]])
    const why = [`Signatures of its key ${d.keyid} count for nothing.`, 'not a PEM']
    const before = { ...current, keys, roles: { ...current.roles, root } }
    refuses('threshold', () => verifySuccession(before, next([a, b, d])), 'by the keys of version 7', '1 good', ...why)
  })
})
