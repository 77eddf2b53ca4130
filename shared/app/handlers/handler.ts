import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type * as z from 'zod'
import type { Signer } from '../../repository/ports.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Uploads } from '../../repository/uploads.ts'
import type { Logger } from '../logger.ts'
import type { Authenticate, Principal } from '../principal.ts'
import type { Route } from '../routes.ts'

/** What the handlers are made from: the wired parts of one service. */
export interface Service {
  readonly repository: Repository
  readonly uploads: Uploads
  readonly authenticate: Authenticate
  readonly log: Logger
  /** The online keys, where they are fetched only if somebody asks for them; else they are the repository's own. */
  readonly onlineKeys?: () => Promise<readonly Signer[]>
  /** Resolves when the publisher is not too far behind for one more task; only where it runs in this process. */
  readonly room?: () => Promise<void>
  /** What keeps the publisher, or work ahead, from its end; only where these run in this process. */
  readonly troubles?: () => readonly unknown[]
}

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined
type Part<R extends Route, Name extends keyof Route> =
  R extends Readonly<Record<Name, infer Schema>> ? Parsed<Schema> : undefined

/** A request to a route: authorised, and its parts as their schemas gave them. */
export interface Call<R extends Route = Route> {
  readonly body: Part<R, 'body'>
  readonly query: Part<R, 'query'>
  readonly parameters: Part<R, 'parameters'>
  readonly principal: Principal
  readonly headers: APIGatewayProxyEventV2['headers']
}

/** Calls one operation of the repository and maps its answer. */
export type Handler<R extends Route> = (call: Call<R>, service: Service) => Promise<APIGatewayProxyStructuredResultV2>
