/**
 * The header fields of a head, of a request or an answer, strictly.
 *
 * Refuses bare CR or LF, NUL, obs-fold, space before a colon. Knows nothing of what a header means.
 * Source: RFC 9112 5, RFC 9110 5.
 */
import { endOf, FIELD_TEXT, TOKEN } from './byte-class.js'
import { FieldMap } from './field-map.js'

/** The header fields of a head, of a request or an answer. */
export interface HeaderFields {
  /**
   * Asked for by a name in any case, listed in lower case; the values of a repeated field joined
   * with ', '. Values as Latin-1 text. They are cut out of the head when asked for: to keep some
   * for long, or to send them to another thread, copy them: `new Map(headers)`.
   */
  readonly headers: ReadonlyMap<string, string>
  /** Names that came more than once, in lower case. */
  readonly repeated: ReadonlySet<string>
}

const CR = 13
const LF = 10
const COLON = 58
const CRLF_BYTES = 2
const NONE: ReadonlySet<string> = new Set()

/**
 * Parses fields, each behind a CRLF.
 * @param text the head, in `bytes` up to `end`, as Latin-1
 * @param from where its first line ends, before the CRLF
 */
export function parseFields(
  bytes: Uint8Array,
  text: string,
  from: number,
  end: number,
  maxHeaderCount: number,
): HeaderFields | 'malformed' | 'too many' {
  const headers = new FieldMap(text)
  const start = end - text.length
  for (let at = from; at < end;) {
    if (headers.count === maxHeaderCount) return 'too many'
    const name = at + CRLF_BYTES
    const colon = endOf(TOKEN, bytes, name, end)
    if (bytes[at] !== CR || bytes[at + 1] !== LF || colon === name || bytes[colon] !== COLON)
      return 'malformed'
    at = endOf(FIELD_TEXT, bytes, colon + 1, end)
    headers.add(name - start, colon - start, at - start)
  }
  return { headers, repeated: headers.repeated ?? NONE }
}
