import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootstrapBody } from '../../shared/app/bootstrap-schemas.ts'
import { readBootstrap } from '../../shared/repository/operations/bootstrap.ts'
import { checkPredecessor, lastRoot } from '../../shared/repository/operations/predecessor.ts'
import { TufError } from '../../shared/tuf/errors.ts'
import { expiresAt, type Root } from '../../shared/tuf/metadata.ts'
import { checkRoot, verifyFirstRoot, verifySuccession } from '../../shared/tuf/root.ts'
import { type Signed, signedFromJson } from '../../shared/tuf/signed.ts'
import { CliError } from '../output.ts'
import type { Payload } from './payload.ts'

/**
 * Verifies what is about to become the root of all trust: as the service does, and with a TUF client that others wrote, for there is
 * no way back once clients have it. Throws CliError 'not-verified'.
 */
export async function verifyPayload(payload: Payload, now: Date): Promise<Signed<Root>> {
  const body = bootstrapBody.safeParse(payload)
  if (!body.success) {
    const problems = body.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    throw new CliError('not-verified', `This payload would be refused: ${problems.join('; ')}`)
  }
  try {
    const root = signedFromJson('root', payload.metadata.root)
    checkRoot(root.signed)
    const { predecessor } = readBootstrap(body.data)
    if (predecessor !== undefined) checkPredecessor(predecessor, root.signed)
    const before = lastRoot(predecessor)
    if (before === undefined) verifyFirstRoot(root)
    else verifySuccession(before, root)
    if (expiresAt(root.signed) <= now) throw new TufError('expired', `This root expired at ${root.signed.expires}.`)
    await loadWithForeignClient(root)
    return root
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    throw new CliError('not-verified', (cause as Error).message, { cause })
  }
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
