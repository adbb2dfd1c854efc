/** What happens when a connection's deadline comes up (C22, C23). */
import { WOULD_BLOCK, WOULD_BLOCK_UNTIL_WRITABLE } from '../socket/socket-io.js'
import { OPCODE_PING } from '../wire/opcode.js'
import { type Connection, type Core } from './connection.js'
import { State } from './connection-state.js'
import { armDeadline, errorDeadlineMs } from './deadline.js'
import { dropConnection } from './drop.js'
import { failConnection, lastWrite, tellKept } from './ending.js'
import { type HttpExchange } from './http-exchange.js'
import { keepUnconsumed, layOutHeld } from './held.js'
import { refuseFault } from './opening.js'
import { transmitControl } from './transmit-frame.js'

const NO_PAYLOAD = Buffer.alloc(0)

/**
 * Does what is due, one thing at most, and arms what comes next. A deadline that moved on is armed
 * anew.
 */
export function serviceDue(core: Core, connection: Connection): void {
  const now = core.now()
  const { limits } = core
  const { queue } = connection
  if (queue !== null && now >= queue.stalledSinceMs + limits.writeStallTimeoutMs)
    dropConnection(core, connection, 'WRITE_STALL_TIMEOUT')
  else if (connection.stateDeadlineMs !== 0 && now >= connection.stateDeadlineMs)
    endState(core, connection)
  else if (now >= errorDeadlineMs(connection)) endPaused(core, connection)
  else if (connection.state === State.OPEN && connection.reads) serviceQuiet(core, connection, now)
  armDeadline(core, connection)
}

/** The state in hand lasted too long. */
function endState(core: Core, connection: Connection): void {
  switch (connection.state) {
    case State.REQUEST:
      if (connection.awaitsNext) endUnused(core, connection)
      else refuseFault(core, connection, 'REQUEST_TIMEOUT')
      break
    case State.DEFERRED:
      refuseFault(core, connection, 'ADMISSION_TIMEOUT')
      break
    case State.HTTP:
      endExchange(core, connection, connection.http!)
      break
    default:
      dropConnection(core, connection, 'CLOSE_TIMEOUT')
  }
}

/** A kept connection that nobody uses: no answer is owed. */
function endUnused(core: Core, connection: Connection): void {
  tellKept(connection, 'library', 'KEEP_ALIVE_TIMEOUT')
  lastWrite(core, connection, false)
}

/** The request's body, or the application's answer, stood still for too long. */
function endExchange(core: Core, connection: Connection, http: HttpExchange): void {
  const { limits } = core
  if (core.now() >= http.endByMs) {
    dropConnection(core, connection, 'CLOSE_TIMEOUT')
  } else if (http.source !== null) {
    dropConnection(core, connection, 'WRITE_STALL_TIMEOUT')
  } else if (http.body !== null && !connection.paused) {
    refuseFault(core, connection, 'BODY_TIMEOUT')
  } else if (connection.queuedBytes >= limits.txLowWaterBytes) {
    // Not the application's fault: it must not write more before the peer took what waits.
    connection.stateDeadlineMs = core.now() + limits.answerTimeoutMs
  } else {
    refuseFault(core, connection, 'HTTP_UNANSWERED')
  }
}

/**
 * POLLERR or POLLHUP was heard while paused. A hint may be stale: what the socket and recv say is
 * the truth (C5). What recv finds is kept for the application, up to the high-water mark.
 */
function endPaused(core: Core, connection: Connection): void {
  connection.errorHeardMs = 0
  const { io, fd } = connection
  if (connection.eof || connection.isDeaf || io.socketError(fd) !== 0) {
    dropConnection(core, connection, 'PAUSED_ERROR_TIMEOUT')
    return
  }
  const { budget } = core
  if (budget.rxBytes <= 0) {
    // Others of this call have read all that one may (C13): later, then.
    connection.errorHeardMs = core.now()
    return
  }
  const laidOut = layOutHeld(core, connection, core.rx.bytes.length)
  const room = Math.min(core.limits.rxHighWaterBytes - laidOut, budget.rxBytes)
  const result = room > 0 ? io.recv(fd, core.rx, laidOut, room) : WOULD_BLOCK
  if (result > 0) {
    budget.rxBytes -= result
    keepUnconsumed(core, connection, laidOut, 0, laidOut + result)
    connection.errorHeardMs = core.now()
  } else if (result !== WOULD_BLOCK && result !== WOULD_BLOCK_UNTIL_WRITABLE) {
    dropConnection(core, connection, 'PAUSED_ERROR_TIMEOUT')
  }
}

/** Silence: an unanswered ping and the idle limit end the connection, the ping interval asks. */
function serviceQuiet(core: Core, connection: Connection, now: number): void {
  const { limits } = core
  if (connection.pingSentMs !== 0 && connection.lastRxMs >= connection.pingSentMs)
    connection.pingSentMs = 0
  if (connection.pingSentMs !== 0 && now >= connection.pingSentMs + limits.pongTimeoutMs)
    failConnection(core, connection, 'PONG_TIMEOUT')
  else if (limits.idleTimeoutMs !== 0 && now >= connection.lastRxMs + limits.idleTimeoutMs)
    failConnection(core, connection, 'IDLE_TIMEOUT')
  else if (
    connection.pingSentMs === 0 &&
    connection.pingIntervalMs !== 0 &&
    now >= connection.lastRxMs + connection.pingIntervalMs
  ) {
    connection.pingSentMs = now
    transmitControl(core, connection, OPCODE_PING, NO_PAYLOAD)
  }
}
