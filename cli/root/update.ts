import { defaultExpiration } from '../../shared/repository/settings.ts'
import { day } from '../../shared/tuf/expiry.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import type { Key } from '../../shared/tuf/keys.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { rolesBelowRoot } from '../../shared/tuf/names.ts'
import { checkRoot } from '../../shared/tuf/root.ts'
import { type Signed, unsigned } from '../../shared/tuf/signed.ts'
import type { ApiClient } from '../api-client.ts'
import type { Hands } from '../holder.ts'
import { createFile } from '../key-file.ts'
import { metadataSource } from '../metadata-source.ts'
import { CliError, endOnTufError } from '../output.ts'
import { withSignatures } from '../root-payload.ts'
import { readPublicPart } from '../signers.ts'
import { changesBetween, describeChanges } from './changes.ts'
import { confirmed } from './confirm.ts'
import { standingOf } from './holders.ts'
import { type KeyWishes, nextRoot } from './next-root.ts'
import { savedLines } from './saved-update.ts'
import { openHolder } from './sign.ts'
import { heldKeys, submitUpdate } from './submit.ts'
import { readTrustedRoot } from './trusted.ts'
import { readWaitingRoot } from './waiting.ts'

export interface UpdateOptions {
  readonly expiration?: number
  readonly threshold?: number
  readonly addKey?: readonly string[]
  readonly removeKey?: readonly string[]
  readonly addTargetsKey?: readonly string[]
  readonly removeTargetsKey?: readonly string[]
  readonly targetsThreshold?: number
  readonly onlineKey?: readonly string[]
  readonly compromised?: boolean
  readonly key?: readonly string[]
  readonly root?: string
  readonly out?: string
  readonly yes?: boolean
}

/** Makes the root that comes next, signs it with the keys at hand, and posts it. Throws CliError. */
export async function updateRoot(options: UpdateOptions, hands: Hands): Promise<void> {
  const { api, output } = hands
  const current = await currentRoot(options, hands)
  if (options.out === undefined && (await readWaitingRoot(api, current.signed)) !== undefined)
    throw new CliError('refused', 'A root waits for signatures already. See: tuffet root status')
  const next = await makeNext(current.signed, options, api)
  const changes = changesBetween(current.signed, next)
  const signers = []
  for (const name of options.key ?? []) signers.push(await openHolder(name, current.signed, next, hands.passwords))
  await confirmed(describeChanges(changes), options, hands)

  const signed = await withSignatures(unsigned(next), signers)
  const payload = {
    metadata: { root: parseJson(signed.bytes) },
    ...(options.compromised && { compromised: true }),
  }
  const standing = standingOf(current.signed, signed)
  if (options.out !== undefined) {
    await createFile(options.out, `${JSON.stringify(payload, undefined, 2)}\n`, 0o644)
    return output.done({ payload: options.out, changes, ...standing }, savedLines(options.out, standing))
  }
  await submitUpdate(payload, { current: current.signed, next, standing, changes }, hands)
}

async function currentRoot({ root }: UpdateOptions, { metadataUrl }: Hands): Promise<Signed<Root>> {
  const current = await readTrustedRoot(await metadataSource(metadataUrl.href), root)
  if (current !== undefined) return current
  throw new CliError('refused', `${metadataUrl} has no root. A repository is founded with: tuffet ceremony`)
}

async function makeNext(current: Root, options: UpdateOptions, api: ApiClient): Promise<Root> {
  const { onlineKey, targetsThreshold, addTargetsKey, removeTargetsKey } = options
  const root = await wishesOf(options.addKey, options.removeKey, options.threshold)
  const ofTargets = [targetsThreshold, addTargetsKey, removeTargetsKey].some((option) => option !== undefined)
  const targets = ofTargets ? await wishesOf(addTargetsKey, removeTargetsKey, targetsThreshold) : undefined
  const days = options.expiration ?? (await daysOfRoot(api))
  const online = onlineKey === undefined ? undefined : { keyids: [...new Set(onlineKey)], held: await heldKeys(api) }
  const expires = new Date(Date.now() + days * day)
  const next = nextRoot(current, { expires, root, targets, online })
  const stays = rolesBelowRoot.every((role) =>
    current.roles[role].keyids.every((id) => next.roles[role].keyids.includes(id)),
  )
  if (options.compromised && stays)
    throw new CliError(
      'usage',
      '--compromised is for online keys that go, and none does. Name the keys that sign from now on: --online-key KEYID',
    )
  endOnTufError('refused', '', () => checkRoot(next))
  return next
}

async function wishesOf(
  add: readonly string[] = [],
  removeKeys: readonly string[] = [],
  threshold: number | undefined,
): Promise<KeyWishes> {
  const addKeys: Key[] = []
  for (const name of add) addKeys.push(await readPublicPart(name))
  return { addKeys, removeKeys, threshold }
}

async function daysOfRoot(api: ApiClient): Promise<number> {
  const { data } = await api.get<{ data: Record<string, unknown> }>('config')
  const days = data['root_expiration']
  return typeof days === 'number' ? days : defaultExpiration.root
}
