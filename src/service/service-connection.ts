/**
 * Readiness of a connection: POLLOUT, then POLLIN, then POLLERR and POLLHUP (C17).
 *
 * `revents` is a hint; what send and recv answer is the truth (C5, C11).
 */
import { consumeAnswer } from '../client/asking.js'
import { failDial } from '../client/failing.js'
import { type Connection } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { armDeadline } from '../connection/deadline.js'
import { loseTransport } from '../connection/drop.js'
import { endOfFile } from '../connection/ending.js'
import { holdBehind, keepUnconsumed, layOutHeld } from '../connection/held.js'
import { consumeRequest } from '../connection/opening.js'
import { consumeFrames } from '../connection/receive.js'
import { drainQueue } from '../connection/transmit.js'
import { type ContextState } from '../context/context-state.js'
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../poll/pollfd.js'
import { WOULD_BLOCK, WOULD_BLOCK_UNTIL_WRITABLE } from '../socket/socket-io.js'

/** More than any header and control frame; less than a turn's messages usually take. */
const HELD_PORTION_BYTES = 4_096

/** @returns whether the kernel may have more to read than this call took (C12) */
export function serviceConnection(
  core: ContextState,
  connection: Connection,
  revents: number,
): boolean {
  const writable = (revents & POLLOUT) !== 0
  const gone = (revents & (POLLERR | POLLHUP)) !== 0
  const readable = (revents & POLLIN) !== 0 || gone || (connection.recvWaitsWritable && writable)
  if (writable || (connection.sendWaitsReadable && (revents & POLLIN) !== 0))
    serviceWritable(core, connection)
  if (writable) connection.recvWaitsWritable = false
  if (connection.isPending) consumeHeld(core, connection)
  if (connection.isPending) return true
  // An edge that told of data and of an end is not told again for the end alone (C12).
  if (readable && connection.reads) return receive(core, connection) || (gone && connection.reads)
  if (gone) hearGone(core, connection, writable)
  return connection.isPending
}

/** The socket takes bytes: what is queued first, then a writable callback, if one is wanted. */
function serviceWritable(core: ContextState, connection: Connection): void {
  drainQueue(core, connection)
  if (connection.state === State.FLUSHING && connection.queue === null) core.scheduleEnd(connection)
  if (!connection.writableDeliverable) return
  connection.wantsWritable = false
  core.touch(connection)
  core.call(connection, connection.protocol!, connection.role.writeable, undefined, 0)
}

/** One recv, and everything it completes. */
function receive(core: ContextState, connection: Connection): boolean {
  const laidOut = layOutHeld(core, connection, core.rx.bytes.length)
  const asked = Math.min(core.rx.bytes.length - laidOut, core.budget.rxBytes)
  if (asked <= 0) return true
  const result = connection.io.recv(connection.fd, core.rx, laidOut, asked)
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
  let left: number
  do {
    left = connection.heldBytes
    const laidOut = layOutHeld(core, connection, heldPortionBytes(core, connection))
    if (laidOut > 0) consume(core, connection, 0, laidOut, laidOut)
    // On with the next portion, until a partial frame is all there is.
  } while (
    connection.heldBytes > 0 &&
    connection.heldBytes < left &&
    connection.delivers &&
    !connection.isPending &&
    !connection.blocked
  )
  if (connection.eof) endIfDelivered(core, connection)
  // What the peer sent before the transport failed: nothing will announce it.
  const drains = connection.state === State.DRAINING && connection.reads && !connection.isPending
  if (drains) receive(core, connection)
  if (connection.state === State.DRAINING && connection.reads) core.schedulePending(connection)
}

/** A head is only understood whole; frames are consumed as they lie. */
function heldPortionBytes(core: ContextState, { delivers }: Connection): number {
  return delivers ? HELD_PORTION_BYTES : core.rx.bytes.length
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
    else if (connection.dial !== null && !connection.frozen)
      at = consumeAnswer(core, connection, connection.dial, at, end)
    else if (connection.frozen) at = end
    if (connection.state === state) break
  }
  keepUnconsumed(core, connection, laidOut, at, end)
  if (waited || connection.held !== null) core.touch(connection)
  if (connection.held === null) return
  // Stopped by the budget, not for want of bytes: there is more to do without any readiness (C14).
  if (core.budget.messages <= 0 && connection.delivers && !connection.blocked)
    core.schedulePending(connection)
}

/** The peer's FIN: the end comes once what it sent before was delivered (C17). */
function endIfDelivered(core: ContextState, connection: Connection): void {
  if (connection.state === State.HTTP) return
  if (connection.dial !== null) {
    failDial(core, connection, connection.dial, 'END_OF_FILE', 'before the answer', 'peer')
    return
  }
  const waits =
    connection.held !== null && connection.delivers && (connection.isPending || connection.blocked)
  if (!waits) endOfFile(core, connection)
  else rememberGone(core, connection)
}

/** POLLERR or POLLHUP while nothing may be read. */
function hearGone(core: ContextState, connection: Connection, wasDrained: boolean): void {
  if (connection.queue !== null && !wasDrained) drainQueue(core, connection)
  if (connection.state !== State.ENDED) rememberGone(core, connection)
}

/** The connection ends once what is buffered was delivered, or after pausedErrorTimeoutMs (C4). */
function rememberGone(core: ContextState, connection: Connection): void {
  if (connection.errorHeardMs !== 0) return
  connection.errorHeardMs = core.now()
  armDeadline(core, connection)
}
