import { writeSync } from 'node:fs'
import { openDirectoryObjectStore } from '../../../shared/adapters/local/directory-object-store.ts'

// Creates and replaces objects without end, and says on standard output what has resolved. Made to be killed.

const store = await openDirectoryObjectStore(process.argv[2] ?? '')

async function create(writer: number): Promise<void> {
  for (let index = 0; ; index++) {
    const name = `folder-${index % 7}/${writer}-${index}`
    await store.create(name, Buffer.alloc(100_000, index))
    writeSync(1, `created ${name}\n`)
  }
}

async function replace(): Promise<void> {
  let tag = await store.create('count', Buffer.alloc(100_000))
  for (let size = 100_001; ; size++) {
    tag = await store.replace('count', Buffer.alloc(size, size), tag)
    writeSync(1, `replaced ${size}\n`)
  }
}

await Promise.all([replace(), create(1), create(2), create(3)])
