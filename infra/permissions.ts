import type { Route } from '../shared/app/routes.ts'

/** What a route asks of its caller. */
export type Permission = Route['permission']

/** From the least to the most: each includes those before it. */
export const permissions = ['read', 'publish', 'administer'] as const satisfies readonly Permission[]

/** The permissions that let one do what needs this one. */
export const atLeast = (permission: Permission): Permission[] => permissions.slice(permissions.indexOf(permission))
