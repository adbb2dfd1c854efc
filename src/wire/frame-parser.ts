/**
 * Frame headers: bytes to numbers, and the rules that a header alone can break.
 *
 * Knows nothing of connections, messages or buffers that grow: it reads one header at one place,
 * or says that it needs more bytes. Source: RFC 6455 5.2.
 */
import { type FaultName } from '../errors.js'
import {
  CONTROL_BIT,
  FIN_BIT,
  MAX_CONTROL_PAYLOAD_BYTES,
  OPCODE_BINARY,
  OPCODE_PONG,
  RESERVED_BITS,
} from './opcode.js'

/** The header last read. One per context: parsing allocates nothing. */
export class FrameHeader {
  fin = false
  /** 0 to 15; reserved ones are reported by `headerFault`. */
  opcode = 0
  /** The reserved bits as they stand in the first byte. */
  reserved = 0
  masked = false
  /**
   * Payload bytes; -1 where the 64-bit form had its sign bit set. Past 2^53 it is inexact, and far
   * over any limit.
   */
  payloadBytes = 0
  /** The length was written in a longer form than it needs. */
  lengthPadded = false
  /** First key byte lowest; 0 where not masked. */
  maskingKey = 0
}

/**
 * Reads the header at `at`.
 * @returns the header's length in bytes, or 0 when `end` comes before the header's end
 */
export function readFrameHeader(
  bytes: Uint8Array,
  at: number,
  end: number,
  header: FrameHeader,
): number {
  const available = end - at
  if (available < 2) return 0
  const first = bytes[at]!
  const second = bytes[at + 1]!
  const short = second & 0x7f
  const masked = second > 0x7f
  const lengthEnd = short < 126 ? 2 : short === 126 ? 4 : 10
  const headerBytes = masked ? lengthEnd + 4 : lengthEnd
  if (available < headerBytes) return 0

  header.fin = (first & FIN_BIT) !== 0
  header.opcode = first & 0x0f
  header.reserved = first & RESERVED_BITS
  header.masked = masked
  header.payloadBytes = short
  header.lengthPadded = false
  if (short >= 126) readExtendedLength(bytes, at + 2, short, header)
  header.maskingKey = masked ? readMaskingKey(bytes, at + lengthEnd) : 0
  return headerBytes
}

function readExtendedLength(
  bytes: Uint8Array,
  at: number,
  short: number,
  header: FrameHeader,
): void {
  if (short === 126) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!
    header.payloadBytes = length
    header.lengthPadded = length < 126
    return
  }
  const high = readUint32(bytes, at)
  const length = high * 2 ** 32 + readUint32(bytes, at + 4)
  header.payloadBytes = high >= 2 ** 31 ? -1 : length
  header.lengthPadded = length < 2 ** 16
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  )
}

function readMaskingKey(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

/**
 * The rule a header breaks on its own, or null.
 * @param fromClient frames of a client must be masked, those of a server must not (5.1)
 * @param allowedReserved reserved bits that a negotiated extension owns
 */
export function headerFault(
  header: FrameHeader,
  fromClient: boolean,
  allowedReserved: number,
): FaultName | null {
  if ((header.reserved & ~allowedReserved) !== 0) return 'FRAME_RESERVED_BITS'
  const { opcode } = header
  const control = (opcode & CONTROL_BIT) !== 0
  if (control ? opcode > OPCODE_PONG : opcode > OPCODE_BINARY) return 'FRAME_RESERVED_OPCODE'
  if (header.masked !== fromClient) return fromClient ? 'FRAME_NOT_MASKED' : 'FRAME_MASKED'
  if (header.payloadBytes < 0) return 'FRAME_LENGTH_SIGN'
  if (header.lengthPadded) return 'FRAME_LENGTH_NOT_MINIMAL'
  if (control) {
    if (!header.fin) return 'CONTROL_FRAGMENTED'
    if (header.payloadBytes > MAX_CONTROL_PAYLOAD_BYTES) return 'CONTROL_TOO_LONG'
  }
  return null
}
