import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { parseJson } from '../../shared/tuf/json.ts'
import { signedFromJson } from '../../shared/tuf/signed.ts'
import { detailsOf } from '../api-client.ts'
import type { Context } from '../context.ts'
import { CliError, unreadable } from '../output.ts'
import { plural } from '../table.ts'

/** Publishes metadata of a role that was made and signed elsewhere, byte for byte. Throws CliError. */
export async function uploadMetadata(
  file: string,
  options: { readonly role?: string },
  { api, output }: Context,
): Promise<void> {
  const role = options.role ?? roleOf(file)
  const metadata = await readMetadata(file)
  const path = `delegations/${encodeURIComponent(role)}/metadata`
  const task = await output.during(`Publishing ${file}`, () => api.submit('POST', path, { metadata }))
  const { version, targets = 0 } = detailsOf<{ version: number; targets: number }>(task)
  const what = `Role ${role}, version ${version}, with ${plural(targets, 'artifact')}`
  output.done({ task }, `${what}; clients can see it.`)
}

/** `project.json` or `3.project.json`, as repositories name their files. Throws CliError 'usage'. */
function roleOf(file: string): string {
  const [, role] = /^(?:\d+\.)?([A-Za-z][\w-]*)\.json$/.exec(basename(file)) ?? []
  if (role !== undefined) return role
  throw new CliError('usage', `${file} does not say by its name which role it is of. Say it with --role.`)
}

async function readMetadata(file: string) {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw unreadable(file, cause)
  })
  try {
    const json = parseJson(bytes)
    signedFromJson('targets', json)
    return json
  } catch (cause) {
    throw new CliError('refused', `${file} holds no metadata of a delegated role: ${(cause as Error).message}`, {
      cause,
    })
  }
}
