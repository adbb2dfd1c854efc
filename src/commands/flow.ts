/** `callbackOnWritable` and `rxFlowControl`: back-pressure in both directions. */
import { Connection } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { armDeadline, resumeListening } from '../connection/deadline.js'
import { connectionOf, contextOf, enter, leave, ownerOf, protocolOf } from '../context/bracket.js'
import { type ContextState } from '../context/context-state.js'
import { timeExchange } from '../http/exchange-time.js'
import { UsageError } from '../errors.js'
import { type Context, type Protocol, type Wsi } from '../protocol/protocol-types.js'

/**
 * Asks once for SERVER_WRITEABLE, or HTTP_WRITEABLE where an answer is owed: it comes from a later
 * `serviceFd`, when the socket takes another write without blocking and the send queue is below
 * `txLowWaterBytes`.
 * @returns false where the connection is not open, and owes no answer that is written in pieces
 * @see C15, seed: libwebsocket_callback_on_writable
 */
export function callbackOnWritable(ctx: Context, wsi: Wsi): boolean {
  const core = contextOf(ctx, 'callbackOnWritable')
  const connection = connectionOf(wsi, 'callbackOnWritable')
  if (ownerOf(connection) !== core)
    throw new UsageError(
      'ERR_EXTPOLL_NOT_A_CONNECTION',
      'callbackOnWritable(): the connection belongs to another context',
    )
  if (!connection.takesWrites) return false
  enter(core, 'callbackOnWritable', connection.fd)
  try {
    wantWritable(core, connection)
  } finally {
    leave(core, 'callbackOnWritable', true)
  }
  return true
}

/**
 * The same for every established connection of a protocol, as they are now.
 * @param protocol from `getProtocol(wsi)` or `ctx.protocols`
 * @returns how many were asked for
 * @see seed: libwebsocket_callback_on_writable_all_protocol
 */
export function callbackOnWritableAllProtocol(protocol: Protocol): number {
  const { owningContext } = protocolOf(protocol, 'callbackOnWritableAllProtocol')
  const core = contextOf(owningContext, 'callbackOnWritableAllProtocol')
  let count = 0
  if (core.destroyed) return count
  enter(core, 'callbackOnWritableAllProtocol', undefined, protocol.protocolIndex)
  try {
    for (const entry of core.table.entries.list()) {
      if (
        !(entry instanceof Connection) ||
        entry.protocol !== protocol ||
        entry.state !== State.OPEN
      )
        continue
      wantWritable(core, entry)
      count++
    }
  } finally {
    leave(core, 'callbackOnWritableAllProtocol', count)
  }
  return count
}

function wantWritable(core: ContextState, connection: Connection): void {
  connection.wantsWritable = true
  core.touch(connection)
}

/**
 * Stops and resumes RECEIVE. After 0 or false not one more comes; what was read already waits in
 * order, and CLEAR_MODE(POLLIN) reaches the host. After 1 or true what waited comes first, even
 * if no readiness ever comes again.
 * @returns false where the connection is over
 * @see C4, C14, seed: libwebsocket_rx_flow_control (differs from seed: it tells an external host)
 */
export function rxFlowControl(wsi: Wsi, enable: 0 | 1 | boolean): boolean {
  const connection = connectionOf(wsi, 'rxFlowControl')
  if (enable !== 0 && enable !== 1 && typeof enable !== 'boolean')
    throw new UsageError(
      'ERR_EXTPOLL_ARGUMENT_TYPE',
      'rxFlowControl(): enable must be 0, 1, true or false',
    )
  if (connection.frozen) return false
  const core = ownerOf(connection)
  enter(core, 'rxFlowControl', connection.fd, enable)
  try {
    connection.paused = !enable
    core.touch(connection)
    // From now on somebody else is waited for.
    if (connection.state === State.HTTP) timeExchange(core, connection)
    if (connection.paused) {
      // An error that was heard before is in force again.
      armDeadline(core, connection)
    } else {
      resumeListening(core, connection)
      // A transport that failed while nothing was read tells nothing more of what it still holds.
      const { held, eof, isDeaf, http } = connection
      // Nor does a peer that waits for 100.
      if (held !== null || eof || isDeaf || http?.expectsContinue === true)
        core.schedulePending(connection)
    }
  } finally {
    leave(core, 'rxFlowControl', true)
  }
  return true
}
