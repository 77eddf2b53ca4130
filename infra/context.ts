import type { Node } from 'constructs'
import { ClaimsError, parseClaimGrants, refuseStrangers } from '../shared/app/token-claims.ts'
import { issuerOf } from './access.ts'
import { ConfigurationError } from './configuration-error.ts'
import type { TufRepositoryProps } from './tuf-repository.ts'

/** What `cdk.json` or `cdk deploy -c tuffet:NAME=VALUE` decides of a stack: its repository, and what is around it. */
export interface Settings {
  readonly repository: TufRepositoryProps
  /** Tags of everything in the stack. */
  readonly tags: Readonly<Record<string, string>>
}

const prefix = 'tuffet:'

/** A value as text of the command line or as JSON of `cdk.json`, turned into what it stands for, or refused. */
type Parse<T> = (value: unknown, refuse: (wanted: string) => ConfigurationError) => T

/** Reads the settings of an app. Throws ConfigurationError for a name that is none and a value that cannot be right. */
export function readSettings(node: Node): Settings {
  const given = new Map(
    Object.entries((node.getAllContext() ?? {}) as Record<string, unknown>)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length), value]),
  )
  const asked = new Set<string>()
  const take = <T>(name: string, parse: Parse<T>): T | undefined => {
    asked.add(name)
    const value = given.get(name)
    if (value === undefined || value === '') return undefined
    return parse(
      value,
      (wanted) =>
        new ConfigurationError(`${prefix}${name} has to be ${wanted}; it was given as ${JSON.stringify(value)}.`),
    )
  }

  const settings = {
    repository: defined({
      stage: take(
        'stage',
        matching(/^[a-z][a-z0-9-]{0,19}$/, 'a name of at most 20 of a-z, 0-9 and -, beginning with a letter'),
      ),
      expirations: take('expirations', expirations),
      logRetentionDays: take('logRetentionDays', oneOf(retentionDays)),
      domainNames: take('domainNames', list(matching(/^[a-z0-9*]([a-z0-9.-]*[a-z0-9])?$/, 'a list of host names'))),
      certificateArn: take(
        'certificateArn',
        matching(/^arn:[a-z-]+:acm:us-east-1:\d{12}:certificate\/.+$/, 'the ARN of a certificate in us-east-1'),
      ),
      webAclArn: take(
        'webAclArn',
        matching(/^arn:[a-z-]+:wafv2:us-east-1:\d{12}:global\/webacl\/.+$/, 'the ARN of a global WAFv2 web ACL'),
      ),
      artifactBucketName: take('artifactBucket', bucketName),
      metadataBucketName: take('metadataBucket', bucketName),
      stateBucketName: take('stateBucket', bucketName),
      onlineKeyArns: take(
        'onlineKeys',
        list(matching(/^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key\/.+$/, 'a list of ARNs of KMS keys')),
      ),
      alarmEmail: take('alarmEmail', matching(/^[^@\s]+@[^@\s]+$/, 'an e-mail address')),
      permissionsBoundaryArn: take(
        'permissionsBoundary',
        matching(/^arn:[a-z-]+:iam::(\d{12}|aws):policy\/.+$/, 'the ARN of an IAM managed policy'),
      ),
      jwtIssuer: take('jwtIssuer', issuer),
      jwtAudience: take('jwtAudience', list(matching(/\S/, 'a list of audiences'))),
      jwtClaims: take('jwtClaims', claims),
      publisherPrincipals: take('publisherPrincipals', list(principal)),
      requestsPerSecond: take('requestsPerSecond', count(1, 10_000)),
      burst: take('burst', count(1, 5_000)),
      publisherTimeoutSeconds: take('publisherTimeoutSeconds', count(3, 900)),
      rotationGraceSeconds: take('rotationGraceSeconds', count(60, 7 * 24 * 60 * 60)),
      retentionHours: take('retentionHours', count(1, 30 * 24)),
      guardWrites: take('guardWrites', boolean),
      downloadLogs: take('downloadLogs', boolean),
      dashboard: take('dashboard', boolean),
    }),
    tags: take('tags', record) ?? {},
  }

  for (const name of given.keys()) {
    if (asked.has(name)) continue
    throw new ConfigurationError(`${prefix}${name} is not a setting. There are: ${[...asked].sort().join(', ')}.`)
  }
  return settings
}

/** Leaves out what is undefined, for an optional property that is there must have a value. */
function defined<T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }
}

const matching =
  (pattern: RegExp, wanted: string): Parse<string> =>
  (value, refuse) => {
    if (typeof value !== 'string' || !pattern.test(value)) throw refuse(wanted)
    return value
  }

const bucketName = matching(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'the name of a bucket')

/** A JSON array, or text with commas, for the command line knows no other. */
const list =
  <T>(parse: Parse<T>): Parse<readonly T[]> =>
  (value, refuse) => {
    const items = typeof value === 'string' ? structured(value, (text) => text.split(',')) : value
    if (!Array.isArray(items) || items.length === 0) throw refuse('a list, not empty')
    return items.map((item: unknown) => parse(typeof item === 'string' ? item.trim() : item, refuse))
  }

const count =
  (least: number, most: number): Parse<number> =>
  (value, refuse) => {
    const number = typeof value === 'string' ? Number(value) : value
    if (typeof number !== 'number' || !Number.isInteger(number) || number < least || number > most) {
      throw refuse(`a whole number from ${least} to ${most}`)
    }
    return number
  }

/** What CloudWatch Logs takes, and nothing longer than two years. */
const retentionDays = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731]

const oneOf =
  (numbers: readonly number[]): Parse<number> =>
  (value, refuse) => {
    if (!numbers.includes(Number(value))) throw refuse(`one of ${numbers.join(', ')}`)
    return Number(value)
  }

const boolean: Parse<boolean> = (value, refuse) => {
  if (String(value) !== 'true' && String(value) !== 'false') throw refuse('true or false')
  return String(value) === 'true'
}

const record: Parse<Record<string, string>> = (value, refuse) => {
  const object = typeof value === 'string' ? structured(value, () => undefined) : value
  const isRecord =
    typeof object === 'object' &&
    object !== null &&
    !Array.isArray(object) &&
    Object.values(object).every((item) => typeof item === 'string')
  if (!isRecord) throw refuse('an object of names and texts, as {"name": "text"}')
  return object as Record<string, string>
}

const roles = ['root', 'targets', 'snapshot', 'timestamp', 'bins'] as const

const expirations: Parse<Partial<Record<(typeof roles)[number], number>>> = (value, refuse) => {
  const object = typeof value === 'string' ? structured(value, () => undefined) : value
  const wanted = 'an object of days by role, as {"timestamp": 1}'
  if (typeof object !== 'object' || object === null) throw refuse(wanted)
  const entries = Object.entries(object as Record<string, unknown>).map(([role, days]) => {
    if (!roles.some((known) => known === role)) {
      throw refuse(`${wanted}, and ${JSON.stringify(role)} is none of ${roles.join(', ')}`)
    }
    return [role, count(1, 3650)(days, (number) => refuse(`${wanted}, each ${number}`))]
  })
  return Object.fromEntries(entries)
}

const issuer: Parse<string> = (value, refuse) => {
  const wanted = 'the https URL of an OpenID Connect issuer'
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  // An issuer on the machine itself, as an emulator reads it, cannot be listened to on the way.
  if (url === undefined || !(url.protocol === 'https:' || url.hostname === '127.0.0.1')) throw refuse(wanted)
  return String(value)
}

/** Rules of claims; the construct checks them, for some of it hangs on the issuer. */
const claims: Parse<NonNullable<TufRepositoryProps['jwtClaims']>> = (value, refuse) => {
  const object = typeof value === 'string' ? structured(value, (text) => text) : value
  refusing(
    () => parseClaimGrants(object),
    (why) => refuse(`an object of what claims grant, by permission. ${why.replace(/\.$/, '')}`),
  )
  return object as NonNullable<TufRepositoryProps['jwtClaims']>
}

/** What is wrong with claims, as a mistake in the configuration. */
function refusing(check: () => unknown, refuse: (why: string) => ConfigurationError): void {
  try {
    check()
  } catch (error) {
    if (error instanceof ClaimsError) throw refuse(error.message)
    throw error
  }
}

const arn = /^arn:[a-z-]+:iam::\d{12}:(root|(role|user)\/[^*?]+)$/
const provider = /^arn:[a-z-]+:iam::\d{12}:oidc-provider\/.+$/
const callers = 'an OIDC provider as {"provider": ARN, "audience": …, "subject": …}'

const principal: Parse<NonNullable<TufRepositoryProps['publisherPrincipals']>[number]> = (value, refuse) => {
  if (typeof value === 'string') {
    if (/^\d{12}$/.test(value) || arn.test(value)) return value
    if (provider.test(value))
      throw refuse(`a list with ${callers}: alone it lets in everybody who has an account there`)
  }
  if (typeof value !== 'object' || value === null) {
    throw refuse(
      `a list of account numbers (12 digits in quotes), of ARNs of roles without wildcards, and of ${callers}`,
    )
  }
  const { provider: by, audience, subject } = record(value, () => refuse(`a list with ${callers}, each a text`))
  if (by === undefined || !provider.test(by) || !audience || !subject) throw refuse(`a list with ${callers}, all three`)
  const caller = { provider: by, audience, subject }
  refusing(
    () => refuseStrangers(subject, `https://${issuerOf(caller)}`),
    (why) => refuse(`a list with ${callers}. ${why.replace(/\.$/, '')}`),
  )
  return caller
}

/** The JSON that a text on the command line holds, or what else it may mean. */
function structured(text: string, otherwise: (text: string) => unknown): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' ? value : otherwise(text)
  } catch {
    return otherwise(text)
  }
}
