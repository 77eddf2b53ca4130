import type { Duration } from 'aws-cdk-lib'
import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  Architecture,
  type Code,
  Function as LambdaFunction,
  LoggingFormat,
  RecursiveLoop,
  Runtime,
} from 'aws-cdk-lib/aws-lambda'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { staying } from './storage.ts'
import { explainWildcards } from './wildcards.ts'

export interface ServiceFunctionProps {
  readonly description: string
  readonly code: Code
  readonly environment: Readonly<Record<string, string>>
  /** All that it may do, besides writing its own log. */
  readonly grants: readonly PolicyStatement[]
  readonly timeout: Duration
  readonly memoryMb: number
  readonly logRetentionDays: number
  /** Where a run wakes the next one. Else Lambda takes that for a mistake, and stops it after sixteen. Default: false. */
  readonly wakesItself?: boolean
}

/** One function with a log of its own and a role of its own, which may do what is listed and nothing else. */
export class ServiceFunction extends Construct {
  readonly function: LambdaFunction
  readonly role: Role

  constructor(scope: Construct, id: string, props: ServiceFunctionProps) {
    super(scope, id)
    const logGroup = new LogGroup(this, 'Log', { retention: props.logRetentionDays, removalPolicy: staying })
    const writeLog = new PolicyStatement({
      sid: 'WriteOwnLog',
      effect: Effect.ALLOW,
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [logGroup.logGroupArn],
    })
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: props.description,
      inlinePolicies: { grants: new PolicyDocument({ statements: [...props.grants, writeLog] }) },
    })
    explainWildcards(
      this.role,
      props.grants,
      'Objects get their names at run time, so a grant ends with the prefix that this function works in. Wildcards in actions are not excused.',
    )
    this.function = new LambdaFunction(this, 'Function', {
      description: props.description,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: 'index.handler',
      code: props.code,
      role: this.role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      timeout: props.timeout,
      memorySize: props.memoryMb,
      ...(props.wakesItself && { recursiveLoop: RecursiveLoop.ALLOW }),
      environment: { ...props.environment, NODE_OPTIONS: '--enable-source-maps' },
    })
  }
}
