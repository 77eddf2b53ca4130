import { Duration } from 'aws-cdk-lib'
import { ManagedPolicy, PermissionsBoundary } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import { optionalVariables, variables } from '../shared/app/environment.ts'
import { type ClaimGrants, parseClaimGrants } from '../shared/app/token-claims.ts'
import { Access, type Principal } from './access.ts'
import { Api } from './api.ts'
import { ConfigurationError } from './configuration-error.ts'
import { Delivery } from './delivery.ts'
import { apiGrants, type Resources } from './grants.ts'
import { type Handlers, packagedHandlers } from './handlers.ts'
import { Monitoring } from './monitoring.ts'
import { Bell, Publisher } from './publisher.ts'
import { ServiceFunction } from './service-function.ts'
import { Storage } from './storage.ts'

/** Lives of roles in days. */
export interface Expirations {
  readonly root?: number
  readonly targets?: number
  readonly snapshot?: number
  readonly timestamp?: number
  readonly bins?: number
}

export interface TufRepositoryProps {
  /** The code of the functions. Default: what came with this package. */
  readonly handlers?: Handlers
  /** Tells repositories of one account apart, in metrics and descriptions. Default: the path of the construct, its stack included. */
  readonly stage?: string
  /** The lives that the ceremony gives to the roles; the shortest decides when the alarm of the nearest expiry rings. Default: 1 day for timestamp. */
  readonly expirations?: Expirations
  /** How long logs of functions, requests and downloads are kept. Default: 90. */
  readonly logRetentionDays?: number
  /** Names of one's own for the metadata URL; they need a certificate. */
  readonly domainNames?: readonly string[]
  /** A certificate for them in us-east-1. */
  readonly certificateArn?: string
  /** A web ACL for the distribution: global, hence in us-east-1. */
  readonly webAclArn?: string
  /** An existing bucket of artifacts to be served below `/artifacts/`. Its owner lets the distribution read it. */
  readonly artifactBucketName?: string
  /** An existing metadata bucket, to build a stack around what another one left behind. */
  readonly metadataBucketName?: string
  /** The state bucket that belongs to it. */
  readonly stateBucketName?: string
  /** Existing online keys: P-256, or RSA of 3072 bits or more. */
  readonly onlineKeyArns?: readonly string[]
  /** Who hears the alarms. */
  readonly alarmEmail?: string
  /** The boundary that every role of the construct gets. */
  readonly permissionsBoundaryArn?: string
  /** An OpenID Connect issuer whose tokens open a second API; needs an audience. */
  readonly jwtIssuer?: string
  /** What its tokens must be made out to. */
  readonly jwtAudience?: readonly string[]
  /** What claims of its tokens grant besides scopes, by permission: a rule, or several of which one must hold. Default: nothing. */
  readonly jwtClaims?: JwtClaims
  /** Who may assume the role that reads and publishes: accounts, roles, callers of an OIDC provider. */
  readonly publisherPrincipals?: readonly Principal[]
  /** Requests of all callers together. Default: 100, in bursts of 200. */
  readonly requestsPerSecond?: number
  readonly burst?: number
  /** The most that one run of the publisher or the refresher may take; work that takes longer is done in several. Default: 300. */
  readonly publisherTimeoutSeconds?: number
  /**
   * Seconds that old online keys go on signing after the root with the new ones became visible: longer than a client's
   * slowest refresh. Default: 600.
   */
  readonly rotationGraceSeconds?: number
  /** Hours that superseded metadata stays, for clients that are about to read it. Default: 24. */
  readonly retentionHours?: number
  /** Whether bucket policies insist on conditional writes. Default: true; false only where S3 is an emulator that lacks the condition keys. */
  readonly guardWrites?: boolean
  /** Whether downloads are noted down. Default: true; false in regions to whose buckets CloudFront delivers no logs. */
  readonly downloadLogs?: boolean
  /** Default: true. */
  readonly dashboard?: boolean
}

/** A token must have each of the claims of a rule, with one of its values to the letter. */
export type JwtClaimRule = Readonly<Record<string, string | readonly string[]>>
export type JwtClaims = Readonly<
  Partial<Record<'read' | 'publish' | 'administer', JwtClaimRule | readonly JwtClaimRule[]>>
>

/** A repository of TUF metadata with all that it takes: an API to post to, a distribution to download from, keys, alarms, and no server. */
export class TufRepository extends Construct {
  /** The buckets and keys; they stay when the stack goes. */
  readonly storage: Storage
  /** Takes requests that are signed with AWS credentials. */
  readonly api: Api
  /** Takes requests with a bearer token; only there if an issuer is configured. */
  readonly tokenApi: Api | undefined
  /** Managed policies `read`, `publish` and `administer`, and the role of publishers. */
  readonly access: Access
  readonly delivery: Delivery
  readonly monitoring: Monitoring
  /** Where build systems post to: the address of the API, without a path. */
  readonly apiUrl: string
  /** Where clients find metadata; ends in a slash. */
  readonly metadataUrl: string

  constructor(scope: Construct, id: string, props: TufRepositoryProps = {}) {
    super(scope, id)
    refuseContradictions(props)
    const { handlers = packagedHandlers(), stage = this.node.path, logRetentionDays = 90 } = props
    const timeout = Duration.seconds(props.publisherTimeoutSeconds ?? 300)

    this.storage = new Storage(this, 'Storage', {
      metadataBucketName: props.metadataBucketName,
      stateBucketName: props.stateBucketName,
      onlineKeyArns: props.onlineKeyArns,
      guardWrites: props.guardWrites ?? true,
      logRetentionDays,
    })
    const bell = new Bell(this, 'Bell', { publisherTimeout: timeout })
    const resources: Resources = { ...this.storage, ...bell }
    const claims = claimsOf(props)
    const environment = { ...environmentOf(stage, resources), ...optionalEnvironmentOf(props, claims) }
    const publisher = new Publisher(this, 'Publisher', { resources, handlers, environment, timeout, logRetentionDays })
    const front = new ServiceFunction(this, 'Front', {
      description: 'Tuffet: takes requests in and answers questions',
      code: handlers.api,
      grants: apiGrants(resources),
      environment,
      // API Gateway waits no longer than 30 seconds.
      timeout: Duration.seconds(29),
      memoryMb: 1024,
      logRetentionDays,
    })

    const gate = {
      function: front.function,
      requestsPerSecond: props.requestsPerSecond ?? 100,
      burst: props.burst ?? 200,
      logRetentionDays,
    }
    this.api = new Api(this, 'Api', gate)
    const { jwtIssuer: issuer, jwtAudience: audience = [] } = props
    this.tokenApi =
      issuer === undefined ? undefined : new Api(this, 'TokenApi', { ...gate, tokens: { issuer, audience, claims } })
    this.access = new Access(this, 'Access', { api: this.api, publisherPrincipals: props.publisherPrincipals })
    this.delivery = new Delivery(this, 'Delivery', {
      storage: this.storage,
      domainNames: props.domainNames,
      certificateArn: props.certificateArn,
      webAclArn: props.webAclArn,
      artifactBucketName: props.artifactBucketName,
      downloadLogs: props.downloadLogs ?? true,
    })
    this.monitoring = new Monitoring(this, 'Monitoring', {
      measured: {
        stage,
        functions: { api: front.function, publish: publisher.publish.function, refresh: publisher.refresh.function },
        apis: this.tokenApi === undefined ? [this.api] : [this.api, this.tokenApi],
        deadLetters: bell.deadLetters,
      },
      alarmEmail: props.alarmEmail,
      dashboard: props.dashboard ?? true,
      shortestLife: Math.min(props.expirations?.timestamp ?? 1, ...Object.values(props.expirations ?? {})),
    })
    this.apiUrl = this.api.api.apiEndpoint
    this.metadataUrl = this.delivery.metadataUrl

    if (props.permissionsBoundaryArn !== undefined) {
      const boundary = ManagedPolicy.fromManagedPolicyArn(this, 'Boundary', props.permissionsBoundaryArn)
      PermissionsBoundary.of(this).apply(boundary)
    }
  }
}

/** All functions get the same: what one of them may do with it, its role decides. */
function environmentOf(stage: string, resources: Resources): Record<string, string> {
  const values: Record<keyof typeof variables, string> = {
    stage,
    metadataBucket: resources.metadata.bucketName,
    stateBucket: resources.state.bucketName,
    onlineKeys: resources.onlineKeys.map(({ keyArn }) => keyArn).join(','),
    queue: resources.queue.queueUrl,
    deadLetters: resources.deadLetters.queueUrl,
  }
  const names = Object.keys(variables) as (keyof typeof variables)[]
  return Object.fromEntries(names.map((name) => [variables[name], values[name]]))
}

/** What is not set stays as the functions have it. */
function optionalEnvironmentOf(props: TufRepositoryProps, claims: ClaimGrants): Record<string, string> {
  const values: Record<keyof typeof optionalVariables, string | undefined> = {
    tokenClaims: Object.keys(claims).length === 0 ? undefined : JSON.stringify(claims),
    rotationGrace: props.rotationGraceSeconds?.toString(),
    retention: props.retentionHours === undefined ? undefined : String(props.retentionHours * 60 * 60),
  }
  const names = Object.keys(optionalVariables) as (keyof typeof optionalVariables)[]
  return Object.fromEntries(names.flatMap((name) => (values[name] ? [[optionalVariables[name], values[name]]] : [])))
}

/** Lambda takes 4 KB of variables, all of them together. */
const longestClaims = 2_000

function claimsOf({ jwtClaims, jwtIssuer }: TufRepositoryProps): ClaimGrants {
  if (jwtClaims === undefined) return {}
  const claims = parseClaimGrants(jwtClaims, jwtIssuer)
  const { length } = JSON.stringify(claims)
  if (length <= longestClaims) return claims
  throw new ConfigurationError(
    `jwtClaims takes ${length} characters of ${longestClaims}: name what your builds have in common, such as their owner.`,
  )
}

/** Throws ConfigurationError for what is right each by itself and wrong together. */
function refuseContradictions(props: TufRepositoryProps): void {
  const together = (one: unknown, other: unknown, sentence: string) => {
    if ((one === undefined) !== (other === undefined)) throw new ConfigurationError(sentence)
  }
  together(
    props.jwtIssuer,
    props.jwtAudience,
    'jwtIssuer and jwtAudience go together: an issuer makes tokens for others, too. Set both, or none.',
  )
  if (props.jwtClaims !== undefined && props.jwtIssuer === undefined) {
    throw new ConfigurationError(
      'jwtClaims needs jwtIssuer and jwtAudience, which say whose tokens have these claims. Set them, too.',
    )
  }
  together(
    props.domainNames,
    props.certificateArn,
    'domainNames and certificateArn go together: a name of one’s own needs a certificate for it in us-east-1. Set both, or none.',
  )
  together(
    props.metadataBucketName,
    props.stateBucketName,
    'metadataBucket and stateBucket go together: the journal in the one says what the other holds. Set both, or none.',
  )
  if (props.metadataBucketName !== undefined && props.onlineKeyArns === undefined) {
    throw new ConfigurationError(
      'metadataBucket and stateBucket need onlineKeys: clients trust the keys that their root names, and no others. Set the ARNs that the stack of these buckets put out as OnlineKeys.',
    )
  }
  if (props.metadataBucketName !== undefined && props.metadataBucketName === props.stateBucketName) {
    throw new ConfigurationError('metadataBucket and stateBucket are two buckets: what is in the first is public.')
  }
  const own = [props.metadataBucketName, props.stateBucketName]
  if (props.artifactBucketName !== undefined && own.includes(props.artifactBucketName)) {
    throw new ConfigurationError(
      'artifactBucket is a bucket of its own: the policies of metadataBucket and stateBucket let nobody read artifacts there.',
    )
  }
  if (props.domainNames?.[0]?.includes('*')) {
    throw new ConfigurationError(
      'The first of domainNames is the one in MetadataUrl, so it has no *: put a whole name before it.',
    )
  }
}
