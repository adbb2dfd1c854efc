/**
 * Memory of messages that came in pieces and were delivered, for the next that do: to allocate tens
 * of kilobytes, and to have them collected, costs more than to receive them.
 */

/** Less is had from the heap as fast. */
const MIN_BYTES = 16_384
/** Of a context: beyond that what comes free is left to the garbage collector. */
const MAX_BYTES = 1_048_576

export class SpareMemory {
  readonly #buffers: Buffer[] = []
  #bytes = 0

  /** @returns uninitialized memory of `bytes`, or of up to twice as many */
  take(bytes: number): Buffer {
    const spare = bytes < MIN_BYTES ? undefined : this.#buffers.pop()
    if (spare === undefined) return Buffer.allocUnsafeSlow(bytes)
    this.#bytes -= spare.length
    // What does not fit is not what this context receives now.
    return spare.length >= bytes && spare.length <= 2 * bytes
      ? spare
      : Buffer.allocUnsafeSlow(bytes)
  }

  /** @param buffer whole, as it was taken; nobody else has it any more */
  give(buffer: Buffer): void {
    const { length } = buffer
    if (length < MIN_BYTES || this.#bytes + length > MAX_BYTES) return
    this.#bytes += length
    this.#buffers.push(buffer)
  }
}
