import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { durableFiles, freePathBeside } from '../shared/adapters/local/durable-files.ts'
import { nodeFileSystem } from '../shared/adapters/local/file-system.ts'
import type { Signer } from '../shared/repository/ports.ts'
import { canonicalText } from '../shared/tuf/canonical.ts'
import { type Json, parseJson } from '../shared/tuf/json.ts'
import type { Root } from '../shared/tuf/metadata.ts'
import { assemble, type Signed, signedFromJson } from '../shared/tuf/signed.ts'
import { createFile } from './key-file.ts'
import { CliError, unreadable } from './output.ts'

/** A request that brings a root, saved in a file that goes from holder to holder. */
export interface RootPayload {
  /** `root` is the whole file, signatures included. */
  readonly metadata: { readonly root: Json }
}

/** The payload with this root in it, its signatures included. */
export function withRoot<Payload extends RootPayload>(payload: Payload, root: Signed<Root>): Payload {
  return { ...payload, metadata: { ...payload.metadata, root: parseJson(root.bytes) } }
}

/** The root with the signatures of these keys, beside those that it has of others. */
export async function withSignatures(root: Signed<Root>, signers: readonly Signer[]): Promise<Signed<Root>> {
  const others = root.signatures.filter(({ keyid }) => signers.every((signer) => signer.keyid !== keyid))
  const signatures = await Promise.all(
    signers.map(async (signer) => ({ keyid: signer.keyid, sig: await signer.sign(root.signedBytes) })),
  )
  return assemble(root.signed, root.signedBytes, [...others, ...signatures])
}

/**
 * A saved payload and its root, with whatever signatures it has. What else it holds is for whoever takes it to verify. Throws
 * CliError: 'usage' where the file cannot be read, 'refused' where it holds none.
 */
export async function readPayload<Payload extends RootPayload>(
  file: string,
): Promise<{ readonly payload: Payload; readonly root: Signed<Root> }> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw unreadable(file, cause)
  })
  try {
    const payload = parseJson(bytes) as unknown as Payload
    return { payload, root: signedFromJson('root', payload.metadata?.root) }
  } catch (cause) {
    throw new CliError('refused', `${file} holds no payload with a root: ${(cause as Error).message}`, { cause })
  }
}

/** Writes a new file, or a payload over the same one with other signatures; never over anything else. Throws CliError 'refused'. */
export async function savePayload(file: string, payload: RootPayload, root: Signed<Root>): Promise<void> {
  const content = `${JSON.stringify(payload, undefined, 2)}\n`
  const before = await readPayload(file).catch(() => undefined)
  const isSame = before !== undefined && canonicalText(before.root.signed) === canonicalText(root.signed)
  if (!isSame) return createFile(file, content, 0o644)
  const path = resolve(file)
  await durableFiles(nodeFileSystem).replace(path, Buffer.from(content), freePathBeside(path))
}
