/**
 * `node bench/cost.ts`: what one publish and a month on AWS cost, every cent of it, from unit prices and from the counts that
 * `test/repository/counts.test.ts` and `test/aws/counts.aws.ts` assert: a calculation, not a bill. us-east-1, US dollars, list prices of November 2026
 * (https://aws.amazon.com/SERVICE/pricing/), no free allowances but where it says so, and without downloads by clients.
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

/**
 * Requests of one artifact from the post to the empty inbox, by functions that are warm. `test/aws/counts.aws.ts` holds the functions to
 * it, but for receipt and deletion of the message, which Lambda's event source asks for.
 */
export const onePublish = {
  'S3 put': 7,
  'S3 list': 2,
  'S3 get': 4,
  'S3 delete': 1,
  'KMS Sign': 3,
  'SQS SendMessage': 1,
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

/**
 * Bytes of log, what Lambda and API Gateway say of themselves included: of a request that is taken in, a run that commits, and a minute
 * of the refresher.
 */
const logged = { request: 1_500, commit: 1_500, minute: 1_000 }

/** Dollars for a million publishes of one artifact each, with how many requests there are for each. */
function publishCost(): [what: string, count: number, dollars: number][] {
  const gigabyteSeconds = seconds.accept * gigabytes.api + seconds.commit * gigabytes.publisher
  const bytes = logged.request + logged.commit
  const rows: [string, number, number][] = [
    ['API Gateway: requests', 1, price.apiRequest],
    ['Lambda: runs', 2, price.lambdaRequest],
    ['Lambda: GB-seconds', gigabyteSeconds, price.lambdaGigabyteSecond],
    ['S3: puts and lists', onePublish['S3 put'] + onePublish['S3 list'], price.put],
    ['S3: gets', onePublish['S3 get'], price.get],
    ['S3: deletions', onePublish['S3 delete'], 0],
    ['KMS: signatures', onePublish['KMS Sign'], price.signature],
    ['SQS: requests', onePublish['SQS SendMessage'] + 2, price.queueRequest],
    ['CloudWatch: bytes of log', bytes, price.logGigabyte / 1e9],
  ]
  return rows.map(([what, count, each]) => [what, count, count * each * 1e6])
}

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
  const logBytes = requests * logged.request + commits * logged.commit + minutesOfMonth * logged.minute
  costs.set('CloudWatch: logs', (logBytes * price.logGigabyte) / 1e9)
  return costs
}

const bins = 16_384
const loads: Readonly<Record<string, Load>> = {
  idle: { bins, changesADay: 0, changesPerRequest: 1, requestsPerCommit: 1 },
  '100 changes a day': { bins, changesADay: 100, changesPerRequest: 1, requestsPerCommit: 1 },
  '1,000 a day': { bins, changesADay: 1_000, changesPerRequest: 1, requestsPerCommit: 1 },
  '100,000 a day': { bins, changesADay: 100_000, changesPerRequest: 1, requestsPerCommit: 1 },
  '1,000,000 a day, one by one': { bins, changesADay: 1_000_000, changesPerRequest: 1, requestsPerCommit: 4 },
  '1,000,000 a day by the thousand, 256 bins': {
    bins: 256,
    changesADay: 1_000_000,
    changesPerRequest: 1_000,
    requestsPerCommit: 1,
  },
}

function tableOfPublish(): string {
  const rows = publishCost()
  const sum = rows.reduce((total, [, , dollars]) => total + dollars, 0)
  return [
    '| one publish of one artifact | count | $ a million |',
    '|---|--:|--:|',
    ...rows.map(([what, count, dollars]) => `| ${what} | ${count} | ${dollars.toFixed(2)} |`),
    `| **sum** | | **${sum.toFixed(2)}** |`,
  ].join('\n')
}

function tableOfMonth(): string {
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

if (import.meta.main) console.log(`${tableOfPublish()}\n\n${tableOfMonth()}`)
