import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { findTarget, keysOfDelegated, rolesTrustedWith } from '../../shared/tuf/delegation.ts'
import type { DelegatedRole, Delegations, Targets } from '../../shared/tuf/metadata.ts'

const common = { _type: 'targets', spec_version: '1.0.31', version: 1, expires: '2030-01-01T00:00:00Z' } as const

const hashOf = (path: string) => createHash('sha256').update(path).digest('hex')

describe('rolesTrustedWith', () => {
  const role = (name: string, trusted: { paths: string[] } | { path_hash_prefixes: string[] }): DelegatedRole => ({
    name,
    keyids: [name],
    threshold: 1,
    terminating: false,
    ...trusted,
  })
  const roles = [
    role('second', { paths: ['b/*', 'a/*'] }),
    role('hashed', { path_hash_prefixes: [hashOf('a/x').slice(0, 3), 'ffff'] }),
    role('none', { paths: [] }),
    role('first', { paths: ['a/?'] }),
    role('shouted', { path_hash_prefixes: [hashOf('a/x').toUpperCase()] }),
  ]
  const delegations = { keys: new Map(), roles }
  const names = (path: string) => rolesTrustedWith(path, delegations).map(({ name }) => name)

  test('gives those that match, in the order of the delegations', () => {
    assert.deepEqual(names('a/x'), ['second', 'hashed', 'first'])
    assert.deepEqual(
      names('a/xx').filter((name) => name !== 'hashed'),
      ['second'],
    )
    assert.deepEqual(names('c'), [])
    assert.deepEqual(rolesTrustedWith('c', { keys: new Map(), roles: [] }), [])
  })

  test('keysOfDelegated finds a role by its whole name', () => {
    assert.equal(keysOfDelegated('first', delegations), roles[3])
    for (const name of ['firs', 'First', '', 'toString']) assert.equal(keysOfDelegated(name, delegations), undefined)
  })
})

interface Node {
  readonly has: boolean
  readonly to: readonly { readonly name: string; readonly terminating: boolean; readonly trusted: boolean }[]
}
type Graph = Readonly<Record<string, Node>>

const loaded = (node: Node): { signed: Targets } => {
  const delegations: Delegations = {
    keys: new Map(),
    roles: node.to.map(({ name, terminating, trusted }) => ({
      name,
      terminating,
      keyids: [name],
      threshold: 1,
      paths: [trusted ? 'path' : 'other'],
    })),
  }
  const targets = new Map(node.has ? [['path', { length: 1, hashes: { sha256: '00' } }]] : [])
  return { signed: { ...common, targets, ...(node.to.length === 0 ? {} : { delegations }) } }
}

async function search(graph: Graph): Promise<{ found: string | undefined; visits: string[] }> {
  const visits: string[] = []
  const node = (name: string) => loaded(graph[name] ?? { has: false, to: [] })
  const found = await findTarget('path', node('targets'), async (name) => {
    visits.push(name)
    return node(name)
  })
  return { found: found?.role, visits }
}

/** What python-tuf and tuf-js do, as they do it: with a stack that a terminating role clears. */
function searchLikePython(graph: Graph): { found: string | undefined; visits: string[] } {
  let toVisit = ['targets']
  const visited = new Set<string>()
  for (let name = toVisit.pop(); name !== undefined; name = toVisit.pop()) {
    if (visited.has(name)) continue
    visited.add(name)
    const { has, to } = graph[name] ?? { has: false, to: [] }
    if (has) return { found: name, visits: [...visited].slice(1) }
    const children: string[] = []
    for (const child of to.filter(({ trusted }) => trusted)) {
      children.push(child.name)
      if (child.terminating) {
        toVisit = []
        break
      }
    }
    toVisit.push(...children.reverse())
  }
  return { found: undefined, visits: [...visited].slice(1) }
}

const to = (...names: readonly string[]) =>
  names.map((name) => ({ name: name.replace('!', ''), terminating: name.endsWith('!'), trusted: true }))

describe('findTarget', () => {
  for (const [what, graph, expected] of [
    ['looks at the top first', { targets: { has: true, to: to('a') }, a: { has: true, to: [] } }, ['targets']],
    [
      'takes the first role that has it',
      { targets: { has: false, to: to('a', 'b', 'c') }, b: { has: true, to: [] }, c: { has: true, to: [] } },
      ['b', 'a', 'b'],
    ],
    [
      'goes deep before wide',
      {
        targets: { has: false, to: to('a', 'b') },
        a: { has: false, to: to('c') },
        b: { has: true, to: [] },
        c: { has: true, to: [] },
      },
      ['c', 'a', 'c'],
    ],
    [
      'looks on after a role that has not got it',
      { targets: { has: false, to: to('a', 'b') }, a: { has: false, to: to('c') }, b: { has: true, to: [] } },
      ['b', 'a', 'c', 'b'],
    ],
    [
      'stops below a terminating role',
      { targets: { has: false, to: to('a!', 'b') }, a: { has: false, to: to('c') }, b: { has: true, to: [] } },
      [undefined, 'a', 'c'],
    ],
    [
      'stops for the roles above as well',
      { targets: { has: false, to: to('a', 'b') }, a: { has: false, to: to('c!') }, b: { has: true, to: [] } },
      [undefined, 'a', 'c'],
    ],
    [
      'stops at a terminating role it has been to',
      { targets: { has: false, to: to('a', 'b!', 'c') }, a: { has: false, to: to('b') }, c: { has: true, to: [] } },
      [undefined, 'a', 'b'],
    ],
    [
      'goes in a circle once',
      {
        targets: { has: false, to: to('a') },
        a: { has: false, to: to('b') },
        b: { has: false, to: to('a', 'targets', 'c') },
      },
      [undefined, 'a', 'b', 'c'],
    ],
    [
      'does not ask who is not trusted',
      {
        targets: { has: false, to: [{ name: 'a', terminating: true, trusted: false }, ...to('b')] },
        a: { has: true, to: [] },
        b: { has: true, to: [] },
      },
      ['b', 'b'],
    ],
  ] as const) {
    test(what, async () => {
      const [found, ...visits] = expected
      assert.deepEqual(await search(graph), { found, visits })
      assert.deepEqual(searchLikePython(graph), { found, visits }, 'the reference')
    })
  }

  test('goes the way of python-tuf and tuf-js through any graph', async () => {
    const names = ['targets', 'a', 'b', 'c', 'd', 'e', 'f']
    const delegation = fc.record({
      name: fc.constantFrom(...names),
      terminating: fc.boolean(),
      trusted: fc.constantFrom(true, true, false),
    })
    const node = fc.record({
      has: fc.constantFrom(false, false, false, true),
      to: fc.uniqueArray(delegation, { selector: ({ name }) => name, maxLength: 4 }),
    })
    const graph = fc.record(Object.fromEntries(names.map((name) => [name, node])))
    await fc.assert(
      fc.asyncProperty(graph, async (graph) => assert.deepEqual(await search(graph), searchLikePython(graph))),
      { numRuns: 1000 },
    )
  })

  test('gives the metadata that vouches for the path', async () => {
    const below = loaded({ has: true, to: [] })
    const found = await findTarget('path', loaded({ has: false, to: to('a') }), async () => below)
    assert.equal(found?.role, 'a')
    assert.equal(found?.metadata, below)
  })

  test('visits 32 delegated roles and no more', async () => {
    const chain = (length: number): Graph =>
      Object.fromEntries([
        ['targets', { has: false, to: to('r1') }],
        ...Array.from({ length }, (_, at) => [`r${at + 1}`, { has: at + 1 === length, to: to(`r${at + 2}`) }]),
      ])
    assert.equal((await search(chain(32))).found, 'r32')
    assert.equal((await search(chain(33))).found, undefined)
  })

  test('passes on what goes wrong with a role', async () => {
    const failing = findTarget('path', loaded({ has: false, to: to('a') }), () =>
      Promise.reject(new Error('not to be had')),
    )
    await assert.rejects(failing, /not to be had/)
  })
})
