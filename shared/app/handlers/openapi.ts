import { jsonAnswer } from '../answer.ts'
import type { Routes } from '../routes.ts'
import type { Handler } from './handler.ts'

export const getOpenapi: Handler<Routes['getOpenapi']> = async () => {
  // Only who asks for the document pays for what makes it.
  const { openapiDocument } = await import('../openapi.ts')
  return jsonAnswer(200, openapiDocument('../..'))
}
