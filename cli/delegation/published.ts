import { keysOfDelegated } from '../../shared/tuf/delegation.ts'
import { type Targets, versionOf } from '../../shared/tuf/metadata.ts'
import type { MetadataSource } from '../metadata-source.ts'
import { readTrustedRoot } from '../root/trusted.ts'
import { readBelow } from '../verified-repository.ts'

/**
 * What clients read of a role now, verified from the root on: a service in the wrong hands must not decide what a holder takes for
 * known already. `root`: a file with one that is trusted. Nothing if clients do not know the role. Throws CliError.
 */
export async function publishedRole(source: MetadataSource, role: string, root?: string): Promise<Targets | undefined> {
  const trusted = (await readTrustedRoot(source, root))?.signed
  if (trusted === undefined || (await source.read('timestamp.json')) === undefined) return undefined
  const { snapshot, targets } = await readBelow(source, trusted)
  if (versionOf(snapshot, role) === undefined) return undefined
  const top = await targets('targets', trusted.roles.targets, trusted.keys)
  if (role === 'targets') return top
  const delegated = top.delegations && keysOfDelegated(role, top.delegations)
  return top.delegations && delegated && targets(role, delegated, top.delegations.keys)
}
