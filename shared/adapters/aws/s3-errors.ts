import { StoreError, type StoreErrorCode } from '../../repository/ports.ts'
import { serviceError } from './service-error.ts'

/** What S3 left out of an answer. */
export function incomplete(what: string): StoreError {
  return new StoreError('unavailable', `S3 answered with ${what}.`)
}

/** What the SDK threw in the words of the ObjectStore port; `what` and `where` as in "could not … s3://bucket/name". */
export function asStoreError(error: unknown, what: string, where: string): StoreError {
  if (error instanceof StoreError) return error
  const { name, summary } = serviceError(error)
  const code: StoreErrorCode =
    name === 'AccessDenied' && (what === 'create' || what === 'replace' || what === 'delete')
      ? 'read-only'
      : 'unavailable'
  return new StoreError(code, `Could not ${what} ${where}: ${summary}${remedyFor(name, summary)}`, { cause: error })
}

function remedyFor(name: string, summary: string): string {
  // S3 asks KMS in the caller's name, and passes on what it is told.
  if (/^KMS\.|\bkms:[A-Z]/.test(`${name}\n${summary}`)) {
    return ' It is encrypted with a KMS key, and the functions may use none for that: buckets are to be encrypted with SSE-S3 (docs/deploy.md).'
  }
  if (name !== 'AccessDenied') return ''
  return ' Check the role and the bucket policy; without s3:ListBucket a missing object is denied, too.'
}
