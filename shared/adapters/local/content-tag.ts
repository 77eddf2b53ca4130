import { hash } from 'node:crypto'
import type { Tag } from '../../repository/ports.ts'

/** As on S3, a version is named by its content: the same bytes again are the same version again. */
export function contentTag(bytes: Uint8Array): Tag {
  return hash('sha256', bytes) as Tag
}
