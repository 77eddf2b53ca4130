import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** An empty directory that goes away, with what was put beside it, with the variable that holds it. */
export async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const around = await mkdtemp(join(tmpdir(), 'tuffet-'))
  const path = join(around, 'directory')
  await mkdir(path)
  return { path, [Symbol.asyncDispose]: () => rm(around, { recursive: true, force: true }) }
}
