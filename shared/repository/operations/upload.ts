import type { Json } from '../../tuf/json.ts'
import type { Targets } from '../../tuf/metadata.ts'
import { targetPath } from '../../tuf/names.ts'
import { type Signed, signedFromJson } from '../../tuf/signed.ts'
import { verifyThreshold } from '../../tuf/threshold.ts'
import { targetFaults, textFault } from '../artifact-rules.ts'
import { artifactWarnings } from '../client-rules.ts'
import { refuseLosing } from '../client-standing.ts'
import { servedClients } from '../clients.ts'
import { type Draft, NextCommit, noteChanges, roleFor, setSignedElsewhere, treeOfDraft } from '../draft.ts'
import { Refusal, refuseTufErrors, shown } from '../errors.ts'
import { resizeAsWhole } from '../role-sizes.ts'
import { isPending, withGoodSignatures } from '../signing.ts'
import { signersOf } from '../tree.ts'
import { checkKnownName, customRoles } from './delegation-rules.ts'
import type { Operation, OperationContext } from './operation.ts'
import { checkExpiry } from './root-rules.ts'
import { refusePending } from './waiting.ts'

/** Metadata of a custom role that was made and signed elsewhere: visible at once, byte for byte. */
export const uploadDelegatedMetadata: Operation<'upload_delegated_metadata'> = {
  refusedMessage: 'Metadata Upload Failed',
  needs: (draft, { role }) => (customRoles(draft).some(({ name }) => name === role) ? [role] : []),
  file: ({ role, metadata }) => {
    const version = versionIn(metadata)
    return version === undefined ? undefined : `${version}.${role}.json`
  },
  apply(draft, { role, metadata }, context) {
    const isNew = customRoles(draft).every(({ name }) => name !== role)
    if (isNew && isPending(draft.signing, role)) {
      throw new Refusal(
        `Role ${role} is not delegated to before its holders have signed its first metadata, which waits. Sign that, then upload.`,
      )
    }
    checkKnownName(draft, role)
    refusePending(draft, role)
    const before = draft.signed.get(role) ?? draft.published.get(role)
    const uploaded = refuseTufErrors(() => signedFromJson('targets', metadata))
    const checked = checkUpload(draft, role, uploaded, before?.signed.version ?? 0, context)
    // Signed online in this commit, it would have two versions at once.
    if (draft.toSign.has(role)) throw new NextCommit(`Role ${role} is signed online in this commit.`)
    noteChanges(draft, role, uploaded.signed.targets)
    setSignedElsewhere(draft, role, checked)
    resizeAsWhole(draft.sizes, role, checked.bytes.length)
    return {
      message: 'Metadata Upload Processed',
      details: { role, version: uploaded.signed.version, targets: uploaded.signed.targets.size },
      warnings: artifactWarnings(servedClients(draft.settings.clients), artifactsIn(uploaded.signed)),
    }
  },
}

/** As it is to be published: without empty signatures. Some clients lose the role, or all roles, by a signature that they cannot read. */
function checkUpload(
  draft: Draft,
  role: string,
  uploaded: Signed<Targets>,
  version: number,
  { now, baseNumber, fileInPlace, fileClaimed }: OperationContext,
): Signed<Targets> {
  const { signed, ...rest } = uploaded
  const refuse = (why: string) => new Refusal(`This metadata of role ${role} ${why}`)
  const group = signersOf(treeOfDraft(draft), role)
  if (group === undefined) throw refuse('is of a role that nobody delegates to.')
  refuseTufErrors(() => verifyThreshold(`The uploaded metadata of role ${role}`, group.roleKeys, group.keys, rest))
  if (draft.roles.get(role)?.delegations !== undefined || signed.delegations !== undefined)
    throw refuse('delegates to others, or has hash bins inside it. Upload roles that hold their targets themselves.')
  // Numbers to come are those of commits, which must find them free.
  if (signed.version <= version || signed.version > baseNumber) {
    const wanted =
      version < baseNumber
        ? `Choose one from ${version + 1} to ${baseNumber}`
        : 'Wait for the next commit, and choose its number'
    throw refuse(`has version ${signed.version}, and the published one has version ${version}. ${wanted}.`)
  }
  const isOther = fileInPlace !== undefined && Buffer.compare(fileInPlace, rest.signedBytes) !== 0
  if (isOther || fileClaimed === true)
    throw refuse(`has version ${signed.version}, under which other content was signed before. Choose another version.`)
  checkExpiry(`This metadata of role ${role}`, signed, now)
  for (const path of signed.targets.keys()) refuseTufErrors(() => targetPath(path))
  const strange = [...signed.targets.keys()].filter((path) => roleFor(draft, path) !== role)
  if (strange.length > 0) {
    throw refuse(
      `has targets that another role is trusted with, or none: ${shown(strange)}. ` +
        'Leave them out, or change the delegation first.',
    )
  }
  const faults = targetFaults(signed.targets)
  if (faults !== undefined) {
    throw refuse(
      `has targets that clients trip over. ${faults} Nothing of it was changed, for it is signed: mend it, and have it signed again.`,
    )
  }
  const fault = textFault({ ...signed, targets: undefined })
  if (fault !== undefined) throw refuse(`${fault} Have it signed again.`)
  refuseLosing(draft, artifactsIn(signed))
  return withGoodSignatures(uploaded, [group])
}

const artifactsIn = ({ targets }: Targets) => Array.from(targets, ([path, info]) => ({ path, info }))

function versionIn(metadata: Json): number | undefined {
  try {
    return signedFromJson('targets', metadata).signed.version
  } catch {
    return undefined
  }
}
