import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { byExpiry, checkExpires, expiresAt, expiresIn, formatExpires } from '../../shared/tuf/expiry.ts'
import { refuses } from '../support/tuf-errors.ts'

describe('expires', () => {
  test('is written and read to the second, in UTC', () => {
    assert.equal(formatExpires(new Date('2030-01-02T03:04:05.999Z')), '2030-01-02T03:04:05Z')
    assert.equal(expiresAt({ expires: '2030-01-02T03:04:05Z' }).getTime(), Date.UTC(2030, 0, 2, 3, 4, 5))
    const date = fc.date({
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(date, (date) => {
        const read = expiresAt({ expires: formatExpires(date) })
        assert.equal(read.getTime(), Math.floor(date.getTime() / 1000) * 1000)
      }),
    )
  })

  for (const expires of [
    '2030-01-02T03:04:05.Z',
    '2030-01-02T03:04:05,5Z',
    '2030-01-02T03:04:05.5',
    '2030-01-02T03:04:05.5+00:00',
    '2030-01-02T03:04:05.5.5Z',
    '2030-01-02T03:04:05.1234567890Z',
    '2030-02-30T03:04:05.5Z',
    '2030-01-02T23:59:60.5Z',
    '2030-01-02.5Z',
    '2030-01-02T03:04:05.5Z\n',
    '2030-01-02T03:04:05+00:00',
    '2030-01-02T03:04:05-00:00',
    '2030-01-02T03:04:05',
    '2030-01-02T03:04:05z',
    '2030-01-02t03:04:05Z',
    '2030-01-02 03:04:05Z',
    '2030-01-02T03:04Z',
    '2030-01-02',
    '2030-1-2T03:04:05Z',
    '20300102T030405Z',
    '2030-02-30T03:04:05Z',
    '2030-13-01T03:04:05Z',
    '2030-01-02T24:00:00Z',
    '2030-01-02T23:59:60Z',
    '+012026-01-01T00:00Z',
    '+012026-01-01T00:00:00Z',
    '-000001-01-01T00:00Z',
    ' 2030-01-02T03:04:05Z',
    '2030-01-02T03:04:05Z\n',
    'Wed, 02 Jan 2030 03:04:05 GMT',
    '1893553445',
    '',
  ]) {
    test(`is refused as ${JSON.stringify(expires)}`, () =>
      refuses('invalid-metadata', () => expiresAt({ expires }), 'YYYY-MM-DDTHH:MM:SSZ'))
  }

  for (const fraction of ['.5', '.0', '.000', '.999', '.999999', '.123456789']) {
    const expires = `2030-01-02T03:04:05${fraction}Z`
    test(`is read as ${expires}, which others have written, and refused where it is new`, () => {
      assert.equal(expiresAt({ expires }).getTime(), Date.UTC(2030, 0, 2, 3, 4, 5))
      refuses(
        'invalid-metadata',
        () => checkExpires('root', { expires }),
        `root.expires has to read YYYY-MM-DDTHH:MM:SSZ, not "${expires}"`,
        'Sign it with "2030-01-02T03:04:05Z".',
      )
    })
  }

  test('is as new metadata has to have it', () => {
    checkExpires('root', { expires: '2030-01-02T03:04:05Z' })
    refuses('invalid-metadata', () => checkExpires('root', { expires: '2030-01-02' }), 'YYYY-MM-DDTHH:MM:SSZ')
  })

  test('is so many days after the signature, whatever clocks do between', () => {
    assert.equal(expiresIn(new Date('2028-02-28T23:00:00.5Z'), 2), '2028-03-01T23:00:00Z')
  })

  test('is not written where clients could not read it', () => {
    refuses('invalid-metadata', () => formatExpires(new Date('+010000-01-01T00:00:00Z')), '9999')
    refuses('invalid-metadata', () => formatExpires(new Date(8.64e15)))
    assert.equal(formatExpires(new Date('9999-12-31T23:59:59Z')), '9999-12-31T23:59:59Z')
  })
})

test('has what expires first in front, and what expires at the same time in the order of its names', () => {
  const life = (role: string, time: number) => ({ role, expires: new Date(time) })
  const lives = [life('b', 2), life('c', 1), life('a', 2)]
  assert.deepEqual(
    lives.sort(byExpiry).map(({ role }) => role),
    ['c', 'a', 'b'],
  )
})
