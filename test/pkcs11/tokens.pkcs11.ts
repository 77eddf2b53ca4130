import assert from 'node:assert/strict'
import { constants, verify } from 'node:crypto'
import { after, describe, it } from 'node:test'
import type { TokenErrorCode } from '../../cli/pkcs11/token-error.ts'
import { tokenPublicKey, tokenSigner } from '../../cli/pkcs11/token-signer.ts'
import type { Passwords } from '../../cli/prompt.ts'
import { keyFromPublicKey, publicKeyOf, verifySignature } from '../../shared/tuf/keys.ts'
import { signerContract } from '../contract/signer.ts'
import { kinds, makeKeyOnToken, modulePath, startSoftHsm } from './softhsm.ts'

const pin = '271828'
const softHsm = await startSoftHsm()
after(() => softHsm[Symbol.asyncDispose]())
for (const label of ['alice', 'twin', 'twin', 'lone', 'guessed']) softHsm.makeToken(label, pin)

const alwaysAuthenticate = 0x202
const maySign = 0x108
makeKeyOnToken(pin, 'careful', 0x20, [
  { type: alwaysAuthenticate, value: true },
  { type: maySign, value: true },
])
makeKeyOnToken(pin, 'no signer', 0x21, [{ type: maySign, value: false }])
const made = new Map(Object.entries(kinds).map(([label, make]) => [label, make()]))
const alice = { label: 'alice', pin }
for (const [index, [label, { privateKey }]] of [...made].entries())
  await softHsm.importKey(alice, { label, id: `0${index + 1}`, privateKey })
await softHsm.importKey(alice, { label: 'twins', id: '30', privateKey: kinds.p256().privateKey })
await softHsm.importKey(alice, { label: 'twins', id: '31', privateKey: kinds.p256().privateKey })
await softHsm.importKey({ label: 'lone', pin }, { label: 'key', id: 'ab', privateKey: kinds.p256().privateKey })

const uri = (path: string) => `pkcs11:${path}?module-path=${modulePath}`
const key = (label: string) => uri(`token=alice;object=${encodeURIComponent(label)}`)

/** Somebody who says this PIN whenever asked, and how they were asked. */
function saying(answer = pin) {
  const asked: string[] = []
  const passwords: Passwords = {
    async next(message) {
      asked.push(message)
      return answer
    },
  }
  return { asked, passwords }
}

const { passwords } = saying()

for (const label of ['p256', 'rsa-2048', 'rsa-4096', 'careful']) {
  signerContract(`tokenSigner with ${label}`, async () => {
    return { signer: await tokenSigner(key(label), passwords), [Symbol.asyncDispose]: async () => {} }
  })
}

describe('tokenSigner', () => {
  for (const label of ['p256', 'rsa-2048', 'rsa-4096', 'ed25519']) {
    it(`shows ${label} as the one who made it sees it`, async () => {
      const { publicKey } = made.get(label) ?? assert.fail()
      const { key: shown } = await tokenSigner(key(label), passwords)
      assert.deepEqual(shown, keyFromPublicKey(publicKey))
    })
  }

  it('makes ECDSA signatures in DER, also where r or s is short or has its first bit set', async () => {
    const signer = await tokenSigner(key('p256'), passwords)
    const lengths = new Set<number>()
    for (let index = 0; index < 300; index++) {
      const bytes = Buffer.from(`message ${index}`)
      const signature = await signer.sign(bytes)
      assert.ok(verifySignature(signer.key, bytes, signature), signature)
      lengths.add(signature.length / 2)
    }
    assert.ok(lengths.has(70) && lengths.has(71) && lengths.has(72), [...lengths].join())
  })

  it('signs whole messages with Ed25519, of any size but none at all', async () => {
    const signer = await tokenSigner(key('ed25519'), passwords)
    for (const length of [1, 4_097, 1_000_000]) {
      const bytes = Buffer.alloc(length, 'metadata')
      assert.ok(verifySignature(signer.key, bytes, await signer.sign(bytes)))
    }
    await assert.rejects(signer.sign(Buffer.alloc(0)), { name: 'SignerError', code: 'unavailable' })
    const bytes = Buffer.from('and goes on after a failure')
    assert.ok(verifySignature(signer.key, bytes, await signer.sign(bytes)))
  })

  it('makes RSA-PSS signatures with a salt of 32 bytes', async () => {
    const signer = await tokenSigner(key('rsa-2048'), passwords)
    const bytes = Buffer.from('metadata')
    const signature = Buffer.from(await signer.sign(bytes), 'hex')
    const padding = constants.RSA_PKCS1_PSS_PADDING
    assert.ok(verify('sha256', bytes, { key: publicKeyOf(signer.key), padding, saltLength: 32 }, signature))
  })

  it('finds a key by its id alone, and the only key of a token by the token alone', async () => {
    const [byLabel, byId] = await Promise.all([
      tokenSigner(key('p256'), passwords),
      tokenSigner(uri('token=alice;id=%01'), passwords),
    ])
    assert.equal(byId.keyid, byLabel.keyid)
    const lone = await tokenSigner(uri('token=lone'), passwords)
    assert.equal(lone.keyid, (await tokenSigner(uri('token=lone;id=%ab;type=private'), passwords)).keyid)
  })

  it('asks for the PIN once, however many keys of a token are opened', async () => {
    const { asked, passwords } = saying()
    await tokenSigner(uri('token=lone'), passwords)
    await tokenSigner(key('rsa-2048'), passwords)
    assert.deepEqual(asked, [], 'both were open already')
  })

  const refused: readonly (readonly [what: string, uri: string, TokenErrorCode, RegExp])[] = [
    [
      'a token that is not there',
      uri('token=carol;object=p256'),
      'token',
      /No token .* There are: .*"alice" \(serial [0-9a-f]+\)/,
    ],
    ['a name that several tokens have', uri('token=twin;object=p256'), 'token', /Several tokens .* serial/],
    ['a key that is not there', key('p265'), 'key', /"alice" shows no such private key. It shows .*object=p256;id=%01/],
    ['a name that several keys have', key('twins'), 'key', /fits object=twins;id=%3[01] and object=twins;id=%3[01]\./],
    ['a curve that clients refuse', key('p384'), 'kind', /"p384" .* clients refuse/],
    ['an RSA key that is too short', key('rsa-1024'), 'kind', /at least 2048 bits, this one has 1024/],
    [
      'a library that is not there',
      'pkcs11:token=alice?module-path=/nonexistent.so',
      'module',
      /\/nonexistent\.so cannot be used/,
    ],
    ['a library that is none', 'pkcs11:token=alice?module-path=/etc/hostname', 'module', /hostname cannot be used/],
  ]
  for (const [what, name, code, message] of refused) {
    it(`refuses ${what}: '${code}'`, async () => {
      await assert.rejects(tokenSigner(name, passwords), { name: 'TokenError', code, message })
    })
  }

  it("refuses a key that may not sign when it is to: 'kind'", async () => {
    const signer = await tokenSigner(key('no signer'), passwords)
    await assert.rejects(signer.sign(Buffer.from('metadata')), {
      name: 'TokenError',
      code: 'kind',
      message: /not allowed to sign/,
    })
  })

  it("tries a wrong PIN once, says nothing of it, and warns whoever tries again: 'pin'", async () => {
    const wrong = saying('314159')
    const name = uri('token=guessed')
    for (const message of [/The PIN of token "guessed" is wrong\. It was tried once/, /wrong/]) {
      await assert.rejects(tokenSigner(name, wrong.passwords), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'pin')
        assert.match(error.message, message)
        assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`, /314159/)
        return true
      })
    }
    assert.deepEqual(wrong.asked, ['PIN of token "guessed"', 'PIN of token "guessed" (it was wrong before)'])
  })
})

describe('tokenPublicKey', () => {
  it('reads a public key of a token that nobody logged into', async () => {
    const { privateKey, publicKey } = kinds.p256()
    await softHsm.importKey({ label: 'guessed', pin }, { label: 'key', id: '01', privateKey })
    assert.deepEqual(tokenPublicKey(uri('token=guessed')), keyFromPublicKey(publicKey))
  })

  it("says what is there where the name fits nothing: 'key'", () => {
    assert.throws(() => tokenPublicKey(key('nobody')), { code: 'key', message: /shows no such public key/ })
  })
})
