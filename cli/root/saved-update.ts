import type { Root } from '../../shared/tuf/metadata.ts'
import { checkRoot } from '../../shared/tuf/root.ts'
import type { Signed } from '../../shared/tuf/signed.ts'
import { metadataSource } from '../metadata-source.ts'
import { CliError, endOnTufError } from '../output.ts'
import { quoted } from '../printable.ts'
import { readPayload } from '../root-payload.ts'
import { describeStanding, isSigned, type Standing } from './holders.ts'
import type { UpdatePayload } from './submit.ts'
import { readRootFile, readTrustedRoot } from './trusted.ts'

/** A root that goes from holder to holder in a file. */
export interface SavedUpdate {
  readonly payload: UpdatePayload
  /** The root that it follows. */
  readonly current: Root
  readonly next: Signed<Root>
}

export interface Trust {
  /** A file with the root that the saved one follows; with it nothing is read from the network. */
  readonly root?: string
  readonly metadataUrl: URL
}

/** Throws CliError: 'refused' if the file has no root that could follow the one that is trusted. */
export async function readSavedUpdate(file: string, { root, metadataUrl }: Trust): Promise<SavedUpdate> {
  const { payload, root: next } = await readPayload<UpdatePayload>(file)
  const { version } = next.signed
  if (version === 1)
    throw new CliError('refused', `${file} has a first root: tuffet ceremony --continue ${quoted(file)}`)
  const trusted =
    root === undefined ? await readTrustedRoot(await metadataSource(metadataUrl.href)) : await readRootFile(root)
  const where = root ?? metadataUrl.href
  if (trusted === undefined) throw new CliError('refused', `${where} has no root.`)
  const current = trusted.signed
  if (version !== current.version + 1) {
    const why = `${file} has root version ${version}, which does not follow version ${current.version} of ${where}.`
    const mending =
      version <= current.version ? 'Begin anew: tuffet root update' : `Give version ${version - 1}: --root FILE`
    throw new CliError('refused', `${why} ${mending}`)
  }
  endOnTufError('refused', `${file}: `, () => checkRoot(next.signed))
  return { payload, current, next }
}

/** What to do with a file that was just saved. */
export function savedLines(file: string, standing: Standing): string {
  const next = isSigned(standing)
    ? `To send it: tuffet root send ${quoted(file)}`
    : `Each of them runs: tuffet root sign --in ${quoted(file)} --key FILE`
  return [`Saved ${file}; nothing was sent.`, describeStanding(standing), next].join('\n')
}
