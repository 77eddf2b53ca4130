import { Refusal } from '../../shared/repository/errors.ts'
import { checkPredecessor, type ReadPredecessor } from '../../shared/repository/operations/predecessor.ts'
import type { Root } from '../../shared/tuf/metadata.ts'
import { checkRoot } from '../../shared/tuf/root.ts'
import { decodeSigned } from '../../shared/tuf/signed.ts'
import { CliError, endOnTufError } from '../output.ts'
import { readRepository } from '../verified-repository.ts'
import type { Given } from './decisions.ts'
import type { Payload, PredecessorPayload } from './payload.ts'

/** A repository that is to go on here. */
export interface Predecessor {
  /** The root that the next one follows. */
  readonly last: Root
  readonly read: ReadPredecessor
  readonly payload: PredecessorPayload
}

/**
 * Reads what a service has to know of the repository there, verified. Until it moves it may have versions up to `above`. Throws
 * CliError.
 */
export async function readPredecessor(where: string, above = 0): Promise<Predecessor> {
  const { roots, last, timestamp, snapshot } = await readRepository(where)
  const versions = [timestamp.version, snapshot.version, ...[...snapshot.meta.values()].map(({ version }) => version)]
  const highestVersion = versions.reduce((one, other) => Math.max(one, other), above)
  const texts = roots.map(({ bytes }) => Buffer.from(bytes).toString())
  return { last, read: { roots, highestVersion }, payload: { roots: texts, highest_version: highestVersion } }
}

/** What was given, and the threshold of the holders. Throws CliError 'usage' where it asks for other holders. */
export function holdersStay(given: Given, { roles }: Root): Given {
  if (given.threshold === undefined && given.rootKeys?.every((source) => 'key' in source) !== false)
    return { ...given, threshold: roles.root.threshold }
  throw new CliError(
    'usage',
    'Whoever holds the root of the predecessor holds the next one, too. Leave out --threshold and --public-key, and change holders afterwards: tuffet root update',
  )
}

/**
 * The root that comes after the last one of a predecessor: the holders stay, and fields that we do not know; the rest is as a
 * first root has it. Throws CliError 'refused' where the service would, before anybody has signed.
 */
export function followingRoot({ last, read }: Predecessor, first: Root): Root {
  const { root } = last.roles
  const holders = [...last.keys].filter(([id]) => root.keyids.includes(id))
  const keys = new Map([...holders, ...first.keys])
  const next = { ...last, ...first, version: last.version + 1, keys, roles: { ...first.roles, root } }
  endOnTufError(
    'refused',
    `The holders of root version ${last.version} stay, and the next root has to be one for every client: `,
    () => checkRoot(next),
  )
  try {
    checkPredecessor(read, next)
    return next
  } catch (cause) {
    if (cause instanceof Refusal) throw new CliError('refused', cause.message, { cause })
    throw cause
  }
}

/** The root that the one in a payload follows, if that is not the first. Throws CliError 'refused'. */
export function rootBefore({ predecessor }: Payload): Root | undefined {
  const text = predecessor?.roots?.at(-1)
  if (text === undefined) return undefined
  return endOnTufError('refused', 'This payload has a predecessor whose last root cannot be read: ', () => {
    return decodeSigned('root', Buffer.from(text)).signed
  })
}
