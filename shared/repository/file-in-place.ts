import { decodeSigned } from '../tuf/signed.ts'
import { decodeDocument } from './documents.ts'
import { type Entry, entryName } from './journal.ts'
import type { OperationContext } from './operations/operation.ts'
import type { Repository } from './repository.ts'

/** What lies under the name of a metadata file that an operation wants to have. */
export async function lookAtFile(
  { ports }: Repository,
  file: string,
): Promise<Pick<OperationContext, 'fileInPlace' | 'fileClaimed'>> {
  const stored = await ports.metadata.read(file)
  const name = entryName(Number.parseInt(file, 10))
  const claim = await ports.state.read(name)
  // If the commit of its number was not made, what that left goes away one day.
  const fileClaimed = claim !== undefined && decodeDocument<Entry>(name, claim.bytes).creates.includes(file)
  return { fileClaimed, ...(stored && { fileInPlace: decodeSigned('targets', stored.bytes).signedBytes }) }
}
