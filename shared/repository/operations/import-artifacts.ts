import type { TargetFile, Targets } from '../../tuf/metadata.ts'
import { type Artifact, withTaskId } from '../artifact-rules.ts'
import type { Block } from '../blocks.ts'
import { artifactsOf, type Bulk, inSharedMemory, readBulk } from '../bulk/bulk.ts'
import { artifactWarnings, refuseWithoutSha256 } from '../client-rules.ts'
import { readersOfDraft } from '../client-standing.ts'
import { servedClients } from '../clients.ts'
import { sha256 } from '../documents.ts'
import { type Draft, roleFor, setParked } from '../draft.ts'
import { Refusal } from '../errors.ts'
import { type HeldByArtifact, writeHeld } from '../imported.ts'
import type { Imported } from '../journal.ts'
import {
  type Found,
  type Lent,
  type LongWork,
  nothingFound,
  type Planning,
  type Unit,
  unitOfEach,
} from '../long-work.ts'
import { pathsParkedBefore, withoutOvertaken } from '../parked.ts'
import type { Signer } from '../ports.ts'
import type { ImportArtifactsRequest } from '../task.ts'
import type { Operation } from './operation.ts'
import { signsAtOnce } from './waiting.ts'

/** Artifacts shown by name where there are too many to name them all. */
const mostShown = 10
/** Artifacts that clients will trip over, looked at for the warnings. */
const mostOdd = 1000
const moreOdd = `The file may hold more such artifacts: after ${mostOdd} of them no others are looked for.`

/**
 * Adds the artifacts of a file, all of them with one commit. What was accepted after it may well be visible before; about a path
 * that both change it has the last word all the same.
 */
export const importArtifacts: Operation<'import_artifacts'> = {
  refusedMessage: 'Artifact(s) not imported',
  needs: () => [],
  long: { plan },
  apply(draft, _, { prepared, taskId }) {
    if (prepared === undefined) throw new Error('An import is prepared before it is applied.')
    setParked(draft, withoutOvertaken(draft.parked, prepared.overtaken, taskId))
    return { message: 'Artifact(s) imported', details: prepared.details, warnings: prepared.warnings }
  },
}

async function plan(planning: Planning, request: ImportArtifactsRequest): Promise<LongWork> {
  const { repository, at, later, draft, taskId, lent } = planning
  let source = lent === undefined ? await readSource(planning, request) : sourceIn(lent)
  const { placed, details, blocks } = source
  const parked = pathsParkedBefore(at.parked, taskId)
  const served = servedClients(at.settings.clients)
  const addedByTaskId = request.addTaskIdToCustom ? taskId : undefined
  const held: HeldByArtifact[] = []
  const overtaken: string[] = []
  const odd: Artifact[] = []

  const make = ({ makes: [role = ''] }: Unit, contents: ReadonlyMap<string, Targets>) => {
    const content = contents.get(role)
    if (content === undefined) throw new Error(`Role ${role} was read before its targets are added.`)
    const targets = new Map<string, TargetFile>(content.targets)
    const all = Array.from(placed.get(role) ?? [], (index) => ({ index, ...source.artifact(index) }))
    const artifacts = later.size === 0 ? all : all.filter(({ path }) => !later.has(path))
    for (const { index, path, info } of artifacts) {
      const before = targets.get(path)
      if (before !== undefined) held.push({ index, path, info: before })
      if (parked.has(path)) overtaken.push(path)
      targets.set(path, withTaskId(info, addedByTaskId))
    }
    if (odd.length < mostOdd && artifactWarnings(served, artifacts).length > 0) {
      const isOdd = (artifact: Artifact) => artifactWarnings(served, [artifact]).length > 0
      odd.push(...artifacts.filter(isOdd).slice(0, mostOdd - odd.length))
    }
    return new Map([[role, { ...content, targets }]])
  }
  const facts = async (number: number, { held, overtaken, odd }: Found) => {
    const { state } = repository.ports
    const imported: Imported = {
      bulk: request.bulk,
      sha256: request.sha256,
      format: request.format,
      artifacts: details.imported_artifacts,
      ...(addedByTaskId !== undefined && { addedByTaskId }),
      ...(await writeHeld(state, `${request.bulk}.${number}.before`, held, blocks)),
      except: [...later.keys()],
    }
    const warnings = [...artifactWarnings(served, odd), ...(odd.length < mostOdd ? [] : [moreOdd])]
    return { details, warnings, overtaken, imported }
  }
  const lend = () => {
    const lent = source.lend()
    // So that the file is not in memory twice.
    source = sourceIn(lent)
    return lent
  }
  return {
    draft,
    units: unitOfEach(placed.keys()),
    make,
    found: () => ({ ...nothingFound, held, overtaken, odd }),
    facts,
    lend,
  }
}

/** Artifacts, and those of each role by their numbers. */
interface Source extends Pick<Bulk, 'artifact'> {
  readonly placed: ReadonlyMap<string, Uint32Array>
  readonly details: { readonly imported_artifacts: number; readonly updated_roles: number }
  /** For the journal; who has borrowed it writes nothing there. */
  readonly blocks?: readonly Block[] | undefined
  lend(): Lent
}

async function readSource(planning: Planning, request: ImportArtifactsRequest): Promise<Source> {
  const bulk = await readFile(planning, request)
  const { count, paths } = bulk.withoutSha256
  if (count > 0) refuseWithoutSha256(readersOfDraft(planning.draft), paths, count)
  const placed = placeArtifacts(planning.draft, bulk, planning.repository.ports.signers)
  const details = { imported_artifacts: bulk.count, updated_roles: placed.size, ...invalidLines(bulk) }
  const lend = () => ({ bulk: bulk.share(), placed: [...placed], details })
  return { placed, details, blocks: bulk.blocks(), lend, artifact: bulk.artifact }
}

function sourceIn(lent: Lent): Source {
  return { ...artifactsOf(lent.bulk), placed: new Map(lent.placed), details: lent.details, lend: () => lent }
}

/** Throws a Refusal unless it is the file that was submitted, with nothing broken in it that was not to be skipped. */
async function readFile(planning: Planning, request: ImportArtifactsRequest): Promise<Bulk> {
  const { format, skipInvalid } = request
  const bulk = readBulk(await readBytes(planning, request), format)
  if (bulk.brokenCount > 0 && !skipInvalid) {
    const first = bulk.broken.slice(0, 3).map(({ line, reason }) => `line ${line}: ${reason}`)
    throw new Refusal(
      `${bulk.brokenCount} lines of the file cannot be taken (${first.join(' ')}). Nothing was imported. ` +
        'Mend them, or ask to skip them.',
      invalidLines(bulk),
    )
  }
  if (bulk.count === 0) throw new Refusal('The file holds no artifact.', invalidLines(bulk))
  return bulk
}

async function readBytes(
  { repository: { ports }, lends }: Planning,
  { bulk: name, sha256: hash }: ImportArtifactsRequest,
): Promise<Uint8Array> {
  const stored = await ports.state.read(name)
  if (stored === undefined || sha256(stored.bytes) !== hash)
    throw new Refusal('The file of this import is gone, or is not what was submitted. Begin another import.')
  return lends ? inSharedMemory(stored.bytes) : stored.bytes
}

const invalidLines = ({ brokenCount, broken }: Bulk) =>
  brokenCount === 0 ? {} : { invalid_lines: broken, invalid_line_count: brokenCount }

/** The artifacts of each role, by their numbers in the file. Throws a Refusal for those that no online role can take. */
function placeArtifacts(draft: Draft, bulk: Bulk, signers: readonly Signer[]): Map<string, Uint32Array> {
  const roles = new Map<string, { readonly ordinal: number; size: number }>()
  const ordinals = new Uint32Array(bulk.count)
  const lost: string[] = []
  let lostCount = 0
  for (let index = 0; index < bulk.count; index++) {
    const path = bulk.path(index)
    const role = roleFor(draft, path)
    let known = role === undefined ? undefined : roles.get(role)
    if (role !== undefined && known === undefined && signsAtOnce(draft, role, signers)) {
      known = { ordinal: roles.size, size: 0 }
      roles.set(role, known)
    }
    if (known === undefined) {
      if (lost.length < mostShown) lost.push(role === undefined ? path : `${path} (${role})`)
      lostCount++
      continue
    }
    known.size++
    ordinals[index] = known.ordinal
  }
  if (lostCount > 0) {
    throw new Refusal(
      `${lostCount} artifacts of the file have no role that is trusted by every client, or one that is signed offline: ` +
        `${lost.join(', ')}${lostCount > lost.length ? ', …' : ''}. Nothing was imported. Use paths that a delegation matches, ` +
        'and send what goes into roles that are signed offline by itself, to be signed.',
      { invalid_paths: lost },
    )
  }
  // In memory that threads share.
  const all = new Uint32Array(new SharedArrayBuffer(bulk.count * Uint32Array.BYTES_PER_ELEMENT))
  let from = 0
  const places = Array.from(roles.values(), ({ size }) => {
    from += size
    return { indexes: all.subarray(from - size, from), next: 0 }
  })
  for (const [index, ordinal] of ordinals.entries()) {
    const place = places[ordinal]
    if (place !== undefined) place.indexes[place.next++] = index
  }
  return new Map([...roles].map(([role, { ordinal }]) => [role, places[ordinal]?.indexes ?? new Uint32Array()]))
}
