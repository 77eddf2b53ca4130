import { readFile } from 'node:fs/promises'
import type { Root } from '../../shared/tuf/metadata.ts'
import { verifyFirstRoot, verifySuccession } from '../../shared/tuf/root.ts'
import { decodeSigned, type Signed } from '../../shared/tuf/signed.ts'
import type { MetadataSource } from '../metadata-source.ts'
import { CliError, endOnTufError } from '../output.ts'

/**
 * The newest root that a client would trust: from the root in `file`, or else the first one published, step by step, each verified by
 * the one before. Nothing where nothing is published. Throws CliError 'not-verified' or 'unreachable'.
 */
export async function readTrustedRoot(source: MetadataSource, file?: string): Promise<Signed<Root> | undefined> {
  return (await readRoots(source, file)).at(-1)
}

/** The same, with all those before it that the way leads over. */
export async function readRoots(source: MetadataSource, file?: string): Promise<Signed<Root>[]> {
  const roots: Signed<Root>[] = []
  let trusted = file === undefined ? await firstRoot(source) : await readRootFile(file)
  while (trusted !== undefined) {
    roots.push(trusted)
    const name = `${trusted.signed.version + 1}.root.json`
    const bytes = await source.read(name)
    trusted = bytes && follower(name, trusted.signed, bytes)
  }
  return roots
}

async function firstRoot(source: MetadataSource): Promise<Signed<Root> | undefined> {
  const bytes = await source.read('1.root.json')
  if (bytes === undefined) return undefined
  return verified('1.root.json', () => {
    const root = decodeSigned('root', bytes)
    verifyFirstRoot(root)
    return root
  })
}

/** A root that somebody trusts, from a file. Throws CliError 'usage'. */
export async function readRootFile(file: string): Promise<Signed<Root>> {
  try {
    return decodeSigned('root', await readFile(file))
  } catch (cause) {
    throw new CliError('usage', `--root ${file} holds no root metadata: ${(cause as Error).message}`, { cause })
  }
}

function follower(name: string, current: Root, bytes: Uint8Array): Signed<Root> {
  return verified(name, () => {
    const next = decodeSigned('root', bytes)
    verifySuccession(current, next)
    return next
  })
}

function verified<Value>(name: string, verify: () => Value): Value {
  return endOnTufError('not-verified', `${name} is not to be trusted: `, verify)
}
