/**
 * The abrupt end: no more words to the peer. What waited in either direction is thrown away.
 */
import { type FaultName } from '../errors.js'
import { type CloseInfo } from '../protocol/protocol-types.js'
import { CLOSE_ABNORMAL } from '../wire/close-code.js'
import { type Connection, type Core } from './connection.js'
import { State } from './connection-state.js'
import { armDeadline } from './deadline.js'
import { dropHeld } from './held.js'

/** Ends at once; what was not sent is thrown away, and the transport is reset. */
export function dropConnection(
  core: Core,
  connection: Connection,
  cause: FaultName,
  initiator: CloseInfo['initiator'] = 'library',
): void {
  if (connection.state === State.ENDED) return
  tellAbnormal(connection, initiator, cause)
  connection.abortive = true
  endNow(core, connection)
}

/**
 * The transport failed under a send. What the peer sent before may still wait in the kernel, and is
 * delivered first (C17): reading it is pending work, and ends the connection.
 */
export function loseSending(core: Core, connection: Connection): void {
  if (!connection.delivers || connection.eof) {
    loseTransport(core, connection)
    return
  }
  connection.move('send failed')
  dropQueue(core, connection)
  connection.wantsWritable = false
  connection.errorHeardMs = core.now()
  armDeadline(core, connection)
  core.touch(connection)
  if (!connection.paused) core.schedulePending(connection)
}

/** The transport failed under a recv, or there is nothing left to read. */
export function loseTransport(core: Core, connection: Connection): void {
  if (connection.state === State.ENDED) return
  tellAbnormal(connection, 'peer', 'TRANSPORT_ERROR')
  endNow(core, connection)
}

/**
 * What CLOSED will tell of an end without the peer's close frame (RFC 6455 7.1.5); who began stays.
 */
export function tellAbnormal(
  connection: Connection,
  initiator: CloseInfo['initiator'],
  cause: FaultName,
): void {
  const { closing } = connection
  if (closing === null) connection.closing = { code: CLOSE_ABNORMAL, reason: '', initiator, cause }
  else if (connection.state === State.CLOSING || connection.state === State.DRAINING)
    connection.closing = { code: CLOSE_ABNORMAL, reason: '', initiator: closing.initiator, cause }
}

/** The connection is over; the exit order completes the end. */
export function endNow(core: Core, connection: Connection): void {
  if (connection.dial !== null) connection.dial.failedIn = connection.state
  connection.move('end')
  dropQueue(core, connection)
  dropHeld(core, connection)
  connection.dropAssembly()
  connection.http?.releaseSource()
  core.scheduleEnd(connection)
}

/** Throws away what was not sent. */
export function dropQueue(core: Core, connection: Connection): void {
  core.bufferedBytes -= connection.queue === null ? 0 : connection.queue.memoryBytes
  connection.queue = null
  connection.corkStart = connection.corkEnd = 0
  connection.corkParts = null
}
