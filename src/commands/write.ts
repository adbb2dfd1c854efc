/** `write` and `batch`: messages out, with the four answers. */
import { connectionOf, contextOf, enter, isNested, leave, ownerOf } from '../context/bracket.js'
import { type Connection, type Core } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { dropConnection } from '../connection/drop.js'
import { beginClose, failConnection } from '../connection/ending.js'
import { transmitFrame, transmitText } from '../connection/transmit-frame.js'
import { UsageError } from '../errors.js'
import { writePiece } from '../http/answer.js'
import { type ContextState } from '../context/context-state.js'
import { type Context, type Wsi } from '../protocol/protocol-types.js'
import { parseClosePayload } from '../wire/close-code.js'
import { isBytes, isPayload } from '../wire/bytes.js'
import { frameHeaderBytes } from '../wire/frame-writer.js'
import {
  CONTROL_BIT,
  FIN_BIT,
  MAX_CONTROL_PAYLOAD_BYTES,
  OPCODE_CLOSE,
  OPCODE_BINARY,
  OPCODE_CONTINUATION,
  OPCODE_PING,
  OPCODE_PONG,
  OPCODE_TEXT,
} from '../wire/opcode.js'

/** A text message. Strings are sent as UTF-8; bytes must be UTF-8 already. */
export const TEXT = OPCODE_TEXT
/** A binary message. */
export const BINARY = OPCODE_BINARY
/** The next fragment of a message begun with `TEXT | NO_FIN` or `BINARY | NO_FIN`. */
export const CONTINUATION = OPCODE_CONTINUATION
/** At most 125 bytes of payload; the peer's pong carries them back. */
export const PING = OPCODE_PING
/** An unasked-for pong; pings are answered by the library. */
export const PONG = OPCODE_PONG
/**
 * The closing handshake, as bytes: `data` is a close frame's payload, empty or a code of two bytes
 * and a reason in UTF-8. `close()` says the same in words.
 */
export const CLOSE = OPCODE_CLOSE
/**
 * A piece of the answer to the request in hand. The first one, where `httpRespond` began none,
 * begins one with status 200.
 */
export const HTTP = 0x20
/** The last piece of it, perhaps empty. */
export const HTTP_FINAL = 0x21
/** Or-ed to TEXT, BINARY or CONTINUATION: more fragments follow. */
export const NO_FIN = 0x80

/** A chunk's size and line ends, and the end of all chunks. */
const MAX_CHUNK_FRAMING_BYTES = 24

/**
 * - `'ok'`: taken; the send queue is below its low-water mark.
 * - `'backpressure'`: taken; wait for WRITEABLE before you write more.
 * - `'full'`: nothing was taken, the queue would exceed `maxBufferedBytes`. A protocol with
 *   `onFull: 'close'` closes with 1013 then.
 * - `'closed'`: nothing was taken, the connection takes no more messages.
 */
export type WriteResult = 'ok' | 'backpressure' | 'full' | 'closed'

/**
 * Sends a message, or a piece of one.
 *
 * Needs no padding, never alters `data`, and keeps no reference to it. Never loses a short write:
 * the rest is queued in order. What is written during one outermost call leaves together at its
 * end; payloads above `corkMaxBytes` leave at once, behind what is corked.
 *
 * @param data with its header at most `maxBufferedBytes`; a string is sent as UTF-8
 * @param kind TEXT, BINARY, CONTINUATION, PING or PONG, or-ed with NO_FIN for a fragment that is
 *   not the last; HTTP or HTTP_FINAL for the answer to a request
 * @returns see WriteResult
 * @throws UsageError for a kind or data that cannot be sent; ReentrantCallError from an
 *   announcement
 * @see RFC 6455 5.4 and 6.1, seed: libwebsocket_write (differs from seed: a short write is not
 *   success)
 */
export function write(wsi: Wsi, data: Uint8Array | string, kind: number): WriteResult {
  const connection = connectionOf(wsi, 'write')
  const core = ownerOf(connection)
  if (typeof data !== 'string' && !isPayload(data)) refuseData()
  if (connection.state !== State.OPEN || core.destroyWanted)
    return writeAnswer(core, connection, data, kind)
  if (kind === CLOSE) return writeClose(core, connection, Buffer.from(data))
  const firstByte = checkKind(connection, kind)
  if (isNested(core)) return writeFrame(core, connection, firstByte, data)
  if (typeof data !== 'string' && !isBytes(data)) refuseData()
  let result: WriteResult = 'closed'
  enter(core, 'write', connection.fd, data, kind)
  try {
    result = writeFrame(core, connection, firstByte, data)
  } finally {
    leave(core, 'write', result)
  }
  return result
}

function refuseData(): never {
  throw new UsageError(
    'ERR_EXTPOLL_WRITE_DATA',
    'write takes a string or a Uint8Array, a Buffer for instance, that was not transferred',
  )
}

/** What is no open WebSocket may be a request that waits for its answer. */
function writeAnswer(
  core: ContextState,
  connection: Connection,
  data: Uint8Array | string,
  kind: number,
): WriteResult {
  if ((kind !== HTTP && kind !== HTTP_FINAL) || core.destroyWanted || !connection.takesWrites)
    return 'closed'
  let result: WriteResult = 'full'
  enter(core, 'write', connection.fd, data, kind)
  try {
    const bytes = typeof data === 'string' ? Buffer.byteLength(data) : data.length
    if (roomFor(core, connection, bytes + MAX_CHUNK_FRAMING_BYTES)) {
      writePiece(core, connection, data, kind === HTTP_FINAL)
      result = writeResult(core, connection)
    }
  } finally {
    leave(core, 'write', result)
  }
  return result
}

function writeClose(core: ContextState, connection: Connection, payload: Buffer): WriteResult {
  const { code, reason, fault } = parseClosePayload(payload)
  if (fault !== null || payload.length > MAX_CONTROL_PAYLOAD_BYTES)
    throw new UsageError(
      'ERR_EXTPOLL_WRITE_DATA',
      'a close frame carries nothing, or a code that may be sent and at most 123 bytes of UTF-8',
    )
  enter(core, 'write', connection.fd, payload, CLOSE)
  try {
    const cause = 'CLOSED_BY_APPLICATION'
    beginClose(core, connection, { code, reason, initiator: 'application', cause })
  } finally {
    leave(core, 'write', 'ok')
  }
  return 'ok'
}

/** Turns a kind into a frame's first byte, and keeps the order of fragments (RFC 6455 5.4). */
function checkKind(connection: Connection, kind: number): number {
  if (typeof kind !== 'number') refuseKind()
  const opcode = kind & 0x0f
  const last = (kind & NO_FIN) === 0
  if (
    (kind | 0) !== kind ||
    (kind & ~0x8f) !== 0 ||
    opcode > OPCODE_PONG ||
    (opcode > OPCODE_BINARY && opcode < OPCODE_PING)
  )
    refuseKind()
  if ((opcode & CONTROL_BIT) !== 0) {
    if (!last)
      throw new UsageError(
        'ERR_EXTPOLL_WRITE_KIND',
        'a control frame cannot be fragmented: leave NO_FIN out (RFC 6455 5.4)',
      )
    return FIN_BIT | opcode
  }
  if ((opcode === OPCODE_CONTINUATION) !== connection.sendsFragments)
    throw new UsageError(
      'ERR_EXTPOLL_WRITE_FRAGMENT',
      connection.sendsFragments
        ? 'a fragmented message is under way: write CONTINUATION until the piece without NO_FIN'
        : 'there is no message to continue: begin one with TEXT | NO_FIN or BINARY | NO_FIN',
    )
  return last ? FIN_BIT | opcode : opcode
}

function refuseKind(): never {
  throw new UsageError(
    'ERR_EXTPOLL_WRITE_KIND',

    'kind must be TEXT, BINARY, CONTINUATION, PING, PONG or CLOSE, or-ed with NO_FIN or ' +
      'not; to close, use close()',
  )
}

function writeFrame(
  core: Core,
  connection: Connection,
  firstByte: number,
  data: Uint8Array | string,
): WriteResult {
  const payloadBytes = typeof data === 'string' ? Buffer.byteLength(data) : data.length
  const control = (firstByte & CONTROL_BIT) !== 0
  if (control && payloadBytes > MAX_CONTROL_PAYLOAD_BYTES)
    throw new UsageError(
      'ERR_EXTPOLL_WRITE_DATA',
      `a ping or pong carries at most ${MAX_CONTROL_PAYLOAD_BYTES} bytes (RFC 6455 5.5)`,
    )
  if (!roomFor(core, connection, frameHeaderBytes(payloadBytes) + payloadBytes)) return 'full'
  if (!control) connection.sendsFragments = (firstByte & FIN_BIT) === 0
  if (typeof data === 'string') transmitText(core, connection, firstByte, data, payloadBytes)
  else transmitFrame(core, connection, firstByte, data)
  return writeResult(core, connection)
}

/** What to answer to a write that was taken. */
export function writeResult(core: Core, connection: Connection): WriteResult {
  const { queue } = connection
  if (queue !== null && queue.bytes >= core.limits.txLowWaterBytes) return 'backpressure'
  // The transport may have failed under a large write.
  return connection.isDeaf ? 'closed' : 'ok'
}

/**
 * May so many bytes be taken? Where not, a protocol with `onFull: 'close'` loses the connection,
 * with 1013.
 */
export function roomFor(core: Core, connection: Connection, bytes: number): boolean {
  const waiting = connection.queuedBytes + connection.corkedBytes
  const { maxBufferedBytes, maxContextBufferedBytes } = core.limits
  if (waiting + bytes <= maxBufferedBytes && core.bufferedBytes + bytes <= maxContextBufferedBytes)
    return true
  if (!connection.protocol!.closesWhenFull) return false
  // An answer that ended here would look whole where its end is that of the connection.
  if (connection.state === State.HTTP) dropConnection(core, connection, 'SEND_QUEUE_FULL')
  else failConnection(core, connection, 'SEND_QUEUE_FULL')
  return false
}

/**
 * Makes many calls one outermost call: what `fn` writes leaves in one send per connection, and
 * masks are announced once. For writes made outside a callback: a timer, a database's answer.
 * @returns what `fn` answers
 * @throws what `fn` throws, after everything written before was sent
 */
export function batch<Result>(ctx: Context, fn: () => Result): Result {
  const core = contextOf(ctx, 'batch')
  if (typeof fn !== 'function')
    throw new UsageError('ERR_EXTPOLL_ARGUMENT_TYPE', 'batch(): fn must be a function')
  enter(core, 'batch', undefined)
  try {
    return fn()
  } finally {
    leave(core, 'batch', undefined)
  }
}
