/**
 * `node bench/cost.ts`: what a month on AWS costs, every cent of it, from unit prices and from the counts that
 * `test/repository/counts.test.ts` and `test/aws/counts.aws.ts` assert. us-east-1, US dollars, list prices of November 2026, no free allowances but
 * where it says so, and without downloads by clients.
 */

const perMillion = (dollars: number) => dollars / 1e6

const price = {
  apiRequest: perMillion(1),
  lambdaRequest: perMillion(0.2),
  lambdaGigabyteSecond: 0.0000133334,
  queueRequest: perMillion(0.4),
  signature: perMillion(15),
  onlineKey: 1,
  put: perMillion(5),
  get: perMillion(0.4),
  storedGigabyte: 0.023,
  alarm: 0.1,
  metric: 0.3,
  logGigabyte: 0.5,
  schedule: perMillion(1),
} as const

/** What there is, whatever happens. */
const fixed = { keys: 2, alarms: 14, metrics: 11 }
/** Always free in every account: CloudWatch gives ten of each, and three dashboards. */
const free = { alarms: 10, metrics: 10 }

const daysOfMonth = 30
const minutesOfMonth = daysOfMonth * 24 * 60
/** Of the function that takes requests in, and of the two that publish. */
const gigabytes = { api: 1, publisher: 2 }
const snapshotBytesOfBin = 32
/** Superseded files: a day until they are collected, three more until the bucket forgets them. */
const daysKept = 4

export interface Load {
  readonly bins: number
  readonly changesADay: number
  readonly changesPerRequest: number
  /** Requests that one commit takes along: those that wait when it begins. */
  readonly requestsPerCommit: number
}

/** Seconds of a function, as this script assumes them; an emulator cannot tell. */
const seconds = { accept: 0.05, commit: 0.35, lookAround: 0.1 }

/** Dollars a month, by what they are for. */
function monthlyCost({ bins, changesADay, changesPerRequest, requestsPerCommit }: Load): Map<string, number> {
  const changes = changesADay * daysOfMonth
  // Bins live for 30 days and are signed again at half of that, up to 512 in a commit; timestamps at half a day.
  const resignedBins = bins * 2
  const refreshCommits = Math.ceil(bins / 512) * 2 + daysOfMonth * 2
  const requests = changes / changesPerRequest
  const changeCommits = requests / requestsPerCommit
  // Paths are spread over the bins by their hash, so some of those of a commit share one.
  const binsOfCommit = bins * (1 - (1 - 1 / bins) ** (changesPerRequest * requestsPerCommit))
  const signedBins = changeCommits * binsOfCommit + resignedBins
  const commits = changeCommits + refreshCommits
  const costs = new Map<string, number>()
  costs.set('KMS: keys', fixed.keys * price.onlineKey)
  // Each changed or re-signed bin, and snapshot and timestamp of each commit.
  costs.set('KMS: signatures', (signedBins + 2 * commits) * price.signature)
  // Of a request: the task and its record. The bins. Of a commit: lease, journal, snapshot, timestamp; and two lists, which cost the same.
  costs.set('S3: writes and lists', (2 * requests + signedBins + 6 * commits) * price.put)
  // Every minute the refresher lists the inbox twice, once to publish and once to measure.
  costs.set('S3: the refresher’s lists', minutesOfMonth * 2 * price.put)
  // Of a request: two by the publisher, and about three by the API when somebody looks for the result. Of a commit: two by the
  // publisher. Every minute: five.
  costs.set('S3: reads', (5 * requests + 2 * commits + 5 * minutesOfMonth) * price.get)
  const snapshotGigabytes = (bins * snapshotBytesOfBin * (commits / daysOfMonth) * daysKept) / 1e9
  const smallGigabytes = (bins * 2_000 + requests * 2_000 + changes * 1_000) / 1e9
  costs.set('S3: storage, in the first month', (snapshotGigabytes + smallGigabytes) * price.storedGigabyte)
  costs.set('API Gateway', requests * price.apiRequest)
  // The ring, which we send; receipt and deletion, which the event source asks for, at one message each.
  costs.set('SQS', requests * 3 * price.queueRequest)
  // Lambda asks an idle queue, too: five pollers, each every 20 seconds.
  costs.set('SQS: polling', 5 * minutesOfMonth * 3 * price.queueRequest)
  costs.set(
    'Lambda: the API',
    requests * (price.lambdaRequest + seconds.accept * gigabytes.api * price.lambdaGigabyteSecond),
  )
  costs.set(
    'Lambda: the publisher',
    changeCommits * (price.lambdaRequest + seconds.commit * gigabytes.publisher * price.lambdaGigabyteSecond),
  )
  costs.set(
    'Lambda: the refresher',
    minutesOfMonth * (price.lambdaRequest + seconds.lookAround * gigabytes.publisher * price.lambdaGigabyteSecond),
  )
  costs.set('Scheduler', minutesOfMonth * price.schedule)
  costs.set('CloudWatch: alarms', (fixed.alarms - free.alarms) * price.alarm)
  costs.set('CloudWatch: metrics', (fixed.metrics - free.metrics) * price.metric)
  // A line of 600 bytes for each request, run and commit.
  costs.set('CloudWatch: logs', ((2 * requests + commits + minutesOfMonth) * 600 * price.logGigabyte) / 1e9)
  return costs
}

const bins = 16_384
const loads: Readonly<Record<string, Load>> = {
  idle: { bins, changesADay: 0, changesPerRequest: 1, requestsPerCommit: 1 },
  '1,000 changes a day': { bins, changesADay: 1_000, changesPerRequest: 1, requestsPerCommit: 1 },
  '1,000,000 a day, one by one': { bins, changesADay: 1_000_000, changesPerRequest: 1, requestsPerCommit: 4 },
  '1,000,000 a day by the thousand, 256 bins': {
    bins: 256,
    changesADay: 1_000_000,
    changesPerRequest: 1_000,
    requestsPerCommit: 1,
  },
}

function table(): string {
  const columns = Object.entries(loads).map(([name, load]) => ({ name, costs: monthlyCost(load) }))
  const lines = [...(columns[0]?.costs.keys() ?? [])].map((line) => [
    line,
    ...columns.map(({ costs }) => (costs.get(line) ?? 0).toFixed(2)),
  ])
  const sum = columns.map(({ costs }) => [...costs.values()].reduce((total, cost) => total + cost, 0).toFixed(2))
  const rows = [
    ['$ a month', ...columns.map(({ name }) => name)],
    ...lines,
    ['**sum**', ...sum.map((total) => `**${total}**`)],
  ]
  const [head = [], ...body] = rows.map((row) => `| ${row.join(' | ')} |`)
  return [head, `|---|${columns.map(() => '--:|').join('')}`, ...body].join('\n')
}

if (import.meta.main) console.log(table())
