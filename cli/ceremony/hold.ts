import type * as z from 'zod'
import type { bootstrap } from '../../shared/app/result-schemas.ts'
import { type Key, keyid } from '../../shared/tuf/keys.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { type Signed, unsigned } from '../../shared/tuf/signed.ts'
import { detailsOf, type Task } from '../api-client.ts'
import type { Hands } from '../holder.ts'
import { refuseToOverwrite } from '../key-file.ts'
import { CliError } from '../output.ts'
import { quoted } from '../printable.ts'
import { missing, type Passwords } from '../prompt.ts'
import { showBefore } from '../root/confirm.ts'
import { asHolder, standingOf } from '../root/holders.ts'
import { readPayload, savePayload, withRoot, withSignatures } from '../root-payload.ts'
import { plural } from '../table.ts'
import { type Asking, decide } from './ask.ts'
import type { Given } from './decisions.ts'
import { compareOnlineKeys, fetchOnlineKeys } from './online-keys.ts'
import { firstRoot, type OnlineKeys, onlineRolesOf, type Payload, payloadOf } from './payload.ts'
import { followingRoot, holdersStay, readPredecessor, rootBefore } from './predecessor.ts'
import { review } from './review.ts'
import { accept, gatherRootKeys, gatherTargetsKeys, open, type RootKey } from './root-keys.ts'
import { checkPayload, verifyPayload } from './verify.ts'

/** How a ceremony is to go, as against what it decides. */
export interface Course extends Pick<Asking, 'assumeDefaults' | 'trial'> {
  /** Fewer signatures than the threshold are fine for now. */
  readonly later: boolean
  readonly send: boolean
  readonly out: string | undefined
}

/** Decides, signs with the keys at hand, and saves or sends. Throws CliError. */
export async function beginCeremony(given: Given, course: Course, hands: Hands): Promise<void> {
  // Before anybody has answered questions for it.
  if (course.send) await refuseSecond(hands)
  const file = fileOf(course.out, course.send)
  if (file !== undefined) refuseToOverwrite(file)
  const online = await fetchOnlineKeys(hands.api)
  if (given.onlineKeys !== undefined) compareOnlineKeys(online, given.onlineKeys)
  const predecessor =
    given.predecessor === undefined ? undefined : await readPredecessor(given.predecessor, given.above)
  const wanted = predecessor === undefined ? given : holdersStay(given, predecessor.last)
  // How many holders sign is not decided here where they stay.
  const trial = course.trial || predecessor !== undefined
  const decided = await decide(wanted, { ...course, trial, prompter: hands.prompter })
  const targets = await gatherTargetsKeys(given.targets)
  const decisions = { ...decided, ...(targets && { targets }) }
  const sources = given.rootKeys?.length ? given.rootKeys : undefined
  const rootKeys =
    predecessor === undefined
      ? await gatherRootKeys(sources, decisions.threshold, hands)
      : await openHolders(sources, [predecessor.last], hands.passwords)
  for (const { key, source } of rootKeys) refuseOnline(source, key, 'Root', online)
  for (const key of targets?.keys ?? [])
    refuseOnline(`Key ${keyid(key)}`, key, 'Targets that is signed offline', online)
  const keys = predecessor === undefined ? rootKeys.map(({ key }) => key) : []
  const first = firstRoot(decisions, keys, online, new Date())
  const root = unsigned(predecessor === undefined ? first : followingRoot(predecessor, first))
  const payload = payloadOf(decisions, root, predecessor?.payload)
  await confirm(payload, rootKeys, course, hands)
  await finish(payload, await withSignatures(root, signersOf(rootKeys)), course.out, course, hands)
}

function refuseOnline(source: string, key: Key, role: string, online: OnlineKeys): void {
  if (!online.keys.has(keyid(key))) return
  throw new CliError(
    'refused',
    `${source} is an online key of the service. ${role} needs keys that only its holders have.`,
  )
}

/** Adds signatures to a payload that was saved. Throws CliError. */
export async function continueCeremony(file: string, given: Given, course: Course, hands: Hands): Promise<void> {
  const { payload, root } = await readPayload<Payload>(file)
  if (given.onlineKeys !== undefined) {
    const ids = new Set(onlineRolesOf(root.signed).flatMap((role) => root.signed.roles[role].keyids))
    const keys = new Map([...root.signed.keys].filter(([id]) => ids.has(id)))
    compareOnlineKeys({ keys, roles: root.signed.roles }, given.onlineKeys)
  }
  const before = rootBefore(payload)
  const rootKeys = await openHolders(given.rootKeys, before ? [before, root.signed] : [root.signed], hands.passwords)
  // What is sent is more than what was signed: no signature covers how long roles live, or to whom targets delegates.
  if (rootKeys.length > 0 || course.send) await confirm(payload, rootKeys, course, hands)
  await finish(payload, await withSignatures(root, signersOf(rootKeys)), course.out ?? file, course, hands)
}

/** The keys of those who may sign, by one of these roots. Throws CliError. */
async function openHolders(
  sources: Given['rootKeys'] = [],
  roots: readonly Root[],
  passwords: Passwords,
): Promise<RootKey[]> {
  const rootKeys: RootKey[] = []
  for (const source of sources) {
    const opened = await open(source, passwords)
    if (opened.signer === undefined) throw new CliError('usage', '--public-key signs nothing. Give --key.')
    const signer = asHolder(opened.signer, roots)
    if (signer === undefined)
      throw new CliError('refused', `${opened.source} is key ${keyid(opened.key)}, which is none of this root's.`)
    rootKeys.push(accept({ ...opened, signer }, rootKeys))
  }
  return rootKeys
}

async function confirm(
  payload: Payload,
  rootKeys: readonly RootKey[],
  { assumeDefaults }: Course,
  hands: Hands,
): Promise<void> {
  const { prompter } = hands
  const { request, root, before } = checkPayload(payload)
  const sources = new Map(
    rootKeys.map(({ key, source, signer }) => [signer?.keyid ?? keyid(key), `${source}${signer ? ' (held)' : ''}`]),
  )
  const text = review(root.signed, request, sources, before)
  if (rootKeys.length > 0 && !assumeDefaults && prompter === undefined)
    throw missing('The confirmation of what is signed', '--yes')
  showBefore(text, { yes: assumeDefaults }, hands)
  if (assumeDefaults || prompter === undefined) return
  if (!(await prompter.confirm('Is all this right, the keyids too?', false)))
    throw new CliError('refused', 'Not confirmed. Nothing was done.')
}

const signersOf = (rootKeys: readonly RootKey[]) => rootKeys.flatMap(({ signer }) => signer ?? [])

/** Saves the payload, or verifies and sends it, by how many signatures there are. */
async function finish(
  before: Payload,
  root: Signed<Root>,
  out: string | undefined,
  course: Course,
  hands: Hands,
): Promise<void> {
  const payload = withRoot(before, root)
  const standing = standingOf(rootBefore(payload), root)
  const lacking = Math.max(standing.missing.current, standing.missing.next)
  if (lacking > 0) await allowLater(lacking, course, hands)
  else await verifyPayload(payload, new Date())

  const file = fileOf(out, course.send && lacking <= 0)
  if (file !== undefined) await savePayload(file, payload, root)
  const task = course.send && lacking <= 0 ? await sendOrSave(payload, root, file, hands) : undefined
  const document = {
    ...(file !== undefined && { payload: file }),
    threshold: root.signed.roles.root.threshold,
    signed: standing.holders.filter(({ signed }) => signed).map((holder) => holder.keyid),
    unsigned: standing.holders.filter(({ signed }) => !signed).map((holder) => holder.keyid),
    sent: task !== undefined,
    ...(task && { task }),
  }
  hands.output.done(document, outcome(file, lacking, root, task))
}

function fileOf(out: string | undefined, sent: boolean): string | undefined {
  return out ?? (sent ? undefined : 'payload.json')
}

/** What the holders have signed is not to go with a request that fails. */
async function sendOrSave(payload: Payload, root: Signed<Root>, file: string | undefined, hands: Hands): Promise<Task> {
  try {
    return await send(payload, hands)
  } catch (cause) {
    if (file !== undefined || !(cause instanceof CliError)) throw cause
    const unsent = `payload-${Date.now()}.json`
    await savePayload(unsent, payload, root)
    const next = `tuffet ceremony --continue ${unsent} --send`
    throw new CliError(cause.code, `${cause.message}\nWhat was signed is saved. To send it again:\n  ${next}`, {
      cause,
      details: { ...cause.details, payload: unsent },
    })
  }
}

async function allowLater(lacking: number, { later }: Course, { prompter }: Hands): Promise<void> {
  if (later) return
  const what = `${plural(lacking, 'more signature')} for the threshold of root`
  if (prompter === undefined) throw missing(what, '--key (or save what there is with --later)')
  if (!(await prompter.confirm(`Still to come: ${what}. Save what there is?`, true)))
    throw new CliError('refused', 'Nothing was saved.')
}

async function refuseSecond({ api }: Hands): Promise<void> {
  const { data } = await api.get<z.infer<typeof bootstrap>>('bootstrap')
  if (data.bootstrap) throw new CliError('refused', `${api.url} has a repository already. It is founded once.`)
}

async function send(payload: Payload, { api, output }: Hands): Promise<Task> {
  return output.during('Founding the repository', () => api.submit('POST', 'bootstrap', payload))
}

function outcome(file: string | undefined, lacking: number, root: Signed<Root>, task: Task | undefined): string {
  const saved = file === undefined ? [] : [`Saved ${file}.`]
  const going = `tuffet ceremony --continue ${quoted(file ?? '')}`
  if (lacking > 0) {
    const next = `${going} --key FILE ${lacking > 1 ? '--later' : '--send'}`
    return [...saved, `${plural(lacking, 'more signature')} to come. The next holder runs:`, `  ${next}`].join('\n')
  }
  if (task !== undefined && /pending/.test(detailsOf<{ bootstrap: string }>(task).bootstrap ?? '')) {
    const next = '  tuffet delegation sign targets --key FILE'
    return [...saved, 'The root is accepted. Targets is to be signed; each of its holders runs:', next].join('\n')
  }
  if (task !== undefined) {
    const { version, expires } = root.signed
    const founded = version === 1 ? 'is founded. Its first root' : `goes on here. Root version ${version}`
    return [...saved, `The repository ${founded} expires at ${expires}.`].join('\n')
  }
  return [...saved, 'The payload is complete and verified; nothing was sent. To send it:', `  ${going} --send`].join(
    '\n',
  )
}
