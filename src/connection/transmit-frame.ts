/**
 * Frames out: header and payload into the cork, or straight to the kernel when large.
 * Source: RFC 6455 5.2; the server's frames are not masked (5.1), the client's are
 * (transmit-masked.ts).
 */
import { frameHeaderBytes, writeFrameHeader } from '../wire/frame-writer.js'
import { FIN_BIT } from '../wire/opcode.js'
import { type EncodedFrame } from '../wire/prepared-frame.js'
import { type Connection, type Core } from './connection.js'
import { transmitMasked, transmitMaskedText } from './transmit-masked.js'
import { enqueue, flushCork, flushWithBody, joinsQueue, reserve } from './transmit.js'

/** Below this a byte loop is cheaper than a call of `set`. */
const LOOP_MAX_BYTES = 48

/** @param firstByte FIN and reserved bits or-ed with the opcode */
export function transmitFrame(
  core: Core,
  connection: Connection,
  firstByte: number,
  payload: Uint8Array,
): void {
  if (connection.role.client) {
    transmitMasked(core, connection, firstByte, payload)
    return
  }
  const payloadBytes = payload.length
  if (joinsQueue(core, connection)) {
    queueFrame(core, connection, firstByte, payload)
    return
  }
  const headerBytes = frameHeaderBytes(payloadBytes)
  if (payloadBytes > core.limits.corkMaxBytes) {
    const at = reserve(core, connection, headerBytes)
    writeFrameHeader(core.arena.bytes, at, firstByte, payloadBytes)
    flushWithBody(core, connection, payload)
    return
  }
  const isShort = payloadBytes <= LOOP_MAX_BYTES
  const { lastFrame } = core
  const { bytes } = core.arena
  if (
    !isShort &&
    isCorkEmpty(connection) &&
    lastFrame.is(bytes, core.arenaEpoch, firstByte, payload)
  ) {
    share(core, connection, lastFrame.start, lastFrame.end)
    return
  }
  const at = reserve(core, connection, headerBytes + payloadBytes)
  const start = writeFrameHeader(bytes, at, firstByte, payloadBytes)
  if (isShort)
    for (let index = 0; index < payloadBytes; index++) bytes[start + index] = payload[index]!
  else {
    bytes.set(payload, start)
    lastFrame.note(core.arenaEpoch, firstByte, payload, at, start)
  }
  flushWhenWell(core, connection)
}

function isCorkEmpty({ corkStart, corkEnd }: Connection): boolean {
  return corkStart === corkEnd
}

/** What is to be sent stands in the arena already, for somebody else. */
function share(core: Core, connection: Connection, start: number, end: number): void {
  connection.corkStart = start
  connection.corkEnd = end
  core.scheduleFlush(connection)
  flushWhenWell(core, connection)
}

/** Text that JavaScript holds as a string, written as UTF-8 where it will be sent from. */
export function transmitText(
  core: Core,
  connection: Connection,
  firstByte: number,
  text: string,
  payloadBytes: number,
): void {
  if (connection.role.client) {
    transmitMaskedText(core, connection, firstByte, text, payloadBytes)
    return
  }
  if (joinsQueue(core, connection) || payloadBytes > core.limits.corkMaxBytes) {
    transmitFrame(core, connection, firstByte, Buffer.from(text, 'utf8'))
    return
  }
  const at = reserve(core, connection, frameHeaderBytes(payloadBytes) + payloadBytes)
  const start = writeFrameHeader(core.arena.bytes, at, firstByte, payloadBytes)
  core.arena.bytes.write(text, start, payloadBytes, 'utf8')
  flushWhenWell(core, connection)
}

/** A frame encoded before: in the arena once for all who are written to until it is emptied. */
export function transmitPrepared(core: Core, connection: Connection, frame: EncodedFrame): void {
  const { bytes } = frame
  if (connection.role.client) {
    transmitMasked(core, connection, bytes[0]!, bytes.subarray(frame.payloadAt))
    return
  }
  if (joinsQueue(core, connection)) {
    enqueue(core, connection, bytes, 0, bytes.length)
  } else if (bytes.length > core.limits.corkMaxBytes) {
    flushWithBody(core, connection, bytes)
  } else if (
    frame.arena === core.arena &&
    frame.arenaEpoch === core.arenaEpoch &&
    isCorkEmpty(connection)
  ) {
    share(core, connection, frame.arenaAt, frame.arenaAt + bytes.length)
  } else {
    const at = reserve(core, connection, bytes.length)
    core.arena.bytes.set(bytes, at)
    frame.arena = core.arena
    frame.arenaEpoch = core.arenaEpoch
    frame.arenaAt = at
    flushWhenWell(core, connection)
  }
}

/** A control frame: at most 125 bytes. */
export function transmitControl(
  core: Core,
  connection: Connection,
  opcode: number,
  payload: Uint8Array,
): void {
  transmitFrame(core, connection, FIN_BIT | opcode, payload)
}

/**
 * A cork above the low-water mark leaves early, so that what `write` answers is the kernel's word
 * and not that of a buffer nobody has tried to send.
 */
export function flushWhenWell(core: Core, connection: Connection): void {
  if (connection.corkedBytes > core.limits.txLowWaterBytes) flushCork(core, connection)
}

function queueFrame(
  core: Core,
  connection: Connection,
  firstByte: number,
  payload: Uint8Array,
): void {
  const header = Buffer.allocUnsafe(frameHeaderBytes(payload.length))
  writeFrameHeader(header, 0, firstByte, payload.length)
  enqueue(core, connection, header, 0, header.length)
  enqueue(core, connection, payload, 0, payload.length)
}
