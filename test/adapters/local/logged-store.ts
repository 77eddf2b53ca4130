import { join } from 'node:path'
import { openDirectoryObjectStore } from '../../../shared/adapters/local/directory-object-store.ts'
import { type FileSystem, nodeFileSystem, type OpenFile } from '../../../shared/adapters/local/file-system.ts'
import { loggedFiles } from '../../../shared/adapters/local/logged-files.ts'
import { type LogLimits, openWriteAheadLog } from '../../../shared/adapters/local/write-ahead-log.ts'

/** `kept`: a directory below `base`, see `loggedFiles`. */
export async function openLogged(base: string, fs = nodeFileSystem, limits: Partial<LogLimits> = {}, kept?: string) {
  const log = await openWriteAheadLog(base, fs, limits)
  const files = loggedFiles(fs, log, kept === undefined ? [] : [join(base, kept)])
  return { log, store: await openDirectoryObjectStore(join(base, 'objects'), fs, files) }
}

interface Watcher {
  sync?(path: string, sync: () => Promise<void>): Promise<void>
  write?(write: () => Promise<void>): Promise<void>
}

/** What it is told of is called instead, with what it stands for. */
export function watching({ sync, write }: Watcher): FileSystem {
  return {
    ...nodeFileSystem,
    async open(path, flags, mode) {
      const file: OpenFile = await nodeFileSystem.open(path, flags, mode)
      return {
        ...file,
        sync: () => (sync === undefined ? file.sync() : sync(path, file.sync)),
        writeFile: (bytes) => (write === undefined ? file.writeFile(bytes) : write(() => file.writeFile(bytes))),
      }
    },
  }
}
