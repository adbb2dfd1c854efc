/**
 * The abrupt end: no more words to the peer. What waited in either direction is thrown away.
 */
import { type FaultName } from '../errors.js'
import { type CloseInfo } from '../protocol/protocol-types.js'
import { CLOSE_ABNORMAL } from '../wire/close-code.js'
import { type Connection, type Core } from './connection.js'
import { State } from './connection-state.js'
import { dropHeld } from './held.js'

/** Ends at once; what was not sent is thrown away, and the transport is reset. */
export function dropConnection(core: Core, connection: Connection, cause: FaultName, initiator: CloseInfo['initiator'] = 'library'): void {
  if (connection.state === State.ENDED) return
  connection.closing ??= { code: CLOSE_ABNORMAL, reason: '', initiator, cause }
  connection.abortive = true
  endNow(core, connection)
}

/** The transport failed under a send or a recv. */
export function loseTransport(core: Core, connection: Connection): void {
  if (connection.state === State.ENDED) return
  connection.closing ??= { code: CLOSE_ABNORMAL, reason: '', initiator: 'peer', cause: 'TRANSPORT_ERROR' }
  endNow(core, connection)
}

/** The connection is over; the exit order completes the end. */
export function endNow(core: Core, connection: Connection): void {
  connection.move('end')
  dropQueue(core, connection)
  dropHeld(core, connection)
  connection.dropAssembly()
  core.scheduleEnd(connection)
}

function dropQueue(core: Core, connection: Connection): void {
  core.bufferedBytes -= connection.queuedBytes
  connection.queue = null
  connection.corkStart = connection.corkEnd = 0
  connection.corkParts = null
}
