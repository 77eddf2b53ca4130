import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { isFounded } from '../../repository/current.ts'
import { waitForTask } from '../../repository/read.ts'
import { readFounding } from '../../repository/status.ts'
import { type Submission, submit, wasSubmitted } from '../../repository/submit.ts'
import type { TaskRequest } from '../../repository/task.ts'
import { jsonAnswer } from '../answer.ts'
import { ApiError, InvalidRequest } from '../errors.ts'
import type { Call, Service } from './handler.ts'
import { taskBody } from './task-body.ts'

export interface Acceptance {
  /** Compared by the `rstuf` command, to the letter. */
  readonly message: string
  /** What the answer tells besides the task. */
  readonly data?: object
  /** Throws an ApiError where the task cannot be taken as things stand; not asked about a request that was taken before. */
  readonly mayBe?: (service: Service) => Promise<void>
  /** The task's id, where it was decided before. */
  readonly task?: string
}

/**
 * Submits a task and answers 202; or 200 with the finished task, if the client prefers to wait and it is finished in time.
 */
export async function accept(
  { headers, principal }: Pick<Call, 'headers' | 'principal'>,
  service: Service,
  request: TaskRequest,
  { message, data, task, mayBe = requireBootstrap('Task not accepted.') }: Acceptance,
): Promise<APIGatewayProxyStructuredResultV2> {
  const { repository, log } = service
  const { clock } = repository.ports
  const began = clock.now().getTime()
  const key = idempotencyKey(headers['idempotency-key'])
  const submission: Submission = {
    request,
    principal: principal.name,
    ...(key !== undefined && { idempotencyKey: key }),
    ...(task !== undefined && { id: task }),
  }
  if (!(await wasSubmitted(repository, submission))) await mayBe(service)
  await service.room?.()
  const { id, accepted } = await submit(repository, submission)
  const taskHeader = { 'tuffet-task': id }
  const patience = preferredWait(headers['prefer'])
  if (patience !== undefined) {
    // The client has waited since it asked, and so has API Gateway.
    const left = patience * 1000 - (clock.now().getTime() - began)
    // What was accepted is not refused for want of a look at it: it would be sent again.
    const standing = await waitForTask(repository, id, left).catch((err: unknown) => {
      log.warn({ err, task: id }, 'an accepted task could not be looked at')
      return undefined
    })
    const applied = { ...taskHeader, 'preference-applied': `wait=${patience}` }
    if (standing !== undefined && standing.state !== 'PENDING') return jsonAnswer(200, taskBody(id, standing), applied)
  }
  return jsonAnswer(202, { data: { ...data, task_id: id, last_update: accepted.toISOString() }, message }, taskHeader)
}

/** Throws ApiError 'not-found' before clients can read a repository. */
export function requireBootstrap(title: string) {
  return async ({ repository }: Service): Promise<void> => {
    if (await isFounded(repository)) return
    const founding = await readFounding(repository)
    const state = founding?.state ?? 'none'
    const next =
      founding === undefined
        ? 'Run the ceremony first.'
        : 'Wait for it: GET /api/v1/status, or tuffet status, says who has to sign still.'
    throw new ApiError('not-found', title, `It requires bootstrap finished. State: ${state}. ${next}`)
  }
}

const maximumKeyLength = 256

function idempotencyKey(sent: string | undefined): string | undefined {
  if (sent === undefined) return undefined
  if (sent.length <= maximumKeyLength && /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(sent)) return sent
  const msg = `Has to be 1 to ${maximumKeyLength} printable ASCII characters, such as a UUID.`
  throw new InvalidRequest([{ type: 'value_error', loc: ['header', 'Idempotency-Key'], msg }])
}

/** Seconds; a function of API Gateway has 30 in all. */
const maximumWait = 25

/** Seconds (RFC 7240, section 4.3). A preference that cannot be understood is no reason to refuse. */
function preferredWait(prefer: string | undefined): number | undefined {
  for (const preference of prefer?.split(',') ?? []) {
    const wait = /^\s*wait\s*=\s*"?(\d{1,9})"?\s*(;.*)?$/i.exec(preference)
    if (wait !== null) return Math.min(Number(wait[1]), maximumWait)
  }
  return undefined
}
