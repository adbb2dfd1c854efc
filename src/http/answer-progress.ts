/**
 * How an answer goes on and ends: a source is pulled, HTTP_COMPLETE is told, and the connection
 * waits for its next request, or ends. Source: RFC 9112 9.3 and 9.6.
 */
import { PULLED_ALL } from '../connection/body-source.js'
import { type Connection, type Core, THREW } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { armDeadline } from '../connection/deadline.js'
import { dropConnection } from '../connection/drop.js'
import { lastWrite, tellKept } from '../connection/ending.js'
import { type HttpExchange } from '../connection/http-exchange.js'
import { flushCork } from '../connection/transmit.js'
import { Reason } from '../protocol/callback-reason.js'
import { type HttpResult } from '../protocol/protocol-types.js'
import { WOULD_BLOCK, WOULD_BLOCK_UNTIL_READABLE } from '../socket/socket-io.js'
import { timeExchange } from './exchange-time.js'

/**
 * Goes on with the answer in hand as far as transport and budget allow, outside of what is being
 * received: when a call unwinds, and when the socket is writable.
 */
export function driveAnswer(core: Core, connection: Connection): void {
  const http = connection.http!
  if (http.source !== null) pullSource(core, connection, http)
  if (connection.state !== State.HTTP || !http.answered) return
  completeAnswer(core, connection)
  // The next request may be here already, or the end of the peer (C14).
  const waits = connection.held !== null || connection.eof
  if (waits && !connection.frozen) core.schedulePending(connection)
}

function pullSource(core: Core, connection: Connection, http: HttpExchange): void {
  connection.sendWaitsReadable = false
  core.touch(connection)
  for (;;) {
    flushCork(core, connection)
    const { source } = http
    // What the transport did not take, of the head or of the last pull, goes first.
    if (source === null || connection.queue !== null || core.budget.txBytes <= 0) return
    const result = source.pull(core.budget.txBytes)
    if (connection.state !== State.HTTP) return
    if (result > 0) {
      http.bytes += result
      core.budget.txBytes -= result
      timeExchange(core, connection)
    } else if (result === PULLED_ALL) {
      http.releaseSource()
      http.answered = true
      return
    } else if (result === WOULD_BLOCK) {
      return
    } else if (result === WOULD_BLOCK_UNTIL_READABLE) {
      connection.sendWaitsReadable = true
      return
    } else {
      dropConnection(core, connection, 'ANSWER_CUT_SHORT')
      return
    }
  }
}

/**
 * The answer was taken whole: tells it, and ends the exchange, once nothing of the request's body
 * is to come any more.
 */
export function completeAnswer(core: Core, connection: Connection): void {
  const http = connection.http!
  if (!http.told) tellComplete(core, connection, http)
  if (connection.state !== State.HTTP) return
  if (!http.keepsAlive) endAnswered(core, connection)
  else if (http.body === null) awaitNext(core, connection)
}

function tellComplete(core: Core, connection: Connection, http: HttpExchange): void {
  http.told = true
  // A pause, and a wish to write, were for this exchange.
  connection.paused = false
  connection.wantsWritable = false
  core.touch(connection)
  timeExchange(core, connection)
  const protocol = connection.protocol!
  if (!protocol.hears(Reason.HTTP_COMPLETE)) return
  const { request, status, bytes } = http
  const result: HttpResult = { request, status, bytes, durationMs: core.now() - http.startedMs }
  const answer = core.call(connection, protocol, Reason.HTTP_COMPLETE, result, bytes)
  if (answer === THREW) http.keepsAlive = false
}

function awaitNext(core: Core, connection: Connection): void {
  connection.http = null
  connection.move('answered')
  connection.awaitsNext = true
  connection.stateDeadlineMs = core.now() + core.limits.keepAliveTimeoutMs
  armDeadline(core, connection)
}

/** Ends a connection whose last answer was given. What the peer still sends is read and dropped. */
export function endAnswered(core: Core, connection: Connection): void {
  tellKept(connection, 'application', 'ANSWERED')
  lastWrite(core, connection, true)
}
