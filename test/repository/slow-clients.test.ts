import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRepository } from '../../shared/repository/check/check.ts'
import { warningsOfCurrent } from '../../shared/repository/client-standing.ts'
import { type ClientId, clientVerdicts } from '../../shared/repository/clients.ts'
import { readCurrent } from '../../shared/repository/current.ts'
import type { TaskRequest } from '../../shared/repository/task.ts'
import { customRole, delegation, succeeds } from '../support/delegations.ts'
import { begin, finish } from '../support/long-work.ts'
import { bootstrapped, bootstrapRequest, testRepository } from '../support/repository.ts'

const serve = (...clients: ClientId[]): TaskRequest => ({ kind: 'update_settings', expiration: {}, clients })
const bins = (number: number) => ({ delegations: { delegation: 'succinct_roles', number } }) as const

async function foundedWith(number: number, clients?: readonly ClientId[]) {
  const repository = testRepository()
  const request = bootstrapRequest(repository, bins(number).delegations)
  return warnings(await succeeds(repository, { ...request, ...(clients && { clients }) }))
}

const warnings = (details: Readonly<Record<string, unknown>>) => String(details['warnings'] ?? '')

describe('A snapshot of many roles, over which tuf-js takes long,', () => {
  it('is warned of when the repository is founded, also where no clients are named', async () => {
    const warning =
      /^tuf-js 6 takes about 4 seconds or more .* names 4097 roles\..* new repository with fewer hash bins .*take tuf-js out of the clients served/
    assert.match(await foundedWith(4096), warning)
    assert.match(await foundedWith(4096, ['python-tuf', 'tuf-js']), warning)
    assert.equal(await foundedWith(4096, ['python-tuf', 'go-tuf']), '')
    assert.equal(await foundedWith(2048, ['tuf-js']), '')
    assert.match(await foundedWith(16_384), /tuf-js 6 takes about 76 seconds or more .* 16385 roles/)
  })

  it('is warned of when the number of bins changes; also when there are fewer again, for roles stay in it', async () => {
    const repository = await bootstrapped(bins(4))
    const change = async (number: number) => {
      const { state, details } = await finish(repository, await begin(repository, { kind: 'change_bins', number }))
      assert.equal(state, 'SUCCESS')
      return warnings(details)
    }
    assert.equal(await change(2048), '')
    assert.match(await change(8192), /^tuf-js 6 takes about 16 seconds or more .* names 10245 roles/)
    assert.match(await change(4), /^tuf-js 6 takes about 16 seconds or more .* names 10245 roles/)
    assert.match(
      warnings(await succeeds(repository, serve('tuf-js'))),
      /^tuf-js 6 takes about 16 seconds or more .* names 10245 roles/,
    )
  })

  it('is warned of in the standing while tuf-js is served, and when it is named', async () => {
    const repository = await bootstrapped(bins(4096))
    const standing = async () => {
      const current = await readCurrent(repository)
      assert.ok(current)
      return warningsOfCurrent(current).filter((warning) => /seconds/.test(warning))
    }
    assert.equal((await standing()).length, 1)
    assert.equal(warnings(await succeeds(repository, serve('python-tuf'))), '')
    assert.deepEqual(await standing(), [])
    assert.match(warnings(await succeeds(repository, serve('python-tuf', 'tuf-js'))), /^tuf-js 6 takes about 4 seconds/)
    assert.equal((await standing()).length, 1)
  })

  it('is warned of when a delegation makes it so, and not again with each that follows', async () => {
    const repository = await bootstrapped({ delegations: { keys: {}, roles: [customRole('first')] } })
    const many = customRole('many', { bins: { delegation: 'succinct_roles', number: 4096 } })
    assert.match(
      warnings(await succeeds(repository, delegation('add', [many]))),
      /,tuf-js 6 takes about 4 seconds or more .* names 4099 roles/,
    )
    assert.equal(warnings(await succeeds(repository, delegation('add', [customRole('last')]))), '')
  })

  it('is part of what a check says, beside the verdict that tuf-js can read it', async () => {
    const repository = await bootstrapped(bins(4096))
    const { metadata, clock } = repository.ports
    const read = async (file: string) => (await metadata.read(file))?.bytes
    const { traits } = await checkRepository({ read, now: clock.now() })
    assert.equal(traits.rolesInSnapshot, 4097)
    const verdict = (roles: number) =>
      clientVerdicts({ ...traits, rolesInSnapshot: roles }).find(({ id }) => id === 'tuf-js')
    assert.deepEqual([verdict(4095)?.reads, verdict(4095)?.slow], [true, undefined])
    assert.equal(verdict(traits.rolesInSnapshot)?.reads, true)
    assert.match(verdict(traits.rolesInSnapshot)?.slow ?? '', /^4 s or more for a refresh: .* 4097 roles$/)
    const others = clientVerdicts(traits).filter(({ id }) => id !== 'tuf-js')
    assert.deepEqual(
      others.flatMap(({ slow }) => slow ?? []),
      [],
    )
  })
})
