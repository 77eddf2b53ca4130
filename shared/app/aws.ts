import { kmsSigner } from '../adapters/aws/kms-signer.ts'
import { s3ObjectStore } from '../adapters/aws/s3-object-store.ts'
import { s3Uploads } from '../adapters/aws/s3-uploads.ts'
import { type SqsQueueOptions, sqsQueue } from '../adapters/aws/sqs-queue.ts'
import { systemClock } from '../adapters/local/system-clock.ts'
import { type Queue, type Signer, SignerError } from '../repository/ports.ts'
import { type Limits, openRepository, type Repository } from '../repository/repository.ts'
import type { Uploads } from '../repository/uploads.ts'
import { CodedError } from '../tuf/errors.ts'
import { cacheControl } from './cache-control.ts'
import { optionalVariables, variables } from './environment.ts'
import type { PublisherService } from './handlers/publish.ts'
import type { Logger } from './logger.ts'
import { remembered } from './remembered.ts'
import { type Telemetry, telemetry } from './telemetry.ts'
import { type ClaimGrants, parseClaimGrants } from './token-claims.ts'

/** A variable of the environment that is missing, or says what it cannot mean. */
export class EnvironmentError extends CodedError<'missing' | 'unusable'> {
  override readonly name = 'EnvironmentError'
}

/** The value of a variable. Throws EnvironmentError. */
export function setting(name: keyof typeof variables): string {
  const value = process.env[variables[name]]?.trim()
  if (!value) throw new EnvironmentError('missing', `The environment variable ${variables[name]} is not set.`)
  return value
}

/** The value of a variable that need not be there, as `read` understands it. Throws EnvironmentError. */
function optional<Value>(name: keyof typeof optionalVariables, read: (text: string) => Value): Value | undefined {
  const text = process.env[optionalVariables[name]]?.trim()
  if (!text) return undefined
  try {
    return read(text)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new EnvironmentError('unusable', `The environment variable ${optionalVariables[name]}: ${why}`, { cause })
  }
}

/** What claims of tokens grant; nothing unless the environment says so. Throws EnvironmentError. */
export function claimGrants(): ClaimGrants {
  return optional('tokenClaims', (text) => parseClaimGrants(JSON.parse(text))) ?? {}
}

function limits(): Partial<Limits> {
  const rotationGrace = optional('rotationGrace', milliseconds)
  const retention = optional('retention', milliseconds)
  return { ...(rotationGrace !== undefined && { rotationGrace }), ...(retention !== undefined && { retention }) }
}

function milliseconds(seconds: string): number {
  if (/^[1-9]\d{0,8}$/.test(seconds)) return Number(seconds) * 1000
  throw new Error(`${JSON.stringify(seconds)} is not a whole number of seconds.`)
}

/**
 * The repository that the environment describes, over S3 and SQS. `signers`: none, for who only takes requests in and
 * reads. Throws EnvironmentError.
 */
export function connect(log: Logger, signers: readonly Signer[] = []): Repository {
  const metadata = s3ObjectStore({ bucket: setting('metadataBucket'), prefix: 'metadata/', cacheControl })
  const state = s3ObjectStore({ bucket: setting('stateBucket') })
  return openRepository(
    { metadata, state, signers, queue: bell('queue', log, { patience: patienceOfBell }), clock: systemClock() },
    limits(),
  )
}

/** Where clients put bulk files themselves. Throws EnvironmentError. */
export function uploads(): Uploads {
  return s3Uploads(setting('stateBucket'))
}

/** What a function that publishes is made from; it meets KMS in its first invocation. Throws EnvironmentError. */
export function publisherService(): PublisherService & Telemetry {
  const told = telemetry(setting('stage'))
  const { log } = told
  return {
    ...told,
    repository: remembered(async () => connect(log, await onlineKeys(log))),
    deadLetters: bell('deadLetters', log),
  }
}

/** Milliseconds: who posts waits for the doorbell, and what rings in vain is found within a minute. */
const patienceOfBell = 2_000

/** The doorbell, or the queue of tasks that somebody has to look at: a message for each, of its id. */
function bell(name: 'queue' | 'deadLetters', log: Logger, options: Pick<SqsQueueOptions, 'patience'> = {}): Queue {
  const onLost = (err: unknown, task: string) => log.warn({ err, task, queue: name }, 'a ring was lost')
  return sqsQueue(setting(name), onLost, options)
}

/**
 * The online keys, the one to sign with first. One that cannot be used is left out, and said so: others may suffice,
 * and a role that needs it is refused with its keyid. Throws SignerError 'unavailable' where KMS does not answer,
 * 'unusable' if no key is left.
 */
export async function onlineKeys(log: Logger): Promise<Signer[]> {
  const ids = onlineKeyIds()
  const usable = await Promise.all(
    ids.map(async (id) => {
      try {
        return await kmsSigner(id)
      } catch (err) {
        if (!(err instanceof SignerError && err.code === 'unusable')) throw err
        log.error({ err, key: id }, 'an online key cannot be used')
        return undefined
      }
    }),
  )
  const signers = usable.filter((signer) => signer !== undefined)
  if (signers.length === 0) throw new SignerError('unusable', `None of the online keys can be used: ${ids.join(', ')}.`)
  return signers
}

/** The same, for who only shows them: KMS is asked once, and again as long as a key is missing, for it may come back. */
export function shownKeys(log: Logger): () => Promise<readonly Signer[]> {
  const known = remembered(() => onlineKeys(log))
  return async () => {
    const signers = await known()
    if (signers.length < onlineKeyIds().length) known.forget()
    return signers
  }
}

function onlineKeyIds(): string[] {
  return setting('onlineKeys')
    .split(',')
    .map((id) => id.trim())
}
