/**
 * `close`, `hangup`, `hangupOnClient`, `stopListening`, `closeAll`: ends begun by the application.
 */
import { Connection } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { armDeadline } from '../connection/deadline.js'
import { closeResolver } from '../connection/dial-end.js'
import { dropConnection } from '../connection/drop.js'
import { beginClose, lastWrite, tellKept } from '../connection/ending.js'
import { refuseFault } from '../connection/opening.js'
import { connectionOf, contextOf, enter, leave, ownerOf } from '../context/bracket.js'
import { type ContextState } from '../context/context-state.js'
import { closeListener } from '../context/destroy.js'
import { shown, UsageError } from '../errors.js'
import { type Context, type Wsi } from '../protocol/protocol-types.js'
import { isSendableCloseCode, MAX_CLOSE_REASON_BYTES } from '../wire/close-code.js'

/**
 * Begins the closing handshake: what was written before still leaves, then the close frame; the
 * peer's own, or `closeTimeoutMs`, ends the connection.
 * @param code 1000 to 1003, 1007 to 1014, 3000 to 4999
 * @param reason at most 123 bytes of UTF-8; a longer one throws, it is not cut
 * @returns false where the connection is not open (any more)
 * @throws UsageError for a code or reason that cannot be sent
 * @see RFC 6455 7.1.2
 */
export function close(wsi: Wsi, code = 1000, reason = ''): boolean {
  const connection = connectionOf(wsi, 'close')
  checkClose(code, reason)
  const core = ownerOf(connection)
  if (connection.state !== State.OPEN || core.destroyWanted) return false
  enter(core, 'close', connection.fd, code, reason)
  try {
    beginClose(core, connection, {
      code,
      reason,
      initiator: 'application',
      cause: 'CLOSED_BY_APPLICATION',
    })
  } finally {
    leave(core, 'close', true)
  }
  return true
}

function checkClose(code: number, reason: string): void {
  if (typeof code !== 'number' || !isSendableCloseCode(code))
    throw new UsageError(
      'ERR_EXTPOLL_CLOSE_CODE',
      `close code ${shown(code)} cannot be sent: use 1000 to 1003, 1007 to 1014, or 3000 to 4999`,
    )
  if (typeof reason !== 'string')
    throw new UsageError('ERR_EXTPOLL_CLOSE_REASON', 'the close reason must be a string')
  const bytes = Buffer.byteLength(reason)
  if (bytes > MAX_CLOSE_REASON_BYTES)
    throw new UsageError(
      'ERR_EXTPOLL_CLOSE_REASON',
      `the close reason has ${bytes} bytes of UTF-8; ${MAX_CLOSE_REASON_BYTES} fit`,
    )
}

/**
 * Ends the connection at once, without a closing handshake; what was not sent is thrown away, and
 * the peer sees a reset. CLOSED follows, with 1006.
 * @returns false where it is over already
 */
export function hangup(wsi: Wsi): boolean {
  const connection = connectionOf(wsi, 'hangup')
  if (connection.state === State.ENDED) return false
  return hangUpOn('hangup', ownerOf(connection), connection)
}

/**
 * The same by descriptor.
 * @returns false for an fd that is no connection of this context
 * @see seed: libwebsockets_hangup_on_client
 */
export function hangupOnClient(ctx: Context, fd: number): boolean {
  const core = contextOf(ctx, 'hangupOnClient')
  const entry = core.table.entries.get(fd)
  return (
    entry instanceof Connection &&
    entry.state !== State.ENDED &&
    hangUpOn('hangupOnClient', core, entry)
  )
}

function hangUpOn(call: string, core: ContextState, connection: Connection): boolean {
  enter(core, call, connection.fd)
  try {
    dropConnection(core, connection, 'HUNG_UP', 'application')
  } finally {
    leave(core, call, true)
  }
  return true
}

/**
 * Closes the listener; connections stay. DEL is announced for it.
 * @returns false where the context does not listen (any more)
 */
export function stopListening(ctx: Context): boolean {
  const core = contextOf(ctx, 'stopListening')
  if (core.listener === null) return false
  enter(core, 'stopListening', core.listener.fd)
  try {
    closeListener(core)
  } finally {
    leave(core, 'stopListening', true)
  }
  return true
}

/**
 * The orderly end of all connections: the listener goes, every WebSocket gets its closing
 * handshake, a request being answered is finished, one that is not yet understood or decided gets
 * 503, a connection between two requests ends, a client that is not open yet gets
 * CLIENT_CONNECTION_ERROR; what remains after `graceMs` is cut.
 * The context itself stays: destroy it when `pollFds(ctx)` is empty.
 * @param graceMs whole milliseconds from 1
 */
export function closeAll(ctx: Context, code = 1001, graceMs = 5_000): void {
  const core = contextOf(ctx, 'closeAll')
  checkClose(code, '')
  if (!Number.isInteger(graceMs) || graceMs < 1)
    throw new UsageError(
      'ERR_EXTPOLL_LIMIT',
      `graceMs must be a whole number from 1, not ${shown(graceMs)}`,
    )
  if (core.destroyed) return
  enter(core, 'closeAll', undefined, code, graceMs)
  try {
    closeListener(core)
    for (const connection of core.connections()) closeWithin(core, connection, code, graceMs)
    closeResolver(core)
  } finally {
    leave(core, 'closeAll', undefined)
  }
}

function closeWithin(
  core: ContextState,
  connection: Connection,
  code: number,
  graceMs: number,
): void {
  if (connection.awaitsNext) {
    tellKept(connection, 'application', 'CLOSED_BY_APPLICATION')
    lastWrite(core, connection, false)
  } else if (connection.state === State.REQUEST || connection.state === State.DEFERRED)
    refuseFault(core, connection, 'GOING_AWAY')
  if (connection.state === State.OPEN)
    beginClose(core, connection, {
      code,
      reason: '',
      initiator: 'application',
      cause: 'CLOSED_BY_APPLICATION',
    })
  if (connection.dial !== null) dropConnection(core, connection, 'HUNG_UP', 'application')
  if (connection.state === State.ENDED) return
  const latestMs = core.now() + graceMs
  if (connection.http !== null) {
    connection.http.keepsAlive = false
    connection.http.endByMs = latestMs
  }
  if (connection.stateDeadlineMs === 0 || connection.stateDeadlineMs > latestMs)
    connection.stateDeadlineMs = latestMs
  armDeadline(core, connection)
}
