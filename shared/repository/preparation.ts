import { canonicalText } from '../tuf/canonical.ts'
import { type Document, decodeDocument, encodeDocument, schemaVersion, sha256, writeDocument } from './documents.ts'
import type { Imported, Listed } from './journal.ts'
import type { ObjectStore, Signer, Stored } from './ports.ts'
import type { Current, Repository } from './repository.ts'
import { taskIdIn } from './task.ts'

/**
 * `preparations/<taskId>.json`: how far the work ahead for one task has come (see `prepare.ts`), and who is at it. A publisher
 * makes it when it meets the task, and deletes it when the task is finished; in between only preparers write it.
 */
export interface PreparationDocument extends Document {
  /** The commit that was current when a publisher met the task: those before it were made of earlier tasks. */
  readonly since: number
  /** Absent: nobody is at it. */
  readonly holder?: string | undefined
  /** ISO 8601, UTC, by the holder's clock: from then on another one may go on. */
  readonly until: string
  /** How often in a row somebody began and got no further. */
  readonly begun: number
  /** 'ready': the next commit may take over what is signed. */
  readonly phase: 'reading' | 'preparing' | 'ready'
  /** Roles. */
  readonly done: number
  readonly total: number
  /** What the prepared roles rest on: once it has changed, they are of no use. */
  readonly structure: string
  /** A later one has the last word about a role. */
  readonly rounds: readonly Round[]
  /** What preparers that ran out of time have made of the first round. */
  readonly whole?: Whole | undefined
  /** Numbers of rounds that are of no use any more. */
  readonly abandoned: readonly number[]
  /** What the operation wants to know of it. */
  readonly facts?: Facts | undefined
  /** Why the task cannot be done. */
  readonly refusal?: { readonly message: string; readonly details: Readonly<Record<string, unknown>> } | undefined
  /** The preparers died over it. */
  readonly broken?: boolean
}

/** Roles signed under one number, all made from what one commit had made visible. */
export interface Round {
  /** That of the journal entry which claims it. */
  readonly number: number
  /** When they were signed. ISO 8601, UTC. */
  readonly time: string
  readonly base: number
  /** The version of the snapshot that was visible then. */
  readonly snapshot: number
  /** Absent while it is not known that all of its files are there. */
  readonly roles?: readonly string[]
}

/** The first units of a round, all of whose files are there. */
export interface Whole {
  readonly units: number
  /** SHA-256 of the roles of all units in their order: of another order it says nothing. */
  readonly order: string
  /** Those of them, by their places, that have shown something while they were made: they have to be looked at once more. */
  readonly telling: readonly number[]
  readonly nearCaps: Readonly<Record<string, number>>
}

export interface Facts {
  /** For the details of the task's result. */
  readonly details: Readonly<Record<string, unknown>>
  readonly warnings: readonly string[]
  /** Paths of parked changes that were accepted before, and are overtaken by it. */
  readonly overtaken: readonly string[]
  /** The tasks of the parked changes that were there when it was planned. */
  readonly parkedBy: readonly string[]
  /** Bytes of files that come near what a served client can read. */
  readonly nearCaps: Readonly<Record<string, number>>
  readonly imported?: Imported
  readonly listed?: Listed
}

export const preparationName = (taskId: string) => `preparations/${taskId}.json`

export interface StoredPreparation {
  readonly document: PreparationDocument
  readonly stored: Stored
}

export async function readPreparation(state: ObjectStore, taskId: string): Promise<StoredPreparation | undefined> {
  const name = preparationName(taskId)
  const stored = await state.read(name)
  return stored && { document: decodeDocument<PreparationDocument>(name, stored.bytes), stored }
}

/** Which number each prepared role was signed under. */
export function preparedVersions({ rounds }: PreparationDocument): Map<string, number> {
  return new Map(rounds.flatMap(({ number, roles = [] }) => roles.map((role) => [role, number] as const)))
}

/** Every number that it has claimed. */
export function claimedNumbers({ rounds, abandoned }: PreparationDocument): number[] {
  return [...abandoned, ...rounds.map(({ number }) => number)]
}

/**
 * What prepared roles rest on: who is trusted with which path, by which keys, which of these the service holds, and how long
 * roles live.
 */
export function structureOf(
  { settings, delegators }: Pick<Current, 'settings' | 'delegators'>,
  signers: readonly Signer[],
): string {
  const delegations = [...delegators].map(([role, { signed }]) => [role, signed.delegations ?? null])
  const held = signers.map(({ keyid }) => keyid).sort()
  return sha256(JSON.stringify([settings, held]) + canonicalText(delegations))
}

/** The preparation of a task, held by one preparer. Safety does not rest on it: two at once lose nothing but work. */
export interface HeldPreparation {
  readonly document: PreparationDocument
  /** Writes down how far it has come, and has more time from now on. Throws LostHold if somebody else has taken over. */
  note(progress: Partial<PreparationDocument>): Promise<void>
  release(): Promise<void>
}

/** Another preparer has taken over, because this one was silent for too long. */
export class LostHold extends Error {
  override readonly name = 'LostHold'
}

/** Has preparers begin. Somebody else may have done so before. */
export async function askToPrepare(state: ObjectStore, taskId: string, since: number): Promise<void> {
  const document: PreparationDocument = {
    ...{ schema: schemaVersion, since, until: new Date(0).toISOString(), begun: 0 },
    ...{ phase: 'reading', done: 0, total: 0, structure: '', rounds: [], abandoned: [] },
  }
  await writeDocument(state, preparationName(taskId), document, undefined)
}

/** 'gone' if nobody asks for it any more. */
export async function holdPreparation(
  repository: Repository,
  taskId: string,
): Promise<HeldPreparation | 'busy' | 'gone'> {
  const { ports, limits } = repository
  const found = await readPreparation(ports.state, taskId)
  if (found === undefined) return 'gone'
  const before = found.document
  const now = ports.clock.now()
  if (before.holder !== undefined && new Date(before.until) > now) return 'busy'
  const end = () => new Date(ports.clock.now().getTime() + limits.lease).toISOString()
  const holder = ports.clock.newId()
  let document: PreparationDocument = { ...before, holder, until: end(), begun: before.begun + 1 }
  const name = preparationName(taskId)
  const taken = await writeDocument(ports.state, name, document, found.stored)
  if (taken === undefined) return 'busy'
  let stored: Stored = taken
  const change = async (next: PreparationDocument) => {
    const written: Stored | undefined = await writeDocument(ports.state, name, next, stored)
    if (written === undefined) throw new LostHold('Another preparer has taken over.')
    stored = written
    document = next
  }
  return {
    get document() {
      return document
    },
    note: (progress) => change({ ...document, until: end(), ...progress }),
    async release() {
      await change({ ...document, holder: undefined }).catch((error: unknown) => {
        if (!(error instanceof LostHold)) throw error
      })
    },
  }
}

/** For a process that knows that no other preparer lives: whoever holds one still has crashed. */
export async function releasePreparations(state: ObjectStore): Promise<void> {
  for (const name of await state.list('preparations/')) {
    const id = taskIdIn(name)
    const found = id === undefined ? undefined : await readPreparation(state, id)
    if (found?.document.holder === undefined) continue
    await state.replace(name, encodeDocument({ ...found.document, holder: undefined } as Document), found.stored.tag)
  }
}
