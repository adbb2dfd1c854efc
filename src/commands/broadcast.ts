/** `broadcast`, `prepareFrame`, `writePrepared`: one message to many. */
import { Connection } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { transmitPrepared } from '../connection/transmit-frame.js'
import { connectionOf, contextOf, enter, leave, ownerOf, protocolOf } from '../context/bracket.js'
import { UsageError } from '../errors.js'
import { type Protocol, type Wsi } from '../protocol/protocol-types.js'
import { EncodedFrame, type PreparedFrame } from '../wire/prepared-frame.js'
import { isBytes } from '../wire/bytes.js'
import { FIN_BIT, OPCODE_BINARY, OPCODE_TEXT } from '../wire/opcode.js'
import { roomFor, type WriteResult, writeResult } from './write.js'

/**
 * Calls the BROADCAST reason for every established connection of a protocol, as they are now; the
 * callback decides, and writes. `data` is copied once. The callbacks run at the exit of the
 * outermost call, `broadcastBudget` of them per call; who ended meanwhile is skipped.
 * @param protocol from `getProtocol(wsi)` or `ctx.protocols`
 * @param data a string is broadcast as UTF-8
 * @returns how many connections will be told
 * @throws UsageError for anything that is no Protocol of a context
 * @see C7, C13, seed: libwebsockets_broadcast (differs from seed: no padding, and no open loopback
 *   port)
 */
export function broadcast(protocol: Protocol, data: Uint8Array | string): number {
  checkData('broadcast', data)
  const entry = protocolOf(protocol, 'broadcast')
  const core = contextOf(entry.owningContext, 'broadcast')
  if (core.destroyed) return 0
  const connections: Connection[] = []
  for (const member of core.table.entries.list())
    if (member instanceof Connection && member.protocol === entry && member.state === State.OPEN)
      connections.push(member)
  if (connections.length === 0) return 0
  enter(core, 'broadcast', undefined, data, entry.protocolIndex)
  try {
    core.broadcasts.push({ protocol: entry, data: Buffer.from(data), connections, at: 0 })
  } finally {
    leave(core, 'broadcast', connections.length)
  }
  return connections.length
}

function checkData(call: string, data: unknown): void {
  if (typeof data === 'string' || isBytes(data)) return
  throw new UsageError(
    'ERR_EXTPOLL_WRITE_DATA',
    `${call}() takes a string or a Uint8Array, a Buffer for instance, that was not transferred`,
  )
}

/**
 * Encodes a message once, to be written to many connections with `writePrepared`: worth it from the
 * second receiver on.
 *
 * One call sends `txBudgetBytes` at most (C13): what is written beyond is copied into each
 * connection's queue and waits for POLLOUT. To more than that, call `broadcast` and write in its
 * callback, which is served in portions.
 * @param data copied; a string is sent as UTF-8
 * @param kind TEXT or BINARY
 */
export function prepareFrame(data: Uint8Array | string, kind: number): PreparedFrame {
  if (kind !== OPCODE_TEXT && kind !== OPCODE_BINARY)
    throw new UsageError(
      'ERR_EXTPOLL_WRITE_KIND',
      'prepareFrame() encodes whole messages: kind must be TEXT or BINARY',
    )
  checkData('prepareFrame', data)
  return new EncodedFrame(FIN_BIT | kind, typeof data === 'string' ? Buffer.from(data) : data)
}

/**
 * Writes a prepared message: as `write`, without encoding or copying it again for every connection
 * that is written to in the same outermost call.
 * @param frame from `prepareFrame`; serves any number of connections of any context, any number of
 *   times
 * @returns as `write`
 * @throws UsageError while a fragmented message of this connection is under way
 */
export function writePrepared(wsi: Wsi, frame: PreparedFrame): WriteResult {
  const connection = connectionOf(wsi, 'writePrepared')
  if (!EncodedFrame.made(frame))
    throw new UsageError('ERR_EXTPOLL_WRITE_DATA', 'writePrepared() takes what prepareFrame() made')
  if (connection.state !== State.OPEN || connection.core.destroyWanted) return 'closed'
  if (connection.sendsFragments)
    throw new UsageError(
      'ERR_EXTPOLL_WRITE_FRAGMENT',
      'a fragmented message is under way: write CONTINUATION until the piece without NO_FIN',
    )
  const core = ownerOf(connection)
  let result: WriteResult = 'full'
  enter(core, 'writePrepared', connection.fd, frame.bytes)
  try {
    if (roomFor(core, connection, frame.bytes.length)) {
      transmitPrepared(core, connection, frame)
      result = writeResult(core, connection)
    }
  } finally {
    leave(core, 'writePrepared', result)
  }
  return result
}
