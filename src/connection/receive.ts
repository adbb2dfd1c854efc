/**
 * Frames in: from the receive buffer to RECEIVE, looking again after every callback.
 *
 * A whole message in one frame is delivered where it lies; everything else goes through the
 * connection's assembly. Source: RFC 6455 5.4 and 6.2.
 */
import { isUtf8 } from 'node:buffer'
import { type FaultName } from '../errors.js'
import { Reason } from '../protocol/callback-reason.js'
import { type FrameHeader, headerFault, readFrameHeader } from '../wire/frame-parser.js'
import { rotateMaskingKey, unmask } from '../wire/masking.js'
import { CONTROL_BIT, OPCODE_CONTINUATION, OPCODE_TEXT } from '../wire/opcode.js'
import { type Connection, type Core } from './connection.js'
import { receiveControl } from './control.js'
import { failConnection } from './ending.js'
import { MessageAssembly } from './message-assembly.js'

/** Payloads from here up are unmasked by the seam, where it can. */
const NATIVE_MASK_MIN_BYTES = 1_024

/** Consumes frames of the receive buffer from `at` to `end`. @returns where it stopped */
export function consumeFrames(core: Core, connection: Connection, at: number, end: number): number {
  const { header, budget } = core
  const { bytes } = core.rx
  while (at < end && budget.messages > 0 && connection.delivers && !connection.blocked) {
    if (connection.frameRemaining > 0) {
      at = takePayload(core, connection, at, end)
      continue
    }
    const headerBytes = readFrameHeader(bytes, at, end, header)
    if (headerBytes === 0) break
    const fault = headerFault(header, true, 0) ?? sequenceFault(connection, header)
    if (fault !== null) {
      failConnection(core, connection, fault)
      return end
    }
    const start = at + headerBytes
    const stop = start + header.payloadBytes
    const control = (header.opcode & CONTROL_BIT) !== 0
    if (control && stop > end) break
    if (control) {
      budget.messages--
      at = stop
      unmaskReceived(core, start, stop, header.maskingKey)
      receiveControl(core, connection, header.opcode, bytes.subarray(start, stop))
    } else if (header.fin && stop <= end && header.opcode !== OPCODE_CONTINUATION) {
      budget.messages--
      at = stop
      unmaskReceived(core, start, stop, header.maskingKey)
      connection.messageOpcode = header.opcode
      deliverWhole(core, connection, start, stop)
    } else {
      beginFrame(connection, header)
      at = takePayload(core, connection, start, end)
    }
  }
  // After a fault or a close frame nothing that was received counts any more.
  return connection.frozen ? end : at
}

/** What a data frame may not be, where it comes in the sequence of frames; and its size. */
function sequenceFault(connection: Connection, header: FrameHeader): FaultName | null {
  const { opcode, payloadBytes } = header
  if ((opcode & CONTROL_BIT) !== 0) return null
  const { limits } = connection.core
  const inMessage = connection.messageOpcode !== 0
  if (opcode === OPCODE_CONTINUATION && !inMessage) return 'CONTINUATION_WITHOUT_MESSAGE'
  if (opcode !== OPCODE_CONTINUATION && inMessage) return 'MESSAGE_INTERLEAVED'
  if (payloadBytes > limits.maxFrameBytes) return 'FRAME_TOO_BIG'
  if (connection.protocol?.streams !== true) {
    const soFar = connection.assembly === null ? 0 : connection.assembly.length
    if (soFar + payloadBytes > limits.maxMessageBytes) return 'MESSAGE_TOO_BIG'
  }
  if (inMessage && connection.fragments >= limits.maxFragments) return 'TOO_MANY_FRAGMENTS'
  return null
}

function unmaskReceived(core: Core, start: number, stop: number, key: number): void {
  const { rx } = core
  if (stop - start >= NATIVE_MASK_MIN_BYTES && core.nativeMask !== null)
    core.nativeMask(rx, start, stop - start, key)
  else unmask(rx.bytes, core.rxWords, start, stop, key)
}

function beginFrame(connection: Connection, header: FrameHeader): void {
  if (header.opcode !== OPCODE_CONTINUATION) {
    connection.messageOpcode = header.opcode
    connection.fragments = 0
    connection.assembly = new MessageAssembly(header.opcode === OPCODE_TEXT)
  }
  connection.fragments++
  connection.frameFin = header.fin
  connection.frameRemaining = header.payloadBytes
  connection.frameKey = header.maskingKey
}

/** Takes what is there of the data frame in hand. @returns where it stopped */
function takePayload(core: Core, connection: Connection, at: number, end: number): number {
  const length = Math.min(connection.frameRemaining, end - at)
  const stop = at + length
  unmaskReceived(core, at, stop, connection.frameKey)
  connection.frameKey = rotateMaskingKey(connection.frameKey, length)
  connection.frameRemaining -= length
  const frameEnds = connection.frameRemaining === 0
  if (frameEnds || connection.protocol!.streams) core.budget.messages--
  const messageEnds = frameEnds && connection.frameFin
  const piece = core.rx.bytes.subarray(at, stop)
  const { utf8 } = connection.assembly!
  if (utf8 !== null && (!utf8.push(piece) || (messageEnds && !utf8.atBoundary))) {
    failConnection(core, connection, 'TEXT_UTF8')
    return end
  }
  if (connection.protocol!.streams) deliverPiece(core, connection, piece, messageEnds)
  else assemble(core, connection, piece, messageEnds)
  return stop
}

function assemble(core: Core, connection: Connection, piece: Buffer, messageEnds: boolean): void {
  const assembly = connection.assembly!
  const before = assembly.capacityBytes
  // Only the last frame's length tells where the message ends.
  const knownBytes = connection.frameFin
    ? assembly.length + piece.length + connection.frameRemaining
    : core.limits.maxMessageBytes
  assembly.append(piece, knownBytes)
  core.bufferedBytes += assembly.capacityBytes - before
  if (core.bufferedBytes > core.limits.maxContextBufferedBytes) {
    failConnection(core, connection, 'CONTEXT_BUFFERS_FULL')
    return
  }
  if (!messageEnds) return
  connection.dropAssembly()
  // The assembly's memory belongs to nobody else: a protocol that wants copies may keep it.
  connection.finalFragment = true
  core.call(connection, connection.protocol!, Reason.RECEIVE, assembly.take(), assembly.length)
  connection.messageOpcode = 0
}

/** A message that lies whole in the receive buffer. */
function deliverWhole(core: Core, connection: Connection, start: number, stop: number): void {
  const protocol = connection.protocol!
  const view = core.viewReceived(start, stop)
  if (connection.messageOpcode === OPCODE_TEXT && !isUtf8(view)) {
    failConnection(core, connection, 'TEXT_UTF8')
    return
  }
  connection.finalFragment = true
  core.call(
    connection,
    protocol,
    Reason.RECEIVE,
    protocol.copies ? Buffer.from(view) : view,
    stop - start,
  )
  connection.messageOpcode = 0
}

/** `delivery: 'stream'`: payload as it comes. */
function deliverPiece(
  core: Core,
  connection: Connection,
  piece: Buffer,
  messageEnds: boolean,
): void {
  const protocol = connection.protocol!
  if (piece.length === 0 && !messageEnds) return
  connection.finalFragment = messageEnds
  if (messageEnds) connection.dropAssembly()
  core.call(
    connection,
    protocol,
    Reason.RECEIVE,
    protocol.copies ? Buffer.from(piece) : piece,
    piece.length,
  )
  if (messageEnds) connection.messageOpcode = 0
}
