/**
 * UTF-8 checked piece by piece, failing in the piece that holds the first bad byte.
 *
 * Whole messages go straight to Node's `isUtf8`; this is for those that come in pieces.
 * Source: RFC 3629 4 (the table of well-formed sequences) and RFC 6455 8.1.
 */
import { isUtf8 } from 'node:buffer'

export class Utf8Validator {
  /** Continuation bytes still owed to the character in hand. */
  #owed = 0
  /** What the next continuation byte may be: narrower than 80..BF right after some lead bytes. */
  #lowest = 0x80
  #highest = 0xbf

  /** Every character begun so far has ended. */
  get atBoundary(): boolean {
    return this.#owed === 0
  }

  /**
   * Takes the next piece.
   * @returns false once a byte cannot belong to any valid text; use it no more then
   */
  push(bytes: Buffer): boolean {
    let at = 0
    while (at < bytes.length && this.#owed > 0) if (!this.#pushByte(bytes[at++]!)) return false
    const boundary = lastBoundary(bytes, at)
    if (boundary > at && !isUtf8(bytes.subarray(at, boundary))) return false
    for (at = boundary; at < bytes.length; at++) if (!this.#pushByte(bytes[at]!)) return false
    return true
  }

  #pushByte(byte: number): boolean {
    if (this.#owed > 0) {
      if (byte < this.#lowest || byte > this.#highest) return false
      this.#owed--
      this.#lowest = 0x80
      this.#highest = 0xbf
      return true
    }
    if (byte < 0x80) return true
    if (byte < 0xc2 || byte > 0xf4) return false
    this.#owed = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
    // No overlong forms, no surrogates, nothing above U+10FFFF.
    this.#lowest = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80
    this.#highest = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf
    return true
  }
}

/**
 * Where the last character begins that `bytes` may not hold whole: looks back over three bytes at
 * most.
 */
function lastBoundary(bytes: Uint8Array, from: number): number {
  const limit = Math.max(from, bytes.length - 3)
  for (let at = bytes.length - 1; at >= limit; at--) {
    const byte = bytes[at]!
    if (byte < 0x80) break
    if (byte >= 0xc0) return at
  }
  return bytes.length
}
