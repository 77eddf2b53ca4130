import * as z from 'zod'
import type { RevertRequest } from '../repository/task.ts'
import { example, wholeNumber } from './schemas.ts'

export const revertBody = z
  .object({ commit: wholeNumber(1).describe('The number of a commit, as GET /commits has it.') })
  .transform(({ commit }): RevertRequest => ({ kind: 'revert', commit }))
  .meta(example({ commit: 41 }))
