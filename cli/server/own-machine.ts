import { isIPv4 } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { ApiError } from '../../shared/app/errors.ts'

/** True for a name or address that only this machine's own programs reach. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  return name === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'))
}

/**
 * For a service that lets in whoever sits at the machine: a browser on it also runs what other sites tell it to. Throws
 * ApiError 'forbidden' for a request that was made from another site's page, or under a name that such a site gave us.
 */
export function refuseOtherSites(
  { headers }: Pick<FastifyRequest, 'headers'>,
  { who, remedy } = { who: 'Without tokens this service', remedy: ' Use --token-file.' },
): void {
  const host = headers.host ?? ''
  const name = URL.parse(`http://${host}`)?.hostname ?? ''
  if (!isLoopback(name)) {
    throw forbidden(`${who} answers to localhost and 127.0.0.1 only, not to ${JSON.stringify(host)}.${remedy}`)
  }
  const { origin } = headers
  const foreign = origin !== undefined && URL.parse(origin)?.host !== host
  // A browser that says where a request comes from says 'none' where the user typed the address.
  const site = headers['sec-fetch-site'] ?? 'none'
  if (foreign || (site !== 'same-origin' && site !== 'none')) {
    throw forbidden(`A page of another site made this request. ${who} answers to programs and its own pages only.`)
  }
}

function forbidden(why: string): ApiError {
  return new ApiError('forbidden', 'Forbidden.', why)
}
