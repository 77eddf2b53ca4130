import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { synthesize } from './stack.ts'

const everything = {
  jwtIssuer: 'https://issuer.example',
  jwtAudience: ['tuffet'],
  publisherPrincipals: ['123456789012'],
  artifactBucketName: 'artifacts',
  alarmEmail: 'somebody@example.org',
}

for (const [name, props] of Object.entries({ 'as it comes': {}, 'with everything': everything })) {
  describe(`cdk-nag, of the stack ${name}`, () => {
    let violations: { ruleName: string }[]
    let reasons: Map<string, string>
    const exitCode = process.exitCode

    before(() => {
      const { app } = synthesize(props)
      Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
      const { directory } = app.synth()
      const { pluginReports } = JSON.parse(readFileSync(join(directory, 'validation-report.json'), 'utf8')) as {
        pluginReports: { pluginName: string; violations: { ruleName: string }[] }[]
      }
      const report = pluginReports.find(({ pluginName }) => pluginName === 'AwsSolutions')
      violations = report?.violations ?? []
      const key = Validations.ACKNOWLEDGED_RULES_METADATA_KEY
      const acknowledged = app.node.findAll().flatMap(({ node }) => node.metadata.filter(({ type }) => type === key))
      reasons = new Map(acknowledged.flatMap(({ data }) => Object.entries(data as Record<string, string>)))
    })

    after(() => {
      process.exitCode = exitCode
    })

    it('finds nothing', () => {
      assert.deepEqual(violations, [])
    })

    it('was told why, wherever it was told to be silent', () => {
      const rules = [...reasons.keys()].filter((id) => id.includes('AwsSolutions-'))
      assert.deepEqual([...new Set(rules.map((id) => id.replace(/^.*(AwsSolutions-\w+).*$/, '$1')))].sort(), [
        'AwsSolutions-CFR1',
        'AwsSolutions-CFR2',
        'AwsSolutions-CFR4',
        'AwsSolutions-IAM5',
        'AwsSolutions-S1',
        'AwsSolutions-SQS3',
      ])
      for (const [id, reason] of reasons) assert.ok(reason.length > 20, id)
    })
  })
}
