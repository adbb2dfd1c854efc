/**
 * A request's body: asked for with 100 where the peer waits for that, delivered as HTTP_BODY piece
 * by piece, dropped where nobody wants it any more. Never held whole.
 * Source: RFC 9112 6 and 7.1, RFC 9110 10.1.1.
 */
import { type Connection, type Core, THREW } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { type HttpExchange } from '../connection/http-exchange.js'
import { refuseFault } from '../connection/opening.js'
import { transmitHead } from '../connection/transmit.js'
import { Reason } from '../protocol/callback-reason.js'
import { endAnswered } from './answer-progress.js'
import { timeExchange } from './exchange-time.js'

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'

/** Says 100 to a peer that waits for it, unless the application paused or answered already. */
export function askForBody(core: Core, connection: Connection): void {
  const http = connection.http!
  if (!http.expectsContinue || http.status !== 0 || connection.paused) return
  http.expectsContinue = false
  transmitHead(core, connection, CONTINUE)
}

/** Consumes the body of the request in hand. @returns where it stopped */
export function consumeBody(core: Core, connection: Connection, at: number, end: number): number {
  const http = connection.http!
  const { bytes } = core.rx
  // At its end the body is whole, and what follows is the next request.
  while (http.body !== null && core.budget.messages > 0 && !connection.blocked) {
    const { body } = http
    const stop = body.next(bytes, at, end)
    if (body.fault !== null) {
      refuseFault(core, connection, body.fault)
      return end
    }
    if (stop > at) {
      http.bodyBegun = true
      timeExchange(core, connection)
    }
    at = stop
    if (body.length === 0 && !body.done) break
    core.budget.messages--
    if (body.done) {
      http.body = null
      timeExchange(core, connection)
    }
    takePiece(core, connection, http, bytes.subarray(body.start, body.start + body.length))
    if (connection.state !== State.HTTP) break
  }
  core.touch(connection)
  return at
}

function takePiece(core: Core, connection: Connection, http: HttpExchange, piece: Buffer): void {
  const protocol = connection.protocol!
  if (http.answered) discard(core, connection, http, piece.length)
  else if (protocol.hears(Reason.HTTP_BODY)) {
    connection.finalFragment = http.body === null
    const data = protocol.copies ? Buffer.from(piece) : piece
    const answer = core.call(connection, protocol, Reason.HTTP_BODY, data, piece.length)
    if (answer === THREW && connection.state === State.HTTP)
      refuseFault(core, connection, 'FILTER_FAILED')
  }
}

/** The answer is given: a little more of the body is cheaper than a new connection. */
function discard(core: Core, connection: Connection, http: HttpExchange, bytes: number): void {
  http.discardedBytes += bytes
  if (http.discardedBytes > core.limits.maxDiscardedBytes) endAnswered(core, connection)
}
