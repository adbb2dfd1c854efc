/**
 * A request's head: the request line and the header fields, strictly.
 *
 * Refuses what smuggles: bare CR or LF, NUL, obs-fold, space before a colon, anything but one space
 * in the request line. Knows nothing of what a header means; bodies and answers are not its matter.
 * Source: RFC 9112 2 to 5, RFC 9110 5.
 */
import { type FaultName } from '../errors.js'

/** A parsed request head. */
export interface RequestHead {
  /** As it came; methods are case-sensitive. */
  readonly method: string
  /** The request target as it came: `/chat?room=1`. Printable ASCII, nothing decoded. */
  readonly target: string
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  readonly minorVersion: number
  /**
   * Names in lower case; the values of a repeated field joined with ', '. Values as Latin-1 text.
   */
  readonly headers: ReadonlyMap<string, string>
  /** Names that came more than once, in lower case. */
  readonly repeated: ReadonlySet<string>
}

/** Where a head ends: the four bytes after its last field. */
const HEAD_END = Buffer.from('\r\n\r\n')

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP\/([0-9])\.([0-9])$/
const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/
const NONE: ReadonlySet<string> = new Set()

/**
 * Looks for the end of a head.
 * @param scanned bytes from `start` that an earlier call has already looked through
 * @returns where the head's last CRLFCRLF ends, or -1
 */
export function findHeadEnd(bytes: Buffer, start: number, end: number, scanned: number): number {
  const from = start + Math.max(0, scanned - 3)
  const at = bytes.subarray(from, end).indexOf(HEAD_END)
  return at === -1 ? -1 : from + at + HEAD_END.length
}

/**
 * Parses the head in `bytes[start, end)`, `end` from findHeadEnd.
 * @returns the head, or the name of the rule it breaks
 */
export function parseRequestHead(
  bytes: Buffer,
  start: number,
  end: number,
  maxHeaderCount: number,
): RequestHead | FaultName {
  const lines = bytes.toString('latin1', start, end - HEAD_END.length).split('\r\n')
  // One empty line before a request is to be ignored (RFC 9112 2.2).
  const first = lines[0] === '' && lines.length > 1 ? 1 : 0
  const requestLine = REQUEST_LINE.exec(lines[first]!)
  if (requestLine === null) return 'REQUEST_MALFORMED'
  const [, method, target, major, minor] = requestLine
  if (major !== '1') return 'REQUEST_VERSION'
  if (lines.length - first - 1 > maxHeaderCount) return 'REQUEST_HEADER_TOO_LARGE'

  const headers = new Map<string, string>()
  let repeated: Set<string> | null = null
  for (let index = first + 1; index < lines.length; index++) {
    const field = FIELD.exec(lines[index]!)
    if (field === null) return 'REQUEST_MALFORMED'
    const name = field[1]!.toLowerCase()
    const value = trimEnd(field[2]!)
    const earlier = headers.get(name)
    if (earlier !== undefined) (repeated ??= new Set()).add(name)
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`)
  }
  return {
    method: method!,
    target: target!,
    minorVersion: minor === '0' ? 0 : 1,
    headers,
    repeated: repeated ?? NONE,
  }
}

/** Optional white space after a value; its front was taken by the pattern. */
function trimEnd(value: string): string {
  let end = value.length
  while (end > 0 && (value.charCodeAt(end - 1) === 32 || value.charCodeAt(end - 1) === 9)) end--
  return end === value.length ? value : value.slice(0, end)
}

/** The members of a comma-separated list, empty ones left out (RFC 9110 5.6.1). */
export function listMembers(value: string | undefined): string[] {
  if (value === undefined) return []
  const members: string[] = []
  for (const part of value.split(',')) {
    const member = part.trim()
    if (member !== '') members.push(member)
  }
  return members
}

/** Does a comma-separated list hold this token? @param token in lower case */
export function hasToken(value: string | undefined, token: string): boolean {
  if (value === undefined) return false
  return value.toLowerCase() === token || listMembers(value.toLowerCase()).includes(token)
}
