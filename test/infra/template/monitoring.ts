import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { TufRepository } from '../../../infra/tuf-repository.ts'
import { metrics } from '../../../shared/app/environment.ts'
import { appWith, only, type Resource, resourcesOf, text } from './stack.ts'

const alarmsOf = (resources: readonly Resource[]) =>
  resources.filter(({ type }) => type === 'AWS::CloudWatch::Alarm').map(({ properties }) => properties)

const alarms = alarmsOf(resourcesOf({ alarmEmail: 'somebody@example.org' }))
const sectionOf = ({ AlarmDescription }: { AlarmDescription: string }) => AlarmDescription.split('#')[1] ?? ''

describe('the alarms', () => {
  it('watch what clients would notice, and what comes before it', () => {
    assert.deepEqual(alarms.map((alarm) => `${sectionOf(alarm)}: ${alarm.Namespace} ${alarm.MetricName}`).sort(), [
      `dead-letters: AWS/SQS ApproximateNumberOfMessagesVisible`,
      `failures: AWS/ApiGateway 5xx`,
      `failures: AWS/Lambda Errors`,
      `failures: AWS/Lambda Errors`,
      `failures: Tuffet ${metrics.failedRuns}`,
      `failures: Tuffet ${metrics.failedTasks}`,
      `nearest-expiry: Tuffet ${metrics.nearestExpiry}`,
      `offline-expiry: Tuffet ${metrics.offlineToRenew}`,
      `oldest-task: Tuffet ${metrics.oldestTask}`,
      `publish-latency: Tuffet ${metrics.publishLatency}`,
      `root-expiry: Tuffet ${metrics.rootToRenew}`,
      `throttles: AWS/Lambda Throttles`,
      `throttles: AWS/Lambda Throttles`,
      `throttles: AWS/Lambda Throttles`,
    ])
  })

  it('look at this repository alone', () => {
    for (const { Namespace, Dimensions } of alarms.filter((alarm) => alarm.Namespace === metrics.namespace)) {
      assert.deepEqual(Dimensions, [{ Name: metrics.dimension, Value: 'main' }], Namespace)
    }
  })

  it('look at this repository alone also where another stack has one of the same id', () => {
    const app = appWith({})
    const code = Code.fromInline('exports.handler = async () => undefined')
    const handlers = { api: code, publish: code, refresh: code }
    const repositories = ['staging', 'production'].map(
      (name) => new TufRepository(new Stack(app, name), 'Repository', { handlers }),
    )
    const stages = repositories.map((repository) => {
      const template = Template.fromStack(Stack.of(repository))
      const [alarm] = Object.values(template.findResources('AWS::CloudWatch::Alarm'))
      return alarm?.['Properties'].Dimensions[0].Value
    })
    assert.deepEqual(stages, ['staging/Repository', 'production/Repository'])
  })

  it('each have their section in the runbook', () => {
    const runbook = join(import.meta.dirname, '../../../docs/runbook.md')
    assert.ok(existsSync(runbook))
    const headings = [...readFileSync(runbook, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    )
    for (const alarm of alarms) assert.ok(headings.includes(sectionOf(alarm)), alarm.AlarmDescription)
  })

  it('ring by mail, and say when it is over', () => {
    for (const { AlarmActions, OKActions } of alarms) {
      assert.match(text(AlarmActions[0]), /MonitoringAlarms/)
      assert.deepEqual(OKActions, AlarmActions)
    }
  })

  it('may ring: the policy of the topic lets them in, and only those of this account', () => {
    const { PolicyDocument, Topics } = only(resourcesOf(), 'AWS::SNS::TopicPolicy').properties
    const allowed = PolicyDocument.Statement.filter(({ Effect }: { Effect: string }) => Effect === 'Allow')
    assert.equal(Topics.length, 1)
    assert.deepEqual(allowed, [
      {
        Sid: 'AlarmsPublish',
        Effect: 'Allow',
        Principal: { Service: 'cloudwatch.amazonaws.com' },
        Action: 'sns:Publish',
        Resource: Topics[0],
        Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
      },
    ])
  })

  it('ring when the refresher is silent', () => {
    const oldestTask = alarms.find((alarm) => sectionOf(alarm) === 'oldest-task')
    assert.equal(oldestTask?.TreatMissingData, 'breaching')
  })

  it('ring as soon as the service says that holders are to be asked, and not for want of roles signed offline', () => {
    for (const section of ['root-expiry', 'offline-expiry']) {
      const alarm = alarms.find((each) => sectionOf(each) === section)
      assert.deepEqual(
        [alarm?.Threshold, alarm?.ComparisonOperator, alarm?.Statistic, alarm?.TreatMissingData],
        [0, 'GreaterThanThreshold', 'Maximum', 'notBreaching'],
        section,
      )
    }
  })

  it('ring when a quarter of the shortest life is left', () => {
    const threshold = (expirations: Record<string, number>) =>
      alarmsOf(resourcesOf({ expirations })).find((alarm) => sectionOf(alarm) === 'nearest-expiry')?.Threshold
    assert.equal(threshold({}), 21_600)
    assert.equal(threshold({ timestamp: 4 }), 86_400)
    assert.equal(threshold({ timestamp: 4, snapshot: 2 }), 43_200)
  })
})

describe('the dashboard', () => {
  it('can be left out', () => {
    assert.ok(only(resourcesOf(), 'AWS::CloudWatch::Dashboard'))
    assert.equal(resourcesOf({ dashboard: false }).filter(({ type }) => type.endsWith('Dashboard')).length, 0)
  })
})
