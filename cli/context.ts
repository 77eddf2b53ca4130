import type { Command } from 'commander'
import { type Access, awsAccess, gatewayRegion, tokenAccess } from './access.ts'
import { type ApiClient, apiClient, siblingUrl } from './api-client.ts'
import { saysNo } from './arguments.ts'
import { CliError, createOutput, type Output } from './output.ts'
import { useProxyVariables } from './proxy-variables.ts'

/** The options that every command takes. */
export interface GlobalOptions {
  readonly api: string
  readonly metadataUrl?: string
  readonly tokenEnv?: string
  readonly awsSign?: boolean
  readonly json?: boolean
  readonly quiet?: boolean
}

export const defaultApi = 'http://127.0.0.1:8080'

/** What a command works with. */
export interface Context {
  readonly output: Output
  readonly api: ApiClient
  readonly access: Access
  /** The base of the service, without `/api/v1`. */
  readonly apiBase: URL
  readonly metadataUrl: URL
}

/** Throws CliError 'usage' where a global option cannot be. */
export function contextOf(command: Command): Context {
  const options = command.optsWithGlobals<GlobalOptions>()
  useProxyVariables()
  const apiBase = parseUrl(options.api, '--api')
  const output = createOutput(options)
  const access = accessOf(options, apiBase, command)
  return {
    output,
    api: apiClient(apiBase, access, output.warn),
    access,
    apiBase,
    metadataUrl:
      options.metadataUrl === undefined
        ? siblingUrl(apiBase, 'metadata')
        : folderUrl(options.metadataUrl, '--metadata-url'),
  }
}

/** A URL under which files lie. */
export function folderUrl(text: string, flag: string): URL {
  const url = parseUrl(text, flag)
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

function parseUrl(text: string, flag: string): URL {
  const url = URL.parse(text)
  // It would be in every message, and in the logs of whoever keeps those.
  if (url?.username || url?.password)
    throw new CliError(
      'usage',
      `${flag} holds a name and a password. Take them out, and put a token into TUFFET_TOKEN.`,
    )
  if (url !== null && ['http:', 'https:'].includes(url.protocol)) return url
  throw new CliError('usage', `${flag} has to be an http or https URL, not ${JSON.stringify(text)}.`)
}

/** A token if there is one; a signature where API Gateway wants it, or where it was asked for. */
function accessOf(options: GlobalOptions, api: URL, command: Command): Access {
  const token = tokenOf(options)
  if (token !== undefined) return tokenAccess(token)
  const signs = gatewayRegion(api) !== undefined || (options.awsSign === true && !turnedOff(command))
  return signs ? awsAccess(api) : tokenAccess(undefined)
}

/** True where the environment says 'no' and the command line says nothing. */
function turnedOff(command: Command): boolean {
  const fromEnvironment = command.getOptionValueSourceWithGlobals('awsSign') === 'env'
  return fromEnvironment && saysNo('TUFFET_AWS_SIGN')
}

/** Tokens come from the environment, never from an argument: arguments are for everybody on the machine to see. */
function tokenOf({ tokenEnv }: GlobalOptions): string | undefined {
  const name = tokenEnv ?? 'TUFFET_TOKEN'
  // What reads it from a file may leave the end of its line.
  const token = process.env[name]?.trim()
  if (!token) {
    if (tokenEnv === undefined) return undefined
    throw new CliError('usage', `--token-env names ${name}, which is not set in the environment.`)
  }
  // As a header it would be refused with its text in the message, and so be in the log of a build.
  if (/^[\x21-\x7e]+$/.test(token)) return token
  throw new CliError(
    'usage',
    `${name} holds no token: there is a line break, a space or another such character inside.`,
  )
}
