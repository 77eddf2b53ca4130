import assert from 'node:assert/strict'
import { type Entry, entryName } from '../../shared/repository/journal.ts'
import type { Signer } from '../../shared/repository/ports.ts'
import { type Signatory, signDifferently } from './remembered-signatures.ts'
import { onlineKeys } from './world.ts'

/**
 * The online keys of a world, which make another signature each time that they sign the same, as KMS does with ECDSA: whoever
 * signs a file twice has two files. `notice` gets what is thrown when that was not for a file signed ahead, which another
 * preparer may sign once more: a commit has a number of its own, and signs what it brings out once.
 */
export function countedSigners(state: ReadonlyMap<string, Uint8Array>, notice: (broken: unknown) => void): Signer[] {
  return onlineKeys.map(({ key, keyid, sign, privateKey }) => {
    const times = new Map<string, number>()
    const differently: Signatory = { privateKey, sign }
    return {
      key,
      keyid,
      async sign(bytes) {
        const what = nameOf(bytes)
        const before = times.get(what) ?? 0
        times.set(what, before + 1)
        if (before === 0) return sign(bytes)
        try {
          mayRepeat(bytes, before, state)
        } catch (broken) {
          notice(broken)
        }
        return signDifferently(differently, bytes, before)
      },
    }
  })
}

/** Of timestamp and snapshot a version has one content; hash bins share a version, and the empty ones their content. */
function nameOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString()
  const { _type, version } = text.startsWith('{') ? JSON.parse(text) : {}
  return _type === 'timestamp' || _type === 'snapshot' ? `${_type} ${version}` : text
}

function mayRepeat(bytes: Uint8Array, times: number, state: ReadonlyMap<string, Uint8Array>): void {
  const text = Buffer.from(bytes).toString()
  // A key is tried with other bytes than metadata.
  if (!text.startsWith('{')) return
  const { _type, version } = JSON.parse(text)
  const entry: Entry | undefined = JSON.parse(Buffer.from(state.get(entryName(version)) ?? 'null').toString())
  const isAhead = _type === 'targets' && entry?.prepares !== undefined
  // It says the same as an empty hash bin, and others may sign it as well.
  const isEmptyShared = _type === 'targets' && times === 1 && entry?.creates.includes(`${version}.shared.json`)
  assert.ok(isAhead || isEmptyShared, `version ${version} of a ${_type} was signed twice by one key`)
}
