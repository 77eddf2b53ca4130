import type { Signer } from '../../shared/repository/ports.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { assemble } from '../../shared/tuf/signed.ts'
import type { Hands } from '../ceremony/hold.ts'
import { metadataSource } from '../metadata-source.ts'
import { CliError } from '../output.ts'
import { missing, type Passwords, type Prompter } from '../prompt.ts'
import { openSigner } from '../signers.ts'
import { changesBetween, describeChanges } from './changes.ts'
import { confirmed } from './confirm.ts'
import { describeStanding, isSigned, missingIn, standingOf } from './holders.ts'
import { readTrustedRoot } from './trusted.ts'
import { nothingWaits, readWaitingRoot } from './waiting.ts'

export interface SignOptions {
  readonly key?: string
  readonly root?: string
  readonly yes?: boolean
}

/** Adds one signature to the root that waits, once its holder has seen what it changes. Throws CliError. */
export async function signRoot(options: SignOptions, hands: Hands): Promise<void> {
  const { api, output, passwords, prompter, metadataUrl } = hands
  // Against what clients trust, and not against what the service says of it.
  const current = (await readTrustedRoot(await metadataSource(metadataUrl.href), options.root))?.signed
  const waiting = await readWaitingRoot(api, current)
  if (waiting === undefined) throw nothingWaits()
  const changes = current === undefined ? [] : changesBetween(current, waiting.signed)
  output.note(current === undefined ? firstRootLines(waiting.signed) : describeChanges(changes))
  const signer = await openHolder(await keyName(options, prompter), current, waiting.signed, passwords)
  const before = standingOf(current, waiting)
  if (before.holders.some(({ keyid, signed }) => keyid === signer.keyid && signed))
    throw new CliError('refused', `Key ${signer.keyid} has signed this root already. ${missingIn(before)}`)
  await confirmed(`Sign root version ${waiting.signed.version} with key ${signer.keyid}`, options, hands)

  const signature = { keyid: signer.keyid, sig: await signer.sign(waiting.signedBytes) }
  const task = await output.during('Sending the signature', () =>
    api.submit('POST', 'metadata/sign', { role: 'root', signature }),
  )
  const after = standingOf(current, assemble(waiting.signed, waiting.signedBytes, [...waiting.signatures, signature]))
  const text = isSigned(after) ? `Root version ${after.version} is published.` : describeStanding(after)
  output.done({ published: isSigned(after), changes, ...after, task }, text)
}

/** The signer of that name, which has to be one of those that may sign `next`. Throws CliError. */
export async function openHolder(
  name: string,
  current: Root | undefined,
  next: Root,
  passwords: Passwords,
): Promise<Signer> {
  const signer = await openSigner(name, passwords)
  const holders = [current, next].flatMap((root) => root?.roles.root.keyids ?? [])
  if (holders.includes(signer.keyid)) return signer
  throw new CliError('refused', `${name} is key ${signer.keyid}, which may not sign this root.`)
}

async function keyName({ key }: SignOptions, prompter: Prompter | undefined): Promise<string> {
  if (key !== undefined) return key
  if (prompter === undefined) throw missing('The key', '--key')
  return prompter.text('File with your key (or kms:…, or pkcs11:…)')
}

function firstRootLines({ version, expires, roles }: Root): string {
  const { keyids, threshold } = roles.root
  const online = new Set([...roles.targets.keyids, ...roles.snapshot.keyids, ...roles.timestamp.keyids])
  return [
    `The first root, version ${version}, until ${expires}; ${threshold} of these keys have to sign a root:`,
    ...keyids.map((keyid) => `  ${keyid}`),
    'Online keys:',
    ...[...online].map((keyid) => `  ${keyid}`),
  ].join('\n')
}
