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

/**
 * For a service that lets in whom a proxy has let in: what a browser shows that proxy by itself (a cookie, a password, a
 * certificate) it shows for pages of other sites, too. They may ask, for they cannot read the answer. Throws ApiError
 * 'forbidden' for what such a page would change.
 */
export function refuseChangesByOtherSites({ method, headers }: Pick<FastifyRequest, 'method' | 'headers'>): void {
  if (method === 'GET' || method === 'HEAD') return
  const { origin, host } = headers
  const site = headers['sec-fetch-site']
  // Which a browser does not say over plain HTTP; and the proxy may give us another host than the browser gave it.
  const ours = [host, headers['x-forwarded-host']]
  const asking = URL.parse(origin ?? '')?.host
  const isOurs = origin === undefined || (asking !== undefined && ours.includes(asking))
  if (site === undefined ? isOurs : site === 'same-origin' || site === 'none') return
  throw forbidden(
    'A page of another site made this request. Changes are taken from programs, and from pages of this service, whose host the proxy has to pass on.',
  )
}

function forbidden(why: string): ApiError {
  return new ApiError('forbidden', 'Forbidden.', why)
}
