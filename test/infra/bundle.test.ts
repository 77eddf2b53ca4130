import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { type Bundle, budget, bundle, bundleDirectory, type FunctionName, functions } from '../../infra/bundle.ts'

describe('the bundle of a function', () => {
  let bundles: Record<FunctionName, Bundle>
  before(async () => {
    bundles = await bundle(await bundleDirectory())
  })

  for (const name of functions) {
    it(`${name}: is within its budget`, () => {
      const kib = Math.ceil(bundles[name].bytes / 1024)
      assert.ok(
        kib <= budget[name],
        `${kib} KiB, and ${budget[name]} are allowed: npm run bundle says what of; or raise the budget in infra/bundle.ts`,
      )
    })

    it(`${name}: asks for nothing but Node's own modules when it is loaded`, () => {
      const asked = bundles[name].imports.filter(({ atOnce }) => atOnce).map(({ path }) => path)
      assert.deepEqual(
        asked.filter((path) => !path.startsWith('node:')),
        [],
      )
    })

    it(`${name}: leaves out, besides, only where the SDK would look for credentials`, () => {
      const later = bundles[name].imports.filter(({ atOnce, path }) => !atOnce && !path.startsWith('node:'))
      for (const { path } of later) assert.match(path, /^@(aws-sdk|smithy)\/credential-provider-/)
    })

    it(`${name}: tells nothing of the machine that it was made on`, async () => {
      for (const file of ['index.mjs', 'index.mjs.map']) {
        const text = await readFile(join(bundles[name].directory, file), 'utf8')
        assert.ok(!text.includes(join(import.meta.dirname, '../..')), `${file} holds the path of the checkout`)
      }
    })
  }

  it('holds only what its function uses: who publishes parses no requests, who takes them publishes nothing', () => {
    const parts = (name: FunctionName) => bundles[name].parts.map(([part]) => part)
    for (const name of ['publish', 'refresh'] as const) assert.ok(!parts(name).includes('zod'))
    for (const name of functions) {
      for (const local of ['fastify', 'pino', 'aws-cdk-lib', 'esbuild']) assert.ok(!parts(name).includes(local), local)
    }
  })
})
