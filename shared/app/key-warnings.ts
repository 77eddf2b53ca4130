import { describeKeysNotHeld, type KeysNotHeld } from '../repository/keys-not-held.ts'
import type { Signer } from '../repository/ports.ts'
import { day } from '../tuf/expiry.ts'
import type { Logger } from './logger.ts'

/** What an operator has to know of keys that the embedded service should hold. */
export function howToHoldKeys(lacking: readonly KeysNotHeld[], signers: readonly Signer[]): string {
  const held = signers.map(({ keyid }) => keyid).join(', ')
  return (
    `This service cannot sign ${describeKeysNotHeld(lacking)}, for it holds ${held || 'no key'}. They stay as they are, and expire. ` +
    'Start it with these keys (tuffet serve --key FILE); if they are lost, have the holders of root keys sign a root with ' +
    'others: docs/runbook.md, "An online key is lost".'
  )
}

/** Says so when it is seen first, when it is another role or key, and once a day: whoever asks every minute fills no log with it. */
export function keyWarnings(
  log: Logger,
): (lacking: readonly KeysNotHeld[], signers: readonly Signer[], now: Date) => void {
  let said: { readonly message: string; readonly at: number } | undefined
  return (lacking, signers, now) => {
    if (lacking.length === 0) {
      said = undefined
      return
    }
    const message = howToHoldKeys(lacking, signers)
    if (said?.message === message && Math.abs(now.getTime() - said.at) < day) return
    said = { message, at: now.getTime() }
    const roles = lacking.map(({ role }) => role)
    const keyids = [...new Set(lacking.flatMap(({ keyids }) => keyids))]
    log.error({ roles, keyids, held: signers.map(({ keyid }) => keyid) }, message)
  }
}
