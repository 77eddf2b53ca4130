import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Signer } from '../../shared/repository/ports.ts'
import { keyid, publicKeyOf, verifySignature } from '../../shared/tuf/keys.ts'

/** A signer for one test. */
export interface SignerUnderTest extends AsyncDisposable {
  readonly signer: Signer
}

/** What the Signer port promises: every adapter runs this, with each type of key that it has. */
export function signerContract(name: string, makeSigner: () => Promise<SignerUnderTest>): void {
  describe(`${name} as a Signer`, () => {
    it('carries a key that clients read, under its keyid', async () => {
      await using made = await makeSigner()
      const { signer } = made
      assert.equal(signer.keyid, keyid(signer.key))
      assert.equal(publicKeyOf(signer.key).type, 'public')
      assert.doesNotMatch(JSON.stringify(signer.key), /PRIVATE/)
    })

    // Metadata grows: a signature has to cover what is far longer than one request to a signing service may be.
    for (const length of [0, 1, 4_097, 1_000_000]) {
      it(`signs ${length} bytes`, async () => {
        await using made = await makeSigner()
        const { signer } = made
        const bytes = Buffer.alloc(length, 'metadata')
        const signature = await signer.sign(bytes)
        assert.match(signature, /^(?:[0-9a-f]{2})+$/)
        assert.ok(verifySignature(signer.key, bytes, signature))
        assert.ok(!verifySignature(signer.key, Buffer.concat([bytes, Buffer.of(0)]), signature))
      })
    }

    it('signs many at once', async () => {
      await using made = await makeSigner()
      const { signer } = made
      const messages = Array.from({ length: 32 }, (_, index) => Buffer.from(`message ${index}`))
      const signatures = await Promise.all(messages.map((bytes) => signer.sign(bytes)))
      for (const [index, bytes] of messages.entries()) {
        assert.ok(verifySignature(signer.key, bytes, signatures[index] ?? ''))
      }
    })
  })
}
