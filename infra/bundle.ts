import { rmSync } from 'node:fs'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { build } from 'esbuild'
import type { Handlers } from './handlers.ts'

export const functions = ['api', 'publish', 'refresh'] as const
export type FunctionName = (typeof functions)[number]

/** KiB of `index.mjs`, minified: Lambda reads all of it at each cold start, and bills the time. Raise it knowingly. */
export const budget: Readonly<Record<FunctionName, number>> = { api: 700, publish: 570, refresh: 580 }

export interface Bundle {
  /** Holds `index.mjs` and its source map, and nothing else. */
  readonly directory: string
  /** Of `index.mjs`. */
  readonly bytes: number
  /** What it is made of, the largest first: npm packages and our own folders, with the bytes that each has in it. */
  readonly parts: readonly (readonly [name: string, bytes: number])[]
  /** What it leaves to Node to find, and whether it asks for it at once. */
  readonly imports: readonly { readonly path: string; readonly atOnce: boolean }[]
}

const root = join(import.meta.dirname, '..')

/**
 * Where the SDK would look for credentials if the environment had none. Lambda's always has
 * (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html), and the SDK imports these only when it
 * gets to them.
 */
const neverNeeded = [
  '@aws-sdk/credential-provider-http',
  '@aws-sdk/credential-provider-ini',
  '@aws-sdk/credential-provider-login',
  '@aws-sdk/credential-provider-process',
  '@aws-sdk/credential-provider-sso',
  '@aws-sdk/credential-provider-web-identity',
  '@smithy/credential-provider-imds',
]

/**
 * Makes one file of each function and what it imports, the AWS SDK included, as an ES module for Node 24, in one run of
 * esbuild: below `directory`, one folder for each.
 */
export async function bundle(directory: string): Promise<Record<FunctionName, Bundle>> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: functions.map((name) => ({ in: `functions/${name}.ts`, out: `${name}/index` })),
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    external: neverNeeded,
    // Packages that offer both are taken as ES modules, of which esbuild leaves out what is not used.
    mainFields: ['module', 'main'],
    // What is CommonJS still asks for Node's own modules by `require`.
    banner: { js: "import { createRequire } from 'node:module';const require=createRequire(import.meta.url);" },
    sourcemap: 'linked',
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
  })
  const outputs = Object.entries(metafile.outputs)
  const made = functions.map((name): [FunctionName, Bundle] => {
    const output = outputs.find(([file]) => file.endsWith(`${name}/index.mjs`))?.[1]
    if (output === undefined) throw new Error(`esbuild made no bundle of functions/${name}.ts.`)
    const { bytes, inputs } = output
    const imports = output.imports.map(({ path, kind }) => ({ path, atOnce: kind !== 'dynamic-import' }))
    return [name, { directory: join(directory, name), bytes, parts: partsOf(inputs), imports }]
  })
  return Object.fromEntries(made) as Record<FunctionName, Bundle>
}

function partsOf(inputs: Readonly<Record<string, { readonly bytesInOutput: number }>>): Bundle['parts'] {
  const parts = new Map<string, number>()
  for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
    const inPackage = file.split('node_modules/').at(-1) ?? file
    const depth = inPackage.startsWith('@') || inPackage === file ? 2 : 1
    const name = inPackage.split('/').slice(0, depth).join('/')
    parts.set(name, (parts.get(name) ?? 0) + bytesInOutput)
  }
  return [...parts].sort(([, one], [, other]) => other - one)
}

/**
 * A directory that ends with the process. Within the checkout, so that no source map tells where on the machine that
 * is.
 */
export async function bundleDirectory(): Promise<string> {
  const cache = join(root, '.cache')
  await mkdir(cache, { recursive: true })
  const directory = await mkdtemp(join(cache, 'bundle-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** The functions as the CDK deploys them; it has its own copy when the app is synthesised. */
export async function bundledHandlers(): Promise<Handlers> {
  const bundles = await bundle(await bundleDirectory())
  const code = (name: FunctionName) => Code.fromAsset(bundles[name].directory)
  return { api: code('api'), publish: code('publish'), refresh: code('refresh') }
}
