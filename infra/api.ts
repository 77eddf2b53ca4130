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
import { scopePrefix } from '../shared/app/environment.ts'
import { prefix, type Route, routes } from '../shared/app/routes.ts'
import { atLeast, type Permission } from './permissions.ts'

const endpoints: readonly Route[] = Object.values(routes)

/** The scope that says a permission in a token. */
export const scopeOf = (permission: Permission): string => `${scopePrefix}${permission}`

export interface ApiProps {
  readonly function: IFunction
  /** Of all callers together; who asks more often is told 429. */
  readonly requestsPerSecond: number
  readonly burst: number
  readonly logRetentionDays: number
  /** Whose tokens are taken. Absent: requests are signed with AWS credentials. */
  readonly tokens?: { readonly issuer: string; readonly audience: readonly string[] }
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
          ...(props.tokens && { authorizationScopes: atLeast(route.permission).map(scopeOf) }),
        })
      }
    }
  }

  /** The ARNs of the requests that a permission allows. */
  requestsOf(permission: Permission): string[] {
    return endpoints
      .filter((route) => atLeast(route.permission).includes(permission))
      .flatMap((route) => [pathOf(route), `${pathOf(route)}/`].map((path) => this.#arnOf(route.method, path)))
  }

  #arnOf(method: string, path: string): string {
    return this.api.arnForExecuteApi(method, path.replaceAll(/\{[^}]+\}/g, '*'), '$default')
  }

  #stage(props: ApiProps): void {
    const log = new LogGroup(this, 'AccessLog', { retention: props.logRetentionDays })
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

function authorizerOf(tokens: ApiProps['tokens']): IHttpRouteAuthorizer {
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
  }),
)
