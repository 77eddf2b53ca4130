import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { review } from '../../cli/ceremony/review.ts'
import { changesBetween, describeChanges } from '../../cli/root/changes.ts'
import type { Key } from '../../shared/tuf/keys.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { makeKey, makeRoot } from '../support/keys.ts'
import { bootstrapRequest, testRepository } from '../support/repository.ts'

/** A signature covers all that a root says, so its holder has to see all of it. */
describe('What a holder sees of a root', () => {
  const [ann, bob, eve] = [makeKey(), makeKey(), makeKey()]
  const root = makeRoot({ root: [ann, bob] })
  const withKey = (keyid: string, key: Key): Root => ({ ...root, keys: new Map([...root.keys, [keyid, key]]) })
  const period = 'x-tuf-on-ci-expiry-period'
  const spoilt: readonly (readonly [string, Root, string])[] = [
    ['a field of the root', { ...root, 'x-note': [1] }, 'x-note + [1]'],
    [
      'a field of a role',
      { ...root, roles: { ...root.roles, timestamp: { ...root.roles.timestamp, [period]: 365 } } },
      `${period} of timestamp + 365`,
    ],
    ['a key that no role names', withKey(eve.keyid, eve.key), `key ${eve.keyid} + {"keytype":"ed25519",`],
  ]
  const inOneSpace = (text: string) => text.replaceAll(/ +/g, ' ')

  for (const [what, next, line] of spoilt) {
    it(`is ${what} that comes, and one that goes`, () => {
      assert.ok(inOneSpace(describeChanges(changesBetween(root, next))).includes(line))
      assert.ok(inOneSpace(describeChanges(changesBetween(next, root))).includes(line.replace(' + ', ' - ')))
    })

    it(`is ${what}, in the review of a ceremony`, () => {
      const shown = review(next, bootstrapRequest(testRepository()), new Map())
      assert.ok(inOneSpace(shown).includes(`What it says besides\n ${line}`), shown)
    })
  }

  it('is all that is said of a key beside what its keyid stands for', () => {
    const named = { ...eve.key, 'x-owner': 'Bob' }
    const next = makeRoot({ root: [ann, bob, { ...eve, key: named }] })
    const lines = inOneSpace(describeChanges(changesBetween(root, next)))
    assert.match(
      lines,
      new RegExp(`key of root \\+ ${eve.keyid}\n.* key ${eve.keyid} \\+ \\{.*"x-owner":"Bob"\\}`, 's'),
    )
    const plain = makeRoot({ root: [ann, bob, eve] })
    assert.doesNotMatch(inOneSpace(describeChanges(changesBetween(root, plain))), new RegExp(` key ${eve.keyid}`))
  })

  it('is of how many keys how many sign what the service signs', () => {
    const roles = { ...root.roles, timestamp: { keyids: [ann.keyid, bob.keyid], threshold: 1 } }
    const shown = review({ ...root, roles }, bootstrapRequest(testRepository()), new Map())
    assert.match(shown, new RegExp(`${ann.keyid} .* timestamp \\(1 of 2\\)`))
  })

  it('is nothing besides where nothing is', () => {
    assert.doesNotMatch(review(root, bootstrapRequest(testRepository()), new Map()), /besides/)
    assert.deepEqual(changesBetween(root, root), [])
  })
})
