/**
 * A request's head: the request line and the header fields, strictly.
 *
 * Refuses what smuggles: bare CR or LF, NUL, obs-fold, space before a colon, anything but one space
 * in the request line. Knows nothing of what a header means; bodies and answers are not its matter.
 * Source: RFC 9112 2 to 5, RFC 9110 5.
 */
import { type FaultName } from '../errors.js'
import { endOf, TOKEN, VISIBLE } from './byte-class.js'
import { type HeaderFields, parseFields } from './header-fields.js'

/** A parsed request head. */
export interface RequestHead extends HeaderFields {
  /** As it came; methods are case-sensitive. */
  readonly method: string
  /** The request target as it came: `/chat?room=1`. Printable ASCII, nothing decoded. */
  readonly target: string
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  readonly minorVersion: number
}

/** Where a head ends: the four bytes after its last field. */
const HEAD_END_BYTES = 4
const CR = 13
const LF = 10
const SPACE = 32
const DIGIT_0 = 48
const DIGIT_9 = 57
const CRLF_BYTES = 2
/** How a request line ends. */
const VERSION = Buffer.from('HTTP/1.1')
const MAJOR_AT = 5
const POINT_AT = 6
const MINOR_AT = 7

/**
 * Looks for the end of a head.
 * @param scanned bytes from `start` that an earlier call has already looked through
 * @returns where the head's last CRLFCRLF ends, or -1
 */
export function findHeadEnd(bytes: Buffer, start: number, end: number, scanned: number): number {
  const from = start + Math.max(0, scanned - (HEAD_END_BYTES - 1))
  // Every fourth byte: one of the four that are looked for is among those.
  for (let at = from + HEAD_END_BYTES - 1; at < end; at += HEAD_END_BYTES) {
    if (bytes[at] !== CR && bytes[at] !== LF) continue
    const last = Math.min(at, end - HEAD_END_BYTES)
    for (let begin = at - HEAD_END_BYTES + 1; begin <= last; begin++)
      if (isHeadEnd(bytes, begin)) return begin + HEAD_END_BYTES
  }
  return -1
}

function isHeadEnd(bytes: Buffer, at: number): boolean {
  return bytes[at] === CR && bytes[at + 1] === LF && bytes[at + 2] === CR && bytes[at + 3] === LF
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
  const stop = end - HEAD_END_BYTES
  // One empty line before a request is to be ignored (RFC 9112 2.2).
  const first = bytes[start] === CR && bytes[start + 1] === LF ? start + CRLF_BYTES : start
  const methodEnd = endOf(TOKEN, bytes, first, stop)
  const target = methodEnd + 1
  const targetEnd = endOf(VISIBLE, bytes, target, stop)
  const version = targetEnd + 1
  const lineEnd = version + VERSION.length
  if (methodEnd === first || bytes[methodEnd] !== SPACE) return 'REQUEST_MALFORMED'
  if (targetEnd === target || bytes[targetEnd] !== SPACE) return 'REQUEST_MALFORMED'
  if (lineEnd > stop || !isVersion(bytes, version)) return 'REQUEST_MALFORMED'
  // A line of its own: what follows it is a CRLF, here as at the end of the head.
  if (bytes[lineEnd] !== CR || bytes[lineEnd + 1] !== LF) return 'REQUEST_MALFORMED'
  if (bytes[version + MAJOR_AT] !== VERSION[MAJOR_AT]) return 'REQUEST_VERSION'
  const text = bytes.toString('latin1', first, stop)
  const fields = parseFields(bytes, text, lineEnd, stop, maxHeaderCount)
  if (fields === 'malformed') return 'REQUEST_MALFORMED'
  if (fields === 'too many') return 'REQUEST_HEADER_TOO_LARGE'
  return {
    method: text.slice(0, methodEnd - first),
    target: text.slice(target - first, targetEnd - first),
    minorVersion: bytes[version + MINOR_AT] === DIGIT_0 ? 0 : 1,
    headers: fields.headers,
    repeated: fields.repeated,
  }
}

/** `HTTP/`, a digit, a point, a digit. */
function isVersion(bytes: Buffer, at: number): boolean {
  for (let index = 0; index < MAJOR_AT; index++)
    if (bytes[at + index] !== VERSION[index]) return false
  return (
    isDigit(bytes[at + MAJOR_AT]!) &&
    bytes[at + POINT_AT] === VERSION[POINT_AT] &&
    isDigit(bytes[at + MINOR_AT]!)
  )
}

function isDigit(byte: number): boolean {
  return byte >= DIGIT_0 && byte <= DIGIT_9
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
  if (value === undefined || value === token) return value === token
  const lower = value.toLowerCase()
  return lower === token || listMembers(lower).includes(token)
}
