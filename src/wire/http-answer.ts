/**
 * An HTTP answer's head as text. Refuses header names and values that would break out of their
 * line. Knows nothing of bodies in pieces or kept connections. Source: RFC 9112 4 and 6.
 */
import { lookAt, shown, UsageError } from '../errors.js'
import { isBytes } from './bytes.js'
import { isToken } from './handshake.js'

/**
 * Reason phrases of the statuses the library sends itself; others get none, which is legal (RFC
 * 9112 4).
 */
const PHRASES: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  301: 'Moved Permanently',
  302: 'Found',
  304: 'Not Modified',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
}

/** What the library decides alone: a second opinion in an answer's headers would split it. */
const OWNED = new Set(['connection', 'content-length', 'date', 'transfer-encoding', 'upgrade'])

export type AnswerHeaders = Readonly<Record<string, string>> | ReadonlyMap<string, string>

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
        'ERR_EXTPOLL_WRITE_DATA',
        `${call}(): body must be a string or a Uint8Array, a Buffer for instance`,
      )
  })
}

/**
 * The head of an answer that ends its connection.
 * @param extra lines the library adds itself, each with its CRLF
 * @throws UsageError for a status or a header that cannot be sent
 */
export function formatAnswerHead(
  status: number,
  headers: AnswerHeaders,
  bodyBytes: number,
  date: string,
  extra = '',
): string {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new UsageError(
      'ERR_EXTPOLL_HTTP_STATUS',
      `status ${status}: an answer's status is a whole number from 200 to 599`,
    )
  let head = `HTTP/1.1 ${status} ${PHRASES[status] ?? ''}\r\nDate: ${date}\r\nConnection: close\r\n`
  const rows: Iterable<readonly [string, string]> =
    headers instanceof Map ? (headers as ReadonlyMap<string, string>) : Object.entries(headers)
  for (const [name, value] of rows) head += formatField(name, value)
  const length = status === 204 || status === 304 ? '' : `Content-Length: ${bodyBytes}\r\n`
  return `${head}${extra}${length}\r\n`
}

function formatField(name: string, value: string): string {
  checkField(name, value)
  if (OWNED.has(name.toLowerCase()))
    throw new UsageError('ERR_EXTPOLL_HTTP_HEADER', `the library sets ${name} itself: leave it out`)
  return `${name}: ${value}\r\n`
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
