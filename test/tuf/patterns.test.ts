import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Targets as TufJsTargets } from '@tufjs/models'
import fc from 'fast-check'
import { pathPattern, targetPath } from '../../shared/tuf/names.ts'
import { matchesPattern, patternIndex } from '../../shared/tuf/patterns.ts'

const common = { _type: 'targets', spec_version: '1.0.31', version: 1, expires: '2030-01-01T00:00:00Z' } as const

describe('matchesPattern', () => {
  for (const [pattern, matching, others] of [
    ['a/b.txt', ['a/b.txt'], ['a/b-txt', 'a/b.txtx', 'xa/b.txt', 'a/b.txt\n', 'A/b.txt', '']],
    ['*', ['', 'a', '.hidden', 'a\nb', '😀'], ['a/b', '/', 'a/']],
    ['*/*', ['a/b', '/'], ['a', 'a/b/c']],
    ['a/*.tar.gz', ['a/x.tar.gz', 'a/.tar.gz', 'a/x.tar.gz.tar.gz'], ['a/xtarxgz', 'a/b/x.tar.gz', 'x.tar.gz']],
    ['a?c', ['abc', 'a?c', 'a😀c'], ['ac', 'a/c', 'abbc']],
    ['?', ['a', '*', '😀'], ['', 'ab', '/']],
    ['a*b*c', ['abc', 'aXbYc', 'abcbc', 'abbbc'], ['acb', 'abcx', 'ab/c']],
    ['**', ['', 'ab'], ['a/b']],
    ['*?', ['a', 'ab'], ['']],
    ['[ab]', ['[ab]'], ['a', 'b']],
    ['a+', ['a+'], ['aa', 'a']],
    ['(a|b)', ['(a|b)'], ['a', 'b']],
    ['a.c$^{2}\\d', ['a.c$^{2}\\d'], ['abc$^{2}\\d']],
    ['', [''], ['a', '/']],
  ] as const) {
    test(`${JSON.stringify(pattern)} stands for what it says`, () => {
      for (const path of matching) assert.ok(matchesPattern(path, pattern), JSON.stringify(path))
      for (const path of others) assert.ok(!matchesPattern(path, pattern), JSON.stringify(path))
    })
  }

  test('agrees with tuf-js about literals, ? and *', () => {
    // A dot in front is apart: tuf-js hides .files from * and ?, python-tuf does not.
    const character = fc.constantFrom(..."ab./-+@=,~!$&'()*;_")
    const wildcard = fc.constantFrom('', '', '?', '*')
    /** Patterns that have a chance: a path of which some characters have become wildcards. */
    const related = fc.array(fc.tuple(character, wildcard), { minLength: 1, maxLength: 8 }).map((pairs) => ({
      path: pairs.map(([character]) => character).join(''),
      pattern: pairs.map(([character, wildcard]) => wildcard || character).join(''),
    }))
    const unrelated = fc.tuple(related, related).map(([{ path }, { pattern }]) => ({ path, pattern }))
    const canBe = ({ path, pattern }: { path: string; pattern: string }) => {
      try {
        return targetPath(path) !== '' && pathPattern(pattern) !== '' && !/(^|\/)\./.test(path)
      } catch {
        return false
      }
    }
    let matched = 0
    fc.assert(
      fc.property(fc.oneof(related, unrelated).filter(canBe), ({ path, pattern }) => {
        const role = { name: 'r', keyids: [], threshold: 1, terminating: false, paths: [pattern] }
        const tufJs = TufJsTargets.fromJSON({ ...common, targets: {}, delegations: { keys: {}, roles: [role] } })
        const expected = [...(tufJs.delegations?.rolesForTarget(path) ?? [])].length === 1
        if (expected) matched++
        assert.equal(matchesPattern(path, pattern), expected)
      }),
      { numRuns: 1000 },
    )
    assert.ok(matched > 300, `only ${matched} matched`)
  })

  test('takes its time in proportion, also to a pattern of many stars', { timeout: 1000 }, () => {
    assert.ok(!matchesPattern('a'.repeat(180), `${'*a'.repeat(80)}b`))
    assert.ok(matchesPattern('a'.repeat(180), '*a'.repeat(80)))
  })
})

describe('an index of patterns', () => {
  test('finds what going through all of them would', () => {
    const segment = fc.constantFrom('', 'a', 'b', 'ab', '.a', '*', '?', 'a*', '*b', '{*,.*}')
    const name = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'))
    let found = 0
    fc.assert(
      fc.property(fc.array(name), name, (patterns, path) => {
        const expected = patterns.filter((pattern) => matchesPattern(path, pattern))
        found += expected.length
        const index = patternIndex(patterns.map((pattern) => [pattern, pattern]))
        assert.deepEqual(index.matching(path).sort(), expected.sort())
      }),
      { numRuns: 2000 },
    )
    assert.ok(found > 100, `only ${found} were found`)
  })

  test('looks at none that begins otherwise', () => {
    const patterns = Array.from({ length: 10_000 }, (_, project) => [`projects/${project}/*`, project] as const)
    assert.deepEqual(patternIndex(patterns).like('projects/7/app.tar.gz'), [['projects/7/*', 7]])
  })
})
