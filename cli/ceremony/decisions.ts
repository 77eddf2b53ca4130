import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import * as z from 'zod'
import { days, decoded, delegatedRoleName } from '../../shared/app/schemas.ts'
import { servedClients } from '../../shared/app/settings-schemas.ts'
import type { ClientId } from '../../shared/repository/clients.ts'
import { defaultDelegatedExpiration, defaultExpiration } from '../../shared/repository/settings.ts'
import { type BinDelegation, binDelegations, maximumBins } from '../../shared/tuf/bins.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { pathPattern } from '../../shared/tuf/names.ts'
import { CliError, unreadable } from '../output.ts'
import { isFile } from '../signers.ts'
import type { CustomRole } from './payload.ts'

/** What of a ceremony has been said beforehand, by flags or in a file. */
export interface Given {
  readonly expiration?: Readonly<Record<string, number>> | undefined
  readonly bins?: { readonly number?: number | undefined; readonly delegation?: BinDelegation | undefined } | undefined
  readonly roles?: readonly CustomRole[] | undefined
  readonly threshold?: number | undefined
  readonly clients?: readonly ClientId[] | undefined
  readonly rootKeys?: readonly RootKeySource[] | undefined
  /** Names of the public keys of those who sign targets; none: the service does. */
  readonly targets?:
    | { readonly keys?: readonly string[] | undefined; readonly threshold?: number | undefined }
    | undefined
  /** Where the metadata of a repository is that is to go on here. */
  readonly predecessor?: string | undefined
  /** No version of its that is to come is higher. */
  readonly above?: number | undefined
  /** Keyids that the service's online keys have to have. */
  readonly onlineKeys?: readonly string[] | undefined
}

/** The name of a key that signs now; or of a public key, whose holder signs later. What names are: `signers.ts`. */
export type RootKeySource = { readonly key: string } | { readonly publicKey: string }

export const defaultBins = 256
export const defaultThreshold = 2

const customRole = z
  .strictObject({
    name: delegatedRoleName,
    paths: z.array(decoded(pathPattern)).min(1),
    expiration: days.default(defaultDelegatedExpiration),
    terminating: z.boolean().default(false),
  })
  .readonly()

const rootKey = z.union([z.strictObject({ key: z.string() }), z.strictObject({ publicKey: z.string() })])

const config = z
  .strictObject({
    expiration: z.strictObject({
      root: days.optional(),
      targets: days.optional(),
      snapshot: days.optional(),
      timestamp: days.optional(),
      bins: days.optional(),
    }),
    bins: z.strictObject({
      number: z.int().min(2).max(maximumBins).optional(),
      delegation: z.enum(binDelegations).optional(),
    }),
    roles: z.array(customRole).min(1),
    threshold: z.int().min(1),
    clients: servedClients,
    rootKeys: z.array(rootKey),
    targets: z.strictObject({ keys: z.array(z.string()).min(1), threshold: z.int().min(1).optional() }),
    onlineKeys: z.array(z.string()),
  })
  .partial()

/** The decisions in a file (JSON); its paths are relative to it. Throws CliError 'usage' that says what is wrong where. */
export async function readConfig(file: string): Promise<Given> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw unreadable(`--config ${file}`, cause)
  })
  let json: unknown
  try {
    json = parseJson(bytes)
  } catch (cause) {
    throw new CliError('usage', `--config ${file}: ${(cause as Error).message}`, { cause })
  }
  const parsed = config.safeParse(json)
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`)
    throw new CliError('usage', `--config ${file}: ${problems.join('; ')}`)
  }
  const { expiration, rootKeys, targets, ...rest } = parsed.data
  const near = (name: string) => (isFile(name) ? resolve(dirname(file), name) : name)
  return {
    ...rest,
    ...(expiration && { expiration: defined(expiration) }),
    ...(targets && { targets: { ...targets, keys: targets.keys.map(near) } }),
    ...(rootKeys && {
      rootKeys: rootKeys.map((key) => ('key' in key ? { key: near(key.key) } : { publicKey: near(key.publicKey) })),
    }),
  }
}

/** What flags say wins over what the file says. */
export function merge(flags: Given, file: Given): Given {
  return {
    ...file,
    ...defined(flags),
    expiration: { ...file.expiration, ...flags.expiration },
    bins: { ...file.bins, ...defined(flags.bins ?? {}) },
    rootKeys: flags.rootKeys?.length ? flags.rootKeys : file.rootKeys,
    targets: { ...file.targets, ...defined(flags.targets ?? {}) },
  }
}

/** `name=pattern,pattern` */
export function parseRole(text: string): CustomRole {
  const [name = '', patterns = ''] = text.split(/=(.*)/s)
  const parsed = customRole.safeParse({ name, paths: patterns.split(',') })
  if (parsed.success) return parsed.data
  throw new CliError('usage', `--role ${text}: ${parsed.error.issues[0]?.message} Write name=pattern,pattern.`)
}

export function defaultDays(role: keyof typeof defaultExpiration): number {
  return defaultExpiration[role]
}

function defined<Value extends object>(value: Value): { [Name in keyof Value]: Exclude<Value[Name], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as {
    [Name in keyof Value]: Exclude<Value[Name], undefined>
  }
}
