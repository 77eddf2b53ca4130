import type * as z from 'zod'
import type { pending, status } from '../../shared/app/result-schemas.ts'
import type { Json } from '../../shared/tuf/json.ts'
import { isKeyidOf, keyid } from '../../shared/tuf/keys.ts'
import type { Targets } from '../../shared/tuf/metadata.ts'
import { type Signed, signedFromJson } from '../../shared/tuf/signed.ts'
import { type ApiClient, detailsOf } from '../api-client.ts'
import { type Awaited, describeAwaited } from '../awaited.ts'
import type { Hands } from '../holder.ts'
import { metadataSource } from '../metadata-source.ts'
import { CliError, endOnTufError } from '../output.ts'
import { askKeyName } from '../prompt.ts'
import { confirmed } from '../root/confirm.ts'
import { openSigner } from '../signers.ts'
import { describeContent } from './content.ts'
import { publishedRole } from './published.ts'

export interface SignOptions {
  readonly key?: readonly string[]
  readonly root?: string
  readonly yes?: boolean
}

/** Adds the signatures of these keys to the metadata of a role that waits, once their holder has seen what it says. Throws CliError. */
export async function signRole(role: string, options: SignOptions, hands: Hands): Promise<void> {
  const { api, output, passwords, prompter, metadataUrl } = hands
  const { metadata, awaited } = await readWaiting(api, role)
  const published = await publishedRole(await metadataSource(metadataUrl.href), role, options.root)
  const names = options.key ?? [await askKeyName(prompter)]
  const signers = []
  for (const name of names) {
    const signer = await openSigner(name, passwords)
    if (awaited.groups.some(({ signed }) => signed.includes(signer.keyid)))
      throw new CliError('refused', `Key ${signer.keyid} has signed this already.`)
    if (!awaited.groups.some(({ unsigned }) => unsigned.includes(signer.keyid)))
      throw new CliError('refused', `${name} is key ${signer.keyid}, which may not sign role ${role}.`)
    signers.push(signer)
  }
  const ids = signers.map(({ keyid }) => keyid).join(' and ')
  const content = describeContent(role, metadata.signed, published)
  await confirmed(`${content}\n\nSign it with key ${ids}`, options, hands)

  const tasks = []
  for (const { keyid, sign } of signers) {
    const body = { role, signature: { keyid, sig: await sign(metadata.signedBytes) } }
    tasks.push(await output.during('Sending the signature', () => api.submit('POST', 'metadata/sign', body)))
  }
  const rest = (await readAwaited(api)).filter((one) => one.role === role && one.version === awaited.version)
  const [last] = tasks.slice(-1)
  const update = last && detailsOf<{ update: string }>(last).update
  const text = rest.length > 0 ? describeAwaited(rest, new Date()) : `Role ${role} is signed; clients can see it.`
  output.done({ tasks, update, awaited_signatures: rest }, text)
}

/** Gives up what waits of a role. Throws CliError. */
export async function cancelRole(role: string, options: { readonly yes?: boolean }, hands: Hands): Promise<void> {
  const { api, output } = hands
  const { awaited } = await readWaiting(api, role)
  const text = `${describeAwaited([awaited], new Date())}\nIt will be given up, and all that was asked for with it`
  await confirmed(text, options, hands)
  const task = await output.during('Giving it up', () => api.submit('POST', 'metadata/sign/delete', { role }))
  output.done({ task }, `What waited of role ${role} is given up.`)
}

async function readWaiting(api: ApiClient, role: string) {
  if (role === 'root') throw new CliError('usage', 'Root has commands of its own: tuffet root --help')
  const { data } = await api.find<z.infer<typeof pending>>('metadata/sign')
  const waiting = await readAwaited(api)
  const json = data?.metadata[role]
  const awaited = waiting.find((one) => one.role === role)
  if (json === undefined || awaited === undefined) {
    const names = waiting.map((one) => one.role)
    const those = names.length === 0 ? 'Nothing does.' : `These do: ${names.join(', ')}.`
    throw new CliError('refused', `No metadata of role ${role} waits for signatures. ${those}`)
  }
  return { metadata: readContent(role, json), awaited }
}

async function readAwaited(api: ApiClient): Promise<Awaited> {
  return (await api.get<z.infer<typeof status>>('status')).data.awaited_signatures
}

/** Holders compare keyids, so each of them has to be that of the key behind it. */
function readContent(role: string, json: Json): Signed<Targets> {
  return endOnTufError('not-verified', `What waits of role ${role} cannot be read: `, () => {
    const metadata = signedFromJson('targets', json)
    for (const [id, key] of metadata.signed.delegations?.keys ?? []) {
      if (isKeyidOf(id, key)) continue
      const why = `What waits of role ${role} names a key ${id}, whose keyid is ${keyid(key)}. Sign nothing; ask its operator.`
      throw new CliError('not-verified', why)
    }
    return metadata
  })
}
