import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type * as z from 'zod'
import { createKeyFile } from '../shared/adapters/local/key-file-signer.ts'
import type { bootstrap, status } from '../shared/app/result-schemas.ts'
import { defaultClientsOf } from '../shared/repository/clients.ts'
import { defaultExpiration } from '../shared/repository/settings.ts'
import type { BinDelegation } from '../shared/tuf/bins.ts'
import { unsigned } from '../shared/tuf/signed.ts'
import { type ApiClient, apiClient } from './api-client.ts'
import { fetchOnlineKeys } from './ceremony/online-keys.ts'
import { type Decisions, firstRoot, payloadOf } from './ceremony/payload.ts'
import { verifyPayload } from './ceremony/verify.ts'
import { openKeyFile } from './key-file.ts'
import { CliError } from './output.ts'
import { withSignatures } from './root-payload.ts'

export interface TrialOptions {
  /** Where the service answers. */
  readonly api: string
  /** The trial keys go to `trial/` below it. */
  readonly dataDirectory: string
  readonly token?: string
  readonly delegation: BinDelegation
}

const trialBins = 16
const notice = `The root keys in this directory are for trying Tuffet out: nobody encrypted them, and both lie on one machine.
Whoever reads them owns the repository that they founded. For a real one, hold a ceremony: tuffet ceremony --help
`

/**
 * Founds a repository with root keys made on the spot, unless there is one. May be interrupted at any moment and called again: keys
 * are kept, and a repository that is being founded is waited for. Throws CliError.
 */
export async function bootstrapTrial({ api: url, dataDirectory, token, delegation }: TrialOptions): Promise<void> {
  const api = apiClient(new URL(url), token)
  if (await isFounded(api)) return
  const directory = join(dataDirectory, 'trial')
  const signers = await trialKeys(directory)
  process.stderr.write(`TRIAL: founding a repository with unprotected root keys in ${directory}. Not for real use.\n`)

  const decisions: Decisions = {
    expiration: defaultExpiration,
    delegations: { delegation, number: trialBins, expiration: defaultExpiration.bins },
    threshold: signers.length,
    clients: defaultClientsOf(delegation),
  }
  const online = await fetchOnlineKeys(api)
  const keys = signers.map(({ key }) => key)
  const now = new Date()
  const root = unsigned(firstRoot(decisions, keys, online, now))
  const payload = payloadOf(decisions, await withSignatures(root, signers))
  await verifyPayload(payload, now)
  try {
    await api.submit('POST', 'bootstrap', payload)
  } catch (error) {
    // One that an interrupted start had submitted may have come first.
    if (!(error instanceof CliError && (await isFounded(api)))) throw error
  }
}

/** Waits for a repository that is being founded right now. Throws CliError where something keeps the service from it. */
async function isFounded(api: ApiClient): Promise<boolean> {
  for (;;) {
    const { data } = await api.get<z.infer<typeof bootstrap>>('bootstrap')
    if (data.state === 'signing')
      throw new CliError(
        'refused',
        'This repository waits for root signatures: it is not one for a trial. Finish its ceremony.',
      )
    if (data.bootstrap || data.state === undefined) return data.bootstrap
    const { troubles = [] } = (await api.get<z.infer<typeof status>>('status')).data
    for (const { message } of troubles) throw new CliError('refused', `The repository cannot be founded: ${message}`)
    await sleep(50)
  }
}

async function trialKeys(directory: string) {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await chmod(directory, 0o700)
  await writeFile(join(directory, 'README.txt'), notice)
  const files = ['root-1.pem', 'root-2.pem'].map((name) => join(directory, name))
  return Promise.all(
    files.map(async (file) => {
      await createKeyFile(file)
      return openKeyFile(file)
    }),
  )
}
