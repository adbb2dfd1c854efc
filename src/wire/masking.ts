/**
 * XOR with the masking key, in place. Source: RFC 6455 5.3.
 *
 * The key is a 32-bit integer whose lowest byte is the key's first byte; it is handed on rotated,
 * so that a payload may be unmasked piece by piece.
 */

/** Below this a plain byte loop beats the set-up of a word loop. */
const WORDWISE_MIN_BYTES = 32

/** Memory as `unmask` takes it: 32-bit words. @param bytes its offset must be a multiple of 4 */
export function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
}

/**
 * @param bytes the memory; its ArrayBuffer offset must be a multiple of 4
 * @param words the same memory as 32-bit words, from the same start
 * @param key the masking key, rotated to the first byte at `start`
 */
export function unmask(
  bytes: Uint8Array,
  words: Int32Array,
  start: number,
  end: number,
  key: number,
): void {
  let at = start
  if (end - start >= WORDWISE_MIN_BYTES) {
    for (; (at & 3) !== 0; at++) {
      bytes[at]! ^= key & 0xff
      key = (key >>> 8) | (key << 24)
    }
    const lastWord = end >> 2
    let word = at >> 2
    for (; word < lastWord; word++) words[word]! ^= key
    at = word << 2
  }
  for (; at < end; at++) {
    bytes[at]! ^= key & 0xff
    key = (key >>> 8) | (key << 24)
  }
}

/** The key as it applies `bytes` further on. */
export function rotateMaskingKey(key: number, bytes: number): number {
  const bits = (bytes & 3) << 3
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits))
}
