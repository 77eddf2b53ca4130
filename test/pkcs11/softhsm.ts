import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Attribute, Handle, Pkcs11 } from '../../cli/pkcs11/library.ts'

const library = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
].find(existsSync)

export const modulePath = library ?? 'libsofthsm2.so'

/** Tokens in software, in a directory of their own. This process and its children see them and no others. */
export interface SoftHsm extends AsyncDisposable {
  readonly directory: string
  makeToken(label: string, pin: string): void
  /** Puts a key that others made onto a token. Throws if the token does not take it. */
  importKey(
    token: { label: string; pin: string },
    key: { label: string; id: string; privateKey: KeyObject },
  ): Promise<void>
}

export async function startSoftHsm(): Promise<SoftHsm> {
  const directory = await mkdtemp(join(tmpdir(), 'tuffet softhsm '))
  await mkdir(join(directory, 'tokens'))
  const configuration = join(directory, 'softhsm2.conf')
  await writeFile(configuration, `directories.tokendir = ${join(directory, 'tokens')}\nlog.level = ERROR\n`)
  process.env['SOFTHSM2_CONF'] = configuration
  return {
    directory,
    makeToken(label, pin) {
      run(['--init-token', '--free', '--label', label, '--pin', pin, '--so-pin', `${pin} of the officer`])
    },
    async importKey(token, { label, id, privateKey }) {
      const file = join(directory, `${label}.p8`)
      await writeFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
      run(['--import', file, '--token', token.label, '--pin', token.pin, '--label', label, '--id', id])
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

function run(args: readonly string[]): void {
  const { status, error, stdout, stderr } = spawnSync('softhsm2-util', ['--module', modulePath, ...args], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`softhsm2-util ${args[0]}: ${error?.message ?? ''}${stdout}${stderr}`)
}

export const kinds = {
  p256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'rsa-2048': () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  'rsa-4096': () => generateKeyPairSync('rsa', { modulusLength: 4096 }),
  ed25519: () => generateKeyPairSync('ed25519'),
  // What clients refuse.
  p384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'rsa-1024': () => generateKeyPairSync('rsa', { modulusLength: 1024 }),
} as const

/** Makes a P-256 key on the token, with attributes that an import cannot give it. */
export function makeKeyOnToken(pin: string, label: string, id: number, privateAttributes: readonly Attribute[]): void {
  const { PKCS11 } = createRequire(import.meta.url)('pkcs11js') as { PKCS11: new () => KeyMaker }
  const maker = new PKCS11()
  maker.load(modulePath)
  maker.C_Initialize()
  try {
    const slot = maker
      .C_GetSlotList(true)
      .find((candidate) => maker.C_GetTokenInfo(candidate).label.trimEnd() === 'alice')
    if (slot === undefined) throw new Error('There is no token alice.')
    const session = maker.C_OpenSession(slot, serialSession | readWrite)
    maker.C_Login(session, user, pin)
    const common = [
      { type: 0x3, value: Buffer.from(label) },
      { type: 0x102, value: Buffer.of(id) },
      { type: onToken, value: true },
    ]
    const p256 = { type: 0x180, value: Buffer.from('06082a8648ce3d030107', 'hex') }
    const secret = [
      { type: isPrivate, value: true },
      { type: isSensitive, value: true },
    ]
    maker.C_GenerateKeyPair(
      session,
      { mechanism: 0x1040 },
      [...common, p256],
      [...common, ...secret, ...privateAttributes],
    )
  } finally {
    // For the code under test starts it anew.
    maker.C_Finalize()
  }
}

interface KeyMaker extends Pkcs11 {
  C_GenerateKeyPair(
    session: Handle,
    mechanism: { mechanism: number },
    publicKey: readonly Attribute[],
    privateKey: readonly Attribute[],
  ): unknown
}

const [serialSession, readWrite, user] = [0x4, 0x2, 1]
const [onToken, isPrivate, isSensitive] = [0x1, 0x2, 0x103]
