import { sha256 } from '../documents.ts'
import { decodeEntry, type Entry, entryName, filesBeside, type Link } from '../journal.ts'
import type { Finding, Problem } from './report.ts'
import { checkState } from './state.ts'

export interface CheckedJournal {
  /** Entries of commits, from the current one to the first, as far as the chain could be followed. */
  readonly entries: number
  readonly findings: readonly Finding[]
}

/** Entries read ahead; most numbers below one that was committed were, too. */
const ahead = 64

/**
 * Follows the journal from the entry of commit `number` down to the bootstrap, and verifies that each is the one that the next names
 * by its hash, the files that tell changes in their place, and what the newest says of private state and tasks. `read` gives the bytes of an object of the state store, or nothing if there is none.
 */
export async function checkJournal(
  read: (name: string) => Promise<Uint8Array | undefined>,
  number: number,
): Promise<CheckedJournal> {
  const findings: Finding[] = []
  const reading = new Map<number, Promise<Uint8Array | undefined>>()
  /** Commits that one above them names beside its base, and that the chain has to come to. */
  const named = new Map<number, Link & { readonly by: number }>()
  let entries = 0
  let above: Pick<Entry, 'number' | 'base'> = { number: number + 1, base: { number, sha256: '' } }

  for (;;) {
    const { base } = above
    const name = base.number === 0 ? 'bootstrap.json' : entryName(base.number)
    const bytes = await (base.number === 0 ? read(name) : readAhead(base.number))
    if (bytes === undefined) {
      report(name, 'missing', `There is no ${name}, on which commit ${above.number} builds: history before it is lost.`)
      break
    }
    const hash = sha256(bytes)
    const isAsBuiltOn = base.sha256 === '' || hash === base.sha256
    if (!isAsBuiltOn)
      report(name, 'changed', `${name} is not what commit ${above.number} was built on: history was edited or spoilt.`)
    for (const link of [...named.values()].filter((link) => link.number >= base.number)) {
      named.delete(link.number)
      if (link.number === base.number && (link.sha256 === hash || !isAsBuiltOn)) continue
      const why = `Commit ${link.by} names another ${entryName(link.number)} than it builds on: history was edited.`
      report(entryName(link.by), 'changed', why)
    }
    if (base.number === 0) break
    entries++
    const entry = understand(name, bytes)
    if (entry !== undefined && base.number === number) findings.push(...(await checkState(read, entry)))
    if (entry !== undefined) await checkFiles(entry)
    // A chain that went up would have no end.
    if (entry === undefined || entry.base.number >= base.number) break
    for (const link of Object.values(entry.earlier ?? {}))
      if (!named.has(link.number)) named.set(link.number, { ...link, by: entry.number })
    above = { number: base.number, base: entry.base }
  }
  return { entries, findings }

  async function checkFiles(entry: Entry): Promise<void> {
    for (const [file, hash] of filesBeside(entry)) {
      const bytes = await read(file)
      const tells = `which tells what commit ${entry.number} changed: no revert goes back past it.`
      if (bytes === undefined) report(file, 'missing', `There is no ${file}, ${tells}`)
      else if (hash !== undefined && sha256(bytes) !== hash)
        report(file, 'changed', `${file} was edited or spoilt, ${tells}`)
    }
  }

  function readAhead(wanted: number): Promise<Uint8Array | undefined> {
    for (let at = wanted; at > 0 && at > wanted - ahead; at--) {
      if (reading.has(at)) continue
      const bytes = read(entryName(at))
      // Told to whoever asks for it.
      bytes.catch(() => {})
      reading.set(at, bytes)
    }
    const found = reading.get(wanted) ?? read(entryName(wanted))
    reading.delete(wanted)
    return found
  }

  function understand(name: string, bytes: Uint8Array): Entry | undefined {
    try {
      return decodeEntry(name, bytes)
    } catch (error) {
      report(name, 'unreadable', (error as Error).message)
      return undefined
    }
  }

  function report(file: string, problem: Problem, message: string): void {
    findings.push({ file, problem, message })
  }
}
