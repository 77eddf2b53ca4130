import type { Signer } from '../../shared/repository/ports.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { assemble, type Signed } from '../../shared/tuf/signed.ts'
import { onlineRolesOf } from '../ceremony/payload.ts'
import { onlineKeys } from '../ceremony/review.ts'
import type { Hands } from '../holder.ts'
import { metadataSource } from '../metadata-source.ts'
import { CliError } from '../output.ts'
import { askKeyName, type Passwords } from '../prompt.ts'
import { savePayload, withRoot } from '../root-payload.ts'
import { openSigner } from '../signers.ts'
import { type Change, changesBetween, describeChanges, saidBesides } from './changes.ts'
import { confirmed, showBefore } from './confirm.ts'
import { asHolder, describeStanding, isSigned, missingIn, standingOf } from './holders.ts'
import { readSavedUpdate, savedLines } from './saved-update.ts'
import { readTrustedRoot } from './trusted.ts'
import { nothingWaits, readWaitingRoot } from './waiting.ts'

export interface SignOptions {
  readonly key?: string
  readonly root?: string
  readonly in?: string
  readonly out?: string
  readonly yes?: boolean
}

/** Adds one signature to the root that waits, or to one in a file, once its holder has seen what it changes. Throws CliError. */
export async function signRoot(options: SignOptions, hands: Hands): Promise<void> {
  if (options.in !== undefined) return signFile(options.in, options, hands)
  if (options.out !== undefined) throw new CliError('usage', '--out goes with --in: a root from a file.')
  const { api, output, metadataUrl } = hands
  // Against what clients trust, and not against what the service says of it.
  const current = (await readTrustedRoot(await metadataSource(metadataUrl.href), options.root))?.signed
  const waiting = await readWaitingRoot(api, current)
  if (waiting === undefined) throw nothingWaits()
  const { signed, signature, changes } = await signAsHolder(current, waiting, options, hands)
  const task = await output.during('Sending the signature', () =>
    api.submit('POST', 'metadata/sign', { role: 'root', signature }),
  )
  const after = standingOf(current, signed)
  const text = isSigned(after) ? `Root version ${after.version} is published.` : describeStanding(after)
  output.done({ published: isSigned(after), changes, ...after, task }, text)
}

/** Asks the service nothing: it works while that cannot note down what waits, and on a machine without a network. */
async function signFile(file: string, options: SignOptions, hands: Hands): Promise<void> {
  const { payload, current, next } = await readSavedUpdate(file, { ...options, metadataUrl: hands.metadataUrl })
  const { signed, changes } = await signAsHolder(current, next, options, hands)
  const out = options.out ?? file
  await savePayload(out, withRoot(payload, signed), signed)
  const after = standingOf(current, signed)
  hands.output.done({ payload: out, changes, ...after }, savedLines(out, after))
}

/** Shows what the root changes, and adds a signature once that is confirmed. */
async function signAsHolder(current: Root | undefined, next: Signed<Root>, options: SignOptions, hands: Hands) {
  const { passwords, prompter } = hands
  const changes: Change[] = current === undefined ? [] : changesBetween(current, next.signed)
  showBefore(current === undefined ? firstRootLines(next.signed) : describeChanges(changes), options, hands)
  const signer = await openHolder(options.key ?? (await askKeyName(prompter)), current, next.signed, passwords)
  const before = standingOf(current, next)
  if (before.holders.some(({ keyid, signed }) => keyid === signer.keyid && signed))
    throw new CliError('refused', `Key ${signer.keyid} has signed this root already. ${missingIn(before)}`)
  await confirmed(`Sign root version ${next.signed.version} with key ${signer.keyid}`, options, hands)
  const signature = { keyid: signer.keyid, sig: await signer.sign(next.signedBytes) }
  // A signature of this key that was there is not good.
  const others = next.signatures.filter(({ keyid }) => keyid !== signer.keyid)
  return { changes, signature, signed: assemble(next.signed, next.signedBytes, [...others, signature]) }
}

/** The signer of that name, which has to be one of those that may sign `next`. Throws CliError. */
export async function openHolder(
  name: string,
  current: Root | undefined,
  next: Root,
  passwords: Passwords,
): Promise<Signer> {
  const signer = await openSigner(name, passwords)
  const holder = asHolder(signer, current === undefined ? [next] : [current, next])
  if (holder !== undefined) return holder
  throw new CliError('refused', `${name} is key ${signer.keyid}, which may not sign this root.`)
}

function firstRootLines(root: Root): string {
  const { version, expires, roles } = root
  const { keyids, threshold } = roles.root
  const online = new Set(onlineRolesOf(root).flatMap((role) => roles[role].keyids))
  const besides = saidBesides(root)
  const others = roles.targets.keyids.filter((keyid) => !online.has(keyid))
  return [
    `The first root, version ${version}, until ${expires}; ${threshold} of these keys have to sign a root:`,
    ...keyids.map((keyid) => `  ${keyid}`),
    'Online keys:',
    onlineKeys(root),
    ...(others.length > 0
      ? [`Targets is signed by ${roles.targets.threshold} of:`, ...others.map((keyid) => `  ${keyid}`)]
      : []),
    ...(besides.length > 0 ? ['It says besides:', describeChanges(besides)] : []),
  ].join('\n')
}
