import { randomBytes } from 'node:crypto'
import {
  type BegunImport,
  beginImport,
  decideTask,
  type ImportDocument,
  importsFor,
  readImport,
  readProgress,
} from '../../repository/imports.ts'
import { readTask } from '../../repository/read.ts'
import type { ImportArtifactsRequest } from '../../repository/task.ts'
import { type Arrived, bulkName, maximumBulkBytes } from '../../repository/uploads.ts'
import { jsonAnswer } from '../answer.ts'
import { ApiError, InvalidRequest } from '../errors.ts'
import type { Principal } from '../principal.ts'
import type { Routes } from '../routes.ts'
import type { Handler, Service } from './handler.ts'
import { accept, requireBootstrap } from './submission.ts'

export const postImports: Handler<Routes['postImports']> = async ({ body, principal }, service) => {
  await requireBootstrap('Import not begun.')(service)
  const { format, bytes, sha256 } = body
  if (bytes !== undefined) refuseTooLarge(bytes)
  const { repository, uploads } = service
  // What is uploaded by this id is submitted by it, so it has to be more than hard to guess.
  const id = repository.ports.clock.newId() + randomBytes(16).toString('hex')
  const announced = { ...(bytes !== undefined && { bytes }), ...(sha256 !== undefined && { sha256 }) }
  await beginImport(repository, id, { principal: principal.name, format, ...announced })
  const upload = await uploads.address(id, announced)
  return jsonAnswer(201, { data: { import_id: id, upload }, message: 'Import begun.' })
}

export const postImport: Handler<Routes['postImport']> = async (call, service) => {
  const { id } = call.parameters
  const begun = await importOf(id, call.principal, service)
  const wishes = { skipInvalid: call.body.skip_invalid, addTaskIdToCustom: call.body.add_task_id_to_custom }
  const { task, request } =
    begun.submitted ?? (await decideTask(service.repository, id, await requestFor(id, begun, wishes, service)))
  if (request.skipInvalid !== wishes.skipInvalid || request.addTaskIdToCustom !== wishes.addTaskIdToCustom) {
    const why = `It was submitted as task ${task} already, with other settings. Begin another import to have it otherwise.`
    throw new ApiError('conflict', 'Import submitted before.', why)
  }
  return accept(call, service, request, { message: 'Import accepted.', task })
}

export const getImport: Handler<Routes['getImport']> = async ({ parameters: { id }, principal }, service) => {
  const { record, submitted } = await importOf(id, principal, service, { evenIfOver: true })
  const { repository } = service
  const begun = { import_id: id, format: record.format, begun: record.begun }
  if (submitted === undefined) return jsonAnswer(200, { data: begun, message: 'Import.' })
  const [standing, progress] = await Promise.all([
    readTask(repository, submitted.task),
    readProgress(repository, submitted.task),
  ])
  const isPending = standing === undefined || standing.state === 'PENDING'
  const ending = isPending ? { state: 'PENDING', progress } : { state: standing.state, result: standing.task.result }
  const data = { ...begun, task_id: submitted.task, ...ending }
  return jsonAnswer(200, { data, message: 'Import.' })
}

/** What was announced of a file that is about to be uploaded. Throws ApiError where this principal may not upload it, or not any more. */
export async function uploadOf(
  id: string,
  principal: Principal,
  service: Pick<Service, 'repository'>,
): Promise<ImportDocument> {
  return (await importOf(id, principal, service)).record
}

/** Throws ApiError 'not-found' or 'forbidden'. */
async function importOf(
  id: string,
  principal: Principal,
  { repository }: Pick<Service, 'repository'>,
  { evenIfOver = false } = {},
): Promise<BegunImport> {
  const begun = await readImport(repository, id)
  if (begun === undefined || (begun.age >= importsFor && !evenIfOver)) {
    const why = `There is no import ${JSON.stringify(id.slice(0, 100))}, or it was begun over 7 days ago. POST /imports begins one.`
    throw new ApiError('not-found', 'Import not found.', why)
  }
  if (begun.record.principal !== principal.name && !principal.permissions.has('administer')) {
    const why = 'Another principal began this import. Use their token, or one that may administer.'
    throw new ApiError('forbidden', 'Forbidden.', why)
  }
  return begun
}

/** The task that an uploaded file becomes. Throws ApiError or InvalidRequest where it is not there, or not what was announced. */
async function requestFor(
  id: string,
  { record }: BegunImport,
  wishes: Pick<ImportArtifactsRequest, 'skipInvalid' | 'addTaskIdToCustom'>,
  { uploads }: Service,
): Promise<ImportArtifactsRequest> {
  const arrived = await uploads.arrived(id)
  if (arrived === undefined) {
    const why = 'Upload the file first, as the answer of POST /imports says; a file counts when all of it has arrived.'
    throw new ApiError('not-found', 'Nothing was uploaded.', why)
  }
  refuseTooLarge(arrived.bytes)
  refuseOther(arrived, record)
  const { bytes, sha256 } = arrived
  return { kind: 'import_artifacts', bulk: bulkName(id), sha256, bytes, format: record.format, ...wishes }
}

/** Throws InvalidRequest where a file is not the one that was announced. */
export function refuseOther({ bytes, sha256 }: Arrived, announced: Pick<ImportDocument, 'bytes' | 'sha256'>): void {
  const differs = (what: string, is: string | number, was: string | number) => {
    const msg = `${what} of what was uploaded is ${is}, and ${was} was announced. Begin another import with the right one.`
    return new InvalidRequest([{ type: 'value_error', loc: ['body'], msg }])
  }
  if (announced.bytes !== undefined && announced.bytes !== bytes) throw differs('The length', bytes, announced.bytes)
  if (announced.sha256 !== undefined && announced.sha256 !== sha256)
    throw differs('The SHA-256', sha256, announced.sha256)
}

export function refuseTooLarge(bytes: number): void {
  if (bytes <= maximumBulkBytes) return
  throw new ApiError(
    'too-large',
    'File too large.',
    `A file can have ${maximumBulkBytes} bytes (512 MiB) at most; this has ${bytes} or more. Split it by lines into several imports.`,
  )
}
