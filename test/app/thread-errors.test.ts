import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { asPlain, fromPlain } from '../../shared/app/thread-errors.ts'
import { Refusal, RepositoryError } from '../../shared/repository/errors.ts'
import { SignerError, StoreError } from '../../shared/repository/ports.ts'

describe('an error that comes from another thread', () => {
  const errors = [
    new StoreError('full', 'No room.'),
    new SignerError('unavailable', 'No answer.'),
    new RepositoryError('corrupt', 'Not what was published.'),
    new Refusal('Too large.', { bytes: 7 }),
    new Error('Something else.'),
  ]
  for (const error of errors) {
    it(`is what it was: ${error.constructor.name}`, () => {
      const back = fromPlain(structuredClone(asPlain(error)))
      assert.equal(back.constructor, error.constructor)
      assert.deepEqual({ ...back, message: back.message }, { ...error, message: error.message })
      assert.equal(back.cause ?? error.stack, error.stack)
    })
  }

  it('is an error also where something else was thrown', () => {
    assert.equal(fromPlain(asPlain('a text')).message, 'a text')
  })
})
