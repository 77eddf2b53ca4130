import type * as z from 'zod'
import type { pending } from '../../shared/app/result-schemas.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { checkRoot } from '../../shared/tuf/root.ts'
import { type Signed, signedFromJson } from '../../shared/tuf/signed.ts'
import type { ApiClient } from '../api-client.ts'
import { CliError, endOnTufError } from '../output.ts'

/** The root that waits for signatures, if one does. Throws CliError 'not-verified' where it could not follow `current`. */
export async function readWaitingRoot(api: ApiClient, current: Root | undefined): Promise<Signed<Root> | undefined> {
  const { data } = await api.find<z.infer<typeof pending>>('metadata/sign').catch((cause: unknown) => {
    const notFound = cause instanceof CliError && cause.details['status'] === 404
    if (!notFound || current !== undefined) throw cause
    throw new CliError('refused', 'There is no repository yet. Run tuffet ceremony.', { cause })
  })
  const root = data?.metadata['root']
  if (root === undefined) return undefined
  const waiting = endOnTufError('not-verified', `${api.url} shows a root that cannot be used: `, () => {
    const read = signedFromJson('root', root)
    checkRoot(read.signed)
    return read
  })
  const expected = (current?.version ?? 0) + 1
  const { version } = waiting.signed
  if (version === expected) return waiting
  if (current === undefined)
    throw new CliError(
      'usage',
      `Root version ${version} waits, of a repository that moves here. Give the root before it, from there: --root ${version - 1}.root.json`,
    )
  throw new CliError(
    'not-verified',
    `The service has root version ${version} signed, where the next one is ${expected}. Sign nothing; ask its operator.`,
  )
}

export function nothingWaits(): CliError {
  return new CliError('refused', 'No root waits for signatures. Begin one with: tuffet root update')
}
