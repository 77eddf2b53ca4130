import assert from 'node:assert/strict'
import { it } from 'node:test'
import { clientNow } from '../support/client.ts'
import { customRole, delegation, sign, succeeds } from '../support/delegations.ts'
import { makeKey } from '../support/keys.ts'
import { repaired } from '../support/repairing.ts'
import { addRequest, bootstrapped } from '../support/repository.ts'

it('a snapshot that is put together anew has what holders signed last, also of a role that the service signed before', async () => {
  const repository = await bootstrapped()
  const [ann, bob] = [makeKey(), makeKey()]
  await succeeds(repository, delegation('add', [customRole('project')]))
  await succeeds(repository, addRequest(['project/a']))
  const held = customRole('project', { holders: [ann, bob], threshold: 2 })
  await succeeds(repository, delegation('update', [held], [ann, bob]))
  await sign(repository, 'project', ann, bob)
  const client = await clientNow(repository)
  await repository.ports.metadata.delete(`${client.trusted.snapshot?.signed.version}.snapshot.json`)
  const { steps } = await repaired(repository, client)
  assert.match(steps.join(), /Put the snapshot together/)
})
