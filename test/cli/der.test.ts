import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import { describe, it } from 'node:test'
import { integer, octets, sequence } from '../../cli/der.ts'

describe('DER', () => {
  for (const [hex, encoded] of [
    ['00', '020100'],
    ['0000', '020100'],
    ['7f', '02017f'],
    ['80', '02020080'],
    ['0080', '02020080'],
    ['00000100', '02020100'],
    ['ffff', '020300ffff'],
  ] as const) {
    it(`writes the integer ${hex} in as few bytes as its sign allows`, () => {
      assert.equal(integer(Buffer.from(hex, 'hex')).toString('hex'), encoded)
    })
  }

  for (const [length, start] of [
    [127, '047f'],
    [128, '048180'],
    [255, '0481ff'],
    [256, '04820100'],
    [65_535, '0482ffff'],
  ] as const) {
    it(`writes a length of ${length}`, () => {
      const written = octets(Buffer.alloc(length, 1))
      assert.ok(written.toString('hex').startsWith(`${start}01`))
      assert.equal(written.length, length + start.length / 2)
    })
  }

  it('makes of r and s side by side a signature that others verify', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const publicKey = createPublicKey(privateKey)
    for (let index = 0; index < 100; index++) {
      const bytes = Buffer.from(`message ${index}`)
      const bare = sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' })
      const signature = sequence(integer(bare.subarray(0, 32)), integer(bare.subarray(32)))
      assert.ok(verify('sha256', bytes, publicKey, signature))
    }
  })
})
