import type { Refusal } from './errors.ts'
import type { PoisonedTask } from './inbox.ts'
import type { Outcome } from './operations/operation.ts'
import { type AcceptedTask, type DecidedTask, spoiltName } from './task.ts'

/** How a task ended, in the words of its record. */

/** Why a task ended as FAILURE: its operation threw, it took its publishers with it, or what was stored of it is no task. */
export type FailureCode = 'broke' | PoisonedTask['poisoned']

export function succeeded(task: AcceptedTask, now: Date, outcome: Outcome): DecidedTask {
  return { ...common(task), state: 'SUCCESS', result: { ...result(task, now), status: true, ...withDetails(outcome) } }
}

export function refused(
  task: AcceptedTask,
  now: Date,
  message: string,
  { message: error, details }: Refusal,
): DecidedTask {
  return { ...common(task), state: 'ERRORED', result: { ...result(task, now), status: false, message, error, details } }
}

export function failed(task: AcceptedTask, now: Date): DecidedTask {
  const error =
    'The service broke while it worked on this task, and left it out. Its log has the cause under the id of the task.'
  const failure = { status: false, message: 'Task failed', error, details: { code: 'broke' satisfies FailureCode } }
  return { ...common(task), state: 'FAILURE', result: { ...result(task, now), ...failure } }
}

export function poisoned({ id, poisoned }: PoisonedTask, now: Date): DecidedTask {
  const error =
    poisoned === 'crashed'
      ? 'The publisher crashed three times in a row with this task alone, so it was left out unread.'
      : `What was stored of this task cannot be read, so it was left out. A copy is kept as ${spoiltName(id)}. Send the request again.`
  const details = { code: poisoned satisfies FailureCode }
  const result = { status: false, message: 'Task failed', error, last_update: now.toISOString(), details }
  return { id, principal: 'unknown', state: 'FAILURE', result }
}

const common = ({ id, principal }: AcceptedTask) => ({ id, principal })
const result = ({ request }: AcceptedTask, now: Date) => ({ task: request.kind, last_update: now.toISOString() })
const withDetails = ({ message, details, warnings = [] }: Outcome) => ({
  message,
  details: { ...details, ...(warnings.length > 0 && { warnings }) },
})
