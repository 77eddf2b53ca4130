import { CodedError } from '../tuf/errors.ts'
import type { Key } from '../tuf/keys.ts'

/**
 * What a repository needs of the world: a place for its objects, keys that sign, a doorbell and a clock.
 * Everything in `repository/` is written against these four, so that it runs over a directory, over S3 and KMS,
 * or inside a simulation without a line of difference.
 */

/** Names one version of one object. It means nothing to anybody but the store that gave it. */
export type Tag = string & { readonly tag: unique symbol }

export interface Stored {
  readonly bytes: Uint8Array
  readonly tag: Tag
  /** How long this version had been there when it was read, in milliseconds, by the store's own clock. */
  readonly age: number
}

/**
 * Named bytes. A write is durable when its promise resolves; a reader sees the whole of one version, never a part,
 * and a read or list that starts after a write resolved sees that write.
 *
 * A rejected write may still take effect, even later: whoever needs to know repeats it with the same bytes.
 */
export interface ObjectStore {
  /** The object as it is, or nothing if there is none. */
  read(name: string): Promise<Stored | undefined>
  /**
   * The bytes of the object from `start` up to `end`, which is above it: as many as there are, or nothing if there is no object.
   * For who wants a little of a large one.
   */
  range(name: string, start: number, end: number): Promise<Uint8Array | undefined>
  /**
   * Makes a new object. Throws StoreError 'exists' if there is one with other bytes; one with the same bytes is a
   * success, for it is this very write repeated.
   */
  create(name: string, bytes: Uint8Array): Promise<Tag>
  /**
   * Replaces the version that `tag` names. Throws StoreError 'changed' if that is no longer the current one, or if
   * the object is gone; unless the current one has the very bytes that were to be written: then it is this write, repeated.
   */
  replace(name: string, bytes: Uint8Array, tag: Tag): Promise<Tag>
  /** Takes an object away. One that is not there is a success. */
  delete(name: string): Promise<void>
  /** The names that begin with `prefix` and come after `after`, in code-unit order, at most `limit` of them. */
  list(prefix: string, options?: { readonly after?: string; readonly limit?: number }): Promise<string[]>
}

export type StoreErrorCode =
  /** There is another object under this name. */
  | 'exists'
  /** The version that was to be replaced is not the current one. */
  | 'changed'
  /** No room is left. */
  | 'full'
  /** The store may be read but not written. */
  | 'read-only'
  /** The store refused, failed or did not answer; whether a write took effect is not known. */
  | 'unavailable'

export class StoreError extends CodedError<StoreErrorCode> {
  override readonly name = 'StoreError'
}

/** Makes a new object; false if there is one with other bytes under its name. Throws StoreError as `create` does. */
export async function createUnlessTaken(store: ObjectStore, name: string, bytes: Uint8Array): Promise<boolean> {
  try {
    await store.create(name, bytes)
    return true
  } catch (error) {
    if (error instanceof StoreError && error.code === 'exists') return false
    throw error
  }
}

/** One online key. */
export interface Signer {
  readonly keyid: string
  readonly key: Key
  /** The signature over `bytes` in lower-case hex, as TUF metadata carries it. Throws SignerError. */
  sign(bytes: Uint8Array): Promise<string>
}

/** 'unusable': this key will never sign (missing, disabled, of another type). 'unavailable': it may, later. */
export class SignerError extends CodedError<'unusable' | 'unavailable'> {
  override readonly name = 'SignerError'
}

/**
 * The doorbell: says that a task lies in the inbox. It carries no truth: a ring may be lost, doubled or late, and
 * nothing else is.
 */
export interface Queue {
  ring(taskId: string): Promise<void>
}

export interface Clock {
  now(): Date
  /** A UUIDv7 (RFC 9562, section 5.7) in 32 lower-case hex digits: ids of one clock sort in the order in which they were made. */
  newId(): string
  /** Resolves after this many milliseconds. */
  sleep(milliseconds: number): Promise<void>
}

export interface Ports {
  /** What clients read: `timestamp.json`, `N.root.json`, `N.snapshot.json`, `N.<role>.json`, and nothing else. */
  readonly metadata: ObjectStore
  /** What nobody but the service reads: the inbox, finished tasks, the journal, private state. */
  readonly state: ObjectStore
  /**
   * Where the lease lies: a hint, on which no safety rests. A power cut may lose what is written here, or leave it in
   * halves; a crash of the process may not. Absent: in `state`.
   */
  readonly hints?: ObjectStore
  readonly signers: readonly Signer[]
  readonly queue: Queue
  readonly clock: Clock
}
