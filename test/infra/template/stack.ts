import { App, type AppProps, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { TufRepository, type TufRepositoryProps } from '../../../infra/tuf-repository.ts'

/** A resource of a template, by its logical id. */
export interface Resource {
  readonly id: string
  readonly type: string
  // biome-ignore lint/suspicious/noExplicitAny: templates are JSON of any shape; what a test reads of it, it compares.
  readonly properties: any
  readonly deletionPolicy: string | undefined
}

/** The stack of `infra/app.ts`, but for bundles and cdk-nag, which take their time. */
export function synthesize(props: Partial<TufRepositoryProps> = {}, app: App = new App({ analyticsReporting: false })) {
  const code = Code.fromInline('exports.handler = async () => undefined')
  const stack = new Stack(app, 'tuffet-main')
  const repository = new TufRepository(stack, 'Repository', {
    stage: 'main',
    ...props,
    handlers: { api: code, publish: code, refresh: code },
  })
  return { app, stack, repository }
}

const synthesized = new Map<string, readonly Resource[]>()

/** All resources of the stack with these properties. */
export function resourcesOf(props: Partial<TufRepositoryProps> = {}): readonly Resource[] {
  const key = JSON.stringify(props)
  const resources = synthesized.get(key) ?? readResources(props)
  synthesized.set(key, resources)
  return resources
}

function readResources(props: Partial<TufRepositoryProps>): Resource[] {
  const { Resources } = Template.fromStack(synthesize(props).stack).toJSON() as {
    Resources: Record<string, { Type: string; Properties?: unknown; DeletionPolicy?: string }>
  }
  return Object.entries(Resources).map(([id, resource]) => ({
    id,
    type: resource.Type,
    properties: resource.Properties ?? {},
    deletionPolicy: resource.DeletionPolicy,
  }))
}

export const appWith = (context: NonNullable<AppProps['context']>) => new App({ context, analyticsReporting: false })

/** The only resource of a type, or of those whose id holds a word. */
export function only(resources: readonly Resource[], type: string, word = ''): Resource {
  const [resource, ...others] = resources.filter((each) => each.type === type && each.id.includes(word))
  if (resource === undefined || others.length > 0) throw new Error(`There is not one ${type} ${word}.`)
  return resource
}

/** An ARN or name as text: references between angle brackets. */
export function text(value: unknown): string {
  if (typeof value === 'string') return value
  const object = value as { 'Fn::Join'?: [string, unknown[]]; 'Fn::GetAtt'?: [string, string]; Ref?: string }
  const join = object['Fn::Join']
  if (join !== undefined) return join[1].map(text).join('')
  return `<${object['Fn::GetAtt']?.join('.') ?? object.Ref}>`
}
