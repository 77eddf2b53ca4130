import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import {
  HttpApi,
  type HttpMethod,
  HttpRoute,
  HttpRouteKey,
  HttpStage,
  type IHttpRouteAuthorizer,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpIamAuthorizer, HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { atLeast, type Permission, scopeOf } from '../shared/app/principal.ts'
import { prefix, type Route, routes } from '../shared/app/routes.ts'
import type { ClaimGrants } from '../shared/app/token-claims.ts'
import { staying } from './storage.ts'

const endpoints: readonly Route[] = Object.values(routes)

export interface ApiProps {
  readonly function: IFunction
  /** Of all callers together; who asks more often is told 429. */
  readonly requestsPerSecond: number
  readonly burst: number
  readonly logRetentionDays: number
  /** Whose tokens are taken. Absent: requests are signed with AWS credentials. */
  readonly tokens?: Tokens
}

export interface Tokens {
  readonly issuer: string
  readonly audience: readonly string[]
  /** What claims grant besides scopes. The function compares them, for API Gateway knows of scopes alone. */
  readonly claims: ClaimGrants
}

/**
 * An HTTP API of exactly the routes in the route table. Each asks for a permission: there is no route without an
 * authorizer, and no route that catches the rest. One API takes one kind of credential, so a service that takes both
 * has two of them over the same function.
 */
export class Api extends Construct {
  readonly api: HttpApi

  constructor(scope: Construct, id: string, props: ApiProps) {
    super(scope, id)
    this.api = new HttpApi(this, 'Http', {
      createDefaultStage: false,
      description: `${this.node.path}: the API of a TUF repository, for ${props.tokens ? 'bearer tokens' : 'AWS credentials'}`,
    })
    this.#stage(props)
    const integration = new HttpLambdaIntegration('Handler', props.function, { scopePermissionToRoute: false })
    const authorizer = authorizerOf(props.tokens)
    for (const route of endpoints) {
      for (const path of routePathsOf(route)) {
        new HttpRoute(this, `${route.method} ${path}`, {
          httpApi: this.api,
          routeKey: HttpRouteKey.with(path, route.method as HttpMethod),
          integration,
          authorizer,
          ...scopesOf(route, props.tokens),
        })
      }
    }
  }

  /** The ARNs of the requests that a permission allows. */
  requestsOf(permission: Permission): string[] {
    const allowed = endpoints.filter((route) => atLeast(route.permission).includes(permission))
    // Where that is all, one by one would be longer than IAM takes.
    if (allowed.length === endpoints.length) return [this.#arnOf('*', '/*')]
    return allowed.flatMap((route) =>
      [pathOf(route), `${pathOf(route)}/`].map((path) => this.#arnOf(route.method, path)),
    )
  }

  #arnOf(method: string, path: string): string {
    return this.api.arnForExecuteApi(method, path.replaceAll(/\{[^}]+\}/g, '*'), '$default')
  }

  #stage(props: ApiProps): void {
    const log = new LogGroup(this, 'AccessLog', { retention: props.logRetentionDays, removalPolicy: staying })
    new HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: props.requestsPerSecond, burstLimit: props.burst },
      accessLogSettings: { destination: new LogGroupLogDestination(log), format: accessLogFormat },
    })
  }
}

const pathOf = ({ path }: Route): string => `${prefix}${path}`

/**
 * Tools ask with and without the last slash. To API Gateway these are two paths, and it takes no route that ends in a slash:
 * only a greedy variable matches it. What else that lets through, the function knows no route for.
 */
const routePathsOf = (route: Route): string[] => [pathOf(route), `${pathOf(route)}/{proxy+}`]

/**
 * The scopes of which API Gateway demands one: none where claims may open the route, for their tokens have no scopes. The
 * function then decides alone.
 */
function scopesOf({ permission }: Route, tokens: Tokens | undefined): { authorizationScopes?: string[] } {
  const enough = atLeast(permission)
  if (tokens === undefined || enough.some((each) => tokens.claims[each] !== undefined)) return {}
  return { authorizationScopes: enough.map(scopeOf) }
}

function authorizerOf(tokens: Tokens | undefined): IHttpRouteAuthorizer {
  if (tokens === undefined) return new HttpIamAuthorizer()
  return new HttpJwtAuthorizer('Tokens', tokens.issuer, { jwtAudience: [...tokens.audience] })
}

const accessLogFormat = AccessLogFormat.custom(
  JSON.stringify({
    time: '$context.requestTime',
    requestId: '$context.requestId',
    method: '$context.httpMethod',
    path: '$context.path',
    status: '$context.status',
    milliseconds: '$context.responseLatency',
    ip: '$context.identity.sourceIp',
    caller: '$context.identity.userArn',
    subject: '$context.authorizer.claims.sub',
    refused: '$context.error.message',
    // Why a token was not taken; and what Lambda said where the function did not answer.
    notAuthorized: '$context.authorizer.error',
    notAnswered: '$context.integrationErrorMessage',
  }),
)
