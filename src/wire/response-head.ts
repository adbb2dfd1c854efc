/**
 * An answer's head: the status line and the header fields, as strictly as a request's.
 *
 * Knows nothing of what a status means; bodies are not its matter. Source: RFC 9112 4 and 5.
 */
import { type HeaderFields, parseFields } from './header-fields.js'

/** A parsed answer's head. */
export interface ResponseHead extends HeaderFields {
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  readonly minorVersion: number
  /** 100 to 599 and above. */
  readonly status: number
  /** The reason phrase, as it came; '' where there is none. */
  readonly phrase: string
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/

/**
 * Parses the head in `bytes[start, end)`, `end` from findHeadEnd.
 * @returns the head; 'ANSWER_MALFORMED' or 'ANSWER_TOO_LARGE' for one that is none
 */
export function parseResponseHead(
  bytes: Buffer,
  start: number,
  end: number,
  maxHeaderCount: number,
): ResponseHead | 'ANSWER_MALFORMED' | 'ANSWER_TOO_LARGE' {
  const stop = end - 4
  const text = bytes.toString('latin1', start, stop)
  const [first = ''] = text.split('\r\n', 1)
  const statusLine = STATUS_LINE.exec(first)
  if (statusLine === null) return 'ANSWER_MALFORMED'
  const fields = parseFields(bytes, text, start + first.length, stop, maxHeaderCount)
  if (fields === 'malformed') return 'ANSWER_MALFORMED'
  if (fields === 'too many') return 'ANSWER_TOO_LARGE'
  const [, minor, status, phrase = ''] = statusLine
  return { minorVersion: Number(minor), status: Number(status), phrase, ...fields }
}
