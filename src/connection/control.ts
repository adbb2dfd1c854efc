/** Control frames in: ping, pong, close. Source: RFC 6455 5.5. */
import { parseClosePayload } from '../wire/close-code.js'
import { OPCODE_CLOSE, OPCODE_PING, OPCODE_PONG } from '../wire/opcode.js'
import { type Connection, type Core } from './connection.js'
import { State } from './connection-state.js'
import { armDeadline } from './deadline.js'
import { answerClose, failConnection } from './ending.js'
import { flushCork } from './transmit.js'
import { transmitControl } from './transmit-frame.js'

/** @param payload unmasked, in the receive buffer; dead after this call */
export function receiveControl(
  core: Core,
  connection: Connection,
  opcode: number,
  payload: Buffer,
): void {
  switch (opcode) {
    case OPCODE_PING:
      receivePing(core, connection, payload)
      break
    case OPCODE_PONG: {
      const protocol = connection.protocol!
      // The heap has the end of the wait for it, and the next ping may be due before that.
      armDeadline(core, connection)
      if (protocol.hears(connection.role.pong))
        core.call(
          connection,
          protocol,
          connection.role.pong,
          protocol.copies ? Buffer.from(payload) : payload,
          payload.length,
        )
      break
    }
    case OPCODE_CLOSE: {
      const { code, reason, fault } = parseClosePayload(payload)
      if (fault !== null) failConnection(core, connection, fault)
      else answerClose(core, connection, code, reason)
    }
  }
}

/**
 * Every ping is answered as long as our close frame has not left (5.5.2); a peer that only pings
 * and never reads is bounded.
 */
function receivePing(core: Core, connection: Connection, payload: Buffer): void {
  if (connection.state !== State.OPEN) return
  if (connection.pendingPongs >= core.limits.maxPendingPongs) {
    // Only what the transport does not take counts against the peer.
    flushCork(core, connection)
    if (connection.queue !== null) {
      failConnection(core, connection, 'TOO_MANY_PINGS')
      return
    }
  }
  connection.pendingPongs++
  transmitControl(core, connection, OPCODE_PONG, payload)
}
