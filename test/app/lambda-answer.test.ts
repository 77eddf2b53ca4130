import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { jsonAnswer } from '../../shared/app/answer.ts'
import { lambdaAnswer } from '../../shared/app/lambda-answer.ts'

/** Bytes that Lambda hands on. */
const limit = 6 * 1024 * 1024
const plain = { headers: {} }
const gzip = { headers: { 'accept-encoding': 'br, GZIP, deflate' } }

describe('an answer by way of Lambda', () => {
  it('is left as it is where it fits', () => {
    for (const data of ['', 'x'.repeat(5_900_000), '\n'.repeat(1_900_000)]) {
      const answer = jsonAnswer(200, { data })
      assert.ok(lambdaAnswer(gzip, answer) === answer)
    }
  })

  it('is compressed where it is too large, also if only because JSON writes it longer', () => {
    for (const data of ['x'.repeat(9_000_000), '"'.repeat(3_000_000)]) {
      const answer = jsonAnswer(200, { data }, { 'tuffet-task': 'x' })
      const handed = lambdaAnswer(gzip, answer)
      assert.ok(JSON.stringify(handed).length < limit)
      assert.deepEqual(
        [
          handed.statusCode,
          handed.isBase64Encoded,
          handed.headers?.['content-encoding'],
          handed.headers?.['tuffet-task'],
        ],
        [200, true, 'gzip', 'x'],
      )
      assert.ok(gunzipSync(Buffer.from(handed.body ?? '', 'base64')).toString() === answer.body)
    }
  })

  it('says so where the client does not take that, or it does not help', () => {
    const large = jsonAnswer(200, { data: 'x'.repeat(9_000_000) })
    const refused = lambdaAnswer(plain, large)
    assert.equal(refused.statusCode, 500)
    assert.match(refused.body ?? '', /9000011 bytes.*accept-encoding: gzip/)
    const random = jsonAnswer(200, { data: randomBytes(5_000_000).toString('base64') })
    assert.match(lambdaAnswer(gzip, random).body ?? '', /Ask for less/)
  })
})
