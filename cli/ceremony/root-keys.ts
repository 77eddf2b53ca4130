import type { Signer } from '../../shared/repository/ports.ts'
import { type Key, keyIdentity, keyid } from '../../shared/tuf/keys.ts'
import { CliError, type Output } from '../output.ts'
import { missing, type Passwords, type Prompter } from '../prompt.ts'
import { openSigner, readPublicPart } from '../signers.ts'
import type { Given, RootKeySource } from './decisions.ts'
import type { OfflineTargets } from './payload.ts'

/** A key of root: one that was shown to be held has a signer. */
export interface RootKey {
  readonly key: Key
  readonly source: string
  readonly signer?: Signer
}

/**
 * Root's keys, at least as many as the threshold: from the sources given, or from what a person at the terminal names. A private
 * key has to sign something first. Throws CliError.
 */
export async function gatherRootKeys(
  given: readonly RootKeySource[] | undefined,
  threshold: number,
  { prompter, passwords, output }: { prompter: Prompter | undefined; passwords: Passwords; output: Output },
): Promise<RootKey[]> {
  const gathered: RootKey[] = []
  for (const source of given ?? []) gathered.push(accept(await open(source, passwords), gathered))
  if (given !== undefined && gathered.length < threshold) {
    throw new CliError(
      'usage',
      `The threshold of root is ${threshold}, and ${gathered.length} of its keys are given. Give more with --key or --public-key.`,
    )
  }
  if (given !== undefined) return gathered
  if (prompter === undefined) throw missing('A root key', '--key or --public-key')
  while (gathered.length < threshold || (await prompter.confirm('Another root key?', false))) {
    const source = await askSource(prompter, gathered.length + 1)
    try {
      gathered.push(accept(await open(source, passwords), gathered))
      output.note(`  keyid ${keyid(gathered.at(-1)?.key as Key)}`)
    } catch (error) {
      if (!(error instanceof CliError)) throw error
      output.note(`  ${error.message}`)
    }
  }
  return gathered
}

async function askSource(prompter: Prompter, number: number): Promise<RootKeySource> {
  const held = await prompter.choose(`Root key ${number}`, [
    { value: true, name: 'a key at hand, which signs now' },
    { value: false, name: 'a public key, whose holder signs later' },
  ])
  const name = await prompter.text('File (or kms:…, or pkcs11:…)', {
    default: `root${number}.pem${held ? '' : '.pub'}`,
  })
  return held ? { key: name } : { publicKey: name }
}

/** Throws CliError. */
export async function open(source: RootKeySource, passwords: Passwords): Promise<RootKey> {
  if ('publicKey' in source) return { key: await readPublicPart(source.publicKey), source: source.publicKey }
  const signer = await openSigner(source.key, passwords)
  return { key: signer.key, source: source.key, signer }
}

/** Throws CliError 'refused' for a key that was gathered before. */
export function accept(candidate: RootKey, gathered: readonly RootKey[]): RootKey {
  const identity = keyIdentity(candidate.key)
  const twin = gathered.find(({ key }) => keyIdentity(key) === identity)
  if (twin === undefined) return candidate
  throw new CliError(
    'refused',
    `${candidate.source} and ${twin.source} are the same key. Each holder needs one of their own.`,
  )
}

/** The keys of those who sign targets, if others do than the service. Throws CliError. */
export async function gatherTargetsKeys(given: Given['targets']): Promise<OfflineTargets | undefined> {
  const { keys: names, threshold = 1 } = given ?? {}
  if (names === undefined) {
    if (given?.threshold === undefined) return undefined
    throw new CliError('usage', 'Who signs targets is not said. Give --targets-key.')
  }
  const gathered: RootKey[] = []
  for (const source of names) gathered.push(accept({ key: await readPublicPart(source), source }, gathered))
  if (threshold <= gathered.length) return { keys: gathered.map(({ key }) => key), threshold }
  throw new CliError(
    'usage',
    `The threshold of targets is ${threshold}, and ${gathered.length} of its keys are given. Give more with --targets-key.`,
  )
}
