import { type Permission, permissions } from './principal.ts'

/**
 * What claims of a token grant. CI services issue tokens without scopes, to whoever runs a build there and for any audience;
 * what tells one build from all others is its repository, branch or environment.
 */
export type ClaimGrants = Readonly<Partial<Record<Permission, readonly ClaimRule[]>>>

/** Holds for a token that has all of these claims, each with one of the values to the letter. */
export type ClaimRule = Readonly<Record<string, readonly string[]>>

/** The claims of a token as API Gateway hands them on. */
export type Claims = Readonly<Record<string, unknown>>

/** The most that the claims of a token grant: nothing if no rule holds. */
export function grantedByClaims(grants: ClaimGrants, claims: Claims): Permission | undefined {
  return permissions.filter((permission) => grants[permission]?.some((rule) => holds(rule, claims))).at(-1)
}

function holds(rule: ClaimRule, claims: Claims): boolean {
  return Object.entries(rule).every(([name, allowed]) => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined
    // Nothing else has one spelling: a list may come as a list or as text that looks like one.
    const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    return isPlain && allowed.includes(String(value))
  })
}

/** What is wrong with rules: a sentence for who wrote them. */
export class ClaimsError extends Error {
  override readonly name = 'ClaimsError'
  readonly code = 'unusable-claims'
}

/**
 * Reads `{"publish": {"repository": "org/name", "ref": ["refs/heads/main"]}}`: for each permission a rule, or several of which one
 * must hold. `issuer`: who makes the tokens, if it is to be checked that no rule holds for strangers. Throws ClaimsError.
 */
export function parseClaimGrants(value: unknown, issuer = ''): ClaimGrants {
  const grants = Object.entries(objectOf(value, 'The rules are an object by permission')).map(([permission, rules]) => {
    if (!permissions.some((known) => known === permission)) {
      throw new ClaimsError(`There is no permission ${permission}. There are: ${permissions.join(', ')}.`)
    }
    const list = Array.isArray(rules) ? rules : [rules]
    if (list.length === 0) throw new ClaimsError(`${permission} has no rule; leave it out if nothing grants it.`)
    return [permission, list.map((rule) => parseRule(rule, `A rule of ${permission}`, issuer))]
  })
  if (grants.length === 0) throw new ClaimsError('There is no rule; leave the setting out if claims grant nothing.')
  return Object.fromEntries(grants)
}

function parseRule(value: unknown, what: string, issuer: string): ClaimRule {
  const claims = Object.entries(objectOf(value, `${what} is an object of claims`))
  const rule = Object.fromEntries(claims.map(([name, values]) => [name, parseValues(values, `${what}: ${name}`)]))
  if (!Object.keys(rule).some((name) => !everyTokenHas.includes(name))) {
    throw new ClaimsError(
      `${what} holds for every token of the issuer: name a claim that tells your builds from others.`,
    )
  }
  const owners = ownersAt(issuer)
  if (owners !== undefined && !owners.some((name) => Object.hasOwn(rule, name))) {
    throw new ClaimsError(
      `${what} holds for strangers, for everybody can have tokens of ${issuer}: name one of ${owners.join(', ')}.`,
    )
  }
  return rule
}

/**
 * `subject`: a pattern of subjects, as IAM compares them: `*` and `?` stand for characters. Throws ClaimsError where strangers
 * could have one that matches.
 */
export function refuseStrangers(subject: string, issuer: string): void {
  if (/^[*?:]*$/.test(subject)) {
    throw new ClaimsError(
      `The subject ${subject} holds for every token of the issuer: name what tells your builds from others.`,
    )
  }
  const owners = ownersAt(issuer)?.filter((name) => name !== 'sub')
  if (owners === undefined) return
  // As the issuers write subjects: `repo:owner/name:ref:refs/heads/main`, `project_path:group/project:ref_type:branch:ref:main`.
  const complete = new RegExp(`^([^*?]*:)?(repo|${owners.join('|')}):[^*?/:]+([/:]|$)`)
  if (complete.test(subject)) return
  const whole = issuer === 'https://gitlab.com' ? 'project_path:GROUP/PROJECT:*' : 'repo:OWNER/REPOSITORY:*'
  throw new ClaimsError(
    `The subject ${subject} holds for strangers, for everybody can have tokens of ${issuer}: name the owner in full before any wildcard, as in ${whole}.`,
  )
}

function parseValues(value: unknown, what: string): string[] {
  const values: unknown[] = Array.isArray(value) ? value : [value]
  if (values.length === 0) throw new ClaimsError(`${what} has no value, so that no token ever matches.`)
  return values.map((each) => {
    if (typeof each !== 'string' || each === '')
      throw new ClaimsError(`${what} is a text or a list of texts, in quotes.`)
    if (each.includes('*'))
      throw new ClaimsError(`${what} is compared to the letter, and ${each} has a *. List the values.`)
    if (each.startsWith('[')) throw new ClaimsError(`${what}: a claim that is a list cannot be compared.`)
    return each
  })
}

function objectOf(value: unknown, what: string): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new ClaimsError(`${what}, not ${JSON.stringify(value)}.`)
}

const everyTokenHas = ['iss', 'aud', 'exp', 'iat', 'nbf', 'jti']

/** Issuers that make tokens for all the world, and the claims that say whose build it is. */
const sharedIssuers: Readonly<Record<string, readonly string[]>> = {
  'https://token.actions.githubusercontent.com': [
    ...['repository_id', 'repository', 'repository_owner_id', 'repository_owner', 'sub'],
  ],
  'https://gitlab.com': ['project_id', 'project_path', 'namespace_id', 'namespace_path', 'sub'],
}

const ownersAt = (issuer: string) => sharedIssuers[issuer.replace(/\/$/, '')]
