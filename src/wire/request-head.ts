/**
 * A request's head: the request line and the header fields, strictly.
 *
 * Refuses what smuggles: bare CR or LF, NUL, obs-fold, space before a colon, anything but one space
 * in the request line. Knows nothing of what a header means; bodies and answers are not its matter.
 * Source: RFC 9112 2 to 5, RFC 9110 5.
 */
import { type FaultName } from '../errors.js'

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
const HEAD_END = Buffer.from('\r\n\r\n')

// They test where their lastIndex points, and leave it behind what fits: no piece of text is made
// that is not kept.
const REQUEST_LINE = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [\x21-\x7e]+ HTTP\/[0-9]\.[0-9](?=\r\n|$)/y
const FIELD = /\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*(?=\r\n|$)/y
const MAJOR_FROM_END = 3
const CRLF_BYTES = 2
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
  const text = bytes.toString('latin1', start, end - HEAD_END.length)
  // One empty line before a request is to be ignored (RFC 9112 2.2).
  const first = text.startsWith('\r\n') ? CRLF_BYTES : 0
  REQUEST_LINE.lastIndex = first
  if (!REQUEST_LINE.test(text)) return 'REQUEST_MALFORMED'
  const lineEnd = REQUEST_LINE.lastIndex
  if (text[lineEnd - MAJOR_FROM_END] !== '1') return 'REQUEST_VERSION'
  const methodEnd = text.indexOf(' ', first)
  const fields = parseFields(text, lineEnd, maxHeaderCount)
  if (fields === 'malformed') return 'REQUEST_MALFORMED'
  if (fields === 'too many') return 'REQUEST_HEADER_TOO_LARGE'
  return {
    method: text.slice(first, methodEnd),
    target: text.slice(methodEnd + 1, text.indexOf(' ', methodEnd + 1)),
    minorVersion: text[lineEnd - 1] === '0' ? 0 : 1,
    headers: fields.headers,
    repeated: fields.repeated,
  }
}

/** The header fields of a head, of a request or an answer. */
export interface HeaderFields {
  /**
   * Names in lower case; the values of a repeated field joined with ', '. Values as Latin-1 text.
   */
  readonly headers: ReadonlyMap<string, string>
  /** Names that came more than once, in lower case. */
  readonly repeated: ReadonlySet<string>
}

/** The fields of a head's text. @param from where its first line ends, before the CRLF */
export function parseFields(
  text: string,
  from: number,
  maxHeaderCount: number,
): HeaderFields | 'malformed' | 'too many' {
  const headers = new Map<string, string>()
  let repeated: Set<string> | null = null
  let count = 0
  for (let at = from; at < text.length; at = FIELD.lastIndex) {
    if (++count > maxHeaderCount) return 'too many'
    FIELD.lastIndex = at
    if (!FIELD.test(text)) return 'malformed'
    const colon = text.indexOf(':', at)
    const name = text.slice(at + CRLF_BYTES, colon).toLowerCase()
    const value = trimmed(text, colon + 1, FIELD.lastIndex)
    const earlier = headers.get(name)
    if (earlier !== undefined) (repeated ??= new Set()).add(name)
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`)
  }
  return { headers, repeated: repeated ?? NONE }
}

/** Without the optional white space around it. */
function trimmed(text: string, start: number, end: number): string {
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (start < end && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
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
  const lower = value.toLowerCase()
  return lower === token || listMembers(lower).includes(token)
}
