import { App, CfnOutput, Stack, Tags, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { ClaimsError } from '../shared/app/token-claims.ts'
import { bundledHandlers } from './bundle.ts'
import { ConfigurationError } from './configuration-error.ts'
import { readSettings } from './context.ts'
import { TufRepository } from './tuf-repository.ts'

/**
 * The app that `cdk deploy` deploys: one stack with one repository, configured by `cdk.json` and by
 * `-c tuffet:NAME=VALUE`. docs/deploy.md explains every setting.
 */
const app = new App()
const { repository: settings, tags } = orSentence(() => readSettings(app.node))
const stage = settings.stage ?? 'main'

const stack = new Stack(app, `tuffet-${stage}`, { description: 'Tuffet: a repository service for TUF' })
const handlers = await bundledHandlers()
const repository = orSentence(() => new TufRepository(stack, 'Repository', { ...settings, stage, handlers }))
for (const [name, value] of Object.entries(tags)) Tags.of(stack).add(name, value)
Validations.of(app).addPlugins(new AwsSolutionsChecks(app))

const output = (name: string, description: string, value: string) => new CfnOutput(stack, name, { description, value })
const { apiUrl, metadataUrl, tokenApi, access, storage, delivery } = repository
output('ApiUrl', 'Build systems post here, signed with AWS credentials.', apiUrl)
output('MetadataUrl', 'Clients download from here.', metadataUrl)
if (settings.domainNames !== undefined) {
  output('DistributionDomain', 'Point the DNS of your names at it.', delivery.distribution.distributionDomainName)
}
if (settings.artifactBucketName !== undefined) {
  output('DistributionArn', 'Let it read your bucket of artifacts.', delivery.distribution.distributionArn)
}
if (tokenApi !== undefined) output('TokenApiUrl', 'The same API for bearer tokens.', tokenApi.api.apiEndpoint)
if (access.publisher !== undefined) output('PublisherRole', 'Builds assume this role.', access.publisher.roleArn)
for (const [permission, { managedPolicyArn }] of Object.entries(access.policies)) {
  output(`${permission}Policy`, `Attach it to who may ${permission}.`, managedPolicyArn)
}
output('MetadataBucket', 'Stays when the stack is destroyed: keep its name.', storage.metadata.bucketName)
output('StateBucket', 'Stays, too, and belongs to the other.', storage.state.bucketName)
output('OnlineKeys', 'They stay, too.', storage.onlineKeys.map(({ keyArn }) => keyArn).join(','))
output(
  'NextCommand',
  'Makes the root and boots the repository.',
  `tuffet ceremony --api ${apiUrl} --metadata-url ${metadataUrl} --send`,
)

/** Whoever deploys has made the mistake: a sentence helps there, and where in this code it was found does not. */
function orSentence<Made>(make: () => Made): Made {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof ConfigurationError || error instanceof ClaimsError)) throw error
    process.stderr.write(`error: ${error.message}\n`)
    process.exit(1)
  }
}
