import type { Root } from '../../shared/tuf/metadata.ts'
import type { Context } from '../context.ts'
import { describeExpiry } from '../expiry.ts'
import type { Hands } from '../holder.ts'
import { metadataSource } from '../metadata-source.ts'
import { table } from '../table.ts'
import { changesBetween, describeChanges } from './changes.ts'
import { confirmed } from './confirm.ts'
import { describeStanding, nameOf, standingOf } from './holders.ts'
import { readTrustedRoot } from './trusted.ts'
import { nothingWaits, readWaitingRoot } from './waiting.ts'

export interface StatusOptions {
  readonly root?: string
}

/** Shows the current root, and of the one that waits what it changes, who has signed it and who is missing. Throws CliError. */
export async function showRoot({ root }: StatusOptions, { api, output, metadataUrl }: Context): Promise<void> {
  const current = (await readTrustedRoot(await metadataSource(metadataUrl.href), root))?.signed
  const waiting = await readWaitingRoot(api, current)
  const standing = waiting && standingOf(current, waiting)
  const changes = waiting && current && changesBetween(current, waiting.signed)
  const lines = current === undefined ? [] : [describeRoot(current, new Date())]
  if (standing === undefined) lines.push('', 'No root waits for signatures.')
  else lines.push('', `Root version ${standing.version} waits for signatures`)
  if (changes !== undefined) lines.push(describeChanges(changes), '')
  if (standing !== undefined) lines.push(describeStanding(standing))
  const document = {
    ...(current && { current: { version: current.version, expires: current.expires, ...current.roles.root } }),
    ...(standing && { waiting: { ...standing, changes } }),
  }
  output.result(document, lines.join('\n').trimStart())
}

export function describeRoot(root: Root, now: Date): string {
  const { keyids, threshold } = root.roles.root
  const facts = [`Root version ${root.version} ${describeExpiry(new Date(root.expires), now)}, at ${root.expires}`]
  const keys = keyids.map((keyid) => [`  ${keyid}`, root.keys.get(keyid)?.scheme ?? '', nameOf(root, keyid) ?? ''])
  return [...facts, `${threshold} of these keys have to sign the next one:`, table(keys)].join('\n')
}

/** Gives up the root that waits. Throws CliError. */
export async function cancelRoot(options: StatusOptions & { readonly yes?: boolean }, hands: Hands): Promise<void> {
  const { api, output, metadataUrl } = hands
  const current = (await readTrustedRoot(await metadataSource(metadataUrl.href), options.root))?.signed
  const waiting = await readWaitingRoot(api, current)
  if (waiting === undefined) throw nothingWaits()
  const standing = standingOf(current, waiting)
  await confirmed(`${describeStanding(standing)}\nIt will be given up, its signatures with it.`, options, hands)
  const task = await output.during('Giving it up', () => api.submit('POST', 'metadata/sign/delete', { role: 'root' }))
  output.done({ version: standing.version, task }, `Root version ${standing.version} is given up.`)
}
