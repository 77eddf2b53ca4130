import type { DirectoryEntry, FileSystem, FileVersion, OpenFile } from '../../shared/adapters/local/file-system.ts'

/**
 * A disk in memory, with the least that POSIX promises of one without a journal: what was synced is there after a power cut.
 * Of what was not, any part may be: each entry of a directory on its own, whatever was made or taken away before or after it;
 * and of each content nothing, a part, zeros of its length, or all of it.
 */
export interface Disk {
  /** What a process sees of it. Each call waits for its turn; a sync needs two, and what comes between them is not in it. */
  fileSystem(turn: () => Promise<void>): FileSystem
  /** A disk that may be left. `choose` takes one of so many possibilities, again and again: 0 is what was synced last. */
  afterPowerCut(choose: Choose): Disk
}

/** One of the numbers from 0 up to `count`. */
export type Choose = (count: number) => number

interface FileNode {
  readonly kind: 'file'
  readonly ino: number
  content: Uint8Array
  /** As far as it was synced. */
  durable: Uint8Array
  modified: number
}

interface DirectoryNode {
  readonly kind: 'directory'
  readonly entries: Map<string, Node>
  /** Of each name that was not synced since: what it has stood for, from the synced one on. */
  readonly unsynced: Map<string, (Node | undefined)[]>
}

type Node = FileNode | DirectoryNode

export function emptyDisk(): Disk {
  return diskOf(newDirectory())
}

function newDirectory(): DirectoryNode {
  return { kind: 'directory', entries: new Map(), unsynced: new Map() }
}

function diskOf(root: DirectoryNode): Disk {
  return {
    fileSystem: (turn) => fileSystemOf(root, turn),
    afterPowerCut: (choose) => diskOf(copyOf(root, choose)),
  }
}

function fileSystemOf(root: DirectoryNode, turn: () => Promise<void>): FileSystem {
  const call = async <Result>(effect: () => Result): Promise<Result> => {
    await turn()
    return effect()
  }
  return {
    open: (path, flags) =>
      call(() => {
        if (flags === 'r') return openNode(find(root, path), turn)
        const file = emptyFile()
        add(root, path, file)
        return openNode(file, turn)
      }),
    link: (existing, path) => call(() => add(root, path, find(root, existing))),
    rename: (from, to) => call(() => move(root, from, to)),
    unlink: (path) =>
      call(() => {
        if (find(root, path).kind === 'directory') throw failure('EISDIR', path)
        change(...placeOf(root, path), undefined)
      }),
    mkdir: (path) => call(() => add(root, path, newDirectory())),
    readdir: (path) =>
      call(() => {
        const node = find(root, path)
        if (node.kind === 'file') throw failure('ENOTDIR', path)
        return [...node.entries].map(
          ([name, { kind }]): DirectoryEntry => ({ name, isDirectory: () => kind === 'directory' }),
        )
      }),
    async place(path, bytes, temporary) {
      const file = emptyFile()
      await call(() => add(root, temporary ?? path, file))
      await call(() => {
        file.content = Uint8Array.from(bytes)
      })
      if (temporary !== undefined) await call(() => move(root, temporary, path))
    },
    overwrite: (path, bytes) =>
      call(() => {
        const file = find(root, path)
        if (file.kind === 'directory') throw failure('EISDIR', path)
        file.content = Uint8Array.from(bytes)
        return versionOf(file)
      }),
    stat: (path) =>
      call(() => {
        try {
          return versionOf(find(root, path))
        } catch {
          return undefined
        }
      }),
  }
}

const nothing = new Uint8Array()
let inodes = 0

function emptyFile(): FileNode {
  return { kind: 'file', ino: ++inodes, content: nothing, durable: nothing, modified: Date.now() }
}

function versionOf(node: Node): FileVersion {
  if (node.kind === 'directory') return { ino: 0, size: 0, mtimeMs: 0 }
  return { ino: node.ino, size: node.content.length, mtimeMs: node.modified }
}

function openNode(node: Node, turn: () => Promise<void>): OpenFile {
  return {
    async readFile() {
      await turn()
      if (node.kind === 'directory') throw failure('EISDIR', 'the file')
      return Uint8Array.from(node.content)
    },
    async stat() {
      return versionOf(node)
    },
    async writeFile(bytes) {
      await turn()
      if (node.kind === 'directory') throw failure('EISDIR', 'the file')
      node.content = Buffer.concat([node.content, bytes])
    },
    async sync() {
      await turn()
      const synced = begin(node)
      await turn()
      synced()
    },
    async close() {},
  }
}

/** What is there now becomes durable with the end of the sync, and nothing that comes meanwhile. */
function begin(node: Node): () => void {
  if (node.kind === 'file') {
    const { content } = node
    return () => {
      node.durable = content
    }
  }
  const names = new Map([...node.unsynced.keys()].map((name) => [name, node.entries.get(name)]))
  return () => {
    for (const [name, synced] of names) {
      const history = node.unsynced.get(name) ?? []
      const left = history.slice(history.lastIndexOf(synced))
      if (left.length > 1) node.unsynced.set(name, left)
      else node.unsynced.delete(name)
    }
  }
}

function copyOf(root: DirectoryNode, choose: Choose): DirectoryNode {
  /** One file may have several names. */
  const files = new Map<FileNode, FileNode>()

  function copyDirectory(directory: DirectoryNode): DirectoryNode {
    const copy = newDirectory()
    for (const name of new Set([...directory.entries.keys(), ...directory.unsynced.keys()])) {
      const history = directory.unsynced.get(name) ?? [directory.entries.get(name)]
      const node = history[history.length > 1 ? choose(history.length) : 0]
      if (node?.kind === 'directory') copy.entries.set(name, copyDirectory(node))
      else if (node !== undefined) copy.entries.set(name, copyFile(node))
    }
    return copy
  }

  function copyFile(file: FileNode): FileNode {
    const known = files.get(file)
    if (known !== undefined) return known
    const { content, durable } = file
    // Where something was appended, what had been synced before is there.
    const kept = Buffer.compare(content.subarray(0, durable.length), durable) === 0 ? durable : nothing
    const rest = content.subarray(kept.length)
    const ends = content === durable ? [] : [rest, torn(rest), rest.map(() => 0)]
    const left = [durable, ...ends.map((end) => Buffer.concat([kept, end]))]
    const chosen = left[left.length > 1 ? choose(left.length) : 0] ?? content
    const copy: FileNode = { ...file, content: chosen, durable: chosen }
    files.set(file, copy)
    return copy
  }

  return copyDirectory(root)
}

const torn = (content: Uint8Array) => content.slice(0, content.length >> 1)

function find(root: DirectoryNode, path: string): Node {
  let node: Node = root
  for (const part of partsOf(path)) {
    if (node.kind === 'file') throw failure('ENOTDIR', path)
    const next = node.entries.get(part)
    if (next === undefined) throw failure('ENOENT', path)
    node = next
  }
  return node
}

function placeOf(root: DirectoryNode, path: string): [DirectoryNode, string] {
  const parts = partsOf(path)
  const name = parts.pop() ?? ''
  const parent = find(root, parts.join('/'))
  if (parent.kind === 'file') throw failure('ENOTDIR', path)
  return [parent, name]
}

const partsOf = (path: string) => path.split('/').filter((part) => part !== '')

function add(root: DirectoryNode, path: string, node: Node): void {
  const [directory, name] = placeOf(root, path)
  if (directory.entries.has(name)) throw failure('EEXIST', path)
  change(directory, name, node)
}

function move(root: DirectoryNode, from: string, to: string): void {
  const node = find(root, from)
  const [directory, name] = placeOf(root, to)
  if (directory.entries.get(name)?.kind === 'directory') throw failure('EISDIR', to)
  change(directory, name, node)
  change(...placeOf(root, from), undefined)
}

function change({ entries, unsynced }: DirectoryNode, name: string, node: Node | undefined): void {
  const history = unsynced.get(name) ?? [entries.get(name)]
  unsynced.set(name, [...history, node])
  if (node === undefined) entries.delete(name)
  else entries.set(name, node)
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

/** Every disk that a power cut may leave. */
export function* allAfterPowerCut(disk: Disk): Generator<Disk> {
  const taken: number[] = []
  const counts: number[] = []
  for (;;) {
    let at = 0
    yield disk.afterPowerCut((count) => {
      counts[at] = count
      taken[at] ??= 0
      return taken[at++] ?? 0
    })
    // The next ones differ in the last choice of which not all was tried.
    taken.length = at
    while (taken.length > 0 && (taken.at(-1) ?? 0) + 1 >= (counts[taken.length - 1] ?? 0)) taken.pop()
    if (taken.length === 0) return
    taken.push((taken.pop() ?? 0) + 1)
  }
}
