import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Emulator } from './emulator.ts'

/** Settings of the app as `cdk -c tuffet:NAME=VALUE` takes them. */
export type Settings = Readonly<Record<string, string>>

/** The values that `cdk deploy` prints, by name. */
export type Outputs = Readonly<Record<string, string>>

const account = '000000000000'
const repository = join(import.meta.dirname, '../..')

/**
 * The one difference between what users deploy and what the tests deploy: the emulator does not know the condition keys
 * s3:if-match and s3:if-none-match, so that the statements which insist on them would refuse every write.
 */
const emulatorSettings: Settings = { guardWrites: 'false' }

/** The very app that users deploy, driven by the very command that they use. */
export interface Stack {
  /** Where `cdk` leaves the template and whatever else it takes to AWS. */
  readonly assembly: string
  /** What `cdk` needs in an account before the first deployment. */
  bootstrap(): Promise<void>
  /** Deploys with these settings, or changes what is deployed to them. */
  deploy(settings?: Settings): Promise<Outputs>
  destroy(settings?: Settings): Promise<void>
  synthesize(settings?: Settings): Promise<void>
}

/** `directory`: of the test's own, for what `cdk` writes. */
export function stackOn(emulator: Emulator, directory: string): Stack {
  const assembly = join(directory, 'cdk.out')

  async function cdk(command: readonly string[], app: readonly string[]): Promise<void> {
    const program = join(repository, 'node_modules/aws-cdk/bin/cdk')
    await promisify(execFile)(process.execPath, [program, ...command, ...app, '--no-notices', '--ci'], {
      cwd: repository,
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, ...emulator.environment },
    }).catch((error: { stdout?: string; stderr?: string }) => {
      throw new Error(`cdk ${command[0]} failed:\n${error.stdout}${error.stderr}`.slice(-6000))
    })
  }

  const appWith = (settings: Settings) => [
    ...Object.entries({ ...emulatorSettings, ...settings }).flatMap(([name, value]) => [
      '--context',
      `tuffet:${name}=${value}`,
    ]),
    ...['--output', assembly],
  ]
  const synthesize = (settings: Settings = {}) => cdk(['synth', '--quiet'], appWith(settings))

  return {
    assembly,
    synthesize,
    async bootstrap() {
      await synthesize()
      await cdk(['bootstrap', `aws://${account}/us-east-1`], ['--app', assembly])
    },
    async deploy(settings = {}) {
      const file = join(directory, 'outputs.json')
      await cdk(['deploy', '--require-approval', 'never', '--outputs-file', file], appWith(settings))
      const [outputs] = Object.values(JSON.parse(await readFile(file, 'utf8')) as Record<string, Outputs>)
      if (outputs === undefined) throw new Error(`cdk deploy wrote no outputs to ${file}.`)
      return outputs
    },
    destroy: (settings = {}) => cdk(['destroy', '--force'], appWith(settings)),
  }
}
