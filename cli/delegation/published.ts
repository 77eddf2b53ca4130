import { keysOfDelegated } from '../../shared/tuf/delegation.ts'
import { type Targets, versionOf } from '../../shared/tuf/metadata.ts'
import type { MetadataSource } from '../metadata-source.ts'
import { readTrustedRoot } from '../root/trusted.ts'
import { readVerified, type Trusted } from '../verified-metadata.ts'

/**
 * What clients read of a role now, verified from the root on: a service in the wrong hands must not decide what a holder takes for
 * known already. `root`: a file with one that is trusted. Nothing if clients do not know the role. Throws CliError.
 */
export async function publishedRole(source: MetadataSource, role: string, root?: string): Promise<Targets | undefined> {
  const trusted = (await readTrustedRoot(source, root))?.signed
  if (trusted === undefined) return undefined
  const { roles, keys } = trusted
  const timestamp = await readVerified(source, 'timestamp', 'timestamp.json', { role: roles.timestamp, keys })
  const version = timestamp?.meta.get('snapshot.json')?.version
  const snapshot = await readVerified(source, 'snapshot', `${version}.snapshot.json`, { role: roles.snapshot, keys })
  if (snapshot === undefined) return undefined
  const read = (name: string, signers: Trusted) =>
    readVerified(source, 'targets', `${versionOf(snapshot, name)}.${name}.json`, signers)
  const targets = await read('targets', { role: roles.targets, keys })
  if (role === 'targets' || targets?.delegations === undefined) return role === 'targets' ? targets : undefined
  const delegated = keysOfDelegated(role, targets.delegations)
  return delegated && read(role, { role: delegated, keys: targets.delegations.keys })
}
