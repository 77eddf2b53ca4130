import { decodeSigned } from '../../tuf/signed.ts'
import { type Document, decodeDocument } from '../documents.ts'
import { contradicts } from '../finish.ts'
import { type Entry, entryName, isAsDecided, type StateName, stateNames, stateObjectName } from '../journal.ts'
import { inParallel } from '../parallel.ts'
import { taskName } from '../task.ts'
import type { Finding, Problem } from './report.ts'

/** Records read at once. */
const parallel = 32

/**
 * Looks at the private state that the newest commit names, without which nothing is published, and at the records of its tasks:
 * no later entry vouches for the newest one. `read` is as for `checkJournal`.
 */
export async function checkState(
  read: (name: string) => Promise<Uint8Array | undefined>,
  entry: Entry,
): Promise<readonly Finding[]> {
  const parts = stateNames.filter((name) => entry.state[name] > 0)
  const findings = [
    ...(await inParallel(parts, parallel, checkPart)),
    ...(await inParallel(entry.tasks, parallel, checkRecord)),
  ]
  return findings.filter((finding) => finding !== undefined)

  async function checkPart(name: StateName): Promise<Finding | undefined> {
    const object = stateObjectName(entry.state[name], name)
    const bytes = await read(object)
    if (bytes === undefined)
      return found(object, 'missing', `There is no ${object}, which commit ${entry.number} names. ${stands}`)
    try {
      if (name === 'root') decodeSigned('root', bytes)
      else decodeDocument<Document>(object, bytes)
    } catch {
      return found(object, 'unreadable', `${object}, which commit ${entry.number} names, cannot be read. ${stands}`)
    }
    if (isAsDecided(entry, name, bytes)) return undefined
    return found(object, 'changed', `${object} is not as it was decided: it was edited or spoilt. ${stands}`)
  }

  /** One that is missing was taken away after its time, or is written by whoever finishes the commit. */
  async function checkRecord(task: Entry['tasks'][number]): Promise<Finding | undefined> {
    const name = taskName(task.id)
    const bytes = await read(name)
    if (bytes === undefined || !contradicts(bytes, entry.number, task)) return undefined
    const other = entryName(entry.number)
    return found(name, 'changed', `${name} says something else than ${other}: one of them was edited or spoilt.`)
  }
}

const stands = 'Nothing is published without it: see what `tuffet repair` can do.'

function found(file: string, problem: Problem, message: string): Finding {
  return { file, problem, message }
}
