import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { OperationId } from '../../shared/app/routes.ts'
import { artifact, bootstrapBody } from '../support/api.ts'
import { pending, signatureOf } from '../support/holders.ts'
import { makeKey } from '../support/keys.ts'
import { delegations, nextRoot, role, standings, uploadOf, type World, worldAt } from '../support/standings.ts'

/** A status, or how the task ends that a 202 speaks of. */
type Outcome = 200 | 404 | 'SUCCESS' | 'ERRORED'

interface Expected {
  readonly request: string
  readonly body?: (world: World) => unknown
  /** In the order of `standings`. */
  readonly outcomes: readonly [Outcome, Outcome, Outcome, Outcome]
  /** What of it is not understood: a body, or another request. */
  readonly invalid?: object | string
}

const always = [200, 200, 200, 200] as const
const shownAfter = [404, 404, 200, 200] as const
const doneAfter = [404, 404, 'SUCCESS', 'SUCCESS'] as const
/** One for each route: one that is left out does not compile. Imports have a test of their own. */
const expected: Record<Exclude<OperationId, 'postImports' | 'postImport' | 'getImport'>, Expected> = {
  getBootstrap: { request: 'GET /bootstrap', outcomes: always },
  postBootstrap: {
    request: 'POST /bootstrap',
    body: ({ repository }) => bootstrapBody(repository),
    outcomes: ['SUCCESS', 404, 404, 404],
    invalid: { settings: {} },
  },
  getConfig: { request: 'GET /config', outcomes: shownAfter },
  putConfig: {
    request: 'PUT /config',
    body: () => ({ settings: { expiration: { bins: 3 } } }),
    outcomes: doneAfter,
    invalid: { settings: { expiration: { bins: 'x' } } },
  },
  postArtifacts: {
    request: 'POST /artifacts',
    body: () => ({ artifacts: [artifact('a')] }),
    outcomes: doneAfter,
    invalid: { artifacts: [artifact('../a')] },
  },
  postArtifactsDelete: {
    request: 'POST /artifacts/delete',
    body: () => ({ artifacts: ['there'] }),
    outcomes: doneAfter,
    invalid: { artifacts: [5] },
  },
  postArtifactsPublish: { request: 'POST /artifacts/publish', outcomes: doneAfter },
  getArtifact: { request: 'GET /artifacts?path=there', outcomes: shownAfter, invalid: 'GET /artifacts' },
  getParkedArtifacts: {
    request: 'GET /artifacts/parked',
    outcomes: shownAfter,
    invalid: 'GET /artifacts/parked?limit=0',
  },
  postMetadata: {
    request: 'POST /metadata',
    body: nextRoot,
    outcomes: [404, 404, 'SUCCESS', 'ERRORED'],
    invalid: { metadata: { root: {} } },
  },
  postMetadataOnline: {
    request: 'POST /metadata/online',
    body: () => ({ roles: [] }),
    outcomes: doneAfter,
    invalid: { roles: ['../x'] },
  },
  getMetadataSign: { request: 'GET /metadata/sign', outcomes: [404, 200, 200, 200] },
  postMetadataSign: {
    request: 'POST /metadata/sign',
    body: async ({ api, repository: { rootKeys } }) => {
      const [, second = makeKey()] = rootKeys
      const waits = 'root' in (await pending(api))
      return waits ? signatureOf(api, 'root', second) : { role: 'root', signature: { keyid: 'ab', sig: 'ab' } }
    },
    outcomes: [404, 'SUCCESS', 'ERRORED', 'SUCCESS'],
    invalid: { role: 'root', signature: { keyid: 'ab', sig: 'x' } },
  },
  postMetadataSignDelete: {
    request: 'POST /metadata/sign/delete',
    body: () => ({ role: 'root' }),
    outcomes: [404, 'SUCCESS', 404, 'SUCCESS'],
    invalid: { role: '../root' },
  },
  getDelegations: { request: 'GET /delegations', outcomes: shownAfter },
  postDelegations: {
    request: 'POST /delegations',
    body: () => delegations(role('docs')),
    outcomes: doneAfter,
    invalid: delegations(role('../docs')),
  },
  putDelegations: {
    request: 'PUT /delegations',
    body: () => delegations(role('online', { terminating: true })),
    outcomes: doneAfter,
    invalid: delegations(role('online', { threshold: 0 })),
  },
  postDelegationsDelete: {
    request: 'POST /delegations/delete',
    body: () => delegations({ name: 'online' }),
    outcomes: doneAfter,
    invalid: delegations(),
  },
  postDelegationsRenew: {
    request: 'POST /delegations/renew',
    body: () => ({ roles: ['vendor'] }),
    outcomes: [404, 404, 'SUCCESS', 'ERRORED'],
    invalid: { roles: 'vendor' },
  },
  postDelegatedMetadata: {
    request: 'POST /delegations/vendor/metadata',
    body: ({ vendor }) => uploadOf(vendor),
    outcomes: [404, 404, 'SUCCESS', 'ERRORED'],
    invalid: { metadata: {} },
  },
  postRevert: { request: 'POST /revert', body: () => ({ commit: 1 }), outcomes: doneAfter, invalid: { commit: 0 } },
  getTask: { request: `GET /task?task_id=${'f'.repeat(32)}`, outcomes: [404, 404, 404, 404], invalid: 'GET /task' },
  getKeys: { request: 'GET /keys', outcomes: always },
  getCommits: { request: 'GET /commits', outcomes: always, invalid: 'GET /commits?limit=0' },
  getCommit: { request: 'GET /commits/1', outcomes: shownAfter, invalid: 'GET /commits/first' },
  getCommitChanges: {
    request: 'GET /commits/1/changes',
    outcomes: shownAfter,
    invalid: 'GET /commits/1/changes?limit=0',
  },
  getStatus: { request: 'GET /status', outcomes: always },
  getOpenapi: { request: 'GET /openapi.json', outcomes: always },
}

for (const [id, { request, body, outcomes, invalid }] of Object.entries(expected)) {
  describe(`${id}: ${request}`, () => {
    for (const [at, standing] of standings.entries()) {
      const outcome = outcomes[at]
      it(`${standing}: ${outcome}`, async () => {
        const world = await worldAt(standing)
        const sent = { body: await body?.(world), headers: { prefer: 'wait=5' } }
        const { status, body: answered } = await world.api.call(request, sent)
        const said = JSON.stringify(answered)
        if (typeof outcome === 'number') assert.equal(status, outcome, said)
        else assert.deepEqual([status, answered.data?.['state']], [200, outcome], said)
        // Whoever is refused is told why.
        const { error } = (answered.detail ?? answered.data?.['result'] ?? {}) as { error?: unknown }
        if (outcome === 404 || outcome === 'ERRORED') assert.ok(String(error ?? '').length > 20, said)
      })
      if (invalid === undefined) continue
      it(`${standing}: 422 for what cannot be understood`, async () => {
        const { api, repository } = await worldAt(standing)
        const before = await repository.ports.state.list('')
        const { status, body: answered } = await (typeof invalid === 'string'
          ? api.call(invalid)
          : api.call(request, { body: invalid }))
        assert.equal(status, 422, JSON.stringify(answered))
        for (const { loc, msg } of answered.detail) assert.ok(Array.isArray(loc) && String(msg).length > 10)
        assert.deepEqual(await repository.ports.state.list(''), before)
      })
    }
  })
}
