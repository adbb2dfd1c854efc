/**
 * Every way a connection ends, and the one place where it does (C3, C19).
 *
 * The application, the peer, the library and the transport each begin an end; `finish` completes
 * it: flush, DEL, close, CLOSED. Source: RFC 6455 5.5.1 and 7.
 */
import { type FaultName, faults } from '../errors.js'
import { Reason } from '../protocol/callback-reason.js'
import { type CloseInfo } from '../protocol/protocol-types.js'
import { CLOSE_ABNORMAL, formatClosePayload } from '../wire/close-code.js'
import { OPCODE_CLOSE } from '../wire/opcode.js'
import { type Connection, type Core } from './connection.js'
import { connectFailure } from './connect-failure.js'
import { State } from './connection-state.js'
import { armDeadline } from './deadline.js'
import { releaseDial } from './dial-end.js'
import { dropConnection, endNow, tellAbnormal } from './drop.js'
import { dropHeld } from './held.js'
import { transmitControl } from './transmit-frame.js'

/** Begins the closing handshake from our side; the peer's close frame or closeTimeoutMs ends it. */
export function beginClose(core: Core, connection: Connection, info: CloseInfo): void {
  connection.closing ??= info
  transmitControl(core, connection, OPCODE_CLOSE, formatClosePayload(info.code, info.reason))
  if (connection.state !== State.OPEN) return
  connection.move('close sent')
  connection.wantsWritable = false
  connection.stateDeadlineMs = core.now() + core.limits.closeTimeoutMs
  armDeadline(core, connection)
  core.touch(connection)
}

/** The peer's close frame came: answers it where it began, and ends once that is sent. */
export function answerClose(
  core: Core,
  connection: Connection,
  code: number,
  reason: string,
): void {
  // Where nobody began, the peer did now: also when our transport failed before its frame was read.
  const began = connection.closing ?? { initiator: 'peer', cause: 'CLOSED_BY_PEER' }
  connection.closing = { ...began, code, reason }
  if (connection.state === State.OPEN)
    transmitControl(core, connection, OPCODE_CLOSE, formatClosePayload(code, ''))
  // It is the server that ends the transport, and the client that waits for it (7.1.1).
  lastWrite(core, connection, connection.role.client)
}

/** The peer broke a rule, or a limit: says so in a close frame, and ends (RFC 6455 7.1.7). */
export function failConnection(core: Core, connection: Connection, cause: FaultName): void {
  if (connection.state >= State.FLUSHING) return
  const { closeCode = CLOSE_ABNORMAL, sentence } = faults[cause]
  if (closeCode === CLOSE_ABNORMAL) {
    dropConnection(core, connection, cause)
    return
  }
  const info: CloseInfo = { code: closeCode, reason: sentence, initiator: 'library', cause }
  if (connection.state === State.OPEN) {
    connection.closing ??= info
    transmitControl(core, connection, OPCODE_CLOSE, formatClosePayload(closeCode, sentence))
  }
  connection.closing ??= info
  // Where sending failed already, nobody can read our words: there is nothing to linger for.
  lastWrite(core, connection, connection.state !== State.DRAINING)
}

/** Nothing will be written after this: flush, perhaps linger, end. */
export function lastWrite(core: Core, connection: Connection, lingers: boolean): void {
  if (connection.state >= State.FLUSHING) return
  connection.move('last write')
  connection.lingers = lingers
  connection.wantsWritable = false
  connection.paused = false
  dropHeld(core, connection)
  connection.dropAssembly()
  connection.http?.releaseSource()
  connection.stateDeadlineMs = core.now() + core.limits.closeTimeoutMs
  armDeadline(core, connection)
  core.touch(connection)
  core.scheduleEnd(connection)
}

/** An end between two requests: nothing is owed. */
export function tellKept(
  connection: Connection,
  initiator: CloseInfo['initiator'],
  cause: FaultName,
): void {
  connection.closing ??= { code: 1000, reason: faults[cause].sentence, initiator, cause }
}

/** The peer's FIN came, and everything before it was delivered (C17). */
export function endOfFile(core: Core, connection: Connection): void {
  if (connection.state === State.ENDED) return
  const drained = connection.state === State.DRAINING
  if (connection.awaitsNext) tellKept(connection, 'peer', 'ANSWERED')
  tellAbnormal(connection, 'peer', drained ? 'TRANSPORT_ERROR' : 'END_OF_FILE')
  if (connection.state === State.LINGERING) endNow(core, connection)
  else lastWrite(core, connection, false)
}

/**
 * Completes an end, if all was sent: called by the exit order for each scheduled connection.
 * @param remove announces DEL and takes the connection out of every table
 * @returns whether it is over now
 */
export function finish(
  core: Core,
  connection: Connection,
  remove: (connection: Connection) => void,
): boolean {
  if (connection.state === State.FLUSHING) {
    if (connection.queue !== null) return false
    if (connection.lingers && !connection.eof) {
      linger(core, connection)
      return false
    }
    connection.move('end')
  }
  if (connection.state !== State.ENDED) return false
  dropHeld(core, connection)
  connection.http?.releaseSource()
  connection.keepPeer()
  if (connection.dial !== null) releaseDial(core, connection.dial)
  remove(connection)
  if (connection.fd >= 0) connection.io.close(connection.fd, connection.abortive)
  tellEnd(core, connection)
  return true
}

/**
 * The library lets go of the descriptor, which stays open (C28): over for it, in the same order.
 * @returns what the seam gave back
 */
export function giveBack(
  core: Core,
  connection: Connection,
  remove: (connection: Connection) => void,
): number | object {
  tellAbnormal(connection, 'application', 'DETACHED')
  connection.move('end')
  dropHeld(core, connection)
  connection.dropAssembly()
  remove(connection)
  const socket = connection.io.release!(connection.fd)
  tellEnd(core, connection)
  return socket
}

/**
 * FIN after the last byte, and wait for the peer's: closing now could reset our words away. A
 * client leaves the first FIN to the server.
 */
function linger(core: Core, connection: Connection): void {
  connection.move('linger')
  if (!connection.role.client) connection.io.shutdown(connection.fd)
  connection.stateDeadlineMs = core.now() + core.limits.lingerTimeoutMs
  armDeadline(core, connection)
  core.touch(connection)
}

function tellEnd(core: Core, connection: Connection): void {
  const { closing, dial } = connection
  if (dial !== null) {
    const failure = connectFailure(connection, dial)
    const protocol = connection.protocol ?? dial.target.protocol
    core.call(connection, protocol, Reason.CLIENT_CONNECTION_ERROR, failure, 0)
    return
  }
  const protocol = connection.protocol ?? core.protocols[0]!
  const reason = connection.established ? Reason.CLOSED : Reason.HTTP_CLOSED
  core.call(connection, protocol, reason, closing, 0)
}
