/**
 * Frame headers: numbers to bytes, in the shortest form. Source: RFC 6455 5.2.
 */

/** Bytes an unmasked header takes before a payload of this length: 2, 4 or 10. */
export function frameHeaderBytes(payloadBytes: number): number {
  return payloadBytes < 126 ? 2 : payloadBytes < 2 ** 16 ? 4 : 10
}

/** What a masking key takes, behind the length. */
export const MASKING_KEY_BYTES = 4

/** As writeFrameHeader, with the mask bit and the key. @param key first key byte lowest */
export function writeMaskedHeader(
  bytes: Uint8Array,
  at: number,
  firstByte: number,
  payloadBytes: number,
  key: number,
): number {
  const end = writeFrameHeader(bytes, at, firstByte, payloadBytes)
  bytes[at + 1]! |= 0x80
  bytes[end] = key & 0xff
  bytes[end + 1] = (key >>> 8) & 0xff
  bytes[end + 2] = (key >>> 16) & 0xff
  bytes[end + 3] = key >>> 24
  return end + MASKING_KEY_BYTES
}

/**
 * Writes an unmasked header at `at`.
 * @param firstByte FIN and reserved bits or-ed with the opcode
 * @returns where the payload begins
 */
export function writeFrameHeader(
  bytes: Uint8Array,
  at: number,
  firstByte: number,
  payloadBytes: number,
): number {
  bytes[at] = firstByte
  if (payloadBytes < 126) {
    bytes[at + 1] = payloadBytes
    return at + 2
  }
  if (payloadBytes < 2 ** 16) {
    bytes[at + 1] = 126
    bytes[at + 2] = payloadBytes >>> 8
    bytes[at + 3] = payloadBytes & 0xff
    return at + 4
  }
  bytes[at + 1] = 127
  let rest = payloadBytes
  for (let index = at + 9; index > at + 1; index--) {
    bytes[index] = rest & 0xff
    rest = Math.floor(rest / 256)
  }
  return at + 10
}
