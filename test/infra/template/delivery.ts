import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import vm from 'node:vm'
import { askedFor, withoutPrefixAndHash } from '../../../infra/artifact-names.ts'
import { only, resourcesOf, text } from './stack.ts'

const certificateArn = 'arn:aws:acm:us-east-1:123456789012:certificate/1'
const webAclArn = 'arn:aws:wafv2:us-east-1:123456789012:global/webacl/acl/1'

const resources = resourcesOf()
const { DistributionConfig: distribution } = only(resources, 'AWS::CloudFront::Distribution').properties
const cachingDisabled = '4135ea2d-6df8-44a3-9df3-4b5a84be39ad'

describe('the distribution', () => {
  it('asks the bucket for timestamp.json every time, and caches the rest as the bucket says', () => {
    const [timestamp] = distribution.CacheBehaviors
    assert.equal(timestamp.PathPattern, 'metadata/timestamp.json')
    assert.equal(timestamp.CachePolicyId, cachingDisabled)
    assert.equal(timestamp.Compress, true)
    const policy = only(resources, 'AWS::CloudFront::CachePolicy').properties.CachePolicyConfig
    assert.equal(
      text(distribution.DefaultCacheBehavior.CachePolicyId),
      `<${only(resources, 'AWS::CloudFront::CachePolicy').id}>`,
    )
    assert.deepEqual([policy.MinTTL, policy.MaxTTL], [0, 31_536_000])
    assert.equal(policy.ParametersInCacheKeyAndForwardedToOrigin.EnableAcceptEncodingGzip, true)
  })

  it('does not remember what is missing, for the next root may appear at any moment', () => {
    assert.deepEqual(distribution.CustomErrorResponses, [
      { ErrorCode: 403, ErrorCachingMinTTL: 0 },
      { ErrorCode: 404, ErrorCachingMinTTL: 0 },
    ])
  })

  it('takes GET and HEAD over TLS, reads by an origin access control, and writes a log', () => {
    for (const behavior of [distribution.DefaultCacheBehavior, ...distribution.CacheBehaviors]) {
      assert.deepEqual(behavior.AllowedMethods, ['GET', 'HEAD'])
      assert.equal(behavior.ViewerProtocolPolicy, 'redirect-to-https')
    }
    for (const origin of distribution.Origins) assert.ok(origin.OriginAccessControlId)
    assert.match(text(distribution.Logging.Bucket), /AccessLogs/)
    assert.equal(distribution.DefaultRootObject, 'index.html')
  })

  it('writes none where CloudFront would refuse the bucket', () => {
    const { DistributionConfig } = only(
      resourcesOf({ downloadLogs: false }),
      'AWS::CloudFront::Distribution',
    ).properties
    assert.equal(DistributionConfig.Logging, undefined)
  })

  it('sends the headers that keep browsers from harm', () => {
    const { SecurityHeadersConfig } = only(resources, 'AWS::CloudFront::ResponseHeadersPolicy').properties
      .ResponseHeadersPolicyConfig
    assert.equal(SecurityHeadersConfig.StrictTransportSecurity.AccessControlMaxAgeSec, 31_536_000)
    assert.deepEqual(SecurityHeadersConfig.ContentTypeOptions, { Override: true })
  })

  it('takes a name, its certificate and a web ACL', () => {
    const named = resourcesOf({ domainNames: ['tuf.example.org'], certificateArn, webAclArn })
    const config = only(named, 'AWS::CloudFront::Distribution').properties.DistributionConfig
    assert.deepEqual(config.Aliases, ['tuf.example.org'])
    assert.equal(config.WebACLId, webAclArn)
    assert.equal(config.ViewerCertificate.AcmCertificateArn, certificateArn)
    assert.equal(config.ViewerCertificate.MinimumProtocolVersion, 'TLSv1.2_2021')
  })

  it('serves a bucket of artifacts below /artifacts/', () => {
    const both = resourcesOf({ artifactBucketName: 'artifacts' })
    const { CacheBehaviors } = only(both, 'AWS::CloudFront::Distribution').properties.DistributionConfig
    const behavior = CacheBehaviors.find(({ PathPattern }: { PathPattern: string }) => PathPattern === 'artifacts/*')
    assert.equal(behavior.FunctionAssociations[0].EventType, 'viewer-request')
  })

  it('caches an artifact by what was asked for, which has its hash, and not by the plain name in the bucket', () => {
    const { id, properties } = only(
      resourcesOf({ artifactBucketName: 'artifacts' }),
      'AWS::CloudFront::CachePolicy',
      'ByAskedName',
    )
    const { CacheBehaviors } = only(resourcesOf({ artifactBucketName: 'artifacts' }), 'AWS::CloudFront::Distribution')
      .properties.DistributionConfig
    assert.equal(text(CacheBehaviors[1].CachePolicyId), `<${id}>`)
    const { HeadersConfig } = properties.CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin
    assert.deepEqual(HeadersConfig, { HeaderBehavior: 'whitelist', Headers: [askedFor] })
  })
})

describe('what the edge knows by name', () => {
  it('is named after the region, for its names are those of the account in all regions', () => {
    const edge = resourcesOf({ artifactBucketName: 'artifacts' }).filter(({ type }) =>
      type.startsWith('AWS::CloudFront'),
    )
    const named = edge.flatMap(({ type, properties }) => {
      const { Name } = Object.values(properties).find((each) => (each as { Name?: unknown }).Name) ?? properties
      return Name === undefined ? [] : [[type.split('::')[2], text(Name)] as const]
    })
    assert.deepEqual(named.map(([type]) => type).sort(), [
      'CachePolicy',
      'CachePolicy',
      'Function',
      'OriginAccessControl',
      'OriginAccessControl',
      'ResponseHeadersPolicy',
    ])
    const names = named.map(([, name]) => name)
    assert.equal(new Set(names).size, names.length)
    for (const name of names) {
      assert.match(name, /<AWS::Region>/)
      assert.ok(name.replace('<AWS::Region>', 'ap-southeast-1').length <= 64, name)
    }
  })
})

describe('the names of artifacts at the edge', () => {
  const context = vm.createContext({})
  vm.runInContext(withoutPrefixAndHash, context)
  const run = vm.runInContext('(uri) => handler({ request: { uri: uri, headers: {} } })', context) as (uri: string) => {
    readonly uri: string
    readonly headers: Readonly<Record<string, { readonly value: string }>>
  }
  const sha256 = 'ab'.repeat(32)
  const sha512 = 'cd'.repeat(64)

  for (const [asked, key] of [
    ['/artifacts/app.tar.gz', '/app.tar.gz'],
    ['/artifacts/v1/app.tar.gz', '/v1/app.tar.gz'],
    [`/artifacts/${sha256}.app.tar.gz`, '/app.tar.gz'],
    [`/artifacts/v1/${sha512}.app.tar.gz`, '/v1/app.tar.gz'],
    [`/artifacts/${sha256}.v1/app.tar.gz`, '/v1/app.tar.gz'],
    ['/artifacts/v1/deadbeef.app', '/v1/deadbeef.app'],
    // Which S3 would take for a space.
    [`/artifacts/v1+2/${sha256}.app-1.0+3.whl`, '/v1%2B2/app-1.0%2B3.whl'],
    ['/artifacts/app-1.0%2B3.whl', '/app-1.0%2B3.whl'],
    [`/artifacts/${sha256}`, `/${sha256}`],
    [`/artifacts/v1/${sha256}.`, `/v1/${sha256}.`],
    // To S3 `/` is a request to list the bucket.
    ['/artifacts/', '/artifacts/'],
  ] as const) {
    it(`asks for ${key} where a client asks for ${asked.replaceAll(/(ab|cd){8,}/g, 'HASH')}`, () => {
      assert.equal(run(asked).uri, key)
    })
  }

  it('tell files apart that have lain under one name: their hashes are different keys of the cache', () => {
    const asked = ['a', 'b'].map((digit) => run(`/artifacts/v1/${digit.repeat(64)}.app`))
    assert.deepEqual(
      asked.map(({ uri, headers }) => [uri, headers[askedFor]?.value]),
      [
        ['/v1/app', `v1/${'a'.repeat(64)}.app`],
        ['/v1/app', `v1/${'b'.repeat(64)}.app`],
      ],
    )
  })
})
