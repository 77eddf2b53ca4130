import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Targets as TufJsTargets } from '@tufjs/models'
import fc from 'fast-check'
import { everyPath, isHiddenFromSome, rolesTrustedWith } from '../../shared/tuf/delegation.ts'
import { specVersion } from '../../shared/tuf/metadata.ts'

const segment = fc.stringMatching(/^\.?[ab][ab.]{0,3}$/)
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'))

const roleOf = (paths: string[]) => ({ name: 'r', keyids: [], threshold: 1, terminating: false, paths })

function tufJsTrusts(path: string, role: ReturnType<typeof roleOf>): boolean {
  const common = {
    _type: 'targets',
    spec_version: specVersion,
    version: 1,
    expires: '2030-01-01T00:00:00Z',
    targets: {},
  }
  const targets = TufJsTargets.fromJSON({ ...common, delegations: { keys: {}, roles: [role] } })
  return [...(targets.delegations?.rolesForTarget(path) ?? [])].length === 1
}

test('the patterns of every path trust each client with each path of so many segments, and no deeper one', () => {
  const role = roleOf(everyPath(3))
  fc.assert(
    fc.property(path, (path) => {
      const isShallow = path.split('/').length <= 3
      assert.equal(rolesTrustedWith(path, { keys: new Map(), roles: [role] }).length, isShallow ? 1 : 0)
      assert.equal(tufJsTrusts(path, role), isShallow)
      assert.equal(isHiddenFromSome(path, role), !isShallow)
    }),
  )
})

test('a path is hidden from some clients exactly if tuf-js does not see it', () => {
  const part = fc.stringMatching(/^\.?[ab*?][ab.?*]{0,2}$/).filter((text) => !text.includes('**'))
  const patterns = fc.array(
    fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
    { minLength: 1, maxLength: 3 },
  )
  fc.assert(
    fc.property(path, patterns, (path, patterns) => {
      const role = roleOf(patterns)
      if (rolesTrustedWith(path, { keys: new Map(), roles: [role] }).length === 1)
        assert.equal(tufJsTrusts(path, role), !isHiddenFromSome(path, role))
    }),
    { numRuns: 2000 },
  )
})
