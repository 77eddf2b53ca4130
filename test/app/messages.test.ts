import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { artifact, bootstrapBody } from '../support/api.ts'
import { signatureOf } from '../support/holders.ts'
import { makeKey } from '../support/keys.ts'
import { delegations, nextRoot, role, standings, uploadOf, type World, worldAt } from '../support/standings.ts'

/** What programs written for RSTUF compare to the letter, or read unchecked. */
interface Case {
  readonly request: string
  readonly body?: (world: World) => unknown
  readonly at: (typeof standings)[number]
  /** Of the 202. */
  readonly accepted: string
  /** Of the task, once it has succeeded. */
  readonly done: readonly [task: string, message: string]
  /** The members of its details. */
  readonly details: readonly string[]
}

const [nothing, founding, atRest, signing] = standings
const second = ({ api, repository: { rootKeys } }: World) => signatureOf(api, 'root', rootKeys[1] ?? makeKey())
const added = ['added_artifacts', 'artifact_roles', 'invalid_paths']
const removed = ['deleted_artifacts', 'not_found_artifacts']
const changed = ['delegated_roles', 'failed_roles']

const cases: readonly Case[] = [
  {
    request: 'POST /bootstrap',
    at: nothing,
    body: ({ repository }) => bootstrapBody(repository),
    accepted: 'Bootstrap accepted.',
    done: ['bootstrap', 'Bootstrap Processed'],
    details: ['bootstrap'],
  },
  {
    request: 'POST /metadata/sign',
    at: founding,
    body: second,
    accepted: 'Metadata sign accepted.',
    done: ['sign_metadata', 'Signature Processed'],
    details: ['bootstrap'],
  },
  {
    request: 'PUT /config',
    at: atRest,
    body: () => ({ settings: { expiration: { bins: 3 } } }),
    accepted: 'Settings successfully submitted.',
    // Sic.
    done: ['update_settings', 'Update Settings Succeded'],
    details: ['invalid_roles', 'updated_roles'],
  },
  {
    request: 'POST /artifacts',
    at: atRest,
    body: () => ({ artifacts: [artifact('a')] }),
    accepted: 'New Artifact(s) successfully submitted.',
    done: ['add_artifacts', 'Artifact(s) Added'],
    details: added,
  },
  {
    request: 'POST /artifacts',
    at: atRest,
    body: () => ({ artifacts: [artifact('a')], publish_artifacts: false }),
    accepted: 'New Artifact(s) successfully submitted. Publishing will be skipped.',
    done: ['add_artifacts', 'Artifact(s) Added'],
    details: added,
  },
  {
    request: 'POST /artifacts/delete',
    at: atRest,
    body: () => ({ artifacts: ['there', 'nowhere'] }),
    accepted: 'Remove Artifact(s) successfully submitted.',
    done: ['remove_artifacts', 'Artifact(s) removed'],
    details: removed,
  },
  {
    request: 'POST /artifacts/delete',
    at: atRest,
    body: () => ({ artifacts: ['nowhere'], publish_artifacts: false }),
    accepted: 'Remove Artifact(s) successfully submitted. Publishing will be skipped.',
    done: ['remove_artifacts', 'Artifact(s) removed'],
    details: removed,
  },
  {
    request: 'POST /artifacts/publish',
    at: atRest,
    accepted: 'Publish artifacts successfully submitted.',
    done: ['publish_artifacts', 'Publish Artifacts Processed'],
    details: ['artifact_roles'],
  },
  {
    request: 'POST /metadata',
    at: atRest,
    body: nextRoot,
    accepted: 'Metadata update accepted.',
    done: ['metadata_update', 'Metadata Update Processed'],
    details: ['role', 'update'],
  },
  {
    request: 'POST /metadata/sign',
    at: signing,
    body: second,
    accepted: 'Metadata sign accepted.',
    done: ['sign_metadata', 'Signature Processed'],
    details: ['update'],
  },
  {
    request: 'POST /metadata/sign/delete',
    at: signing,
    body: () => ({ role: 'root' }),
    accepted: 'Metadata sign delete accepted.',
    done: ['delete_sign_metadata', 'Deletion of root metadata successful, signing process stopped'],
    details: [],
  },
  {
    request: 'POST /metadata/online',
    at: atRest,
    body: () => ({ roles: [] }),
    accepted: 'Force online metadata update accepted.',
    done: ['force_online_metadata_update', 'Force new online metadata update succeeded'],
    details: ['updated_roles'],
  },
  {
    request: 'POST /delegations',
    at: atRest,
    body: () => delegations(role('docs')),
    accepted: 'Metadata delegation add accepted.',
    done: ['metadata_delegation', 'Metadata Delegation Processed'],
    details: changed,
  },
  {
    request: 'PUT /delegations',
    at: atRest,
    body: () => delegations(role('online')),
    accepted: 'Metadata delegation update accepted.',
    done: ['metadata_delegation', 'Metadata Delegation Processed'],
    details: changed,
  },
  {
    request: 'POST /delegations/delete',
    at: atRest,
    body: () => delegations({ name: 'online' }),
    accepted: 'Metadata delegation delete accepted.',
    done: ['metadata_delegation', 'Metadata Delegation Processed'],
    details: changed,
  },
  {
    request: 'POST /delegations/renew',
    at: atRest,
    body: () => ({ roles: ['vendor'] }),
    accepted: 'Metadata delegation renew accepted.',
    done: ['metadata_delegation', 'Metadata Delegation Processed'],
    details: [...changed, 'pending_roles'],
  },
  {
    request: 'POST /delegations/vendor/metadata',
    at: atRest,
    body: ({ vendor }) => uploadOf(vendor),
    accepted: 'Delegated metadata accepted.',
    done: ['upload_delegated_metadata', 'Metadata Upload Processed'],
    details: ['role', 'targets', 'version'],
  },
]

describe('What is said of a request that succeeds', () => {
  for (const { request, body, at, accepted, done, details } of cases) {
    it(`${request} ${at}: ${accepted}`, async () => {
      const world = await worldAt(at)
      const { status, body: answered } = await world.api.call(request, { body: await body?.(world) })
      assert.deepEqual([status, answered.message], [202, accepted])
      assert.match(String(answered.data['task_id']), /^[0-9a-f]{32}$/)
      assert.match(String(answered.data['last_update']), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
      const asked = await world.api.call(`GET /task/?task_id=${answered.data['task_id']}`)
      const { state, result } = asked.body.data as { state: string; result: Record<string, unknown> }
      assert.deepEqual([asked.body.message, state], ['Task state.', 'SUCCESS'])
      assert.deepEqual([result['task'], result['message'], result['status']], [...done, true])
      assert.deepEqual(Object.keys(result['details'] ?? {}).sort(), details)
    })
  }

  it('without a task: to the letter too', async () => {
    for (const [at, request, status, message] of [
      [nothing, 'GET /bootstrap', 200, 'System available for bootstrap.'],
      [founding, 'GET /bootstrap', 200, 'System LOCKED for bootstrap.'],
      [atRest, 'GET /bootstrap', 200, 'System LOCKED for bootstrap.'],
      [nothing, 'GET /config', 404, 'No Repository Settings/Config found.'],
      [atRest, 'GET /config', 200, 'Current Settings'],
      [founding, 'GET /metadata/sign', 200, 'Metadata role(s) pending signing'],
      [atRest, 'GET /metadata/sign', 200, 'No metadata pending signing available'],
    ] as const) {
      const { status: is, body } = await (await worldAt(at)).api.call(request)
      assert.deepEqual([is, body.message ?? body.detail['message']], [status, message], `${request} ${at}`)
    }
  })
})
