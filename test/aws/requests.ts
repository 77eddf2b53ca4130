import type { FaultProxy, ProxiedRequest } from '../support/fault-proxy.ts'

/** Requests to AWS by what they are, as AWS bills them: repetitions and refusals count, too. */
export type Requests = Readonly<Record<string, number>>

/** What `work` asks of AWS through the proxy. */
export async function requestsDuring(proxy: FaultProxy, work: () => Promise<unknown>): Promise<Requests> {
  const before = proxy.requests.length
  await work()
  const counts: Record<string, number> = {}
  for (const request of proxy.requests.slice(before)) {
    const name = nameOf(request)
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

const methods: Readonly<Record<string, string>> = { GET: 'S3 get', PUT: 'S3 put', DELETE: 'S3 delete' }

function nameOf({ method, url, headers }: ProxiedRequest): string {
  const target = headers['x-amz-target']
  if (typeof target === 'string') return target.replace(/^TrentService\./, 'KMS ').replace(/^AmazonSQS\./, 'SQS ')
  if (method === 'POST' && url.includes('?delete')) return 'S3 delete of many'
  return url.includes('list-type=2') ? 'S3 list' : (methods[method] ?? `${method} ${url}`)
}
