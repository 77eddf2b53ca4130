import type { TaskStanding } from '../../repository/read.ts'

/** Where a task stands, as GET /task says it. */
export function taskBody(id: string, standing: TaskStanding) {
  const result = standing.state === 'PENDING' ? undefined : standing.task.result
  return { data: { task_id: id, state: standing.state, result }, message: 'Task state.' }
}
