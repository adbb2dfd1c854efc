/**
 * Frames in: from the receive buffer to RECEIVE, looking again after every callback.
 *
 * A whole message in one frame is delivered where it lies; everything else goes through the
 * connection's assembly. Source: RFC 6455 5.4 and 6.2.
 */
import { isUtf8 } from 'node:buffer'
import { type FaultName } from '../errors.js'
import { type FrameHeader, headerFault, readFrameHeader } from '../wire/frame-parser.js'
import { rotateMaskingKey, unmask } from '../wire/masking.js'
import { CONTROL_BIT, OPCODE_CONTINUATION, OPCODE_TEXT } from '../wire/opcode.js'
import { type Connection, type Core } from './connection.js'
import { receiveControl } from './control.js'
import { failConnection } from './ending.js'
import { MessageAssembly } from './message-assembly.js'

/** Payloads from here up are unmasked by the seam, where it can. */
const NATIVE_MASK_MIN_BYTES = 1_024
/** Messages up to here are copied byte by byte. */
const SMALL_COPY_BYTES = 64

/** Consumes frames of the receive buffer from `at` to `end`. @returns where it stopped */
export function consumeFrames(core: Core, connection: Connection, at: number, end: number): number {
  const { header, budget } = core
  const { bytes } = core.rx
  while (at < end && budget.messages > 0 && connection.delivers && !connection.blocked) {
    const { assembly } = connection
    if (assembly !== null && assembly.frameRemaining > 0) {
      at = takePayload(core, connection, assembly, at, end)
      continue
    }
    const headerBytes = readFrameHeader(bytes, at, end, header)
    if (headerBytes === 0) break
    const fault =
      headerFault(header, !connection.role.client, 0) ?? sequenceFault(connection, header)
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
      at = takePayload(core, connection, beginFrame(core, connection, header), start, end)
    }
  }
  // After a fault or a close frame nothing that was received counts any more.
  return connection.frozen ? end : at
}

/** What a data frame may not be, where it comes in the sequence of frames; and its size. */
function sequenceFault(connection: Connection, header: FrameHeader): FaultName | null {
  const { opcode, payloadBytes } = header
  if ((opcode & CONTROL_BIT) !== 0) return null
  const { assembly } = connection
  const { limits } = connection.core
  const inMessage = connection.messageOpcode !== 0
  if (opcode === OPCODE_CONTINUATION && !inMessage) return 'CONTINUATION_WITHOUT_MESSAGE'
  if (opcode !== OPCODE_CONTINUATION && inMessage) return 'MESSAGE_INTERLEAVED'
  if (payloadBytes > limits.maxFrameBytes) return 'FRAME_TOO_BIG'
  if (connection.protocol?.streams !== true) {
    const soFar = assembly === null ? 0 : assembly.length
    if (soFar + payloadBytes > limits.maxMessageBytes) return 'MESSAGE_TOO_BIG'
  }
  if (assembly !== null && assembly.fragments >= limits.maxFragments) return 'TOO_MANY_FRAGMENTS'
  return null
}

function unmaskReceived(core: Core, start: number, stop: number, key: number): void {
  if (key === 0) return
  const { rx } = core
  if (stop - start >= NATIVE_MASK_MIN_BYTES && core.nativeMask !== null)
    core.nativeMask(rx, start, stop - start, key)
  else unmask(rx.bytes, core.rxWords, start, stop, key)
}

function beginFrame(core: Core, connection: Connection, header: FrameHeader): MessageAssembly {
  if (header.opcode !== OPCODE_CONTINUATION) {
    connection.messageOpcode = header.opcode
    connection.assembly = new MessageAssembly(header.opcode === OPCODE_TEXT, core.spares)
  }
  const assembly = connection.assembly!
  assembly.fragments++
  assembly.frameFin = header.fin
  assembly.frameRemaining = header.payloadBytes
  assembly.frameKey = header.maskingKey
  return assembly
}

/** Takes what is there of the data frame in hand. @returns where it stopped */
function takePayload(
  core: Core,
  connection: Connection,
  assembly: MessageAssembly,
  at: number,
  end: number,
): number {
  const length = Math.min(assembly.frameRemaining, end - at)
  const stop = at + length
  unmaskReceived(core, at, stop, assembly.frameKey)
  assembly.frameKey = rotateMaskingKey(assembly.frameKey, length)
  assembly.frameRemaining -= length
  const frameEnds = assembly.frameRemaining === 0
  if (frameEnds || connection.protocol!.streams) core.budget.messages--
  const messageEnds = frameEnds && assembly.frameFin
  const piece = core.rx.bytes.subarray(at, stop)
  const { utf8 } = assembly
  if (utf8 !== null && (!utf8.push(piece) || (messageEnds && !utf8.atBoundary))) {
    failConnection(core, connection, 'TEXT_UTF8')
    return end
  }
  if (connection.protocol!.streams) deliverPiece(core, connection, piece, messageEnds)
  else assemble(core, connection, assembly, piece, messageEnds)
  return stop
}

function assemble(
  core: Core,
  connection: Connection,
  assembly: MessageAssembly,
  piece: Buffer,
  messageEnds: boolean,
): void {
  const before = assembly.capacityBytes
  // Only the last frame's length tells where the message ends.
  const knownBytes = assembly.frameFin
    ? assembly.length + piece.length + assembly.frameRemaining
    : core.limits.maxMessageBytes
  assembly.append(piece, knownBytes)
  core.bufferedBytes += assembly.capacityBytes - before
  if (core.bufferedBytes > core.limits.maxContextBufferedBytes) {
    failConnection(core, connection, 'CONTEXT_BUFFERS_FULL')
    return
  }
  if (!messageEnds) return
  connection.dropAssembly()
  const protocol = connection.protocol!
  connection.finalFragment = true
  core.call(connection, protocol, connection.role.receive, assembly.take(), assembly.length)
  connection.messageOpcode = 0
  // The assembly's memory belongs to nobody else: a protocol that wants copies may keep it.
  if (!protocol.copies) assembly.recycle()
}

/** A message that lies whole in the receive buffer. */
function deliverWhole(core: Core, connection: Connection, start: number, stop: number): void {
  const protocol = connection.protocol!
  const data = protocol.copies ? copyReceived(core, start, stop) : core.viewReceived(start, stop)
  if (connection.messageOpcode === OPCODE_TEXT && !isUtf8(data)) {
    failConnection(core, connection, 'TEXT_UTF8')
    return
  }
  connection.finalFragment = true
  core.call(connection, protocol, connection.role.receive, data, stop - start)
  connection.messageOpcode = 0
}

/** `payload: 'copy'`: a few bytes one by one, in a third of the time that a call for them takes. */
function copyReceived(core: Core, start: number, stop: number): Buffer {
  const length = stop - start
  if (length > SMALL_COPY_BYTES) return Buffer.from(core.viewReceived(start, stop))
  const copy = Buffer.allocUnsafe(length)
  const { bytes } = core.rx
  for (let at = 0; at < length; at++) copy[at] = bytes[start + at]!
  return copy
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
    connection.role.receive,
    protocol.copies ? Buffer.from(piece) : piece,
    piece.length,
  )
  if (messageEnds) connection.messageOpcode = 0
}
