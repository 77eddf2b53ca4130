import { type TargetFile, type Targets, versionOf } from '../tuf/metadata.ts'
import { decodeSigned } from '../tuf/signed.ts'
import { verifyThreshold } from '../tuf/threshold.ts'
import { type Draft, roleFor, treeOfDraft } from './draft.ts'
import { mending, RepositoryError } from './errors.ts'
import { type Entry, entriesAfter } from './journal.ts'
import { inParallel } from './parallel.ts'
import type { ObjectStore } from './ports.ts'
import { claimedNumbers, type PreparationDocument, preparedVersions, structureOf } from './preparation.ts'
import type { Current, Repository } from './repository.ts'
import { resizeAsWhole } from './role-sizes.ts'
import type { AcceptedTask } from './task.ts'
import { signersOf } from './tree.ts'

/** What commits have changed since: the value of each path, nothing where the target is gone. */
export type Later = ReadonlyMap<string, TargetFile | undefined>

/**
 * What has become visible since commit `base`; nothing if the prepared roles are of no use any more, because what they rest on
 * has changed or because other long work was taken over meanwhile.
 */
export async function changedSince(
  repository: Repository,
  current: Current,
  base: number,
  structure: string,
): Promise<Later | undefined> {
  const chain = await chainSince(repository, current, base, structure)
  return chain && changesOf(chain)
}

async function chainSince({ ports, limits }: Repository, current: Current, base: number, structure: string) {
  if (structureOf(current, ports.signers) !== structure) return undefined
  const { number } = current.entry
  const chain = await committedSince(ports.state, number, base, limits.parallel)
  // Else a backup was restored.
  const isWhole = number === base || chain.at(-1)?.base.number === base
  if (!isWhole || chain.some((entry) => entry.prepared !== undefined || bringsOutRoles(entry))) return undefined
  return chain
}

function changesOf(chain: readonly Entry[]): Later {
  const later = new Map<string, TargetFile | undefined>()
  for (const { changes } of chain) for (const { path, after } of changes) if (!later.has(path)) later.set(path, after)
  return later
}

/** What has become visible since a preparation was ready; nothing if it has to be made once more. */
export async function stillGood(
  repository: Repository,
  current: Current,
  { rounds, structure, facts }: PreparationDocument,
  { id }: AcceptedTask,
): Promise<Later | undefined> {
  const last = rounds.at(-1)
  // Earlier tasks that were seen later: their clocks differ.
  const isKnown = (task: string) => task > id || facts === undefined || facts.parkedBy.includes(task)
  if (last === undefined || !current.parked.changes.every(({ task }) => isKnown(task))) return undefined
  const chain = await chainSince(repository, current, last.base, structure)
  // What earlier tasks have changed an import or a revert is to change once more, if another publisher was late to make it visible.
  const isLate = ({ tasks, changes }: Entry) => changes.length > 0 && tasks.every((task) => task.id < id)
  const comesAfter = facts?.imported !== undefined || facts?.listed !== undefined
  return comesAfter && chain?.some(isLate) ? undefined : chain && changesOf(chain)
}

/** What commits after `since`, up to this one, have changed that were made of tasks later than this one. */
export async function changedAfter(
  { ports, limits }: Repository,
  number: number,
  since: number,
  taskId: string,
): Promise<Later> {
  const chain = await committedSince(ports.state, number, since, limits.parallel)
  return changesOf(chain.filter(({ tasks }) => tasks.some(({ id }) => id > taskId)))
}

/** The commits after `base`, the newest one first, up to where the journal is whole. */
async function committedSince(state: ObjectStore, newest: number, base: number, parallel: number): Promise<Entry[]> {
  const entries = new Map<number, Entry>()
  for await (const { entry } of entriesAfter(state, base, newest, parallel)) entries.set(entry.number, entry)
  const chain: Entry[] = []
  for (let at = entries.get(newest); at !== undefined; at = entries.get(at.base.number)) chain.push(at)
  return chain
}

/** Roles signed elsewhere came whole, with more than changes of targets. */
const bringsOutRoles = ({ tasks }: Entry) =>
  tasks.some(({ result: { task } }) => task === 'upload_delegated_metadata' || task === 'sign_metadata')

/** Those of the prepared roles that have to be signed once more, with what they are to hold. */
export async function outdated(
  repository: Repository,
  current: Current,
  draft: Draft,
  versions: ReadonlyMap<string, number>,
  later: Later,
): Promise<Map<string, Targets>> {
  const changes = new Map<string, string[]>()
  for (const path of later.keys()) {
    const role = roleFor(draft, path)
    if (role === undefined || !versions.has(role)) continue
    const paths = changes.get(role) ?? []
    changes.set(role, paths)
    paths.push(path)
  }
  // Signed since, if only because they were half spent: versions never go back.
  for (const [role, version] of versions)
    if ((versionOf(current.snapshot.signed, role) ?? 0) > version && !changes.has(role)) changes.set(role, [])
  const contents = await inParallel([...changes], repository.limits.parallel, async ([role, paths]) => {
    const prepared = await readPrepared(repository, draft, role, versions.get(role) ?? 0)
    const targets = new Map(prepared.targets)
    for (const path of paths) {
      const info = later.get(path)
      if (info === undefined) targets.delete(path)
      else targets.set(path, info)
    }
    return [role, { ...prepared, targets }] as const
  })
  return new Map(contents)
}

async function readPrepared({ ports }: Repository, draft: Draft, role: string, version: number): Promise<Targets> {
  const file = `${version}.${role}.json`
  const stored = await ports.metadata.read(file)
  const group = signersOf(treeOfDraft(draft), role)
  if (stored === undefined || group === undefined)
    throw new RepositoryError('corrupt', `${file} was prepared and is missing. ${mending}`)
  const metadata = decodeSigned('targets', stored.bytes)
  verifyThreshold(file, group.roleKeys, group.keys, metadata)
  return metadata.signed
}

/**
 * Has the draft's commit bring out what was prepared: the files that are there, and anew those roles that commits have
 * changed since. As if the task had been done when its work began, and what came after it after it.
 */
export async function takeOver(
  repository: Repository,
  current: Current,
  draft: Draft,
  preparation: PreparationDocument,
  later: Later,
): Promise<void> {
  const versions = preparedVersions(preparation)
  const anew = await outdated(repository, current, draft, versions, later)
  for (const [role, version] of versions) {
    const content = anew.get(role)
    if (content === undefined) {
      draft.takenOver.set(role, version)
      draft.toSign.delete(role)
      continue
    }
    draft.roles.set(role, content)
    draft.toSign.add(role)
    resizeAsWhole(draft.sizes, role)
  }
  for (const [role, bytes] of Object.entries(preparation.facts?.nearCaps ?? {})) draft.sizes.known.set(role, bytes)
  const { imported, listed } = preparation.facts ?? {}
  if (imported === undefined && listed === undefined) return
  // Those that a round after the first has made anew are among them.
  const [first] = preparation.rounds
  const all = first && (await changedSince(repository, current, first.base, preparation.structure))
  const overtaking = [...(all?.keys() ?? []), ...later.keys()]
  const exceptAlso = <Kind extends { readonly except: readonly string[] }>(told: Kind): Kind => {
    return { ...told, except: [...new Set([...told.except, ...overtaking])] }
  }
  if (imported !== undefined) draft.imported = exceptAlso(imported)
  if (listed !== undefined) draft.listed = exceptAlso(listed)
}

/** Has the journal say which numbers were claimed ahead, so that what is not needed of them is collected. */
export function endPreparation(draft: Draft, task: string, preparation: PreparationDocument): void {
  draft.prepared = { task, claimed: claimedNumbers(preparation) }
}
