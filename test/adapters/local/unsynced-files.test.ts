import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type FileSystem, nodeFileSystem } from '../../../shared/adapters/local/file-system.ts'
import { unsyncedFiles } from '../../../shared/adapters/local/unsynced-files.ts'

it('A file without syncs is not overwritten while it is read', async () => {
  const steps: string[] = []
  const reading = Promise.withResolvers<void>()
  const version = { ino: 1, size: 3, mtimeMs: 0 }
  const fs: FileSystem = {
    ...nodeFileSystem,
    open: async () => ({
      stat: async () => version,
      async readFile() {
        steps.push('begun to read')
        await reading.promise
        steps.push('read')
        return Buffer.from('one')
      },
      writeFile: async () => {},
      sync: async () => {},
      close: async () => {},
    }),
    async overwrite() {
      steps.push('overwritten')
      return version
    },
  }
  const files = unsyncedFiles(fs)
  const read = files.read('/lease.json')
  const replaced = files.replace('/lease.json', Buffer.from('two'), async () => assert.fail())
  await new Promise(setImmediate)
  reading.resolve()
  await Promise.all([read, replaced])
  assert.deepEqual(steps, ['begun to read', 'read', 'overwritten'])
})
