import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { variables } from '../shared/app/environment.ts'
import { budget, bundle, bundleDirectory, type FunctionName } from './bundle.ts'

/**
 * `npm run bundle`: what each function weighs, what of, and how long Node takes to load it. Ends with 1 where one is
 * over its budget, which `npm test` asks for, too.
 */

/** Milliseconds from asking for the module until it is there, the fastest of several processes. */
function loadTime(file: string): number {
  const values = Object.values(variables).map((name) => [name, 'arn:aws:kms:us-east-1:000000000000:key/0'])
  const env = { ...Object.fromEntries(values), AWS_REGION: 'us-east-1', NODE_OPTIONS: '' }
  const code = `const began = performance.now(); await import(${JSON.stringify(file)}); console.log(performance.now() - began)`
  const run = () => Number(execFileSync(process.execPath, ['--input-type=module', '-e', code], { env }))
  return Math.min(...Array.from({ length: 7 }, run))
}

const kib = (bytes: number) => (bytes / 1024).toFixed(0).padStart(5)

for (const [name, { directory, bytes, parts }] of Object.entries(await bundle(await bundleDirectory()))) {
  const file = join(directory, 'index.mjs')
  const allowed = budget[name as FunctionName]
  const compressed = kib(gzipSync(readFileSync(file)).length).trim()
  const load = loadTime(file).toFixed(0)
  console.log(`${name}: ${kib(bytes).trim()} KiB of ${allowed} KiB (${compressed} KiB compressed), loads in ${load} ms`)
  for (const [part, size] of parts.slice(0, 8)) console.log(`${kib(size)} KiB  ${part}`)
  if (bytes > allowed * 1024) {
    console.error(
      `functions/${name}.ts is over its budget: see what it imports, or raise the budget in infra/bundle.ts.`,
    )
    process.exitCode = 1
  }
}
