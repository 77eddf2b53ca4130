import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { keyWarnings } from '../../shared/app/key-warnings.ts'
import { renewalWarnings } from '../../shared/app/renewal-warnings.ts'
import { recordedLog } from '../support/log.ts'

const day = 24 * 60 * 60 * 1000

describe('warnings of what only its holders can sign anew', () => {
  const start = new Date('2026-06-01T00:00:00Z')
  const after = (milliseconds: number) => new Date(start.getTime() + milliseconds)
  const root = { role: 'root', version: 1, expires: after(3 * day), renewFrom: start }

  it('come once a day, however often one looks', () => {
    const { warnings, log } = recordedLog()
    const warn = renewalWarnings(log)
    for (let minute = 0; minute < 2 * 24 * 60; minute++) warn([root], after(minute * 60_000))
    assert.deepEqual(
      warnings.map(({ days }) => days),
      [3, 2],
    )
    assert.deepEqual(warnings[0], {
      role: 'root',
      version: 1,
      expires: '2026-06-04T00:00:00.000Z',
      days: 3,
      message: 'a role expires soon that only its holders can sign anew',
    })
  })

  it('come for each role and each version, and say when it is too late', () => {
    const { warnings, log } = recordedLog()
    const warn = renewalWarnings(log)
    warn([root], start)
    warn([root, { ...root, role: 'project' }], after(1))
    warn([{ ...root, version: 2 }], after(2))
    warn([root], after(3 * day + 1))
    assert.deepEqual(
      warnings.map(({ role, version }) => `${version}.${role}`),
      ['1.root', '1.project', '2.root', '1.root'],
    )
    assert.match(String(warnings[3]?.['message']), /has expired/)
  })

  it('come although the clock was ahead for a while', () => {
    const { warnings, errors, log } = recordedLog()
    const [warn, warnOfKeys] = [renewalWarnings(log), keyWarnings(log)]
    for (const now of [after(300 * day), start]) {
      warn([root], now)
      warnOfKeys([{ role: 'timestamp', keyids: ['3f'], threshold: 1 }], [], now)
    }
    assert.deepEqual([warnings.length, errors.length], [2, 2])
  })
})

describe('errors about keys that the service should hold', () => {
  it('come when they are seen, when they are others, and once a day', () => {
    const { errors, log } = recordedLog()
    const warn = keyWarnings(log)
    const start = new Date('2026-06-01T00:00:00Z').getTime()
    const lacking = (role: string) => [{ role, keyids: ['3f'], threshold: 1 }]
    const look = (minute: number, role?: string) =>
      warn(role === undefined ? [] : lacking(role), [], new Date(start + minute * 60_000))
    for (let minute = 0; minute < 24 * 60; minute++) look(minute, 'timestamp')
    assert.equal(errors.length, 1)
    look(24 * 60, 'timestamp')
    look(24 * 60 + 1, 'targets')
    look(24 * 60 + 2)
    look(24 * 60 + 3, 'targets')
    assert.deepEqual(
      errors.map(({ roles }) => roles),
      [['timestamp'], ['timestamp'], ['targets'], ['targets']],
    )
    assert.match(String(errors[0]?.['message']), /cannot sign timestamp \(key 3f\), for it holds no key\./)
  })
})
