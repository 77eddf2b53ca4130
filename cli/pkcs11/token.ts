import type { Passwords } from '../prompt.ts'
import {
  CKF_LOGIN_REQUIRED,
  CKF_PROTECTED_AUTHENTICATION_PATH,
  CKF_SERIAL_SESSION,
  CKF_TOKEN_INITIALIZED,
  CKF_USER_PIN_COUNT_LOW,
  CKF_USER_PIN_FINAL_TRY,
  CKF_USER_PIN_LOCKED,
  CKU_CONTEXT_SPECIFIC,
  CKU_USER,
} from './constants.ts'
import { type Handle, openLibrary, type Pkcs11, returnValue, type TokenInfo, whyOf } from './library.ts'
import { TokenError } from './token-error.ts'
import type { TokenAttribute, TokenUri } from './uri.ts'

/** A token with a session on it, which lasts as long as the process: with the last session ends the login. */
export interface Token {
  readonly library: Pkcs11
  readonly session: Handle
  /** For messages. */
  readonly name: string
  /** Once in a process. Throws TokenError 'pin'; a PIN is tried once, for after a few wrong ones the token locks. */
  login(passwords: Passwords): Promise<void>
  /** For a key that asks for the PIN each time: after C_SignInit, on the session of that. Throws TokenError 'pin'. */
  loginAgain(session: Handle): void
  /** A session for one operation: one that fails may leave its session of no use. */
  inSession<Value>(work: (session: Handle) => Value): Value
}

/** By library and slot. */
const opened = new Map<string, Token>()

/** Throws TokenError. */
export function openToken(uri: TokenUri): Token {
  const library = openLibrary(uri.modulePath)
  const { slot, info } = findSlot(library, uri)
  const known = `${slot.toString('hex')} ${uri.modulePath}`
  const token = opened.get(known) ?? tokenIn(library, slot, info)
  opened.set(known, token)
  return token
}

interface Slot {
  readonly slot: Handle
  readonly info: TokenInfo
}

function findSlot(library: Pkcs11, uri: TokenUri): Slot {
  const slots = attempt('The PKCS#11 library shows no tokens', () =>
    library.C_GetSlotList(true).map((slot) => ({ slot, info: library.C_GetTokenInfo(slot) })),
  ).filter(({ info }) => (info.flags & CKF_TOKEN_INITIALIZED) !== 0)
  const fitting = slots.filter((slot) => fits(slot, uri))
  const [found] = fitting
  if (found !== undefined && fitting.length === 1) return found
  const list = slots.map(({ info }) => `${nameOf(info)} (serial ${info.serialNumber.trim()})`).join(', ')
  const why =
    fitting.length > 1
      ? 'Several tokens fit that name; say which with serial.'
      : 'No token that is there fits that name.'
  throw new TokenError('token', `${why} ${list === '' ? 'There is none.' : `There are: ${list}.`}`)
}

function fits({ slot, info }: Slot, uri: TokenUri): boolean {
  const said: Record<TokenAttribute, string> = {
    token: info.label,
    serial: info.serialNumber,
    manufacturer: info.manufacturerID,
    model: info.model,
  }
  // Tokens pad their texts with blanks.
  const wanted = Object.entries(uri.token) as [TokenAttribute, string][]
  const slotFits = uri.slot === undefined || uri.slot === slot.readUInt32LE()
  return slotFits && wanted.every(([attribute, value]) => said[attribute].trimEnd() === value)
}

function nameOf({ label }: TokenInfo): string {
  return JSON.stringify(label.trimEnd())
}

function tokenIn(library: Pkcs11, slot: Handle, { flags, ...info }: TokenInfo): Token {
  const name = nameOf({ flags, ...info })
  const session = attempt(`Token ${name} does not open`, () => library.C_OpenSession(slot, CKF_SERIAL_SESSION))
  const ownPad = (flags & CKF_PROTECTED_AUTHENTICATION_PATH) !== 0
  let pin: string | undefined
  let loggedIn = (flags & CKF_LOGIN_REQUIRED) === 0
  const use = (where: Handle, userType: number) => {
    try {
      library.C_Login(where, userType, pin)
    } catch (error) {
      if (returnValue(error) !== 'CKR_USER_ALREADY_LOGGED_IN') throw pinError(name, error)
    }
  }
  return {
    library,
    session,
    name,
    async login(passwords) {
      if (loggedIn) return
      const state = library.C_GetTokenInfo(slot).flags
      if ((state & CKF_USER_PIN_LOCKED) !== 0) throw pinError(name, new Error('CKR_PIN_LOCKED'))
      if (!ownPad) pin = await passwords.next(`PIN of token ${name}${triesLeft(state)}`)
      use(session, CKU_USER)
      loggedIn = true
    },
    loginAgain: (where) => use(where, CKU_CONTEXT_SPECIFIC),
    inSession(work) {
      const own = library.C_OpenSession(slot, CKF_SERIAL_SESSION)
      try {
        return work(own)
      } finally {
        library.C_CloseSession(own)
      }
    },
  }
}

function triesLeft(flags: number): string {
  if ((flags & CKF_USER_PIN_FINAL_TRY) !== 0) return ' (the last try: then it locks)'
  return (flags & CKF_USER_PIN_COUNT_LOW) !== 0 ? ' (it was wrong before)' : ''
}

const wrongPins = ['CKR_PIN_INCORRECT', 'CKR_PIN_INVALID', 'CKR_PIN_LEN_RANGE']

/** Without the cause: nothing of a login is for logs. */
function pinError(name: string, error: unknown): TokenError {
  const value = returnValue(error) ?? whyOf(error)
  if (wrongPins.includes(value))
    return new TokenError(
      'pin',
      `The PIN of token ${name} is wrong. It was tried once; a few more, and the token locks.`,
    )
  if (value === 'CKR_PIN_LOCKED')
    return new TokenError(
      'pin',
      `The PIN of token ${name} is locked, after too many wrong ones. Its PUK or its officer can set a new one.`,
    )
  if (value === 'CKR_USER_PIN_NOT_INITIALIZED')
    return new TokenError('pin', `Token ${name} has no PIN yet. Set one with the tools of its maker.`)
  return new TokenError('pin', `Token ${name} did not take the PIN: ${value}.`)
}

/** Throws TokenError 'failed' with the words of the token's library. */
export function attempt<Value>(what: string, work: () => Value): Value {
  try {
    return work()
  } catch (cause) {
    throw new TokenError('failed', `${what}: ${whyOf(cause)}.`, { cause })
  }
}
