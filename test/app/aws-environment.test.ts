import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { claimGrants, connect, EnvironmentError } from '../../shared/app/aws.ts'
import { optionalVariables, variables } from '../../shared/app/environment.ts'
import { defaultLimits } from '../../shared/repository/repository.ts'
import { recordedLog } from '../support/log.ts'

const names = [...Object.values(variables), ...Object.values(optionalVariables)]

describe('the environment of the functions', () => {
  afterEach(() => {
    for (const name of names) delete process.env[name]
  })

  const limitsWith = (more: Readonly<Record<string, string>>) => {
    Object.assign(process.env, Object.fromEntries(Object.values(variables).map((name) => [name, 'x'])), more)
    return connect(recordedLog().log).limits
  }

  it('says nothing of times: then they are the usual ones', () => {
    assert.deepEqual(limitsWith({}), defaultLimits)
  })

  it('says how long old keys sign and old metadata stays', () => {
    const times = { TUFFET_ROTATION_GRACE_SECONDS: '1200', TUFFET_RETENTION_SECONDS: '172800' }
    assert.deepEqual(limitsWith(times), { ...defaultLimits, rotationGrace: 1_200_000, retention: 172_800_000 })
  })

  for (const wrong of ['0', '-1', '1.5', 'an hour', '1e3', '9999999999']) {
    it(`refuses ${wrong} seconds`, () => {
      assert.throws(
        () => limitsWith({ TUFFET_RETENTION_SECONDS: wrong }),
        (error) => error instanceof EnvironmentError && error.code === 'unusable' && /RETENTION/.test(error.message),
      )
    })
  }

  it('says what claims grant; without a word they grant nothing', () => {
    assert.deepEqual(claimGrants(), {})
    process.env['TUFFET_TOKEN_CLAIMS'] = '{"publish":[{"repository":["a/b"]}]}'
    assert.deepEqual(claimGrants(), { publish: [{ repository: ['a/b'] }] })
    for (const wrong of ['{', '[]', '{"publish": true}']) {
      process.env['TUFFET_TOKEN_CLAIMS'] = wrong
      assert.throws(claimGrants, { name: 'EnvironmentError', code: 'unusable' }, wrong)
    }
  })
})
