import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { ApiError } from './errors.ts'
import { type Authenticate, type Principal, permissions, principal, scopeOf } from './principal.ts'
import { type ClaimGrants, type Claims, grantedByClaims } from './token-claims.ts'

/**
 * What API Gateway found out about the caller, by the kind of its authorizer:
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html.
 */
interface Authorizer {
  readonly iam?: { readonly userArn?: string; readonly accountId?: string } | null
  readonly jwt?: { readonly claims?: Claims } | null
}

/**
 * Who calls, as API Gateway says it. With AWS credentials: the caller's ARN, and IAM has decided already whether it may
 * use this route. With a token: its issuer and subject, and what its scopes or its claims allow, whichever is more. An event
 * that no authorizer has seen is refused, so a route that was left open by mistake opens nothing.
 */
export function authenticatedByGateway(grants: ClaimGrants): Authenticate {
  return async (event) => {
    const { authorizer } = event.requestContext as APIGatewayProxyEventV2['requestContext'] & {
      authorizer?: Authorizer
    }
    if (authorizer?.iam?.userArn) return principal(authorizer.iam.userArn, 'administer')
    if (authorizer?.jwt?.claims) return tokenPrincipal(authorizer.jwt.claims, grants)
    throw new ApiError('unauthenticated', 'Unauthenticated.', 'Sign the request with AWS credentials, or send a token.')
  }
}

function tokenPrincipal(claims: Claims, grants: ClaimGrants): Principal {
  const { iss, sub, client_id: client } = claims
  // API Gateway writes a list as `[one two]`, and a list of one as `[one]`.
  const scopes = String(claims['scope'] ?? claims['scp'] ?? '')
    .replace(/^\[(.*)\]$/, '$1')
    .split(/[\s,]+/)
  const granted = grantedByClaims(grants, claims)
  const most = permissions.filter((permission) => permission === granted || scopes.includes(scopeOf(permission))).at(-1)
  const name = `${iss} ${sub ?? client}`
  return most === undefined ? { name, permissions: new Set() } : principal(name, most)
}
