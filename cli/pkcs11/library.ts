import { createRequire } from 'node:module'
import { TokenError } from './token-error.ts'

/**
 * What we use of the package pkcs11js. It is compiled when it is installed, and few need it: so it is none of our dependencies, and
 * loaded when somebody names a key on a token.
 */
export interface Pkcs11 {
  load(path: string): void
  C_Initialize(): void
  C_Finalize(): void
  C_GetSlotList(tokenPresent: boolean): Handle[]
  C_GetTokenInfo(slot: Handle): TokenInfo
  C_OpenSession(slot: Handle, flags: number): Handle
  C_CloseSession(session: Handle): void
  /** Without a PIN the token has a pad of its own to type it on. */
  C_Login(session: Handle, userType: number, pin?: string): void
  C_FindObjectsInit(session: Handle, template: readonly Attribute[]): void
  C_FindObjects(session: Handle, atMost: number): Handle[]
  C_FindObjectsFinal(session: Handle): void
  C_GetAttributeValue(session: Handle, object: Handle, wanted: readonly { type: number }[]): { value: Buffer }[]
  C_SignInit(session: Handle, mechanism: Mechanism, key: Handle): void
  C_Sign(session: Handle, data: Uint8Array, room: Buffer): Buffer
}

/** Names something in the library: its bytes as a native unsigned long. */
export type Handle = Buffer

export interface TokenInfo {
  readonly label: string
  readonly manufacturerID: string
  readonly model: string
  readonly serialNumber: string
  readonly flags: number
}

export interface Attribute {
  readonly type: number
  readonly value: number | boolean | Buffer
}

export interface Mechanism {
  readonly mechanism: number
  readonly parameter?: {
    readonly type: number
    readonly hashAlg: number
    readonly mgf: number
    readonly saltLen: number
  }
}

interface Package {
  readonly PKCS11: new () => Pkcs11
}

const release = 'pkcs11js@2.1.7'

/** By module path: a library is started once in a process. */
const started = new Map<string, Pkcs11>()

/** The library of a token's maker, started; it is shut down when the process ends. Throws TokenError 'not-installed' or 'module'. */
export function openLibrary(modulePath: string): Pkcs11 {
  const known = started.get(modulePath)
  if (known !== undefined) return known
  const { PKCS11 } = loadPackage()
  const library = new PKCS11()
  try {
    library.load(modulePath)
    library.C_Initialize()
  } catch (cause) {
    throw new TokenError('module', `The PKCS#11 library ${modulePath} cannot be used: ${whyOf(cause)}`, { cause })
  }
  process.once('exit', () => {
    try {
      library.C_Finalize()
    } catch {
      // The process ends anyway.
    }
  })
  started.set(modulePath, library)
  return library
}

/** `require` also looks where NODE_PATH says, `import` does not. */
function loadPackage(): Package {
  try {
    return createRequire(import.meta.url)('pkcs11js') as Package
  } catch (cause) {
    throw new TokenError(
      'not-installed',
      `Keys on tokens need a package that Tuffet does not bring along, and a C++ compiler to build it. Where Tuffet is installed, run:
  npm install --no-save --ignore-scripts=false ${release}`,
      { cause },
    )
  }
}

/** The return value of PKCS#11, such as CKR_PIN_INCORRECT; nothing for an error of another kind. */
export function returnValue(error: unknown): string | undefined {
  return error instanceof Error && error.message.startsWith('CKR_') ? error.message : undefined
}

export function whyOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
