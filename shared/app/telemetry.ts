import { Logger as PowertoolsLogger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import { metrics as names } from './environment.ts'
import type { Logger } from './logger.ts'

type MetricName = Exclude<keyof typeof names, 'namespace' | 'dimension'>

/** Notes down one value of a metric; it leaves with the log when the invocation ends. */
export type Measure = (metric: MetricName, value: number) => void

/** What a function tells of itself: lines of JSON, and metrics among them in CloudWatch's embedded format. */
export interface Telemetry {
  readonly log: Logger
  readonly measure: Measure
  /** Makes a Lambda handler: each line names the invocation, and the metrics leave even if it throws. */
  lambda<Event, Result>(work: (event: Event, context: Context) => Promise<Result>): LambdaHandler<Event, Result>
}

export type LambdaHandler<Event, Result> = (event: Event, context: Context) => Promise<Result>

const units: Partial<Record<MetricName, (typeof MetricUnit)[keyof typeof MetricUnit]>> = {
  nearestExpiry: MetricUnit.Seconds,
  rootExpiry: MetricUnit.Seconds,
  offlineExpiry: MetricUnit.Seconds,
  oldestTask: MetricUnit.Seconds,
  publishLatency: MetricUnit.Milliseconds,
}

/** `stage` is the repository's name in both. */
export function telemetry(stage: string): Telemetry {
  const logger = new PowertoolsLogger({ serviceName: stage })
  const metrics = new Metrics({ namespace: names.namespace, serviceName: stage })
  const flush = () => {
    if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics()
  }
  return {
    // Powertools wants the message first.
    log: {
      info: (fields, message) => logger.info(message, { ...fields }),
      warn: (fields, message) => logger.warn(message, { ...fields }),
      error: (fields, message) => logger.error(message, { ...fields }),
    },
    measure: (metric, value) => void metrics.addMetric(names[metric], units[metric] ?? MetricUnit.Count, value),
    lambda: <Event, Result>(work: (event: Event, context: Context) => Promise<Result>) => {
      // Out of time, the process shall end: work that goes on after an answer would sleep until the next invocation.
      const handler = middy<Event, Result>({ timeoutEarlyInMillis: 0 })
        .use(injectLambdaContext(logger))
        .use({ after: flush, onError: flush })
        .handler<Event, Result>(work)
      return async (event: Event, context: Context): Promise<Result> => await handler(event, context)
    },
  }
}
