import {
  type ClientId,
  clientsOf,
  type DelegationKind,
  defaultClientsOf,
  servedClients,
} from '../../shared/repository/clients.ts'
import { defaultDelegatedExpiration, maximumDays } from '../../shared/repository/settings.ts'
import { type BinDelegation, hashBins } from '../../shared/tuf/bins.ts'
import { pathPattern, roleName } from '../../shared/tuf/names.ts'
import { clientList } from '../arguments.ts'
import { CliError } from '../output.ts'
import { type Check, missing, type Prompter } from '../prompt.ts'
import { refuseLost } from './clients.ts'
import { defaultBins, defaultDays, defaultThreshold, type Given } from './decisions.ts'
import type { CustomRole, Decisions } from './payload.ts'

/** How what nobody has said yet is found out. */
export interface Asking {
  readonly prompter: Prompter | undefined
  /** `--yes`: what is not said is as the default has it. */
  readonly assumeDefaults: boolean
  /** `--trial`: one signature may be enough. */
  readonly trial: boolean
}

/** The decisions, in the order in which RSTUF's ceremony asks for them. Throws CliError 'usage' that names the flag of what is missing. */
export async function decide(given: Given, asking: Asking): Promise<Decisions> {
  const targets = await askDays('targets', given, asking)
  const snapshot = await askDays('snapshot', given, asking)
  const timestamp = await askDays('timestamp', given, asking)
  const delegations = await askDelegations(given, asking)
  const clients = await askClients(given, 'roles' in delegations ? 'paths' : delegations.delegation, asking)
  const root = await askDays('root', given, asking)
  const threshold = await askThreshold(given, asking)
  return { expiration: { root, targets, snapshot, timestamp }, delegations, threshold, clients }
}

/** What was given; or the default; or what the person says. */
async function settle<Value>(
  given: Value | undefined,
  { prompter, assumeDefaults }: Asking,
  question: { what: string; flag: string; default: Value; ask: (prompter: Prompter) => Promise<Value> },
): Promise<Value> {
  if (given !== undefined) return given
  if (assumeDefaults) return question.default
  if (prompter === undefined) throw missing(question.what, `${question.flag} (or all defaults with --yes)`)
  return question.ask(prompter)
}

function askDays(role: 'root' | 'targets' | 'snapshot' | 'timestamp' | 'bins', given: Given, asking: Asking) {
  const assumed = defaultDays(role)
  return settle(given.expiration?.[role], asking, {
    what: `The expiration of ${role}`,
    flag: `--expiration ${role}=${assumed}`,
    default: assumed,
    ask: (prompter) => askNumber(prompter, `Days until ${role} expires`, assumed, wholeFrom(1, maximumDays)),
  })
}

async function askNumber(prompter: Prompter, message: string, assumed: number, validate: Check): Promise<number> {
  return Number(await prompter.text(message, { default: String(assumed), validate }))
}

function wholeFrom(minimum: number, maximum: number): Check {
  return (answer) => {
    const value = Number(answer)
    return (
      (/^\d+$/.test(answer) && value >= minimum && value <= maximum) || `A whole number from ${minimum} to ${maximum}.`
    )
  }
}

async function askDelegations(given: Given, asking: Asking): Promise<Decisions['delegations']> {
  const rolesGiven = given.roles !== undefined && given.roles.length > 0
  if (rolesGiven && (given.bins?.number !== undefined || given.bins?.delegation !== undefined))
    throw new CliError(
      'usage',
      'Targets delegates to hash bins or to custom roles, not to both. Give --role or --bins.',
    )
  if (rolesGiven) return { roles: given.roles }
  const kind = await settle<DelegationKind>(given.bins?.delegation, asking, {
    what: 'How targets delegates',
    flag: '--delegation succinct_roles, --delegation path_hash_prefixes or --role name=pattern',
    default: 'succinct_roles',
    ask: askKind,
  })
  if (kind === 'paths') return { roles: await askRoles(asking) }
  const number = await settle(given.bins?.number, asking, {
    what: 'The number of hash bins',
    flag: `--bins ${defaultBins}`,
    default: defaultBins,
    ask: (prompter) => askNumber(prompter, `Number of hash bins${slowness(given.clients)}`, defaultBins, binsCheck),
  })
  const fault = refusalOf(() => hashBins(kind, number))
  if (fault !== true) throw new CliError('usage', fault)
  return { number, delegation: kind, expiration: await askDays('bins', given, asking) }
}

/** From which number on clients take their time: roles never leave a snapshot, so this is the moment to know. */
function slowness(clients?: readonly ClientId[]): string {
  const slow = servedClients(clients).flatMap(({ name, slowFrom: [first] = [] }) =>
    first === undefined
      ? []
      : [`from ${first.roles} on each refresh of ${name} takes ${first.seconds} seconds or more`],
  )
  return slow.length === 0 ? '' : ` (${slow.join('; ')})`
}

/** Each way with the clients that it reaches: it cannot be changed later without changing every client's path. */
function askKind(prompter: Prompter): Promise<DelegationKind> {
  const describe = (kind: DelegationKind) => {
    const { reached, lost } = clientsOf(kind)
    return `reaches ${reached.join(', ')}${lost.length > 0 ? `; not ${lost.join(', ')}` : ''}`
  }
  const choice = (value: DelegationKind, name: string) => ({ value, name, description: describe(value) })
  return prompter.choose('How does targets delegate?', [
    choice('succinct_roles', 'to hash bins, in four fields (succinct_roles, TAP 15)'),
    choice('path_hash_prefixes', 'to hash bins, by lists of hash prefixes (path_hash_prefixes)'),
    choice('paths', 'to custom roles, by patterns of paths'),
  ])
}

/** Without a terminal the default does: those that this way of delegating reaches. */
async function askClients(
  { clients }: Given,
  kind: DelegationKind,
  { prompter, assumeDefaults }: Asking,
): Promise<readonly ClientId[]> {
  if (clients !== undefined) refuseLost(clients, kind)
  if (clients !== undefined) return clients
  const reached = defaultClientsOf(kind)
  if (assumeDefaults || prompter === undefined) return reached
  const message = 'TUF clients to serve, with commas between them (what one could not read is refused)'
  const validate: Check = (answer) => refusalOf(() => refuseLost(clientList(answer), kind))
  return clientList(await prompter.text(message, { default: reached.join(','), validate }))
}

const binsCheck: Check = (answer) => refusalOf(() => hashBins('succinct_roles' satisfies BinDelegation, Number(answer)))

async function askRoles({ prompter }: Asking): Promise<CustomRole[]> {
  if (prompter === undefined) throw missing('The custom roles', '--role name=pattern')
  const roles: CustomRole[] = []
  do {
    const validName: Check = (name) =>
      roles.some((role) => role.name.toLowerCase() === name.toLowerCase())
        ? 'There is one of this name, but for upper and lower case maybe.'
        : refusalOf(() => roleName(name))
    const validPaths: Check = (paths) => refusalOf(() => patternsIn(paths).forEach(pathPattern))
    const name = await prompter.text('Name of the role', { default: `role${roles.length + 1}`, validate: validName })
    const paths = await prompter.text('Its paths, as patterns with commas between them', {
      default: `${name}/*`,
      validate: validPaths,
    })
    const days = wholeFrom(1, maximumDays)
    const expiration = await askNumber(prompter, `Days until ${name} expires`, defaultDelegatedExpiration, days)
    const terminating = await prompter.confirm('Is it the last that clients ask for these paths (terminating)?', false)
    roles.push({ name, paths: patternsIn(paths), expiration, terminating })
  } while (await prompter.confirm('Another role?', false))
  return roles
}

function patternsIn(text: string): string[] {
  return text.split(',').map((pattern) => pattern.trim())
}

async function askThreshold(given: Given, asking: Asking): Promise<number> {
  const least = asking.trial ? 1 : 2
  const threshold = await settle(given.threshold, asking, {
    what: 'The threshold of root',
    flag: `--threshold ${defaultThreshold}`,
    default: defaultThreshold,
    ask: (prompter) =>
      askNumber(prompter, 'Signatures that a root needs (threshold)', defaultThreshold, wholeFrom(least, 100)),
  })
  if (threshold >= least) return threshold
  throw new CliError(
    'usage',
    `With a threshold of ${threshold}, whoever gets one key owns the repository. Use 2 or more; --trial allows 1.`,
  )
}

function refusalOf(decode: () => unknown): true | string {
  try {
    decode()
    return true
  } catch (error) {
    if (error instanceof Error) return error.message
    throw error
  }
}
