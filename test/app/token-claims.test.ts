import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ApiError } from '../../shared/app/errors.ts'
import { authenticatedByGateway } from '../../shared/app/gateway-principal.ts'
import {
  type Claims,
  ClaimsError,
  grantedByClaims,
  parseClaimGrants,
  refuseStrangers,
} from '../../shared/app/token-claims.ts'
import { apiEvent } from '../support/api.ts'

const github = 'https://token.actions.githubusercontent.com'
const grants = parseClaimGrants(
  {
    read: { repository_owner: 'example' },
    publish: [
      { repository: 'example/app', ref: ['refs/heads/main', 'refs/heads/release'], run_attempt: '1' },
      { repository: 'example/tools', environment: 'release' },
    ],
    administer: { repository: 'example/ops', protected: 'true' },
  },
  github,
)
const build = { iss: github, aud: 'tuffet', sub: 'repo:example/app:ref:refs/heads/main', repository_owner: 'stranger' }
const good = { ...build, repository: 'example/app', ref: 'refs/heads/main', run_attempt: '1' }

describe('claims grant', () => {
  for (const [what, claims, expected] of [
    ['all that a rule names, one value', good, 'publish'],
    ['all that a rule names, another value of the list', { ...good, ref: 'refs/heads/release' }, 'publish'],
    ['another rule of the permission', { ...build, repository: 'example/tools', environment: 'release' }, 'publish'],
    ['a number, as API Gateway may hand it on', { ...good, run_attempt: 1 }, 'publish'],
    [
      'a boolean, as API Gateway may hand it on',
      { ...build, repository: 'example/ops', protected: true },
      'administer',
    ],
    ['what another permission asks for', { ...build, repository_owner: 'example' }, 'read'],
    ['the most of what holds', { ...good, repository_owner: 'example' }, 'publish'],
    ['no claims at all', {}, undefined],
    ['a claim that is missing', { ...good, ref: undefined }, undefined],
    ['another value', { ...good, repository: 'example/application' }, undefined],
    ['a value that begins alike', { ...good, ref: 'refs/heads/main2' }, undefined],
    ['a value that ends alike', { ...good, repository: 'evil/example/app' }, undefined],
    ['another case', { ...good, repository: 'Example/App' }, undefined],
    ['space around it', { ...good, ref: ' refs/heads/main' }, undefined],
    ['an empty value', { ...good, ref: '' }, undefined],
    ['a list that holds the value', { ...good, ref: ['refs/heads/main'] }, undefined],
    ['a list as API Gateway writes it', { ...good, ref: '[refs/heads/main]' }, undefined],
    ['an object', { ...good, ref: { toString: 'refs/heads/main' } }, undefined],
    ['null', { ...good, ref: null }, undefined],
    ['half of one rule and half of another', { ...good, ref: 'refs/heads/dev', environment: 'release' }, undefined],
    ['a number of another spelling', { ...good, run_attempt: '1.0' }, undefined],
    ['what all objects inherit', Object.create(good), undefined],
  ] as const satisfies readonly (readonly [string, Claims, string | undefined])[]) {
    it(`${expected ?? 'nothing'} for ${what}`, () => {
      assert.equal(grantedByClaims(grants, claims), expected)
    })
  }

  it('nothing unless there are rules', () => {
    assert.equal(grantedByClaims({}, good), undefined)
  })

  it('nothing by the name of what all objects inherit', () => {
    const inherited = parseClaimGrants({ publish: { constructor: 'function Object() { [native code] }' } })
    assert.equal(grantedByClaims(inherited, {}), undefined)
  })
})

describe('rules of claims', () => {
  for (const [what, value, sentence] of [
    ['no object', 'publish', /an object by permission/],
    ['a list', [], /an object by permission/],
    ['nothing', {}, /no rule/],
    ['a permission that there is not', { write: { repository: 'a' } }, /There are: read, publish, administer/],
    ['no rule of a permission', { publish: [] }, /publish has no rule/],
    ['a rule that is text', { publish: 'example/app' }, /object of claims/],
    ['a rule without claims', { publish: {} }, /every token/],
    ['a rule that every token meets', { publish: { iss: github, aud: 'tuffet' } }, /every token/],
    ['a claim without a value', { publish: { repository: [] } }, /no value/],
    ['an empty value', { publish: { repository: '' } }, /in quotes/],
    ['a number', { publish: { repository_id: 74 } }, /in quotes/],
    ['a wildcard', { publish: { repository: 'example/*' } }, /to the letter/],
    ['a wildcard in a list', { publish: { repository: 'a/b', ref: ['refs/heads/*'] } }, /to the letter/],
    ['a claim that is a list', { publish: { groups: '[admins]' } }, /cannot be compared/],
    ['a rule for all of GitHub', { publish: { ref: 'refs/heads/main' } }, /strangers.*repository_id/],
    ['such a rule among others', { publish: [{ repository: 'a/b' }, { environment: 'release' }] }, /strangers/],
  ] as const) {
    it(`are refused: ${what}`, () => {
      assert.throws(
        () => parseClaimGrants(value, github),
        (error) => error instanceof ClaimsError && error.code === 'unusable-claims' && sentence.test(error.message),
      )
    })
  }

  it('may name any claim where the issuer makes tokens for one house alone', () => {
    const rule = { publish: { ref: 'main' } }
    assert.deepEqual(parseClaimGrants(rule, 'https://gitlab.example.org'), { publish: [{ ref: ['main'] }] })
    assert.throws(() => parseClaimGrants(rule, 'https://gitlab.com/'), /project_id/)
  })

  it('come back from what they were stored as', () => {
    assert.deepEqual(parseClaimGrants(JSON.parse(JSON.stringify(grants))), grants)
  })
})

describe('a pattern of subjects', () => {
  const gitlab = 'https://gitlab.com'
  const accepted = [
    ['repo:example/app:environment:release', github],
    ['repo:example/app:*', github],
    ['repo:example/*', github],
    ['repository_owner_id:74:repository:*', github],
    ['project_path:example/app:ref_type:branch:ref:main', gitlab],
    ['project_path:example/*:ref_type:tag:ref:*', gitlab],
    ['*:release', 'https://gitlab.example.org'],
    ['repo:*', `${github}/example-enterprise`],
  ] as const
  for (const [subject, issuer] of accepted) {
    it(`names whose builds are meant: ${subject} of ${issuer}`, () => refuseStrangers(subject, issuer))
  }

  const refused = [
    ['*', github],
    ['?*', github],
    ['repo:*', github],
    ['repo:*:ref:refs/heads/main', github],
    ['repo:example*', github],
    ['repo:exampl?/app:ref:refs/heads/main', github],
    ['repo:*/repo:example/app', github],
    ['*repo:example/app:environment:release', github],
    ['environment:release', github],
    ['job_workflow_ref:example/app/.github/workflows/release.yml@refs/heads/main', github],
    ['project_path:*', gitlab],
    ['project_path:exam*/app:*', gitlab],
    ['?*', 'https://gitlab.example.org'],
  ] as const
  for (const [subject, issuer] of refused) {
    it(`is refused where strangers match: ${subject} of ${issuer}`, () => {
      assert.throws(() => refuseStrangers(subject, issuer), ClaimsError)
    })
  }
})

describe('a caller behind API Gateway', () => {
  const seenBy = (authorizer: object | undefined) => {
    const event = apiEvent('GET /status')
    return authenticatedByGateway(grants)({
      ...event,
      requestContext: { ...event.requestContext, authorizer } as never,
    })
  }
  const token = (claims: object) => seenBy({ jwt: { claims, scopes: null } })

  it('may what the claims grant, and less', async () => {
    const { name, permissions } = await token(good)
    assert.equal(name, `${github} ${good.sub}`)
    assert.deepEqual([...permissions], ['read', 'publish'])
  })

  it('may what the scopes grant, if that is more', async () => {
    const most = async (claims: object) => [...(await token(claims)).permissions].at(-1)
    assert.equal(await most({ ...build, scope: 'openid tuffet:read' }), 'read')
    assert.equal(await most({ ...good, scope: 'tuffet:read' }), 'publish')
    assert.equal(await most({ ...good, scope: 'tuffet:administer' }), 'administer')
    assert.equal(await most({ ...build, scope: 'tuffet:publisher' }), undefined)
  })

  it('may what a list of scopes grants, as API Gateway writes lists', async () => {
    const most = async (claims: object) => [...(await token({ ...build, ...claims })).permissions].at(-1)
    assert.equal(await most({ scp: '[tuffet:publish]' }), 'publish')
    assert.equal(await most({ scp: '[tuffet:administer openid]' }), 'administer')
    assert.equal(await most({ scope: '[openid email tuffet:read]' }), 'read')
    assert.equal(await most({ scp: ['openid', 'tuffet:publish'] }), 'publish')
    assert.equal(await most({ scope: '[tuffet:publisher tuffet]' }), undefined)
  })

  it('may nothing with a token that neither fits', async () => {
    assert.equal((await token(build)).permissions.size, 0)
  })

  it('is nobody whom no authorizer has seen', async () => {
    for (const authorizer of [undefined, {}, { jwt: null, iam: null }, { jwt: {} }, { iam: { userArn: '' } }]) {
      await assert.rejects(
        seenBy(authorizer),
        (error) => error instanceof ApiError && error.code === 'unauthenticated',
        JSON.stringify(authorizer),
      )
    }
  })
})
