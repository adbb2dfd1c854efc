/**
 * Requests in: from bytes to a WebSocket's handshake, to HTTP, or to a refusal.
 *
 * One after the other: what lies behind a request is not looked at before that is answered, so that
 * answers leave in the order of their requests, and nothing behind a refused one is ever parsed.
 * Source: RFC 9112 2 to 6 and 9, RFC 9110 7.2 and 10.1.1.
 */
import { type Connection, type Core, THREW } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { armDeadline } from '../connection/deadline.js'
import { HttpExchange } from '../connection/http-exchange.js'
import { makeSession, openWebSocket, refuseFault } from '../connection/opening.js'
import { type FaultName } from '../errors.js'
import { Reason } from '../protocol/callback-reason.js'
import { DEFER, type HttpRequest } from '../protocol/protocol-types.js'
import { bodyLength, BodyReader } from '../wire/body-reader.js'
import { asksForWebSocket } from '../wire/handshake.js'
import { findHeadEnd, hasToken, parseRequestHead, type RequestHead } from '../wire/request-head.js'
import { hostFault, targetFault } from '../wire/request-rules.js'
import { completeAnswer } from './answer-progress.js'
import { askForBody, consumeBody } from './body.js'
import { timeExchange } from './exchange-time.js'

const CR = 13

/** Consumes a request head from `at` to `end` of the receive buffer. @returns where it stopped */
export function consumeRequest(
  core: Core,
  connection: Connection,
  at: number,
  end: number,
): number {
  // Requests count as messages do, and who takes no answers is asked for nothing more.
  if (core.budget.messages <= 0 || connection.blocked) return at
  const { bytes } = core.rx
  if (connection.awaitsNext) beginNext(core, connection, at, end)
  const headEnd = findHeadEnd(bytes, at, end, connection.scanned)
  if ((headEnd === -1 ? end : headEnd) - at > core.limits.maxHeaderBytes) {
    refuseFault(core, connection, 'REQUEST_HEADER_TOO_LARGE')
    return end
  }
  if (headEnd === -1) {
    connection.scanned = end - at
    return at
  }
  connection.scanned = 0
  connection.awaitsNext = false
  core.budget.messages--
  const head = parseRequestHead(bytes, at, headEnd, core.limits.maxHeaderCount)
  if (typeof head === 'string') refuseFault(core, connection, head)
  else if (asksForWebSocket(head)) openWebSocket(core, connection, head)
  else openHttp(core, connection, head)
  return headEnd
}

/**
 * The first byte of a kept connection's next request: from now on it is timed as the first one. An
 * empty line is not it (RFC 9112 2.2).
 */
function beginNext(core: Core, connection: Connection, at: number, end: number): void {
  if (at === end || (core.rx.bytes[at] === CR && end - at <= 2)) return
  connection.awaitsNext = false
  connection.stateDeadlineMs = core.now() + core.limits.handshakeTimeoutMs
  armDeadline(core, connection)
}

/** A request that asks for no upgrade goes to the first protocol. */
function openHttp(core: Core, connection: Connection, head: RequestHead): void {
  const protocol = core.protocols[0]!
  if (!protocol.hears(Reason.HTTP)) {
    refuseFault(core, connection, 'UPGRADE_REQUIRED')
    return
  }
  const length = bodyLength(head, core.limits.maxBodyBytes)
  const fault = hostFault(head) ?? targetFault(head) ?? expectationFault(head)
  if (fault !== null || typeof length === 'string') {
    refuseFault(core, connection, fault ?? (length as FaultName))
    return
  }
  connection.protocol = protocol
  if (!makeSession(core, connection, protocol)) return
  const http = begin(core, connection, head, length)
  const answer = core.call(connection, protocol, Reason.HTTP, http.request, 0)
  if (connection.state !== State.HTTP) return
  if (answer === THREW) refuseFault(core, connection, 'FILTER_FAILED')
  // A callback that let the request pass did not mean to answer it later: it knows nothing of HTTP.
  else if (http.status === 0 && answer !== DEFER && !protocol.declares(Reason.HTTP))
    refuseFault(core, connection, 'UPGRADE_REQUIRED')
}

/** HTTP/1.0 has no expectations (RFC 9110 10.1.1). */
function expectationFault({ minorVersion, headers }: RequestHead): FaultName | null {
  const expected = minorVersion === 0 ? undefined : headers.get('expect')
  return expected === undefined || expected.toLowerCase() === '100-continue' ? null : 'EXPECTATION'
}

function begin(
  core: Core,
  connection: Connection,
  head: RequestHead,
  bodyBytes: number,
): HttpExchange {
  const { method, target, minorVersion, headers, repeated } = head
  const said = headers.get('connection')
  const keeps =
    said === undefined
      ? minorVersion !== 0
      : !hasToken(said, 'close') && (minorVersion !== 0 || hasToken(said, 'keep-alive'))
  const request: HttpRequest = { method, target, minorVersion, headers, repeated, bodyBytes }
  const body = bodyBytes === 0 ? null : new BodyReader(bodyBytes, core.limits)
  const http = new HttpExchange(request, body, keeps, core.now())
  http.expectsContinue = body !== null && minorVersion !== 0 && headers.has('expect')
  connection.http = http
  connection.finalFragment = false
  connection.move('http')
  timeExchange(core, connection)
  return http
}

/**
 * The body of the request in hand, and its end once the answer is whole.
 * @returns where it stopped
 */
export function consumeExchange(
  core: Core,
  connection: Connection,
  at: number,
  end: number,
): number {
  const http = connection.http!
  askForBody(core, connection)
  const stop = http.body === null ? at : consumeBody(core, connection, at, end)
  if (connection.state === State.HTTP && http.answered) completeAnswer(core, connection)
  return connection.frozen ? end : stop
}
