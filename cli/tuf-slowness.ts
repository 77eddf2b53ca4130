import { secondsToRefresh, servedClients } from '../shared/repository/clients.ts'

const [tufJs] = servedClients(['tuf-js'])

/**
 * What to say before tuf-js reads metadata that keeps it so busy that nothing else can be shown meanwhile; nothing of other
 * metadata. It copies all roles of a snapshot for each of them, and likewise all targets of a role and all roles that it delegates to.
 */
export function slowness(file: string, bytes: Uint8Array): string | undefined {
  const entries = mostEntries(bytes)
  const seconds = tufJs && secondsToRefresh(tufJs, entries)
  if (seconds === undefined) return undefined
  return `${file} has ${entries} entries: tuf-js, which this command uses, takes about ${seconds} seconds or more to verify it. Please wait.`
}

/** These bytes are not trusted yet, so they may be anything. */
function mostEntries(bytes: Uint8Array): number {
  try {
    const { meta, targets, delegations } = JSON.parse(Buffer.from(bytes).toString()).signed
    return Math.max(...[meta, targets, delegations?.roles].map((entries) => Object.keys(entries ?? {}).length))
  } catch {
    return 0
  }
}
