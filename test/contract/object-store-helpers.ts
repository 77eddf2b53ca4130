import assert from 'node:assert/strict'
import type { ObjectStore, StoreErrorCode, Tag } from '../../shared/repository/ports.ts'

/** A tag that no version ever had. */
export const noTag = '0'.repeat(64) as Tag

export function text(content: string): Uint8Array {
  return new TextEncoder().encode(content)
}

export function asText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

export async function content(store: ObjectStore, name: string): Promise<string | undefined> {
  const stored = await store.read(name)
  return stored && asText(stored.bytes)
}

export async function rejectsWith(code: StoreErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, { name: 'StoreError', code })
}

export function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index)
}
