import { Command, Option } from 'commander'
import { wholeNumber } from '../arguments.ts'
import { contextOf } from '../context.ts'

/** `tuffet proxy`: the API on loopback, for programs that neither sign nor have the token. */
export function proxyCommand(): Command {
  return new Command('proxy')
    .description(
      'pass on requests from 127.0.0.1 to --api, signed (SigV4) or with the bearer token: for rstuf, curl and others',
    )
    .addOption(
      new Option('--port <number>', '0 picks a free one')
        .env('TUFFET_PROXY_PORT')
        .argParser(wholeNumber(0, 65_535))
        .default(8081),
    )
    .addHelpText(
      'after',
      '\nWhoever can run programs on this machine can use it, with your permissions, until it ends.',
    )
    .addHelpText(
      'after',
      '\nExample:\n  $ tuffet proxy --api https://abc123.execute-api.eu-central-1.amazonaws.com\n  $ curl http://127.0.0.1:8081/api/v1/bootstrap',
    )
    .action(async (options: { readonly port: number }, command: Command) => {
      const { startProxy } = await import('../server/proxy.ts')
      const { stopSignal } = await import('../server/stop-signal.ts')
      const stopped = stopSignal()
      const { api, access, output } = contextOf(command)
      // Without credentials it says so now, and not to whoever comes first.
      await access.headers({ method: 'GET', url: api.url, body: new Uint8Array() })
      const base = new URL('../../', api.url)
      await using proxy = await startProxy({ base, access, port: options.port, warn: output.warn })
      output.result({ url: proxy.url }, proxy.url)
      await stopped
    })
}
