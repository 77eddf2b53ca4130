import { rolesBelowRoot } from '../../tuf/names.ts'
import { warningsOfDraft } from '../client-standing.ts'
import { type Draft, setSettings } from '../draft.ts'
import { Refusal } from '../errors.ts'
import { withExpiration } from '../settings.ts'
import { customRoles } from './delegation-rules.ts'
import type { Operation } from './operation.ts'

/** Changes how long roles live (each role takes it on when it is signed next), and which clients are served. */
export const updateSettings: Operation<'update_settings'> = {
  refusedMessage: 'Update Settings Failed',
  needs: () => [],
  apply(draft, request, { baseNumber }) {
    const asked = Object.keys(request.expiration)
    const known = expirationRoles(draft)
    const updated = asked.filter((role) => known.has(role))
    const invalid = asked.filter((role) => !known.has(role))
    if (updated.length === 0 && asked.length > 0) {
      throw new Refusal(
        `There is no role ${invalid.join(', ')} whose expiration could be set. Use ${[...known].join(', ')}.`,
        {
          updated_roles: [],
          invalid_roles: invalid,
        },
      )
    }
    if (updated.length > 0) {
      const changed = Object.fromEntries(Object.entries(request.expiration).filter(([role]) => known.has(role)))
      setSettings(draft, withExpiration(draft.settings, changed, baseNumber))
    }
    const details = { updated_roles: updated, invalid_roles: invalid }
    const { clients } = request
    if (clients === undefined) return { message: 'Update Settings Succeded', details }
    setSettings(draft, { ...draft.settings, clients })
    return {
      message: 'Update Settings Succeded',
      details: { ...details, clients: [...clients] },
      warnings: warningsOfDraft(draft),
    }
  },
}

/** The names that have days of their own. Root is not among them: its holders decide its expiry when they sign it. */
function expirationRoles(draft: Draft): Set<string> {
  const bins = draft.settings.bins === undefined ? [] : ['bins']
  return new Set<string>([...rolesBelowRoot, ...bins, ...customRoles(draft).map(({ name }) => name)])
}
