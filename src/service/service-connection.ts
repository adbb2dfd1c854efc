/**
 * Readiness of a connection: POLLOUT, then POLLIN, then POLLERR and POLLHUP (C17).
 *
 * `revents` is a hint; what send and recv answer is the truth (C5, C11).
 */
import { consumeAnswer } from '../client/asking.js'
import { failDial } from '../client/failing.js'
import { type Connection, THREW } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { armDeadline, resumeListening } from '../connection/deadline.js'
import { loseTransport } from '../connection/drop.js'
import { endOfFile, failConnection } from '../connection/ending.js'
import { holdBehind, keepUnconsumed, layOutHeld } from '../connection/held.js'
import { refuseFault } from '../connection/opening.js'
import { consumeFrames } from '../connection/receive.js'
import { drainQueue } from '../connection/transmit.js'
import { type ContextState } from '../context/context-state.js'
import { driveAnswer } from '../http/answer-progress.js'
import { consumeExchange, consumeRequest } from '../http/request.js'
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../poll/pollfd.js'
import { Reason } from '../protocol/callback-reason.js'
import { WOULD_BLOCK, WOULD_BLOCK_UNTIL_WRITABLE } from '../socket/socket-io.js'

/** More than most heads and any control frame; less than a turn's messages usually take. */
const HELD_PORTION_BYTES = 4_096

/** @returns whether the kernel may have more to read than this call took (C12) */
export function serviceConnection(
  core: ContextState,
  connection: Connection,
  revents: number,
): boolean {
  const writable = (revents & POLLOUT) !== 0
  const gone = (revents & (POLLERR | POLLHUP)) !== 0
  // What is readable while POLLIN is off is told again once it is on (C11).
  const waitsReadable = (revents & connection.mask & POLLIN) !== 0
  const readable = waitsReadable || gone || (connection.recvWaitsWritable && writable)
  if (writable || (connection.sendWaitsReadable && waitsReadable)) serviceWritable(core, connection)
  else if (gone && !connection.reads) sendOn(core, connection)
  if (writable && connection.recvWaitsWritable) {
    connection.recvWaitsWritable = false
    core.touch(connection)
    resumeListening(core, connection)
  }
  if (connection.isPending) consumeHeld(core, connection)
  const { isPending } = connection
  const hasMore = readable && connection.reads && !isPending && receive(core, connection)
  if (gone && connection.state !== State.ENDED) {
    // An edge that told of data and of an end is not told again for the end alone (C12).
    if (connection.reads && !isPending) return true
    rememberGone(core, connection)
  }
  return hasMore || connection.isPending
}

/** The socket takes bytes: what is queued first, then a writable callback, if one is wanted. */
function serviceWritable(core: ContextState, connection: Connection): void {
  sendOn(core, connection)
  if (!connection.writableDeliverable) return
  connection.wantsWritable = false
  core.touch(connection)
  if (connection.state === State.HTTP) tellHttpWritable(core, connection)
  else core.call(connection, connection.protocol!, connection.role.writeable, undefined, 0)
}

/** What is queued, and what that held up: an end, the rest of an answer. */
function sendOn(core: ContextState, connection: Connection): void {
  drainQueue(core, connection)
  if (connection.state === State.FLUSHING && connection.queue === null) core.scheduleEnd(connection)
  if (connection.state === State.HTTP) driveAnswer(core, connection)
}

function tellHttpWritable(core: ContextState, connection: Connection): void {
  const answer = core.call(connection, connection.protocol!, Reason.HTTP_WRITEABLE, undefined, 0)
  if (answer === THREW && connection.state === State.HTTP)
    refuseFault(core, connection, 'FILTER_FAILED')
}

/** One recv, and everything it completes. */
function receive(core: ContextState, connection: Connection): boolean {
  const laidOut = layOutHeld(core, connection, core.rx.bytes.length)
  const asked = Math.min(core.rx.bytes.length - laidOut, core.budget.rxBytes)
  if (asked <= 0) return true
  const result = connection.io.recv(connection.fd, core.rx, laidOut, asked)
  forgetError(connection)
  if (result <= 0) return receivedNothing(core, connection, result)
  core.budget.rxBytes -= result
  connection.lastRxMs = core.now()
  consume(core, connection, 0, laidOut, laidOut + result)
  return result === asked || connection.isPending
}

/**
 * What was received for a connection before its turn: `result` bytes at `start`, or what `recv`
 * answered else. Earlier turns of the same call may have changed everything about it.
 */
export function consumeAhead(
  core: ContextState,
  connection: Connection,
  start: number,
  result: number,
): void {
  if (connection.state === State.ENDED) return
  forgetError(connection)
  if (result <= 0) {
    receivedNothing(core, connection, result)
    return
  }
  core.budget.rxBytes -= result
  connection.lastRxMs = core.now()
  if (connection.held === null) consume(core, connection, start, 0, start + result)
  else holdBehind(core, connection, start, start + result)
}

/** @returns false: there is no more to read */
function receivedNothing(core: ContextState, connection: Connection, result: number): boolean {
  if (result === WOULD_BLOCK && connection.state !== State.DRAINING) return false
  if (result === WOULD_BLOCK_UNTIL_WRITABLE) {
    connection.recvWaitsWritable = true
    core.touch(connection)
  } else if (result === 0) {
    connection.eof = true
    core.touch(connection)
    endIfDelivered(core, connection)
  } else {
    loseTransport(core, connection)
  }
  return false
}

/** What was received earlier and waited for a budget, or for the application. */
export function consumeHeld(core: ContextState, connection: Connection): void {
  connection.isPending = false
  core.pending.delete(connection)
  const { reads } = connection
  let portionBytes = connection.scanned + HELD_PORTION_BYTES
  let more: boolean
  do {
    const left = connection.heldBytes
    const laidOut = layOutHeld(core, connection, portionBytes)
    if (laidOut > 0 || connection.state === State.HTTP)
      consume(core, connection, 0, laidOut, laidOut)
    // On with the next portion, until a partial frame, head or line is all there is.
    const consumed = connection.heldBytes < left
    more = consumed || laidOut < left
    portionBytes = consumed ? HELD_PORTION_BYTES : portionBytes * 2
  } while (
    more &&
    connection.heldBytes > 0 &&
    takesInput(connection) &&
    !connection.isPending &&
    !connection.blocked
  )
  // More was held than is read beside it: the deadlines of silence were not in force.
  if (!reads && connection.reads) resumeListening(core, connection)
  if (connection.eof) endIfDelivered(core, connection)
  if (connection.state === State.DRAINING && connection.reads) drain(core, connection)
}

/** What the peer sent before the transport failed: nothing will announce it. */
function drain(core: ContextState, connection: Connection): void {
  const waitsReadable = (connection.mask & POLLIN) !== 0
  if (waitsReadable && !connection.isPending) receive(core, connection)
  if (connection.state === State.DRAINING && connection.reads) core.schedulePending(connection)
}

/** What it sends means something now: frames, heads, the body of the request in hand. */
function takesInput({ delivers, state, http }: Connection): boolean {
  return delivers || state <= State.REQUEST || (state === State.HTTP && http!.body !== null)
}

/**
 * Consumes the receive buffer from `start` to `end`; the states may change on the way.
 * @param laidOut how much of it was held before
 */
function consume(
  core: ContextState,
  connection: Connection,
  start: number,
  laidOut: number,
  end: number,
): void {
  const waited = connection.held !== null
  let at = start
  for (;;) {
    const { state } = connection
    if (connection.delivers) at = consumeFrames(core, connection, at, end)
    else if (state === State.REQUEST) at = consumeRequest(core, connection, at, end)
    else if (state === State.HTTP) at = consumeExchange(core, connection, at, end)
    else if (connection.dial !== null && !connection.frozen)
      at = consumeAnswer(core, connection, connection.dial, at, end)
    else if (connection.frozen) at = end
    if (connection.state === state) break
  }
  keepUnconsumed(core, connection, laidOut, at, end)
  if (waited || connection.held !== null) core.touch(connection)
  if (connection.held === null) return
  // Stopped by the budget, not for want of bytes: there is more to do without any readiness (C14).
  if (core.budget.messages <= 0 && takesInput(connection) && !connection.blocked)
    core.schedulePending(connection)
  if (core.bufferedBytes > core.limits.maxContextBufferedBytes) endHolding(core, connection)
}

/** What waits for all connections together is too much: this one is the last straw. */
function endHolding(core: ContextState, connection: Connection): void {
  if (connection.delivers) failConnection(core, connection, 'CONTEXT_BUFFERS_FULL')
  else if (!connection.frozen) refuseFault(core, connection, 'REQUEST_NO_ROOM')
}

/** The peer's FIN: the end comes once what it sent before was delivered (C17). */
function endIfDelivered(core: ContextState, connection: Connection): void {
  if (connection.dial !== null) {
    failDial(core, connection, connection.dial, 'END_OF_FILE', 'before the answer', 'peer')
    return
  }
  const { held, isPending, blocked } = connection
  if (held !== null && takesInput(connection) && (isPending || blocked)) {
    // Who takes our answers slowly is not gone, and bounded by writeStallTimeoutMs.
    if (connection.delivers || connection.paused) rememberGone(core, connection)
    return
  }
  // A client may end its side and still read: it gets its answer. A body cut short gets none.
  if (connection.state === State.HTTP && connection.http!.body === null) return
  endOfFile(core, connection)
}

/**
 * POLLERR or POLLHUP while nothing may be read: the connection ends once what is buffered was
 * delivered, or after pausedErrorTimeoutMs (C4).
 */
function rememberGone(core: ContextState, connection: Connection): void {
  if (connection.errorHeardMs !== 0) return
  connection.errorHeardMs = core.now()
  armDeadline(core, connection)
}

/** What recv says is the truth (C5). A transport that failed under a send keeps its deadline. */
function forgetError(connection: Connection): void {
  if (!connection.isDeaf) connection.errorHeardMs = 0
}
