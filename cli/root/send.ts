import { canonicalText } from '../../shared/tuf/canonical.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { assemble, type Signed } from '../../shared/tuf/signed.ts'
import type { Task } from '../api-client.ts'
import type { Hands } from '../holder.ts'
import { CliError } from '../output.ts'
import { changesBetween, describeChanges } from './changes.ts'
import { confirmed } from './confirm.ts'
import { isSigned, missingIn, standingOf } from './holders.ts'
import { readSavedUpdate } from './saved-update.ts'
import { signsTimestamp, submitUpdate, type Update, updated } from './submit.ts'
import { readWaitingRoot } from './waiting.ts'

export interface SendOptions {
  readonly root?: string
  readonly yes?: boolean
}

/** Submits a root from a file, with the signatures that it has; or, if that very root waits already, those that it lacks. Throws CliError. */
export async function sendRoot(file: string, options: SendOptions, hands: Hands): Promise<void> {
  const { api, metadataUrl } = hands
  const { payload, current, next } = await readSavedUpdate(file, { ...options, metadataUrl })
  const changes = changesBetween(current, next.signed)
  // No signature covers it.
  const besides = payload.compromised ? ['It is sent as --compromised: online keys that go stop signing at once.'] : []
  await confirmed([describeChanges(changes), ...besides].join('\n'), options, hands)
  const update = { current, next: next.signed, standing: standingOf(current, next), changes }
  const waiting = await readWaitingRoot(api, current)
  const isSame = waiting !== undefined && canonicalText(waiting.signed) === canonicalText(next.signed)
  // Without the key of the timestamp the service takes in nothing but a whole root.
  if (isSame && (await signsTimestamp(current, api))) return addSignatures(file, waiting, next, update, hands)
  await submitUpdate(payload, update, hands)
}

async function addSignatures(
  file: string,
  waiting: Signed<Root>,
  { signatures }: Signed<Root>,
  { current, standing, changes }: Update,
  { api, output }: Hands,
): Promise<void> {
  const good = new Set(standing.holders.flatMap(({ keyid, signed }) => (signed ? [keyid] : [])))
  let signed = waiting
  let after = standingOf(current, signed)
  let task: Task | undefined
  for (const signature of signatures) {
    const has = signed.signatures.some(({ keyid }) => keyid === signature.keyid)
    if (has || !good.has(signature.keyid) || isSigned(after)) continue
    task = await output.during('Sending the signatures', () =>
      api.submit('POST', 'metadata/sign', { role: 'root', signature }),
    )
    signed = assemble(signed.signed, signed.signedBytes, [...signed.signatures, signature])
    after = standingOf(current, signed)
  }
  if (task === undefined)
    throw new CliError(
      'refused',
      `This root waits already, and ${file} has no signature that it lacks. ${missingIn(after)}`,
    )
  updated({ standing: after, changes }, task, output)
}
