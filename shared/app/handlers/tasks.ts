import { waitForTask } from '../../repository/read.ts'
import { isTaskId } from '../../repository/task.ts'
import { jsonAnswer } from '../answer.ts'
import { ApiError } from '../errors.ts'
import type { Routes } from '../routes.ts'
import type { Handler } from './handler.ts'
import { taskBody } from './task-body.ts'

/** Milliseconds that an unfinished task is waited for, so that a client that polls without a pause stays cheap. */
const patience = 1000

export const getTask: Handler<Routes['getTask']> = async ({ query }, { repository }) => {
  const id = query.task_id
  const standing = isTaskId(id) ? await waitForTask(repository, id, patience) : undefined
  if (standing === undefined) {
    const why = `There is no task ${JSON.stringify(id.slice(0, 100))}. Ids have 32 hex digits; finished tasks are kept for 30 days.`
    throw new ApiError('not-found', 'Task not found.', why)
  }
  return jsonAnswer(200, taskBody(id, standing))
}
