import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'

/** A file that holds nothing but this code, and what the linter says of it: how a message begins, or nothing. */
type Case = readonly [file: string, code: string, refused?: string]

const cases: readonly Case[] = [
  ['shared/tuf/x.ts', "import './names.ts'"],
  ['shared/tuf/x.ts', "import { createHash } from 'node:crypto'"],
  ['shared/tuf/x.ts', "import '../repository/ports.ts'", 'shared/tuf imports'],
  ['shared/tuf/x.ts', "import type { Ports } from '../repository/ports.ts'", 'shared/tuf imports'],
  ['shared/tuf/x.ts', "import '../../cli/main.ts'", 'shared/tuf imports'],
  ['shared/tuf/x.ts', "import './../adapters/local/directory-object-store.ts'", 'shared/tuf imports'],
  ['shared/tuf/x.ts', "export { publish } from '../repository/publish.ts'", 'shared/tuf imports'],
  ['shared/tuf/x.ts', "export * from '../repository/publish.ts'", 'shared/tuf imports'],
  ['shared/tuf/x.ts', "await import('../repository/publish.ts')", 'shared/tuf imports'],
  ['shared/tuf/x.ts', 'await import(`../repository/publish.ts`)', 'Import by a literal name'],
  ['shared/tuf/x.ts', "export type X = import('../repository/ports.ts').Ports", 'Import the type at the top'],
  ['shared/tuf/x.ts', "import 'node:fs/promises'", 'shared/tuf imports'],
  ['shared/tuf/x.ts', "import 'fs'", 'shared/tuf imports'],
  ['shared/tuf/x.ts', "import 'zod'", 'shared/tuf imports'],
  ['shared/tuf/x.ts', 'export const now = new Date()', 'No clock and no chance'],
  ['shared/tuf/x.ts', 'export const then = new Date(0)'],

  ['shared/repository/x.ts', "import './ports.ts'"],
  ['shared/repository/x.ts', "import './operations/artifacts.ts'"],
  ['shared/repository/x.ts', "import '../tuf/names.ts'"],
  ['shared/repository/x.ts', "import 'node:crypto'"],
  ['shared/repository/x.ts', "import '../adapters/aws/s3-object-store.ts'", 'shared/repository imports'],
  ['shared/repository/x.ts', "import '../app/config.ts'", 'shared/repository imports'],
  ['shared/repository/x.ts', "import '../../test/support/clock.ts'", 'shared/repository imports'],
  ['shared/repository/x.ts', "import 'node:fs'", 'shared/repository imports'],
  ['shared/repository/x.ts', "import 'node:timers/promises'", 'shared/repository imports'],
  ['shared/repository/x.ts', "import 'pino'", 'shared/repository imports'],
  ['shared/repository/x.ts', 'setTimeout(() => undefined, 1)', 'Do not use the global variable'],
  ['shared/repository/x.ts', 'export const now = Date.now()', 'No clock and no chance'],
  ['shared/repository/x.ts', 'export const chance = Math.random()', 'No clock and no chance'],
  ['shared/repository/operations/x.ts', "import '../draft.ts'"],
  ['shared/repository/operations/x.ts', "import '../../tuf/names.ts'"],
  [
    'shared/repository/operations/x.ts',
    "import '../../adapters/local/key-file-signer.ts'",
    'shared/repository imports',
  ],

  ['shared/adapters/aws/x.ts', "import '../../repository/ports.ts'"],
  ['shared/adapters/aws/x.ts', "import '../../tuf/keys.ts'"],
  ['shared/adapters/aws/x.ts', "import '@aws-sdk/client-s3'"],
  ['shared/adapters/aws/x.ts', "import '../../app/config.ts'", 'shared/adapters/aws imports'],
  ['shared/adapters/aws/x.ts', "import '../local/directory-object-store.ts'", 'shared/adapters/aws imports'],
  ['shared/adapters/aws/x.ts', "import 'aws-cdk-lib'", 'shared/adapters/aws imports'],
  ['shared/adapters/local/x.ts', "import '../../repository/ports.ts'"],
  ['shared/adapters/local/x.ts', "import 'node:sqlite'"],
  ['shared/adapters/local/x.ts', "import 'node:fs/promises'"],
  ['shared/adapters/local/x.ts', "import '@aws-sdk/client-kms'", 'shared/adapters/local imports'],
  ['shared/adapters/local/x.ts', "import '../aws/kms-signer.ts'", 'shared/adapters/local imports'],
  ['shared/adapters/local/x.ts', "import '../../app/embedded.ts'", 'shared/adapters/local imports'],
  ['shared/adapters/local/x.ts', "import 'fastify'", 'shared/adapters/local imports'],

  ['shared/app/x.ts', "import '../adapters/aws/s3-object-store.ts'"],
  ['shared/app/x.ts', "import '../repository/submit.ts'"],
  ['shared/app/x.ts', "import './handlers/artifacts.ts'"],
  ['shared/app/x.ts', "import 'zod'"],
  ['shared/app/x.ts', "import '@middy/core'"],
  ['shared/app/x.ts', "import '@aws-lambda-powertools/logger/middleware'"],
  ['shared/app/x.ts', "import '@aws-sdk/client-sqs'", 'shared/app imports'],
  ['shared/app/x.ts', "import '../../functions/api.ts'", 'shared/app imports'],
  ['shared/app/x.ts', "import '../../cli/main.ts'", 'shared/app imports'],
  ['shared/app/x.ts', "import 'fastify'", 'shared/app imports'],
  ['shared/app/handlers/x.ts', "import '../../repository/submit.ts'"],
  ['shared/app/handlers/x.ts', "import '../schemas.ts'"],
  ['shared/app/handlers/x.ts', "import '../../adapters/local/process-queue.ts'", 'shared/app imports'],

  ['functions/x.ts', "import '../shared/app/aws.ts'"],
  ['functions/x.ts', "import '../shared/app/handlers/artifacts.ts'"],
  ['functions/x.ts', "import type { Handler } from 'aws-lambda'"],
  ['functions/x.ts', "import '../shared/repository/publish.ts'", 'functions bind'],
  ['functions/x.ts', "import '../cli/main.ts'", 'functions bind'],
  ['functions/x.ts', "import '@middy/core'", 'functions bind'],

  ['infra/x.ts', "import '../shared/app/routes.ts'"],
  ['infra/x.ts', "import '../shared/app/environment.ts'"],
  ['infra/x.ts', "import '../shared/app/token-claims.ts'"],
  ['infra/x.ts', "import '../shared/app/principal.ts'"],
  ['infra/x.ts', "import 'aws-cdk-lib/aws-s3'"],
  ['infra/x.ts', "import { Construct } from 'constructs'"],
  ['infra/x.ts', "import { build } from 'esbuild'"],
  ['infra/x.ts', "import '../shared/app/config.ts'", 'infra imports'],
  ['infra/x.ts', "import '../shared/tuf/names.ts'", 'infra imports'],
  ['infra/x.ts', "import '../functions/api.ts'", 'infra imports'],
  ['infra/x.ts', "import '@aws-sdk/client-s3'", 'infra imports'],

  ['cli/x.ts', "import '../shared/app/embedded.ts'"],
  ['cli/x.ts', "import '../shared/tuf/names.ts'"],
  ['cli/x.ts', "import 'commander'"],
  ['cli/x.ts', "import '../infra/app.ts'", 'cli imports'],
  ['cli/x.ts', "import '../functions/api.ts'", 'cli imports'],
  ['cli/x.ts', "import '../test/support/clock.ts'", 'cli imports'],
  ['cli/x.ts', "import '@aws-sdk/client-s3'", 'cli imports'],
  ['cli/x.ts', "import 'aws-cdk-lib/aws-s3'", 'cli imports'],

  ['shared/tuf/chicken.ts', "import './egg.ts'", 'This import is part of a cycle'],
  ['shared/tuf/egg.ts', "import './chicken.ts'", 'This import is part of a cycle'],
]

const root = join(import.meta.dirname, '..')

/** Each `x` gets a name of its own, so that one run of the linter judges all. */
const files = cases.map(([file, code, refused], index) => ({
  path: file.replace('x.ts', `case-${index}.ts`),
  folder: dirname(file),
  code,
  refused,
}))

describe('the layering of the linter', () => {
  let tree: string
  let said: ReadonlyMap<string, readonly string[]>

  before(async () => {
    tree = await mkdtemp(join(tmpdir(), 'tuffet-layering-'))
    for (const path of ['biome.json', 'test/lint', 'package.json', '.gitignore']) {
      await cp(join(root, path), join(tree, path), { recursive: true })
    }
    for (const { path, code } of files) {
      await mkdir(dirname(join(tree, path)), { recursive: true })
      await writeFile(join(tree, path), `${code}\n`)
    }
    said = lint(tree)
  })

  after(() => rm(tree, { recursive: true, force: true }))

  for (const { path, folder, code, refused } of files) {
    it(`${refused === undefined ? 'allows' : 'refuses'} in ${folder}: ${code}`, () => {
      const messages = said.get(path) ?? []
      if (refused === undefined) assert.deepEqual(messages, [])
      else assert.ok(messages.length === 1 && messages[0]?.startsWith(refused), `It said: ${messages.join(', ')}`)
    })
  }
})

const layering = new Set([
  'lint/style/noRestrictedGlobals',
  'lint/style/noRestrictedImports',
  'lint/suspicious/noImportCycles',
  'plugin',
])

/** What the layering's rules say of each file of a tree. */
function lint(tree: string): Map<string, string[]> {
  const biome = join(root, 'node_modules', '.bin', 'biome')
  const run = spawnSync(biome, ['lint', '--reporter=json', '--max-diagnostics=none', '.'], {
    cwd: tree,
    encoding: 'utf8',
  })
  assert.equal(run.status, 1, `The linter did not judge the tree: ${run.error ?? run.stderr}`)
  const report = JSON.parse(run.stdout) as {
    diagnostics: { category: string; message: string; location: { path: string } }[]
  }
  const said = new Map<string, string[]>()
  for (const { category, message, location } of report.diagnostics) {
    if (layering.has(category)) said.set(location.path, [...(said.get(location.path) ?? []), message])
  }
  return said
}
