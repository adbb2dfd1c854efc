/**
 * An HTTP answer's head as text. Refuses header names and values that would break out of their
 * line. What frames the body and keeps the connection are lines that its caller adds.
 * Source: RFC 9112 4 and 6, RFC 9110 15.
 */
import { lookAt, shown, UsageError } from '../errors.js'
import { isBytes } from './bytes.js'
import { FieldMap } from './field-map.js'
import { isToken } from './handshake.js'

/**
 * Reason phrases of the statuses in use; others get none, which is legal (RFC 9112 4).
 */
const PHRASES: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  206: 'Partial Content',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
}

/** What the library decides alone: a second opinion in an answer's headers would split it. */
const OWNED = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** A field that comes several times, Set-Cookie for instance, has an array of values. */
export type AnswerHeaders =
  | Readonly<Record<string, string | readonly string[]>>
  | ReadonlyMap<string, string | readonly string[]>

/**
 * Refuses what is no answer at all, before anything changed; formatAnswerHead looks at the rest.
 * @throws UsageError for a status, headers or a body of the wrong kind
 */
export function checkAnswer(call: string, answer: unknown): void {
  const wanted = `${call}() takes { status, headers?, body? }, an object that can be read`
  lookAt('ERR_EXTPOLL_ARGUMENT_TYPE', wanted, () => {
    if (typeof answer !== 'object' || answer === null)
      throw new UsageError('ERR_EXTPOLL_ARGUMENT_TYPE', wanted)
    const { status, headers = {}, body = '' } = answer as Record<string, unknown>
    if (typeof status !== 'number')
      throw new UsageError('ERR_EXTPOLL_HTTP_STATUS', `${call}(): status must be a number`)
    if (
      typeof headers !== 'object' ||
      headers === null ||
      Array.isArray(headers) ||
      ArrayBuffer.isView(headers)
    )
      throw new UsageError(
        'ERR_EXTPOLL_HTTP_HEADER',
        `${call}(): headers must be an object or a Map, of text`,
      )
    if (typeof body !== 'string' && !isBytes(body))
      throw new UsageError(
        'ERR_EXTPOLL_HTTP_BODY',
        `${call}(): body must be a string or a Uint8Array, a Buffer for instance`,
      )
  })
}

/**
 * The head of an answer.
 * @param own lines the library adds itself, each with its CRLF
 * @throws UsageError for a status or a header that cannot be sent
 */
export function formatAnswerHead(
  status: number,
  headers: AnswerHeaders,
  date: string,
  own: string,
): string {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new UsageError(
      'ERR_EXTPOLL_HTTP_STATUS',
      `status ${status}: an answer's status is a whole number from 200 to 599`,
    )
  let head = `HTTP/1.1 ${status} ${PHRASES[status] ?? ''}\r\nDate: ${date}\r\n`
  for (const [name, value] of headerRows(headers)) head += formatField(name, value)
  return `${head}${own}\r\n`
}

/** Name and value of each, in order; the headers of a request may be an answer's as they are. */
export function headerRows(
  headers: AnswerHeaders,
): Iterable<readonly [string, string | readonly string[]]> {
  const isMap = headers instanceof Map || headers instanceof FieldMap
  return isMap
    ? (headers as ReadonlyMap<string, string | readonly string[]>)
    : Object.entries(headers as Readonly<Record<string, string | readonly string[]>>)
}

/** These end with their head (RFC 9112 6.3), or must be empty (RFC 9110 15.3.6). */
export function hasNoBody(status: number): boolean {
  return status === 204 || status === 205 || status === 304
}

/** The line that frames a body of known length. */
export function lengthLine(status: number, bodyBytes: number): string {
  return status === 204 || status === 304 ? '' : `Content-Length: ${bodyBytes}\r\n`
}

function formatField(name: string, value: string | readonly string[]): string {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  for (const one of values) checkField(name, one)
  if (OWNED.has(name.toLowerCase()))
    throw new UsageError('ERR_EXTPOLL_HTTP_HEADER', `the library sets ${name} itself: leave it out`)
  return values.map((one) => `${name}: ${String(one)}\r\n`).join('')
}

/** @throws UsageError for a name or a value that would break out of its line */
export function checkField(name: string, value: unknown): void {
  if (typeof name !== 'string' || !isToken(name))
    throw new UsageError(
      'ERR_EXTPOLL_HTTP_HEADER',
      `${shown(name)} is no header name: use letters, digits and hyphens`,
    )
  if (typeof value !== 'string' || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
    throw new UsageError(
      'ERR_EXTPOLL_HTTP_HEADER',
      `the value of ${name} must be one line of Latin-1 text`,
    )
}
