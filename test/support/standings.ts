import assert from 'node:assert/strict'
import { formatExpires } from '../../shared/tuf/expiry.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { specVersion, type Targets } from '../../shared/tuf/metadata.ts'
import { apiOver, artifact, bootstrapBody, type TestApi } from './api.ts'
import { decided, signatureOf } from './holders.ts'
import { inAYear, makeKey, makeRoot, signRole, type TestKey } from './keys.ts'
import { type TestRepository, testRepository } from './repository.ts'

/** Where a repository can stand, as far as it matters to a route. */
export const standings = [
  'before the bootstrap',
  'while the bootstrap is signed',
  'at rest',
  'while roles are signed',
] as const
export type Standing = (typeof standings)[number]

export interface World {
  readonly api: TestApi
  readonly repository: TestRepository
  /** Signs role `vendor`. */
  readonly vendor: TestKey
}

/** A delegated role as it is posted. */
export const role = (name: string, more: object = {}) => ({ name, paths: [`${name}/*`], ...more })
export const delegations = (...roles: object[]) => ({ delegations: { keys: {}, roles } })
/** The next root, with one of two signatures. */
export const nextRoot = ({ repository: { rootKeys, online } }: World) => {
  const root = makeRoot({ version: 2, root: rootKeys, online, threshold: 2 })
  return { metadata: { root: parseJson(signRole(root, rootKeys.slice(0, 1)).bytes) } }
}

/** The next metadata of role `vendor`, made elsewhere. */
export function uploadOf(vendor: TestKey) {
  const targets: Targets = {
    ...{ _type: 'targets', spec_version: specVersion, version: 4, expires: formatExpires(inAYear()) },
    targets: new Map(),
  }
  return { metadata: parseJson(signRole(targets, [vendor]).bytes) }
}

export async function worldAt(standing: Standing): Promise<World> {
  const repository = testRepository()
  const world = { api: apiOver(repository), repository, vendor: makeKey() }
  if (standing === standings[0]) return world
  const bootstrap = bootstrapBody(repository)
  const { signatures, ...root } = bootstrap.metadata.root as { signatures: readonly object[] }
  const first = { ...bootstrap, metadata: { root: { ...root, signatures: signatures.slice(0, 1) } } }
  await succeeds(world, 'POST /bootstrap', standing === standings[1] ? first : bootstrap)
  if (standing === standings[1]) return world
  const { keyid, key } = world.vendor
  const roles = [role('online'), role('vendor', { keyids: [keyid] })]
  await succeeds(world, 'POST /delegations', { delegations: { keys: { [keyid]: key }, roles } })
  await succeeds(world, 'POST /metadata/sign', await signatureOf(world.api, 'vendor', world.vendor))
  await succeeds(world, 'POST /artifacts', { artifacts: [artifact('there')] })
  if (standing === standings[2]) return world
  await succeeds(world, 'POST /metadata', nextRoot(world))
  await succeeds(world, 'POST /artifacts', { artifacts: [artifact('vendor/a')] })
  return world
}

async function succeeds({ api }: World, request: string, body: unknown): Promise<void> {
  const { state, error } = await decided(api, request, body)
  assert.equal(state, 'SUCCESS', `${request}: ${error}`)
}
