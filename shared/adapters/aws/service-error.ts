/**
 * What a service called an error, and the HTTP status that it came with; for one that never came from a service, the
 * SDK's own name.
 */
export interface ServiceError {
  readonly name: string
  readonly status: number | undefined
  /** Name, message and request id, for people and for AWS support. */
  readonly summary: string
}

export function serviceError(error: unknown): ServiceError {
  if (!(error instanceof Error)) return { name: 'unknown', status: undefined, summary: String(error) }
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number; requestId?: string } }
  const request = $metadata?.requestId === undefined ? '' : ` (request ${$metadata.requestId})`
  return {
    name: error.name,
    status: $metadata?.httpStatusCode,
    summary: `${error.name}: ${error.message}${request}`,
  }
}
