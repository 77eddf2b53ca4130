import { canonicalText } from '../../tuf/canonical.ts'
import type { Targets } from '../../tuf/metadata.ts'
import { decodeSigned } from '../../tuf/signed.ts'
import { verifyThreshold } from '../../tuf/threshold.ts'
import { capOf, isNear, refuseTooLarge } from '../client-rules.ts'
import { servedClients } from '../clients.ts'
import { readRole } from '../current.ts'
import { type Draft, treeOfDraft } from '../draft.ts'
import { RepositoryError } from '../errors.ts'
import { StoreError } from '../ports.ts'
import type { Round } from '../preparation.ts'
import type { Current, Repository } from '../repository.ts'
import { signer } from '../sign.ts'
import { signersOf } from '../tree.ts'

/**
 * Signs and writes a role under the number of a round, unless that was done before. Returns the bytes of a file that comes near
 * a client's cap. Throws a Refusal for one that grows past it.
 */
export function signAhead(repository: Repository, draft: Draft, at: Current, round: Round, isResumed: boolean) {
  const { metadata } = repository.ports
  const sign = signer(repository, draft, new Date(round.time))
  const tree = treeOfDraft(draft)
  const served = servedClients(draft.settings.clients)
  const cap = capOf(served, 'targets')

  const there = async (role: string, content: Targets): Promise<number | undefined> => {
    const file = `${round.number}.${role}.json`
    const stored = await metadata.read(file)
    if (stored === undefined) return undefined
    const found = decodeSigned('targets', stored.bytes)
    const group = signersOf(tree, role)
    if (group === undefined || !isSame(found.signed, content))
      throw new RepositoryError('corrupt', `${file} is there with other content than what was prepared.`)
    verifyThreshold(file, group.roleKeys, group.keys, found)
    return stored.bytes.length
  }
  const signed = async (role: string, content: Targets): Promise<number> => {
    const made = await sign<Targets>(role, content)
    try {
      await metadata.create(`${round.number}.${role}.json`, made.bytes)
    } catch (error) {
      if (!(error instanceof StoreError && error.code === 'exists')) throw error
      const length = await there(role, content)
      if (length === undefined) throw error
    }
    return made.bytes.length
  }
  return async (role: string, made: Targets): Promise<number | undefined> => {
    const content = { ...made, version: round.number }
    const bytes = (isResumed ? await there(role, content) : undefined) ?? (await signed(role, content))
    if (!isNear(bytes, cap)) return undefined
    const before = at.snapshot.signed.meta.has(`${role}.json`)
    const published = before ? (await readRole(repository, at, role)).bytes.length : 0
    if (bytes > published) refuseTooLarge(served, 'targets', { name: `role ${role}`, bytes })
    return bytes
  }
}

/** Whether it says the same, whenever it expires. */
function isSame(one: Targets, other: Targets): boolean {
  return canonicalText({ ...one, expires: '' }) === canonicalText({ ...other, expires: '' })
}
