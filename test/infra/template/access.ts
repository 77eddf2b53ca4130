import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prefix, type Route, routes } from '../../../shared/app/routes.ts'
import { only, type Resource, resourcesOf, text } from './stack.ts'

const table: Route[] = Object.values(routes)
const tokens = { jwtIssuer: 'https://issuer.example', jwtAudience: ['tuffet'] }
const resources = resourcesOf(tokens)

const routesOf = (construct: string) =>
  resources.filter(({ id, type }) => type === 'AWS::ApiGatewayV2::Route' && id.startsWith(`Repository${construct}`))

const keysOf = (routes: readonly Resource[]) => routes.map(({ properties }) => properties.RouteKey).sort()

/** What is asked for with and without the last slash. */
const expected = table
  .flatMap(({ method, path }) => [`${method} ${prefix}${path}`, `${method} ${prefix}${path}/{proxy+}`])
  .sort()

describe('the API', () => {
  it('has the routes of the table and no other, each behind IAM', () => {
    const open = routesOf('Api')
    assert.deepEqual(keysOf(open), expected)
    for (const { properties } of open) assert.equal(properties.AuthorizationType, 'AWS_IAM', properties.RouteKey)
  })

  it('for tokens has the same, each behind the authorizer and a scope', () => {
    const open = routesOf('TokenApi')
    assert.deepEqual(keysOf(open), expected)
    const scopes = {
      read: ['tuffet:read', 'tuffet:publish', 'tuffet:administer'],
      publish: ['tuffet:publish', 'tuffet:administer'],
      administer: ['tuffet:administer'],
    }
    for (const { properties } of open) {
      const route = table.find(({ method, path }) =>
        [`${method} ${prefix}${path}`, `${method} ${prefix}${path}/{proxy+}`].includes(properties.RouteKey),
      )
      assert.equal(properties.AuthorizationType, 'JWT', properties.RouteKey)
      assert.deepEqual(properties.AuthorizationScopes, route && scopes[route.permission], properties.RouteKey)
    }
    const { JwtConfiguration } = only(resources, 'AWS::ApiGatewayV2::Authorizer').properties
    assert.deepEqual(JwtConfiguration, { Issuer: tokens.jwtIssuer, Audience: tokens.jwtAudience })
  })

  it('for tokens leaves to the function what claims may open, and asks for a scope of all else', () => {
    const claims = { publish: { repository: 'example/app', ref: 'refs/heads/main' } }
    const withClaims = resourcesOf({ ...tokens, jwtClaims: claims })
    const scoped = withClaims.filter(({ type, id }) => type.endsWith('::Route') && id.startsWith('RepositoryTokenApi'))
    assert.deepEqual(keysOf(scoped), expected)
    for (const { properties } of scoped) {
      assert.equal(properties.AuthorizationType, 'JWT', properties.RouteKey)
      assert.ok(properties.AuthorizerId, properties.RouteKey)
      const ofAdministrators = table.some(
        ({ method, path, permission }) =>
          permission === 'administer' &&
          [`${method} ${prefix}${path}`, `${method} ${prefix}${path}/{proxy+}`].includes(properties.RouteKey),
      )
      const scopes = ofAdministrators ? ['tuffet:administer'] : undefined
      assert.deepEqual(properties.AuthorizationScopes, scopes, properties.RouteKey)
    }
    const variables = withClaims
      .filter(({ type }) => type === 'AWS::Lambda::Function')
      .map(({ properties }) => JSON.parse(properties.Environment.Variables.TUFFET_TOKEN_CLAIMS))
    for (const variable of variables) {
      assert.deepEqual(variable, { publish: [{ repository: ['example/app'], ref: ['refs/heads/main'] }] })
    }
    assert.equal(variables.length, 3)
  })

  it('is for AWS credentials alone unless an issuer is configured', () => {
    assert.equal(resourcesOf().filter(({ type }) => type === 'AWS::ApiGatewayV2::Api').length, 1)
  })

  it('grants by a last slash no more than the route grants', () => {
    // `POST /a/{proxy+}` takes `POST /a/b/c`, too: nothing below a route may ask for more than the route does.
    const rank = { read: 0, publish: 1, administer: 2 }
    for (const outer of table) {
      for (const inner of table) {
        if (inner.method !== outer.method || !inner.path.startsWith(`${outer.path}/`)) continue
        assert.ok(rank[inner.permission] <= rank[outer.permission], `${inner.path} lies below ${outer.path}`)
      }
    }
  })

  it('limits its callers and writes down who called, and why the gateway answered in place of the function', () => {
    for (const { properties } of resources.filter(({ type }) => type === 'AWS::ApiGatewayV2::Stage')) {
      assert.deepEqual(properties.DefaultRouteSettings, {
        ThrottlingBurstLimit: 200,
        ThrottlingRateLimit: 100,
      })
      const format = JSON.parse(properties.AccessLogSettings.Format)
      assert.equal(format.caller, '$context.identity.userArn')
      assert.equal(format.notAuthorized, '$context.authorizer.error')
      assert.equal(format.notAnswered, '$context.integrationErrorMessage')
    }
  })
})

describe('the managed policies', () => {
  const allowedBy = (permission: string): string[] => {
    const { PolicyDocument } = only(resources, 'AWS::IAM::ManagedPolicy', `Access${permission}`).properties
    return PolicyDocument.Statement.flatMap(({ Effect, Action, Resource }: Record<string, unknown>) => {
      assert.deepEqual([Effect, Action], ['Allow', 'execute-api:Invoke'])
      return [Resource].flat().map((arn) => text(arn).replace(/.*>:<[^>]+>\/\$default\//, ''))
    }).sort()
  }
  const requests = (permissions: readonly string[]) =>
    table
      .filter(({ permission }) => permissions.includes(permission))
      .map(({ method, path }) => `${method}${prefix}${path.replaceAll(/\{[^}]+\}/g, '*')}`)
      .flatMap((request) => [request, `${request}/`])
      .sort()

  it('allow what needs their permission, and what needs less', () => {
    assert.deepEqual(allowedBy('read'), requests(['read']))
    assert.deepEqual(allowedBy('publish'), requests(['read', 'publish']))
    // Every route of this API, and there is none that asks for more.
    assert.deepEqual(allowedBy('administer'), ['*/*'])
    assert.ok(table.every(({ permission }) => ['read', 'publish', 'administer'].includes(permission)))
  })

  it('are short enough for IAM', () => {
    const longest = 'arn:aws-us-gov:execute-api:ap-southeast-2:123456789012:abcdefghij/$default/'.length
    const size = allowedBy('publish').reduce((bytes, request) => bytes + longest + request.length + 3, 200)
    assert.ok(size <= 6144, `${size} characters of 6144`)
  })
})

describe('the role of publishers', () => {
  const roleFor = (publisherPrincipals: Parameters<typeof resourcesOf>[0]) =>
    only(resourcesOf(publisherPrincipals), 'AWS::IAM::Role', 'AccessPublisher').properties

  it('is there if somebody may assume it, and may publish', () => {
    assert.equal(resources.filter(({ id }) => id.includes('AccessPublisher')).length, 0)
    const role = roleFor({ publisherPrincipals: ['123456789012', 'arn:aws:iam::210987654321:role/build'] })
    assert.match(text(role.ManagedPolicyArns[0]), /Accesspublish/)
    assert.equal(role.ManagedPolicyArns.length, 1)
  })

  it('takes of an OIDC provider only the tokens of a subject, made out to an audience', () => {
    const provider = 'arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com'
    const subject = 'repo:example/app:ref:refs/heads/main'
    const role = roleFor({ publisherPrincipals: [{ provider, audience: 'sts.amazonaws.com', subject }] })
    const [statement] = role.AssumeRolePolicyDocument.Statement
    assert.equal(statement.Action, 'sts:AssumeRoleWithWebIdentity')
    assert.deepEqual(statement.Condition, {
      StringEquals: { 'token.actions.githubusercontent.com:aud': 'sts.amazonaws.com' },
      StringLike: { 'token.actions.githubusercontent.com:sub': subject },
    })
  })
})

describe('a permissions boundary', () => {
  it('is put on every role', () => {
    const permissionsBoundaryArn = 'arn:aws:iam::123456789012:policy/boundary'
    const roles = resourcesOf({ permissionsBoundaryArn }).filter(({ type }) => type === 'AWS::IAM::Role')
    assert.ok(roles.every(({ properties }) => properties.PermissionsBoundary === permissionsBoundaryArn))
  })
})
