import { day } from '../tuf/expiry.ts'
import type { BulkFormat } from './bulk/bulk.ts'
import { type Document, decodeDocument, encodeDocument, schemaVersion } from './documents.ts'
import { createUnlessTaken, StoreError } from './ports.ts'
import { readPreparation } from './preparation.ts'
import type { Repository } from './repository.ts'
import type { ImportArtifactsRequest } from './task.ts'
import { type Announced, bulkName } from './uploads.ts'

/** An import from its beginning to the task that it becomes: what is remembered of it beside its file. */

/** How long a file may be uploaded and submitted. */
export const importsFor = 7 * day

/** `bulk/imports/<id>.json`: who began an import, and what they announced. */
export interface ImportDocument extends Document, Announced {
  readonly principal: string
  /** ISO 8601, UTC. */
  readonly begun: string
  readonly format: BulkFormat
}

/** `bulk/imports/<id>.submitted.json`: the one task that it has become, however often it is submitted. */
interface SubmittedDocument extends Document {
  readonly task: string
  readonly request: ImportArtifactsRequest
}

export interface ImportProgress {
  readonly phase: 'waiting' | 'reading' | 'preparing' | 'committing'
  /** Lines while reading, roles while preparing. */
  readonly done: number
  readonly total: number
}

const prefix = 'bulk/imports/'
const recordName = (id: string) => `${prefix}${id}.json`
const submittedName = (id: string) => `${prefix}${id}.submitted.json`

/** Everything that is stored of an import */
export function namesOf(id: string) {
  return { record: recordName(id), file: bulkName(id), submitted: submittedName(id) }
}

/** The ids of imports, the oldest first, at most `limit`. */
export async function listImports({ ports: { state } }: Repository, limit: number): Promise<string[]> {
  // Up to two names for each.
  const names = await state.list(prefix, { limit: limit * 2 })
  return [...new Set(names.map((name) => name.slice(prefix.length, name.indexOf('.'))))].slice(0, limit)
}

export interface BegunImport {
  readonly record: ImportDocument
  /** Milliseconds since it began, by the store's clock. */
  readonly age: number
  readonly submitted?: { readonly task: string; readonly request: ImportArtifactsRequest }
}

/** When this resolves the import is durably known. The id is one that nobody can guess. */
export async function beginImport(
  { ports }: Repository,
  id: string,
  begun: Omit<ImportDocument, 'schema' | 'begun'>,
): Promise<void> {
  const record: ImportDocument = { schema: schemaVersion, begun: ports.clock.now().toISOString(), ...begun }
  await ports.state.create(recordName(id), encodeDocument(record))
}

/** Nothing if there is no such import, or none any more. */
export async function readImport({ ports: { state } }: Repository, id: string): Promise<BegunImport | undefined> {
  if (!/^[0-9a-f]{64}$/.test(id)) return undefined
  // In this order: collection takes them away in the other one, and what was submitted must never look as if it was not.
  const submitted = await state.read(submittedName(id))
  const record = await state.read(recordName(id))
  if (record === undefined) return undefined
  return {
    record: decodeDocument(recordName(id), record.bytes),
    age: record.age,
    ...(submitted && { submitted: decodeDocument<SubmittedDocument>(submittedName(id), submitted.bytes) }),
  }
}

/** How far the work on an unfinished task has come. */
export async function readProgress({ ports: { state } }: Repository, task: string): Promise<ImportProgress> {
  const preparation = await readPreparation(state, task)
  if (preparation === undefined) return { phase: 'waiting', done: 0, total: 0 }
  const { phase, done, total } = preparation.document
  return { phase: phase === 'ready' ? 'committing' : phase, done, total }
}

/** Decides once and for all which task an import becomes; gives the first decision, whoever made it. */
export async function decideTask(
  { ports }: Repository,
  id: string,
  request: ImportArtifactsRequest,
): Promise<{ readonly task: string; readonly request: ImportArtifactsRequest }> {
  const name = submittedName(id)
  const mine: SubmittedDocument = { schema: schemaVersion, task: ports.clock.newId(), request }
  if (await createUnlessTaken(ports.state, name, encodeDocument(mine))) return mine
  const first = await ports.state.read(name)
  if (first === undefined) throw new StoreError('unavailable', `${name} was there and is gone. Try again.`)
  return decodeDocument<SubmittedDocument>(name, first.bytes)
}
