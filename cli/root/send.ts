import type { Hands } from '../ceremony/hold.ts'
import { changesBetween, describeChanges } from './changes.ts'
import { confirmed } from './confirm.ts'
import { standingOf } from './holders.ts'
import { readSavedUpdate } from './saved-update.ts'
import { submitUpdate } from './submit.ts'

export interface SendOptions {
  readonly root?: string
  readonly yes?: boolean
}

/** Submits a root from a file, with the signatures that it has. Throws CliError. */
export async function sendRoot(file: string, options: SendOptions, hands: Hands): Promise<void> {
  const { metadataUrl } = hands
  const { payload, current, next } = await readSavedUpdate(file, { ...options, metadataUrl })
  const changes = changesBetween(current, next.signed)
  await confirmed(describeChanges(changes), options, hands)
  await submitUpdate(payload, { current, next: next.signed, standing: standingOf(current, next), changes }, hands)
}
