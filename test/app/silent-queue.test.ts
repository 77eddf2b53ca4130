import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { it } from 'node:test'
import { connect } from '../../shared/app/aws.ts'
import { variables } from '../../shared/app/environment.ts'
import { apiOver, artifact } from '../support/api.ts'
import { recordedLog } from '../support/log.ts'
import { bootstrapped } from '../support/repository.ts'

it('who posts need not wait for each attempt of the SDK where SQS is silent', async (test) => {
  const asked: string[] = []
  const sqs = createServer((request) => void asked.push(String(request.headers['x-amz-target'])))
  await once(sqs.listen(0, '127.0.0.1'), 'listening')
  test.after(() => {
    sqs.closeAllConnections()
    sqs.close()
  })
  Object.assign(process.env, Object.fromEntries(Object.values(variables).map((name) => [name, 'x'])), {
    [variables.queue]: `http://127.0.0.1:${(sqs.address() as AddressInfo).port}/000000000000/bell`,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  })
  const { log, warnings } = recordedLog()
  const { queue } = connect(log).ports
  const repository = await bootstrapped()
  const api = apiOver(repository, { ring: () => queue.ring('0'.repeat(32)) })

  const posted = await api.call('POST /artifacts', { body: { artifacts: [artifact('a')] } })
  assert.equal(posted.status, 202)
  assert.equal((await repository.ports.state.list('inbox/')).length, 1)
  // On a busy machine not even one gets through in time.
  assert.ok(asked.length <= 1, asked.join())
  assert.equal(warnings.length, 1)
  const { message, err } = warnings[0] as { message: string; err: Error }
  assert.equal(message, 'a ring was lost')
  assert.match(err.message, /did not take the message within 2000 ms/)
})
