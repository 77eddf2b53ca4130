import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { publish } from '../../shared/repository/publish.ts'
import { readTask } from '../../shared/repository/read.ts'
import { openRepository } from '../../shared/repository/repository.ts'
import { submit } from '../../shared/repository/submit.ts'
import { addRequest, bootstrapped, restarted } from '../support/repository.ts'

describe('A commit checks its own signatures, and', () => {
  for (const [where, verifiedHere] of [
    ['on the spot', Number.POSITIVE_INFINITY],
    ['by other threads', 0],
  ] as const) {
    for (const type of ['targets', 'snapshot', 'timestamp'])
      it(`shows nothing that it has signed wrongly: ${type}, verified ${where}`, async () => {
        const repository = await bootstrapped()
        const before = await repository.ports.metadata.read('timestamp.json')
        const signers = repository.ports.signers.map((signer) => ({
          ...signer,
          // Only this is signed wrongly; what is above it would be good.
          sign: (bytes: Uint8Array) =>
            signer.sign(Buffer.from(bytes).includes(`"_type":"${type}"`) ? Buffer.from('other bytes') : bytes),
        }))
        const { id } = await submit(repository, { request: addRequest(['a']), principal: 'build' })
        const faulty = openRepository({ ...repository.ports, signers }, { verifiedHere })
        await assert.rejects(publish(faulty), { code: 'threshold' })
        assert.deepEqual((await repository.ports.metadata.read('timestamp.json'))?.tag, before?.tag)
        await publish(restarted(repository))
        assert.equal((await readTask(repository, id))?.state, 'SUCCESS')
      })
  }
})
