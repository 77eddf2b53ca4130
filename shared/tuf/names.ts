import { TufError } from './errors.ts'

/** A name that every TUF client can use as a role's: checked by `roleName`. */
export type RoleName = string & { readonly roleName: unique symbol }
/** A path that every TUF client can ask for: checked by `targetPath`. */
export type TargetPath = string & { readonly targetPath: unique symbol }

/** The top-level roles but for root. */
export const rolesBelowRoot = ['targets', 'snapshot', 'timestamp'] as const
export const topLevelRoles = ['root', ...rolesBelowRoot] as const
export type TopLevelRole = (typeof topLevelRoles)[number]

const maximumRoleNameLength = 128
const maximumPathLength = 1024
/** Clients such as python-tuf keep a download under its whole path, percent-encoded, and a file name holds 255 bytes. */
const maximumEncodedLength = 255
const maximumSegmentLength = 180

/**
 * A delegated role's name. Letters, digits, `-` and `_` are safe in file names and URLs everywhere; tuf-js keeps roles in an
 * object, where names of digits change their order and names such as `constructor` are taken. Throws TufError 'invalid-role-name'.
 */
export function roleName(text: string): RoleName {
  const refuse = (why: string) =>
    new TufError('invalid-role-name', `Role name ${JSON.stringify(text.slice(0, 200))}: ${why}. Choose another name.`)
  if (text.length > maximumRoleNameLength) throw refuse(`it is longer than ${maximumRoleNameLength} characters`)
  if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(text)) {
    throw refuse('it has to begin with a letter (A-Z, a-z) and go on with letters, digits, - and _')
  }
  // On a disk that does not tell cases apart, `Targets` and `targets` are one file.
  if (isTopLevel(text.toLowerCase())) throw refuse('that is the name of a top-level role')
  if (text in Object.prototype) throw refuse('JavaScript clients have another use for it')
  return text as RoleName
}

export function isTopLevel(name: string): name is TopLevelRole {
  return (topLevelRoles as readonly string[]).includes(name)
}

/** Characters each of which breaks some client, or a server between it and us; and all that are not printable ASCII. */
const refusedInPaths = /[^!$&'()*+,\-./0-9;=@A-Z_a-z~]/
const refusedInPatterns = /[^!$&'()*+,\-./0-9;=?@A-Z_a-z~]/

/**
 * The path of a target. ASCII, relative, without empty, `.` or `..` segments and without characters that a client or a web
 * server would read as something else. Throws TufError 'invalid-target-path' that says which character, and where.
 */
export function targetPath(text: string): TargetPath {
  checkPath('Target path', text, refusedInPaths)
  const encoded = text.length * 3 <= maximumEncodedLength ? 0 : encodedLength(text)
  if (encoded > maximumEncodedLength) {
    const why = `it takes ${encoded} characters as a file name, percent-encoded, at most ${maximumEncodedLength} are allowed; shorten it`
    throw new TufError('invalid-target-path', `Target path ${JSON.stringify(text)}: ${why}.`)
  }
  return text as TargetPath
}

/** Three for each character that is not left as it is. */
const encodedLength = (text: string) => text.replaceAll(/[^A-Za-z0-9_.~-]/g, '%00').length

/**
 * A pattern of target paths, such as a delegation has: a path in which `*` and `?` may stand for characters of one segment.
 * Throws TufError 'invalid-target-path' where no path could match it, or where clients would disagree on what does.
 */
export function pathPattern(text: string): string {
  checkPath('Path pattern', text, refusedInPatterns)
  const special = /(?:^|\/)!|[?*+@!]\(|\*\*/.exec(text)
  if (special !== null) {
    throw new TufError(
      'invalid-target-path',
      `Path pattern ${JSON.stringify(text)}: some clients read "${special[0]}" at position ${special.index} as more than itself. ` +
        'Write names with single * and ? only.',
    )
  }
  const least = encodedLength(
    text
      .replaceAll(/(^|\/)\*(?=\/|$)/g, '$1?')
      .replaceAll(/\*/g, '')
      .replaceAll('?', 'x'),
  )
  if (least <= maximumEncodedLength) return text
  throw new TufError(
    'invalid-target-path',
    `Path pattern ${JSON.stringify(text)}: what it matches takes ${least} characters or more as a file name, percent-encoded, ` +
      `and a path may take ${maximumEncodedLength}, so it matches none; shorten it.`,
  )
}

function checkPath(kind: string, text: string, refused: RegExp): void {
  const refuse = (why: string) => {
    const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text
    return new TufError('invalid-target-path', `${kind} ${JSON.stringify(shown)}: ${why}.`)
  }
  if (text === '') throw refuse('it is empty; name a file')
  if (text.length > maximumPathLength)
    throw refuse(`it has ${text.length} characters, at most ${maximumPathLength} are allowed`)
  const at = text.search(refused)
  if (at !== -1) {
    const code = text.codePointAt(at) ?? 0
    const shown =
      code < 0x20 || code >= 0x7f ? `U+${code.toString(16).toUpperCase().padStart(4, '0')}` : `"${text[at]}"`
    if (code < 0x20 || code === 0x7f) throw refuse(`control character ${shown} at position ${at}; leave it out`)
    if (code > 0x7f)
      throw refuse(`character ${shown} at position ${at} is not ASCII, and clients disagree about those; use ASCII`)
    throw refuse(
      `character ${shown} at position ${at} breaks clients or URLs; use letters, digits and any of +@=,~!$&'()*;._-/`,
    )
  }
  if (text.startsWith('/')) throw refuse('it begins with "/"; paths are relative')
  if (text.endsWith('/')) throw refuse('it ends with "/"; name a file, not a directory')
  for (const segment of text.split('/')) {
    if (segment === '') throw refuse('it has an empty segment ("//"); use a single "/"')
    if (segment === '.' || segment === '..') throw refuse(`it has a segment "${segment}"; write the path without it`)
    if (segment.length > maximumSegmentLength) {
      // A file name holds 255 bytes, of which a consistent snapshot's hash takes 65.
      throw refuse(`it has a segment of ${segment.length} characters, at most ${maximumSegmentLength} are allowed`)
    }
  }
}
