import { Aws, Duration } from 'aws-cdk-lib'
import {
  Alarm,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'
import { type Measured, metricsOf } from './service-metrics.ts'

export interface MonitoringProps {
  readonly measured: Measured
  readonly alarmEmail: string | undefined
  readonly dashboard: boolean
  /** Days that the shortest-lived role lives. */
  readonly shortestLife: number
}

interface AlarmOptions {
  readonly says: string
  readonly metric: IMetric
  /** Rings above this value, or below that one. */
  readonly over?: number
  readonly under?: number
  /** How many minutes in a row. */
  readonly minutes: number
  /** What silence means. Default: all is well. */
  readonly missing?: TreatMissingData
}

/** Characters that SNS takes. */
const longestName = 100
const secondsOfDay = 24 * 60 * 60

/** What rings before a client notices, and a page that shows why. Each alarm has a section of docs/runbook.md under its name. */
export class Monitoring extends Construct {
  /** Where alarms go; subscribe what shall hear them. */
  readonly topic: Topic

  constructor(scope: Construct, id: string, props: MonitoringProps) {
    super(scope, id)
    const { stage } = props.measured
    this.topic = new Topic(this, 'Alarms', { enforceSSL: true, displayName: `Tuffet ${stage}`.slice(0, longestName) })
    // A policy of its own takes the place of the one that lets in the whole account, alarms included.
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsPublish',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    )
    if (props.alarmEmail !== undefined) this.topic.addSubscription(new EmailSubscription(props.alarmEmail))
    const metrics = metricsOf(props.measured)

    this.#alarm('nearest-expiry', {
      says: 'A role will expire soon',
      metric: metrics.nearestExpiry,
      // Roles are re-signed at half of their life: a quarter left means that this has failed for long.
      under: (props.shortestLife * secondsOfDay) / 4,
      minutes: 15,
    })
    // When to ask the service reckons itself, from how long each role lives.
    this.#alarm('root-expiry', {
      says: 'Holders of root keys have to sign a new root',
      metric: metrics.rootToRenew,
      over: 0,
      minutes: 15,
    })
    this.#alarm('offline-expiry', {
      says: 'Holders of a role that is signed offline have to sign it anew',
      metric: metrics.offlineToRenew,
      over: 0,
      minutes: 15,
    })
    this.#alarm('oldest-task', {
      says: 'An accepted task has waited for more than five minutes, or the refresher does not run',
      metric: metrics.oldestTask,
      over: 300,
      minutes: 5,
      // The refresher measures it every minute: its silence is what rings when nothing runs at all.
      missing: TreatMissingData.BREACHING,
    })
    this.#alarm('dead-letters', {
      says: 'A task ended as FAILURE, publishing failed for hours, or the schedule could not deliver',
      metric: metrics.deadLetters,
      over: 0,
      minutes: 1,
    })
    for (const [what, metric] of Object.entries(metrics.failures)) {
      this.#alarm('failures', { says: 'The service broke', metric, over: 0, minutes: 1 }, what)
    }
    for (const [what, metric] of Object.entries(metrics.throttles)) {
      this.#alarm('throttles', { says: 'Lambda refused to run a function', metric, over: 0, minutes: 5 }, what)
    }
    this.#alarm('publish-latency', {
      says: 'Of twenty changes one takes more than ten seconds to become visible',
      metric: metrics.worstLatency,
      over: 10_000,
      minutes: 5,
    })
    if (!props.dashboard) return
    this.#dashboard([
      ['Seconds until the first role expires', [metrics.nearestExpiry]],
      ['Seconds until what people sign expires', [metrics.rootExpiry, metrics.offlineExpiry]],
      ['Milliseconds until visible', [metrics.typicalLatency, metrics.worstLatency]],
      ['Seconds that the oldest task has waited', [metrics.oldestTask]],
      ['Commits and parked changes', [metrics.commits, metrics.parkedChanges]],
      ['Failures and dead letters', [...Object.values(metrics.failures), metrics.deadLetters]],
      [
        'Requests, refused and throttled',
        [...metrics.requests, ...metrics.refusals, ...Object.values(metrics.throttles)],
      ],
      ['Milliseconds of each function', metrics.durations],
    ])
  }

  /** Several alarms may share a section, each for a `part` of what it is about. */
  #alarm(section: string, { says, metric, over, under, minutes, missing }: AlarmOptions, part?: string): void {
    const alarm = new Alarm(this, part === undefined ? section : `${section}-${part}`, {
      alarmDescription: `${says}${part === undefined ? '' : ` (${section}-${part})`}. What to do: docs/runbook.md#${section}`,
      metric,
      threshold: over ?? under ?? 0,
      comparisonOperator:
        over === undefined ? ComparisonOperator.LESS_THAN_THRESHOLD : ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: minutes,
      treatMissingData: missing ?? TreatMissingData.NOT_BREACHING,
    })
    alarm.addAlarmAction(new SnsAction(this.topic))
    alarm.addOkAction(new SnsAction(this.topic))
  }

  #dashboard(graphs: readonly (readonly [title: string, metrics: readonly IMetric[]])[]): void {
    const dashboard = new Dashboard(this, 'Dashboard', { defaultInterval: Duration.hours(3) })
    const widgets = graphs.map(([title, left]) => new GraphWidget({ title, left: [...left], width: 12 }))
    for (let row = 0; row < widgets.length; row += 2) dashboard.addWidgets(...widgets.slice(row, row + 2))
  }
}
