/**
 * The answer to the request in hand: its head, and its body whole, in pieces, or from a source.
 *
 * What is checked is checked before the first byte is written. Nothing here waits: the end of an
 * answer is in answer-progress.ts. Source: RFC 9112 6, 7.1 and 9.3; RFC 9110 9.3.2 (HEAD).
 */
import { type BodySource } from '../connection/body-source.js'
import { type Connection, type Core } from '../connection/connection.js'
import { type HttpExchange } from '../connection/http-exchange.js'
import { refuseFault } from '../connection/opening.js'
import { flushWhenWell } from '../connection/transmit-frame.js'
import { transmitBytes, transmitEncoded, transmitHead } from '../connection/transmit.js'
import { UsageError } from '../errors.js'
import { type AnswerHeaders, formatAnswerHead, hasNoBody, lengthLine } from '../wire/http-answer.js'
import { formatHttpDate } from '../wire/http-date.js'
import { timeExchange } from './exchange-time.js'

/** The body's length is not known before its end. */
export const UNKNOWN_LENGTH = -1

/** How an answer begins. */
export interface AnswerStart {
  readonly status: number
  readonly headers?: AnswerHeaders
}

/**
 * An answer whose body is all there.
 * @throws UsageError for what cannot be sent; nothing was written then
 */
export function answerWhole(
  core: Core,
  connection: Connection,
  start: AnswerStart,
  body: Uint8Array | string,
): void {
  const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length
  checkBody(core, start.status, bytes)
  const head = formatHead(core, connection, start, bytes)
  if (core.bufferedBytes + head.length + bytes > core.limits.maxContextBufferedBytes) {
    refuseFault(core, connection, 'REQUEST_NO_ROOM')
    return
  }
  beginAnswer(core, connection, start, bytes, head)
  const http = connection.http!
  if (!http.omitsBody && bytes > 0) {
    http.bytes = bytes
    transmitContent(core, connection, body, bytes)
  }
  flushWhenWell(core, connection)
  endAnswer(core, connection)
}

/**
 * The head of an answer that `writePiece` goes on with.
 * @param bodyBytes of all pieces together, or UNKNOWN_LENGTH
 * @throws UsageError for what cannot be sent; nothing was written then
 */
export function answerInPieces(
  core: Core,
  connection: Connection,
  start: AnswerStart,
  bodyBytes: number,
): void {
  refuseBodyless(start.status)
  const head = formatHead(core, connection, start, bodyBytes)
  beginAnswer(core, connection, start, bodyBytes, head)
}

/**
 * An answer whose body is pulled from `source`, as the transport takes it.
 *
 * The source belongs to the connection from here on, and is closed exactly once, whatever happens:
 * at once where there is nothing to pull (HEAD, no bytes), else when it is through, when it
 * failed, or when the connection ended.
 * @param bodyBytes exactly as many as the source will give; they are told in the head
 * @throws UsageError for a head that cannot be sent; nothing was written then, and the source was
 *   closed
 */
export function answerFrom(
  core: Core,
  connection: Connection,
  start: AnswerStart,
  bodyBytes: number,
  source: BodySource,
): void {
  let head: string
  try {
    refuseBodyless(start.status)
    head = formatHead(core, connection, start, bodyBytes)
  } catch (error) {
    source.close()
    throw error
  }
  beginAnswer(core, connection, start, bodyBytes, head)
  const http = connection.http!
  // The transport may have failed under the head.
  if (http.omitsBody || bodyBytes === 0 || connection.frozen) {
    source.close()
    endAnswer(core, connection)
    return
  }
  http.source = source
  timeExchange(core, connection)
  core.touch(connection)
  // It is pulled when the call unwinds, behind the head.
  core.scheduleEnd(connection)
}

/**
 * A piece of the answer; the last one completes it. Where no head was written yet, it is that of
 * a 200.
 * @throws UsageError for bytes beyond, or short of, the length that was told; nothing was written
 *   then
 */
export function writePiece(
  core: Core,
  connection: Connection,
  data: Uint8Array | string,
  last: boolean,
): void {
  const http = connection.http!
  if (http.status === 0 && last) {
    answerWhole(core, connection, { status: 200 }, data)
    return
  }
  if (http.status === 0) answerInPieces(core, connection, { status: 200 }, UNKNOWN_LENGTH)
  const bytes = typeof data === 'string' ? Buffer.byteLength(data) : data.length
  oweLess(http, bytes, last)
  if (!http.omitsBody) {
    http.bytes += bytes
    sendPiece(core, connection, http, data, bytes, last)
  }
  if (last) endAnswer(core, connection)
  else timeExchange(core, connection)
}

/** Everything of the answer was taken: the exchange ends when the call unwinds, or before. */
function endAnswer(core: Core, connection: Connection): void {
  connection.http!.answered = true
  core.scheduleEnd(connection)
}

function checkBody(core: Core, status: number, bytes: number): void {
  if (bytes > 0) refuseBodyless(status)
  if (bytes > core.limits.maxBufferedBytes)
    throw new UsageError(
      'ERR_EXTPOLL_HTTP_BODY',
      `the body has ${bytes} bytes, maxBufferedBytes is ${core.limits.maxBufferedBytes}: ` +
        'send it in pieces',
    )
}

function refuseBodyless(status: number): void {
  if (!hasNoBody(status)) return
  throw new UsageError(
    'ERR_EXTPOLL_HTTP_BODY',
    `an answer with status ${status} has no body (RFC 9110 15)`,
  )
}

/** @throws UsageError for a status or header that cannot be sent */
function formatHead(
  core: Core,
  connection: Connection,
  { status, headers = {} }: AnswerStart,
  bodyBytes: number,
): string {
  const http = connection.http!
  const old = http.request.minorVersion === 0
  const framing =
    bodyBytes !== UNKNOWN_LENGTH
      ? lengthLine(status, bodyBytes)
      : old
        ? ''
        : 'Transfer-Encoding: chunked\r\n'
  const persistence = !keepsAlive(core, http, bodyBytes)
    ? 'Connection: close\r\n'
    : old
      ? 'Connection: keep-alive\r\n'
      : ''
  const date = formatHttpDate(core.wallClock())
  return formatAnswerHead(status, headers, date, `${persistence}${framing}`)
}

/** May the connection serve another request after this answer? (RFC 9112 9.3) */
function keepsAlive(core: Core, http: HttpExchange, bodyBytes: number): boolean {
  const { request, body } = http
  // Without chunks only the end of the connection ends a body of unknown length.
  const endless = bodyBytes === UNKNOWN_LENGTH && request.minorVersion === 0
  if (!http.keepsAlive || endless) return false
  // A peer that waits for 100 may send the body now, or not (RFC 9110 10.1.1).
  if (body === null) return true
  return !http.expectsContinue && body.leftBytes <= core.limits.maxDiscardedBytes
}

function beginAnswer(
  core: Core,
  connection: Connection,
  { status }: AnswerStart,
  bodyBytes: number,
  head: string,
): void {
  const http = connection.http!
  http.keepsAlive = keepsAlive(core, http, bodyBytes)
  http.status = status
  http.chunked = bodyBytes === UNKNOWN_LENGTH && http.request.minorVersion !== 0
  http.owedBytes = bodyBytes
  http.expectsContinue = false
  timeExchange(core, connection)
  transmitHead(core, connection, head)
}

function oweLess(http: HttpExchange, bytes: number, last: boolean): void {
  const { owedBytes } = http
  if (owedBytes === UNKNOWN_LENGTH) return
  if (bytes > owedBytes || (last && bytes < owedBytes))
    throw new UsageError(
      'ERR_EXTPOLL_HTTP_BODY',
      `the body must be as long as was told: ${owedBytes} bytes are left, not ${bytes}`,
    )
  http.owedBytes = owedBytes - bytes
}

function sendPiece(
  core: Core,
  connection: Connection,
  { chunked }: HttpExchange,
  data: Uint8Array | string,
  bytes: number,
  last: boolean,
): void {
  if (!chunked) {
    if (bytes > 0) transmitContent(core, connection, data, bytes)
  } else if (bytes > 0) {
    transmitHead(core, connection, `${bytes.toString(16)}\r\n`)
    transmitContent(core, connection, data, bytes)
    transmitHead(core, connection, last ? '\r\n0\r\n\r\n' : '\r\n')
    // An empty chunk would end the body.
  } else if (last) {
    transmitHead(core, connection, '0\r\n\r\n')
  }
  flushWhenWell(core, connection)
}

function transmitContent(
  core: Core,
  connection: Connection,
  data: Uint8Array | string,
  bytes: number,
): void {
  if (typeof data === 'string') transmitEncoded(core, connection, data, bytes, 'utf8')
  else transmitBytes(core, connection, data)
}
