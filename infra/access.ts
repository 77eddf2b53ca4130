import { Duration } from 'aws-cdk-lib'
import {
  AccountPrincipal,
  ArnPrincipal,
  CompositePrincipal,
  type IPrincipal,
  ManagedPolicy,
  PolicyStatement,
  Role,
  WebIdentityPrincipal,
} from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import type { Permission } from '../shared/app/principal.ts'
import { refuseStrangers } from '../shared/app/token-claims.ts'
import type { Api } from './api.ts'
import { explainWildcards } from './wildcards.ts'

/** Who proves itself by tokens of an OpenID Connect provider that the account knows, as CI services have one. */
export interface TokenPrincipal {
  /** The ARN of the IAM OIDC provider. */
  readonly provider: string
  /** What the tokens must be made out to. */
  readonly audience: string
  /** Which of the provider's callers; `*` and `?` stand for characters, but not of the owner where everybody can call. */
  readonly subject: string
}

/** The number of an account, the ARN of a role or user, or callers of an OIDC provider. */
export type Principal = string | TokenPrincipal

export interface AccessProps {
  readonly api: Api
  readonly publisherPrincipals: readonly Principal[] | undefined
}

/** Who may post: three managed policies to be attached to roles of one's own, and a role that other builds may assume. */
export class Access extends Construct {
  readonly policies: Readonly<Record<Permission, ManagedPolicy>>
  /** May read and publish, nothing else; only there if somebody may assume it. */
  readonly publisher: Role | undefined

  constructor(scope: Construct, id: string, { api, publisherPrincipals }: AccessProps) {
    super(scope, id)
    const policy = (permission: Permission) => {
      const statement = new PolicyStatement({ actions: ['execute-api:Invoke'], resources: api.requestsOf(permission) })
      const managed = new ManagedPolicy(this, permission, {
        description: `Tuffet: may call what needs the permission ${permission}`,
        statements: [statement],
      })
      explainWildcards(
        managed,
        [statement],
        'The wildcard stands for a variable in the path of one route; for administrators, for all routes of this API.',
      )
      return managed
    }
    this.policies = { read: policy('read'), publish: policy('publish'), administer: policy('administer') }
    this.publisher =
      publisherPrincipals &&
      new Role(this, 'Publisher', {
        description: 'Tuffet: builds assume it to publish artifacts',
        assumedBy: new CompositePrincipal(...publisherPrincipals.map(principalOf)),
        managedPolicies: [this.policies.publish],
        maxSessionDuration: Duration.hours(1),
      })
  }
}

/** Without `https://`, as IAM names the conditions on its tokens. */
export function issuerOf({ provider }: TokenPrincipal): string {
  return provider.slice(provider.indexOf(':oidc-provider/') + ':oidc-provider/'.length)
}

function principalOf(principal: Principal): IPrincipal {
  if (typeof principal === 'string') {
    return /^\d{12}$/.test(principal) ? new AccountPrincipal(principal) : new ArnPrincipal(principal)
  }
  const { provider, audience, subject } = principal
  const issuer = issuerOf(principal)
  refuseStrangers(subject, `https://${issuer}`)
  return new WebIdentityPrincipal(provider, {
    StringEquals: { [`${issuer}:aud`]: audience },
    StringLike: { [`${issuer}:sub`]: subject },
  })
}
