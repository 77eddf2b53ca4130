import type { RequestSigner, Unsigned } from '../shared/adapters/aws/request-signer.ts'
import { CliError } from './output.ts'

/** How a request shows on whose behalf it comes. */
export interface Access {
  /** The headers that say so, for one request. Throws CliError where there is nothing to say it with. */
  headers(request: Unsigned): Promise<Readonly<Record<string, string>>>
  /** What to look at where the service refuses all the same: it does not know who asks (401), or they may not (403). */
  hint(status: 401 | 403): string
}

/** A bearer token, or nothing. */
export function tokenAccess(token: string | undefined): Access {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const howToName = 'Set TUFFET_TOKEN (or name another variable with --token-env).'
  const hint = (status: 401 | 403) => {
    if (status === 401) return howToName
    // API Gateway forbids where nobody has said who asks.
    return token === undefined ? `${howToName} At an API on AWS --aws-sign signs with AWS credentials instead.` : ''
  }
  return { headers: async () => headers, hint }
}

/** A signature (SigV4) with the AWS credentials of the environment, for the API at this address. */
export function awsAccess(api: URL): Access {
  let signer: Promise<RequestSigner> | undefined
  return {
    async headers(request) {
      signer ??= makeSigner(api)
      const sign = await signer
      try {
        return await sign(request)
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause)
        throw new CliError('usage', `The request cannot be signed with AWS credentials: ${why}.${howToSign}`, {
          cause,
        })
      }
    },
    hint: () =>
      'It was signed with the AWS credentials of the environment: they need readPolicy, publishPolicy or administerPolicy of the stack.',
  }
}

const howToSign = ' Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a token with --token-env.'

/** The part of the SDK that signs is for those who sign. */
async function makeSigner(api: URL): Promise<RequestSigner> {
  const { AWS_REGION, AWS_DEFAULT_REGION } = process.env
  const region = gatewayRegion(api) || AWS_REGION || AWS_DEFAULT_REGION
  if (!region)
    throw new CliError('usage', `${api} does not say its AWS region, which a signature needs. Set AWS_REGION.`)
  const { requestSigner } = await import('../shared/adapters/aws/request-signer.ts')
  return requestSigner(region)
}

/** What S3 or KMS, asked with what the environment says, did not do: 'unreachable', or 'usage' where the environment says too little. */
export function awsFailure(cause: Error): CliError {
  const message = cause.message.replace(/\.$/, '')
  if (/Region (is missing|not accepted)/.test(message))
    return new CliError('usage', `${message}. Set AWS_REGION.`, { cause })
  if (!/Could not load credentials/.test(message)) return new CliError('unreachable', cause.message, { cause })
  return new CliError('usage', `${message}. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.`, {
    cause,
  })
}

/** The region of an address of API Gateway; undefined for any other. */
export function gatewayRegion({ hostname }: URL): string | undefined {
  return /\.execute-api\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$/.exec(hostname)?.[1]
}

/** The same URL, its query encoded as signatures have it: API Gateway does not take `+` for a space. */
export function signable(url: URL): URL {
  const same = new URL(url)
  same.search = same.search.replaceAll('+', '%20')
  return same
}
