import { realpath, stat } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { basename, dirname, join, resolve } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { openEmbedded } from '../../shared/app/embedded.ts'
import type { Logger } from '../../shared/app/logger.ts'
import { type Authenticate, everybodyAs } from '../../shared/app/principal.ts'
import { bearer, newToken, type TokenEntry, tokensOf } from '../../shared/app/tokens.ts'
import { embeddedServer } from '../embedded-server.ts'
import { CliError, requireReadable } from '../output.ts'
import { isWithin } from './artifact-files.ts'
import { cannotListen } from './cannot-listen.ts'
import { giveBackWhenIdle } from './idle-memory.ts'
import { isLoopback } from './own-machine.ts'
import { closePatiently } from './patient-close.ts'
import { standardErrorLog } from './standard-error-log.ts'
import { stopSignal } from './stop-signal.ts'

export interface ServeOptions {
  readonly data: string
  readonly host: string
  readonly port: number
  readonly keys: readonly string[]
  readonly artifacts?: string
  readonly tokenFile?: string
  readonly trial: boolean
  readonly behindProxy: boolean
  /** Seconds. */
  readonly rotationGrace: number
  /** Hours. */
  readonly retention: number
}

/** Serves until SIGTERM or SIGINT. Throws CliError, or what the parts throw where they cannot be opened. */
export async function serve(options: ServeOptions): Promise<void> {
  const stopped = stopSignal()
  await checkOptions(options)
  const log = standardErrorLog()
  await warnOfReadableKeys(options.keys, log)
  const access = await accessFor(options)
  const service = await openEmbedded({
    ...options,
    authenticate: access.authenticate,
    log,
    rotationGrace: options.rotationGrace * 1000,
    retention: options.retention * 60 * 60 * 1000,
  })
  const { artifacts, tokenFile, behindProxy } = options
  const withoutTokens = behindProxy ? 'proxy' : 'everybody'
  const lettingIn = tokenFile === undefined ? withoutTokens : 'tokens'
  const server = embeddedServer({ service, log, lettingIn, ...(artifacts !== undefined && { artifacts }) })
  try {
    const url = await listen(server, options)
    log.info({ url, data: options.data }, 'listening')
    giveBackWhenIdle()
    if (options.trial) await access.during((token) => foundTrial(options, server, token))
    process.stdout.write(`${url}\n`)
    log.info({ signal: await stopped }, 'stopping')
  } finally {
    await closePatiently(server.server, () => server.close())
    await service.close()
  }
}

async function checkOptions(options: ServeOptions): Promise<void> {
  const { host, data, tokenFile, behindProxy, artifacts } = options
  if (!isLoopback(host) && tokenFile === undefined && !behindProxy) {
    throw new CliError(
      'usage',
      `Whoever reaches ${host} could publish. Add --token-file FILE, or --behind-proxy if a proxy authenticates.`,
    )
  }
  for (const file of secretFiles(options)) await requireReadable(file)
  const there = await stat(data).catch(() => undefined)
  if (there !== undefined && !there.isDirectory())
    throw new CliError('usage', `--data ${data} is not a directory. Name one, or one that is to be made.`)
  if (artifacts === undefined) return
  const found = await stat(artifacts).catch(() => undefined)
  if (!found?.isDirectory()) throw new CliError('usage', `--artifacts ${artifacts} is not a directory. Make it first.`)
  await refuseSecretsAmong(artifacts, options)
}

const secretFiles = ({ keys, tokenFile }: ServeOptions) => [...keys, ...(tokenFile === undefined ? [] : [tokenFile])]

/** Everybody may download what lies among the artifacts. */
async function refuseSecretsAmong(artifacts: string, options: ServeOptions): Promise<void> {
  const { data } = options
  const served = await whereItLies(artifacts)
  const refuse = (why: string) => {
    return new CliError('usage', `--artifacts ${artifacts} ${why}. Name a directory that has nothing but artifacts.`)
  }
  for (const secret of [data, ...secretFiles(options)]) {
    if (isWithin(served, await whereItLies(secret))) throw refuse(`would serve ${secret} to everybody`)
  }
  for (const secret of ['keys', 'state', 'log'].map((name) => join(data, name))) {
    if (isWithin(await whereItLies(secret), served)) throw refuse(`lies in ${secret}, which is not for everybody`)
  }
}

/** Symbolic links followed, also on the way to what is not there yet. */
async function whereItLies(path: string): Promise<string> {
  const whole = resolve(path)
  const above = dirname(whole)
  return realpath(whole).catch(async () => (above === whole ? whole : join(await whereItLies(above), basename(whole))))
}

/** No more than a warning: what mounts secrets does not always let one choose. */
async function warnOfReadableKeys(files: readonly string[], log: Logger): Promise<void> {
  for (const file of files) {
    // Whoever opens it says why it cannot be.
    const found = await stat(file).catch(() => undefined)
    if (found === undefined || (found.mode & 0o077) === 0) continue
    const mode = (found.mode & 0o777).toString(8).padStart(4, '0')
    log.warn({ file, mode }, `others than its owner may open the online key ${file}; mend it with: chmod 600 ${file}`)
  }
}

interface Access {
  readonly authenticate: Authenticate
  /** Gives `work` a token of its own where one is needed, good for as long as it runs. */
  during(work: (token: string | undefined) => Promise<void>): Promise<void>
}

async function accessFor({ tokenFile, behindProxy }: ServeOptions): Promise<Access> {
  if (tokenFile === undefined) {
    return { authenticate: everybodyAs(behindProxy ? 'proxy' : 'local'), during: (work) => work(undefined) }
  }
  const known = await tokensOf(tokenFile)
  let own: TokenEntry | undefined
  return {
    async authenticate(event) {
      const ours = own && isGood(event.headers['authorization'], own)
      return ours ?? known(event)
    },
    async during(work) {
      const { token, entry } = newToken('trial', 'administer')
      own = entry
      await work(token)
      own = undefined
    },
  }
}

function isGood(header: string | undefined, entry: TokenEntry) {
  try {
    return bearer(header, [entry], new Date())
  } catch {
    return undefined
  }
}

async function listen(server: FastifyInstance, { host, port }: ServeOptions): Promise<string> {
  try {
    // On that name Fastify would listen with two servers, and not end what is under way on the second one when it closes.
    await server.listen({ host: host === 'localhost' ? '127.0.0.1' : host, port })
  } catch (cause) {
    throw cannotListen(host, port, cause)
  }
  return urlAt(host, server)
}

function urlAt(host: string, server: FastifyInstance): string {
  const { port } = server.server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

async function foundTrial({ data, host }: ServeOptions, server: FastifyInstance, token: string | undefined) {
  const { bootstrapTrial } = await import('../trial.ts')
  const delegation = process.env['TUFFET_TRIAL_BINS'] ?? 'succinct_roles'
  if (delegation !== 'succinct_roles' && delegation !== 'path_hash_prefixes') {
    throw new CliError('usage', `TUFFET_TRIAL_BINS is ${delegation}; it can be succinct_roles or path_hash_prefixes.`)
  }
  const api = urlAt(isLoopback(host) ? host : '127.0.0.1', server)
  await bootstrapTrial({ api, dataDirectory: data, delegation, ...(token !== undefined && { token }) })
}
