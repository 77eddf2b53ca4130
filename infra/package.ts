import { execFileSync } from 'node:child_process'
import { chmod, copyFile, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { bundle } from './bundle.ts'

/**
 * Makes `dist/`, which `npm pack` takes along: JavaScript and declarations of the construct and of the command, for Node strips
 * no types below `node_modules`, and the functions as bundles.
 */
const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
await rm(dist, { recursive: true, force: true })
execFileSync(join(root, 'node_modules/.bin/tsc'), ['--project', 'infra/tsconfig.package.json'], {
  cwd: root,
  stdio: 'inherit',
})
for (const { directory } of Object.values(await bundle(join(dist, 'handlers')))) {
  // Built for the package alone, so nobody has the sources that the map is of.
  await rm(join(directory, 'index.mjs.map'))
}
await mkdir(join(dist, 'bin'))
await copyFile(join(import.meta.dirname, 'tuffet.sh'), join(dist, 'bin/tuffet'))
await chmod(join(dist, 'bin/tuffet'), 0o755)
