import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ObjectStore, StoreError, Tag } from '../../shared/repository/ports.ts'
import type { StoreUnderTest } from './object-store.ts'

/** None is a folder of another, and none differs from another in case alone: not every store can tell those apart. */
const name = fc.constantFrom('a', 'a-b', 'b/a', 'b/c', 'b/d/e', 'b.c', 'Z')
const content = fc.constantFrom('', 'one', 'two', 'three')
const bound = fc.constantFrom('', 'a', 'a-', 'b', 'b/', 'b/c', 'b/d', 'b/d/', 'c', 'Z')

const step = fc.oneof(
  fc.record({ do: fc.constant('read' as const), name }),
  fc.record({ do: fc.constant('range' as const), name, start: fc.nat(3) }),
  fc.record({ do: fc.constant('create' as const), name, content }),
  /** `seen` chooses one of the tags that this name has had so far, hence mostly an old one. */
  fc.record({ do: fc.constant('replace' as const), name, content, seen: fc.nat(5) }),
  fc.record({ do: fc.constant('delete' as const), name }),
  fc.record({ do: fc.constant('list' as const), prefix: bound, after: bound, limit: fc.integer({ min: 1, max: 8 }) }),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Gives the same random steps to the store and to a map, and compares each answer. */
export async function agreesWithModel(makeStore: () => Promise<StoreUnderTest>): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      await using made = await makeStore()
      const model = new Map<string, string>()
      const tags = new Map<string, Map<Tag, string>>()
      for (const each of steps) {
        const expected = modelAnswer(model, tags, each)
        assert.deepEqual(await storeAnswer(made.store, tags, each), expected, JSON.stringify(each))
      }
    }),
    { numRuns: 60 },
  )
}

/** For each name, the tags it had and the content that each of them stood for. */
type Tags = Map<string, Map<Tag, string>>

function chosenTag(tags: Tags, name: string, seen: number): [Tag, string | undefined] {
  const known = [...(tags.get(name) ?? [])]
  return known[seen % known.length] ?? ['never a tag' as Tag, undefined]
}

function modelAnswer(model: Map<string, string>, tags: Tags, each: Step): unknown {
  const current = 'name' in each ? model.get(each.name) : undefined
  switch (each.do) {
    case 'read':
      return current
    case 'range':
      return current?.slice(each.start, each.start + 2)
    case 'create':
      if (current !== undefined && current !== each.content) return 'exists'
      model.set(each.name, each.content)
      return 'done'
    case 'replace': {
      const [, expected] = chosenTag(tags, each.name, each.seen)
      if (current === undefined) return 'changed'
      if (current !== each.content && current !== expected) return 'changed'
      model.set(each.name, each.content)
      return 'done'
    }
    case 'delete':
      model.delete(each.name)
      return 'done'
    case 'list':
      return [...model.keys()]
        .filter((name) => name.startsWith(each.prefix) && name > each.after)
        .sort()
        .slice(0, each.limit)
  }
}

async function storeAnswer(store: ObjectStore, tags: Tags, each: Step): Promise<unknown> {
  try {
    switch (each.do) {
      case 'range': {
        const bytes = await store.range(each.name, each.start, each.start + 2)
        return bytes && new TextDecoder().decode(bytes)
      }
      case 'read': {
        const stored = await store.read(each.name)
        if (stored === undefined) return undefined
        const content = new TextDecoder().decode(stored.bytes)
        assert.equal(tags.get(each.name)?.get(stored.tag), content)
        return content
      }
      case 'create':
        remember(tags, each, await store.create(each.name, new TextEncoder().encode(each.content)))
        return 'done'
      case 'replace': {
        const [tag] = chosenTag(tags, each.name, each.seen)
        remember(tags, each, await store.replace(each.name, new TextEncoder().encode(each.content), tag))
        return 'done'
      }
      case 'delete':
        await store.delete(each.name)
        return 'done'
      case 'list':
        return await store.list(each.prefix, { after: each.after, limit: each.limit })
    }
  } catch (error) {
    const { code } = error as StoreError
    if (code === undefined) throw error
    return code
  }
}

function remember(tags: Tags, written: { readonly name: string; readonly content: string }, tag: Tag): void {
  const known = tags.get(written.name) ?? new Map<Tag, string>()
  tags.set(written.name, known.set(tag, written.content))
}
