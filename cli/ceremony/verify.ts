import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootstrapBody } from '../../shared/app/bootstrap-schemas.ts'
import { readBootstrap } from '../../shared/repository/operations/bootstrap.ts'
import { checkPredecessor, lastRoot } from '../../shared/repository/operations/predecessor.ts'
import type { BootstrapRequest } from '../../shared/repository/task.ts'
import { TufError } from '../../shared/tuf/errors.ts'
import { expiresAt } from '../../shared/tuf/expiry.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { checkRoot, verifyFirstRoot, verifySuccession } from '../../shared/tuf/root.ts'
import { type Signed, signedFromJson } from '../../shared/tuf/signed.ts'
import { CliError } from '../output.ts'
import type { Payload } from './payload.ts'

/** What a payload holds that a repository could be founded on, once enough of its holders have signed. */
export interface CheckedPayload {
  readonly request: BootstrapRequest
  readonly root: Signed<Root>
  /** The root that it follows, if it is not the first. */
  readonly before: Root | undefined
}

/**
 * All that the service checks of a payload but signatures and time: above all that each key stands under its own keyid, for keyids
 * are what holders compare before they sign. Throws CliError 'not-verified'.
 */
export function checkPayload(payload: Payload): CheckedPayload {
  const body = bootstrapBody.safeParse(payload)
  if (!body.success) {
    const problems = body.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    throw new CliError('not-verified', `This payload would be refused: ${problems.join('; ')}`)
  }
  try {
    const root = signedFromJson('root', payload.metadata.root)
    const { version } = root.signed
    const { predecessor } = readBootstrap(body.data)
    if (predecessor !== undefined) checkPredecessor(predecessor, root.signed)
    else if (version !== 1) throw new TufError('version', `The first root has version 1, not ${version}.`)
    checkRoot(root.signed)
    return { request: body.data, root, before: lastRoot(predecessor) }
  } catch (cause) {
    throw notVerified(cause)
  }
}

/**
 * Verifies what is about to become the root of all trust: as the service does, and with a TUF client that others wrote, for there is
 * no way back once clients have it. Throws CliError 'not-verified'.
 */
export async function verifyPayload(payload: Payload, now: Date): Promise<Signed<Root>> {
  const { root, before } = checkPayload(payload)
  try {
    if (before === undefined) verifyFirstRoot(root)
    else verifySuccession(before, root)
    if (expiresAt(root.signed) <= now) throw new TufError('expired', `This root expired at ${root.signed.expires}.`)
    await loadWithForeignClient(root)
    return root
  } catch (cause) {
    throw notVerified(cause)
  }
}

function notVerified(cause: unknown): CliError {
  return cause instanceof CliError ? cause : new CliError('not-verified', (cause as Error).message, { cause })
}

/** tuf-js verifies the root that it begins with: its threshold, by its own keys. */
async function loadWithForeignClient(root: Signed<Root>): Promise<void> {
  const { Updater } = await import('tuf-js')
  const directory = await mkdtemp(join(tmpdir(), 'tuffet-ceremony-'))
  try {
    await writeFile(join(directory, 'root.json'), root.bytes)
    // To make one is to verify the root; nothing is fetched before somebody asks it to.
    const client = new Updater({ metadataDir: directory, metadataBaseUrl: 'http://unused.invalid/' })
    if (!(client instanceof Updater)) throw new Error('tuf-js made no client.')
  } catch (cause) {
    throw new CliError('not-verified', `tuf-js refuses this root: ${(cause as Error).message}`, { cause })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
