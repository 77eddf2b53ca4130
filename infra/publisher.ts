import { Aws, Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda'
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { bellGrants, publisherGrants, type Resources, refresherGrants } from './grants.ts'
import type { Handlers } from './handlers.ts'
import { ServiceFunction } from './service-function.ts'

/** The doorbell: it carries ids of tasks, and whatever it loses the refresher finds. */
export class Bell extends Construct {
  readonly queue: Queue
  /** Tasks that crashed the publisher however often they were tried; and bells that nobody could answer. */
  readonly deadLetters: Queue

  constructor(scope: Construct, id: string, props: { readonly publisherTimeout: Duration }) {
    super(scope, id)
    this.deadLetters = new Queue(this, 'DeadLetters', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      removalPolicy: RemovalPolicy.DESTROY,
    })
    Validations.of(this.deadLetters).acknowledge({ id: 'AwsSolutions-SQS3', reason: 'This is the dead-letter queue.' })
    this.queue = new Queue(this, 'Queue', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(4),
      // Lambda asks for six times the time that its function may take.
      visibilityTimeout: Duration.seconds(6 * props.publisherTimeout.toSeconds()),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: 5 },
      removalPolicy: RemovalPolicy.DESTROY,
    })
  }
}

/** MiB: the largest file of an import (`maximumBulkBytes`) takes 1.1 GiB, and with memory comes processor time. See docs/performance.md. */
const publisherMemory = 2048

export interface PublisherProps {
  readonly resources: Resources
  readonly handlers: Handlers
  readonly environment: Readonly<Record<string, string>>
  readonly timeout: Duration
  readonly logRetentionDays: number
}

/** The two functions that sign: one is woken by the bell, the other looks every minute what is due. */
export class Publisher extends Construct {
  readonly publish: ServiceFunction
  readonly refresh: ServiceFunction

  constructor(scope: Construct, id: string, props: PublisherProps) {
    super(scope, id)
    const { resources, handlers, timeout, ...common } = props
    const shared = { ...common, timeout, memoryMb: publisherMemory }
    this.publish = new ServiceFunction(this, 'Publish', {
      ...shared,
      description: 'Tuffet: commits what was submitted, when the bell rings',
      code: handlers.publish,
      grants: [...publisherGrants(resources), ...bellGrants(resources)],
      // Whose time is over while something waits rings for the next one: under a steady load, or in a long import, time after time.
      wakesItself: true,
    })
    this.refresh = new ServiceFunction(this, 'Refresh', {
      ...shared,
      description: 'Tuffet: re-signs what is due and collects what was superseded, every minute',
      code: handlers.refresh,
      grants: refresherGrants(resources),
    })
    new EventSourceMapping(this, 'OnBell', {
      target: this.publish.function,
      eventSourceArn: resources.queue.queueArn,
      batchSize: 10,
      reportBatchItemFailures: true,
      // The least there is. Two publishers are safe, more would only wait for each other.
      maxConcurrency: 2,
    })
    // The next minute brings the next try; Lambda's own would only come late.
    this.refresh.function.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.minutes(1) })
    this.#everyMinute(resources.deadLetters.queueArn)
  }

  #everyMinute(deadLetterArn: string): void {
    const target = this.refresh.function.functionArn
    const role = new Role(this, 'SchedulerRole', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
      description: 'Tuffet: lets the schedule invoke the refresher',
      inlinePolicies: {
        invoke: new PolicyDocument({
          statements: [
            new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [target] }),
            new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [deadLetterArn] }),
          ],
        }),
      },
    })
    new CfnSchedule(this, 'EveryMinute', {
      description: 'Tuffet: wakes the refresher',
      scheduleExpression: 'rate(1 minute)',
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: target,
        roleArn: role.roleArn,
        input: '{}',
        deadLetterConfig: { arn: deadLetterArn },
        retryPolicy: { maximumRetryAttempts: 0, maximumEventAgeInSeconds: 60 },
      },
    })
  }
}
