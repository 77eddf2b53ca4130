import { createHash } from 'node:crypto'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { type Arrived, maximumBulkBytes, type Uploads } from '../../repository/uploads.ts'
import { jsonAnswer } from '../answer.ts'
import { ApiError, errorAnswer, forbidden, tellOfError } from '../errors.ts'
import type { Principal } from '../principal.ts'
import { prefix } from '../routes.ts'
import type { Service } from './handler.ts'
import { refuseOther, refuseTooLarge, uploadOf } from './imports.ts'

/** Where the file of an import is sent to if the service takes it itself. */
export const uploadPath = (id: string) => `${prefix}/imports/${id}/file`

/** For a service that takes the files itself. */
export function uploadsHere(arrived: Uploads['arrived']): Uploads {
  const headers = { 'content-type': 'application/octet-stream' }
  return { address: async (id) => ({ method: 'PUT', url: uploadPath(id), headers }), arrived }
}

/**
 * Answers the request that uploads the file of import `id`; its body comes in chunks and not in the event. `admit` is called once it
 * is known that its sender may upload this file, and throws where it is not to be taken now. It never rejects.
 */
export type UploadHandler = (
  event: APIGatewayProxyEventV2,
  id: string,
  body: AsyncIterable<Uint8Array>,
  admit?: (sender: Principal) => void,
) => Promise<APIGatewayProxyStructuredResultV2>

/** Keeps a file that is made of these chunks. False if there is one already. */
export type Receive = (id: string, chunks: AsyncIterable<Uint8Array>) => Promise<boolean>

export function uploadHandler(service: Service, receive: Receive): UploadHandler {
  const { log } = service
  return async (event, id, body, admit) => {
    const began = performance.now()
    const line = (status: number | undefined) => {
      const ms = Math.round(performance.now() - began)
      return { method: 'PUT', route: uploadPath('{id}'), status, ms, request: event.requestContext.requestId }
    }
    try {
      const data = await upload(event, id, body, admit)
      log.info(line(200), 'request')
      return jsonAnswer(200, { data, message: 'Uploaded.' })
    } catch (error) {
      const answer = errorAnswer(error, event.requestContext.requestId)
      tellOfError(log, line(answer.statusCode), error)
      return answer
    }
  }

  async function upload(...[event, id, body, admit]: Parameters<UploadHandler>) {
    const announced = await refusing(body, async () => {
      const principal = await service.authenticate(event)
      if (!principal.permissions.has('publish')) throw forbidden(principal, 'publish')
      const record = await uploadOf(id, principal, service)
      admit?.(principal)
      return record
    })
    const came = measured(body, (whole) => refuseOther(whole, announced))
    if (!(await receive(id, came.chunks))) {
      const before = await service.uploads.arrived(id)
      if (before?.sha256 !== came.arrived().sha256) {
        const why = 'Another file was uploaded for this import before. Begin another import for this one.'
        throw new ApiError('conflict', 'Uploaded before.', why)
      }
    }
    return { import_id: id, ...came.arrived() }
  }
}

/** Reads the body to its end before it says no: many a client reads no answer before it has sent everything. */
async function refusing<Result>(body: AsyncIterable<Uint8Array>, check: () => Promise<Result>): Promise<Result> {
  try {
    return await check()
  } catch (error) {
    for await (const _ of body);
    throw error
  }
}

/** The same chunks, measured as they pass. Throws, at their end, where they are too many, or what `check` throws. */
function measured(body: AsyncIterable<Uint8Array>, check: (arrived: Arrived) => void) {
  const hash = createHash('sha256')
  let whole: Arrived = { bytes: 0, sha256: '' }
  async function* chunks(): AsyncGenerator<Uint8Array> {
    let bytes = 0
    for await (const chunk of body) {
      bytes += chunk.length
      if (bytes > maximumBulkBytes) continue
      hash.update(chunk)
      yield chunk
    }
    refuseTooLarge(bytes)
    whole = { bytes, sha256: hash.digest('hex') }
    check(whole)
  }
  return { chunks: chunks(), arrived: () => whole }
}
