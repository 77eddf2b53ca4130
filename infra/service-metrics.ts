import { Duration } from 'aws-cdk-lib'
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { metrics } from '../shared/app/environment.ts'
import type { Api } from './api.ts'

export interface Measured {
  readonly stage: string
  readonly functions: { readonly api: IFunction; readonly publish: IFunction; readonly refresh: IFunction }
  readonly apis: readonly Api[]
  readonly deadLetters: IQueue
}

const period = Duration.minutes(1)
const sum = { period, statistic: Stats.SUM }

/** Everything that is measured of one repository, minute by minute: by the functions themselves, and by AWS. */
export function metricsOf({ stage, functions, apis, deadLetters }: Measured) {
  const own = (metricName: string, statistic: string) =>
    new Metric({
      namespace: metrics.namespace,
      dimensionsMap: { [metrics.dimension]: stage },
      metricName,
      statistic,
      period,
    })
  const named = Object.entries(functions)
  return {
    nearestExpiry: own(metrics.nearestExpiry, Stats.MINIMUM),
    rootExpiry: own(metrics.rootExpiry, Stats.MINIMUM),
    rootToRenew: own(metrics.rootToRenew, Stats.MAXIMUM),
    offlineExpiry: own(metrics.offlineExpiry, Stats.MINIMUM),
    offlineToRenew: own(metrics.offlineToRenew, Stats.MAXIMUM),
    oldestTask: own(metrics.oldestTask, Stats.MAXIMUM),
    typicalLatency: own(metrics.publishLatency, Stats.percentile(50)),
    worstLatency: own(metrics.publishLatency, Stats.percentile(95)),
    parkedChanges: own(metrics.parkedChanges, Stats.MAXIMUM),
    commits: own(metrics.commits, Stats.SUM),
    deadLetters: deadLetters.metricApproximateNumberOfMessagesVisible({ period, statistic: Stats.MAXIMUM }),
    /** Each a sign that the service broke, by what broke. */
    failures: {
      tasks: own(metrics.failedTasks, Stats.SUM),
      runs: own(metrics.failedRuns, Stats.SUM),
      publish: functions.publish.metricErrors(sum),
      refresh: functions.refresh.metricErrors(sum),
      ...Object.fromEntries(apis.map(({ node, api }) => [node.id, api.metricServerError(sum)])),
    },
    throttles: Object.fromEntries(named.map(([name, each]) => [name, each.metricThrottles(sum)])),
    durations: named.map(([, each]) => each.metricDuration({ period, statistic: Stats.percentile(95) })),
    requests: apis.map(({ api }) => api.metricCount({ period, statistic: Stats.SAMPLE_COUNT })),
    refusals: apis.map(({ api }) => api.metricClientError(sum)),
  }
}
