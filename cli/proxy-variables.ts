import { CliError } from './output.ts'

/**
 * Requests go by the proxy that HTTP_PROXY and HTTPS_PROXY name, as those of curl do, unless NO_PROXY names the host: Node asks to
 * be told. Not those to this machine, where mostly the service is that one tries. Throws CliError 'usage' for a proxy that is no URL.
 */
export function useProxyVariables(env: NodeJS.ProcessEnv = process.env): void {
  const proxies = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'].filter((name) => env[name])
  if (proxies.length === 0) return
  const wrong = proxies.find((name) => !/^https?:$/.test(URL.parse(env[name] ?? '')?.protocol ?? ''))
  // Its value may have a password.
  if (wrong !== undefined) throw new CliError('usage', `${wrong} is no URL. Write it like http://proxy.example:3128.`)
  const without = env['no_proxy'] ?? env['NO_PROXY'] ?? ''
  const no_proxy = without === '*' ? without : `${without},localhost,127.0.0.1,[::1]`
  // Loaded by whom it serves only. Node 24 has the function since 24.14.
  process.getBuiltinModule('node:http').setGlobalProxyFromEnv?.({ ...env, no_proxy })
}
