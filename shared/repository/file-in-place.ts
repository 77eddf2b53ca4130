import { decodeSigned } from '../tuf/signed.ts'
import { findEntry } from './journal.ts'
import type { OperationContext } from './operations/operation.ts'
import type { Repository } from './repository.ts'

/** What lies under the name of a metadata file that an operation wants to have. */
export async function lookAtFile(
  { ports }: Repository,
  file: string,
): Promise<Pick<OperationContext, 'fileInPlace' | 'fileClaimed'>> {
  const stored = await ports.metadata.read(file)
  const claim = await findEntry(ports.state, Number.parseInt(file, 10))
  // If the commit of its number was not made, what that left goes away one day.
  const fileClaimed = claim?.creates.includes(file) === true
  return { fileClaimed, ...(stored && { fileInPlace: decodeSigned('targets', stored.bytes).signedBytes }) }
}
