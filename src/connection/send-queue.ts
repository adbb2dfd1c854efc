/**
 * What the kernel refused, in order, until POLLOUT. Memory is the connection's own; small pieces
 * share a chunk, so that a queue costs what its bytes cost.
 */

/** Small pieces are gathered in chunks: the first ones small, since most queues are short. */
const CHUNK_MIN_BYTES = 1_024
const CHUNK_MAX_BYTES = 16_384
/** Pieces given to one send; the seam takes 64. */
const MAX_PARTS = 64

export class SendQueue {
  /** Bytes that wait. */
  bytes = 0
  /** Bytes of memory behind them. */
  memoryBytes = 0
  /** Since when the peer took nothing of it. */
  stalledSinceMs: number
  readonly #chunks: Buffer[] = []
  /** Bytes of the first chunk that have left. */
  #sent = 0
  /** Bytes of the last chunk that are filled; the rest is room. */
  #filled = 0

  constructor(nowMs: number) {
    this.stalledSinceMs = nowMs
  }

  /** Copies `source[start, end)` behind what waits. */
  append(source: Uint8Array, start: number, end: number): void {
    this.bytes += end - start
    const last = this.#chunks.at(-1)
    if (last !== undefined) {
      const taken = Math.min(end - start, last.length - this.#filled)
      last.set(source.subarray(start, start + taken), this.#filled)
      this.#filled += taken
      start += taken
    }
    if (start === end) return
    const chunkBytes = Math.min(CHUNK_MAX_BYTES, Math.max(CHUNK_MIN_BYTES, this.bytes))
    const chunk = Buffer.allocUnsafeSlow(Math.max(chunkBytes, end - start))
    this.memoryBytes += chunk.length
    chunk.set(source.subarray(start, end))
    this.#chunks.push(chunk)
    this.#filled = end - start
  }

  /** The front of the queue, in place, at most `maxBytes`. @returns pieces for `SocketIo.sendv` */
  front(maxBytes: number): Uint8Array[] {
    const parts: Uint8Array[] = []
    let room = maxBytes
    for (
      let index = 0;
      index < this.#chunks.length && parts.length < MAX_PARTS && room > 0;
      index++
    ) {
      const chunk = this.#chunks[index]!
      const start = index === 0 ? this.#sent : 0
      const end = index === this.#chunks.length - 1 ? this.#filled : chunk.length
      const part = chunk.subarray(start, Math.min(end, start + room))
      room -= part.length
      parts.push(part)
    }
    return parts
  }

  /** `count` bytes of the front have left. */
  advance(count: number): void {
    this.bytes -= count
    let left = count + this.#sent
    for (;;) {
      const first = this.#chunks[0]
      const end = this.#chunks.length === 1 ? this.#filled : first?.length
      if (first === undefined || end === undefined || left < end) break
      left -= end
      this.memoryBytes -= first.length
      this.#chunks.shift()
    }
    this.#sent = left
    if (this.#chunks.length === 0) this.#filled = 0
  }
}
