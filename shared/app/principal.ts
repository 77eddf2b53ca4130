import type { APIGatewayProxyEventV2 } from 'aws-lambda'

/** What a route asks of who calls it. Each includes those before it: who may publish may read. */
export const permissions = ['read', 'publish', 'administer'] as const
export type Permission = (typeof permissions)[number]

/** Who makes a request, as the journal names them, and what they may do. */
export interface Principal {
  readonly name: string
  readonly permissions: ReadonlySet<Permission>
}

/** A name that a token may be for. */
export const principalName = /^[\x21-\x7e]([\x20-\x7e]{0,98}[\x21-\x7e])?$/

/** Says who makes a request. Throws ApiError 'unauthenticated' where that is needed and not shown. */
export type Authenticate = (event: APIGatewayProxyEventV2) => Promise<Principal>

export function principal(name: string, permission: Permission): Principal {
  return { name, permissions: new Set(permissions.slice(0, permissions.indexOf(permission) + 1)) }
}

/** The permissions that let one do what needs this one. */
export function atLeast(permission: Permission): Permission[] {
  return permissions.slice(permissions.indexOf(permission))
}

/** The scope that says a permission in a token. */
export const scopeOf = (permission: Permission): string => `tuffet:${permission}`

/** For where whoever reaches the API has been let in already: by IAM, by a proxy, or by sitting at the machine. */
export function everybodyAs(name: string): Authenticate {
  const somebody = principal(name, 'administer')
  return async () => somebody
}
