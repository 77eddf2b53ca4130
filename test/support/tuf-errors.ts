import assert from 'node:assert/strict'
import { TufError, type TufErrorCode } from '../../shared/tuf/errors.ts'

/** Asserts that `run` throws a TufError with this code; `words` are in its message. */
export function refuses(code: TufErrorCode, run: () => unknown, ...words: string[]): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof TufError, `not a TufError: ${error}`)
    assert.equal(error.code, code, error.message)
    for (const word of words) assert.ok(error.message.includes(word), `"${word}" is not in: ${error.message}`)
    return true
  })
}
