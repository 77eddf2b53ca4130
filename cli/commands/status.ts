import { Command } from 'commander'
import type * as z from 'zod'
import type { status } from '../../shared/app/result-schemas.ts'
import { describeAwaited } from '../awaited.ts'
import { contextOf } from '../context.ts'
import { describeExpiry, expiryCell } from '../expiry.ts'
import { paint } from '../output.ts'
import { duration, fromNow, plural, short, table } from '../table.ts'

type Status = z.infer<typeof status>['data']

export function statusCommand(): Command {
  return new Command('status')
    .description('what the repository is, what expires when, what waits')
    .addHelpText('after', '\nExample:\n  $ tuffet status')
    .action(async (_options: unknown, command: Command) => {
      const { api, output } = contextOf(command)
      const { data } = await api.get<z.infer<typeof status>>('status')
      const { keys_not_held: lacking = [] } = data
      const notHeld = lacking.length === 0 ? undefined : (await keysNotHeld()).describeKeysNotHeld(lacking)
      output.result(data, describe(data, notHeld, api.url, new Date()))
    })
}

/** Loaded only where it has something to say. */
const keysNotHeld = () => import('../../shared/repository/keys-not-held.ts')

function describe(data: Status, notHeld: string | undefined, url: URL, now: Date): string {
  const { bootstrap, tasks, commit, versions, parked = 0, bins, rotation, survives_seconds } = data
  const { expires = [], signed_offline = [], to_renew = [] } = data
  const waiting = `${tasks.waiting}${tasks.more ? ' or more' : ''}`
  const oldest = tasks.oldest === undefined ? '' : `, the oldest accepted ${fromNow(new Date(tasks.oldest), now)}`
  const facts = [
    ['service', url.href],
    ['state', bootstrap.state === 'finished' ? 'serving clients' : stateBefore(bootstrap.state)],
  ]
  if (commit !== undefined) {
    facts.push(['commit', `${commit.number}, ${fromNow(new Date(commit.time), now)} (head ${short(commit.head)})`])
  }
  if (versions !== undefined) {
    facts.push([
      'versions',
      Object.entries(versions)
        .map(([role, version]) => `${role} ${version}`)
        .join(', '),
    ])
  }
  if (bins !== undefined) facts.push(['hash bins', `${bins.number}, ${bins.delegation}`])
  if (data.clients !== undefined) facts.push(['clients', data.clients.served.join(', ')])
  facts.push(['tasks waiting', waiting + oldest])
  facts.push(['parked', plural(parked, 'change')])
  if (survives_seconds !== undefined)
    facts.push(['if it stopped', `clients could go on for ${duration(survives_seconds)}`])
  if (rotation !== undefined) facts.push(['online keys', `are being changed: ${rotationEnd(rotation, now)}`])
  const awaited = describeAwaited(data.awaited_signatures, now)
  const warnings = [
    ...troubles(data),
    ...lackingKeys(notHeld),
    ...trustedKeys(data.removed_keys_trusted),
    ...to_renew.map((role) => renewal(role, now)),
    ...(data.clients?.warnings ?? []),
  ]
    .map((warning) => `${paint('yellow', 'warning:')} ${warning}`)
    .join('\n')
  const sections = [
    table(facts),
    warnings,
    expiry([...expires, ...signed_offline], now),
    holders(signed_offline),
    awaited,
  ]
  return sections.filter((section) => section !== '').join('\n\n')
}

/** But for a publisher without its keys: more is said of these. */
function troubles({ troubles = [], keys_not_held: lacking = [] }: Status): string[] {
  const others = troubles.filter(({ code }) => code !== 'key-not-held' || lacking.length === 0)
  return others.map(({ message }) => message)
}

function lackingKeys(notHeld: string | undefined): string[] {
  if (notHeld === undefined) return []
  return [
    `The service does not hold the keys to sign ${notHeld}. They stay as they are, and expire. ` +
      'Start it with these keys (tuffet serve --key FILE); if they are lost: docs/runbook.md, "An online key is lost".',
  ]
}

function trustedKeys(trusting: Status['removed_keys_trusted'] = []): string[] {
  if (trusting.length === 0) return []
  const keys = new Set(trusting.flatMap(({ keyids }) => keyids))
  return [
    `Trusted with a key that was taken from the service, still: ${trusting.map(({ role }) => role).join(', ')} ` +
      `(${plural(keys.size, 'key')}: ${[...keys].join(', ')}). Below a role that is signed offline they get the new one with ` +
      'tuffet delegation renew; give a custom role other keys with tuffet delegation update ROLE --key FILE; ' +
      'what waits for its signatures: tuffet delegation cancel ROLE.',
  ]
}

function rotationEnd({ ends }: NonNullable<Status['rotation']>, now: Date): string {
  if (ends === undefined) return 'both the old and the new ones sign'
  const end = new Date(ends)
  return end <= now ? 'the old ones stop signing now' : `the old ones stop signing ${fromNow(end, now)}`
}

function holders(offline: NonNullable<Status['signed_offline']>): string {
  if (offline.length === 0) return ''
  const names = new Intl.ListFormat('en').format(['root', ...offline.map(({ role }) => role)])
  return `Only their holders can sign ${names} anew: see that they do in time.`
}

function renewal({ role, version, expires }: NonNullable<Status['to_renew']>[number], now: Date): string {
  const how = role === 'root' ? 'tuffet root update' : `tuffet delegation renew ${role}`
  return `${role} version ${version} ${describeExpiry(new Date(expires), now)}, and only its holders can sign it anew (${how}).`
}

function expiry(expires: readonly Omit<NonNullable<Status['expires']>[number], 'signed'>[], now: Date): string {
  if (expires.length === 0) return ''
  const rows = expires.map(({ role, version, expires }) => {
    return [`  ${role}`, `version ${version}`, expiryCell(new Date(expires), now), expires]
  })
  return `${paint('bold', 'Expires')}\n${table(rows)}`
}

function stateBefore(state: string | undefined): string {
  return state === undefined ? 'not bootstrapped: run tuffet ceremony' : `being bootstrapped (${state})`
}
