import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { scopePrefix } from './environment.ts'
import { ApiError } from './errors.ts'
import { type Authenticate, type Principal, permissions, principal } from './principal.ts'

/**
 * What API Gateway found out about the caller, by the kind of its authorizer:
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html.
 */
interface Authorizer {
  readonly iam?: { readonly userArn?: string; readonly accountId?: string } | null
  readonly jwt?: {
    readonly claims?: Readonly<Record<string, string | number | boolean | undefined>>
    readonly scopes?: readonly string[] | null
  } | null
}

/**
 * Who calls, as API Gateway says it. With AWS credentials: the caller's ARN, and IAM has decided already whether it may
 * use this route. With a token: its issuer and subject, and what its scopes allow. An event that no authorizer has seen
 * is refused, so a route that was left open by mistake opens nothing.
 */
export const authenticatedByGateway: Authenticate = async (event) => {
  const { authorizer } = event.requestContext as APIGatewayProxyEventV2['requestContext'] & { authorizer?: Authorizer }
  if (authorizer?.iam?.userArn) return principal(authorizer.iam.userArn, 'administer')
  if (authorizer?.jwt?.claims) return tokenPrincipal(authorizer.jwt.claims)
  throw new ApiError('unauthenticated', 'Unauthenticated.', 'Sign the request with AWS credentials, or send a token.')
}

function tokenPrincipal(claims: NonNullable<NonNullable<Authorizer['jwt']>['claims']>): Principal {
  const { iss, sub, client_id: client } = claims
  const scopes = String(claims['scope'] ?? claims['scp'] ?? '').split(/[\s,]+/)
  const allowed = permissions.filter((permission) => scopes.includes(scopePrefix + permission))
  const name = `${iss} ${sub ?? client}`
  const most = allowed.at(-1)
  return most === undefined ? { name, permissions: new Set() } : principal(name, most)
}
