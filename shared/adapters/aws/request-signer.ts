import { defaultProvider } from '@aws-sdk/credential-provider-node'
import { SignatureV4 } from '@smithy/signature-v4'
import { Sha256 } from './sha256.ts'

export interface Unsigned {
  readonly method: string
  readonly url: URL
  readonly body: Uint8Array
}

/** Returns the headers that sign a request to API Gateway with AWS credentials (SigV4). Rejects where there are none. */
export type RequestSigner = (request: Unsigned) => Promise<Record<string, string>>

/** Signs with the credentials of the environment, wherever SDK clients would find some; they are read again before they expire. */
export function requestSigner(region: string): RequestSigner {
  const signer = new SignatureV4({ service: 'execute-api', region, credentials: defaultProvider(), sha256: Sha256 })
  return async ({ method, url, body }) => {
    const query: Record<string, string[]> = {}
    for (const name of url.searchParams.keys()) query[name] = url.searchParams.getAll(name)
    // The host alone: what else there is may change on its way.
    const headers = { host: url.host }
    const { protocol, hostname, pathname } = url
    const signed = await signer.sign({ method, protocol, hostname, path: pathname, query, headers, body })
    return signed.headers
  }
}
