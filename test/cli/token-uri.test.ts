import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseTokenUri } from '../../cli/pkcs11/uri.ts'

const module = 'module-path=/usr/lib/softhsm/libsofthsm2.so'
const secret = '314159'

describe('a PKCS#11 URI', () => {
  it('names a token, a key on it, and the library that reaches it', () => {
    const uri = `pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=aba2;token=al%C3%A9a;id=%00%FFz;object=root%3B1;type=private;slot-id=7?${module}`
    assert.deepEqual(parseTokenUri(uri), {
      modulePath: '/usr/lib/softhsm/libsofthsm2.so',
      token: { token: 'aléa', serial: 'aba2', manufacturer: 'SoftHSM project', model: 'SoftHSM v2' },
      slot: 7,
      object: 'root;1',
      id: Buffer.of(0x00, 0xff, 0x7a),
    })
  })

  it('says no more than has to be said', () => {
    assert.deepEqual(parseTokenUri(`pkcs11:?${module}`), { modulePath: '/usr/lib/softhsm/libsofthsm2.so', token: {} })
  })

  const refused: readonly (readonly [uri: string, RegExp])[] = [
    ['pkcs11:token=alice', /library of the token's maker, in module-path/],
    ['pkcs11:token=alice?module-path=', /in module-path/],
    [`pkcs11:token=alice;module-path=/x.so`, /module-path cannot stand there.*after it module-path/],
    [`pkcs11:token=alice;colour=red?${module}`, /colour cannot stand there/],
    [`pkcs11:token=alice;type=cert?${module}`, /private or public/],
    [`pkcs11:token=alice;token=bob?${module}`, /token stands there twice/],
    [`pkcs11:token=100%?${module}`, /A % in the value of token/],
    [`pkcs11:alice?${module}`, /name=value/],
    [`pkcs11:slot-id=first?${module}`, /slot-id is a number/],
    [`pkcs11:token=alice?${module}&pin-value=${secret}`, /Leave pin-value out/],
    [`pkcs11:token=alice;pin-value=${secret}?${module}`, /Leave pin-value out/],
    [`pkcs11:token=alice?${module}&pin-source=file:/pin`, /Leave pin-source out/],
    [`pkcs11:token=alice?${module}&PIN=${secret}`, /name=value/],
    [`pkcs11:${secret}%`, /name=value/],
  ]
  for (const [uri, message] of refused) {
    it(`is refused: ${uri}`, () => {
      assert.throws(
        () => parseTokenUri(uri),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'uri')
          assert.match(error.message, message)
          assert.doesNotMatch(error.message, new RegExp(secret))
          return true
        },
      )
    })
  }
})
