/**
 * Bytes on their way in one direction of a connection, in order.
 *
 * Knows nothing of sockets. Keeps copies, so that whoever pushed may reuse its memory; chunks that
 * are given away (`give`) are kept as they are.
 */
export class ByteQueue {
  /** Bytes that wait. */
  lengthBytes = 0

  private chunks: Uint8Array[] = []
  /** The first chunk that is not read yet, and how much of it is. */
  private head = 0
  private offset = 0
  /**
   * Chunks after which a read stops, although more waits. Few, and none outside of tests of
   * borders.
   */
  private borders: Set<Uint8Array> | undefined

  /**
   * @param border true: no read goes past these bytes into later ones, as if those arrived later
   */
  push(bytes: Uint8Array, border = false): void {
    if (bytes.length === 0) return
    const chunk = Buffer.allocUnsafe(bytes.length)
    chunk.set(bytes)
    this.give(chunk)
    if (border) (this.borders ??= new Set()).add(chunk)
  }

  /** The same without a copy: nobody else writes to `chunk` from now on. */
  give(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.chunks.push(chunk)
    this.lengthBytes += chunk.length
  }

  /** Moves up to `length` bytes into `into`. @returns how many; 0 = nothing waits */
  read(into: Uint8Array, at: number, length: number): number {
    const { chunks, borders } = this
    let count = 0
    while (this.head < chunks.length && count < length) {
      const chunk = chunks[this.head]!
      const part = Math.min(length - count, chunk.length - this.offset)
      copy(chunk, this.offset, into, at + count, part)
      count += part
      this.offset += part
      if (this.offset < chunk.length) break
      this.offset = 0
      this.head += 1
      if (borders?.delete(chunk) === true) break
    }
    this.lengthBytes -= count
    if (this.head === chunks.length) this.clear()
    else if (this.head > MAX_READ_CHUNKS) {
      chunks.splice(0, this.head)
      this.head = 0
    }
    return count
  }

  /** Throws away everything behind the first `keepBytes`. */
  truncate(keepBytes: number): void {
    const kept = this.take().subarray(0, keepBytes)
    this.give(kept)
  }

  /** A copy of everything that waits; it goes on waiting. */
  peek(): Buffer {
    const all = Buffer.concat(this.head === 0 ? this.chunks : this.chunks.slice(this.head))
    return this.offset === 0 ? all : all.subarray(this.offset)
  }

  /** Everything that waits; nothing does afterwards. */
  take(): Buffer {
    const { chunks, head, offset } = this
    const [only] = chunks
    const all =
      chunks.length === 1 && only instanceof Buffer && head === 0
        ? (only as Buffer).subarray(offset)
        : this.peek()
    this.clear()
    return all
  }

  clear(): void {
    this.chunks.length = 0
    this.borders = undefined
    this.head = 0
    this.offset = 0
    this.lengthBytes = 0
  }
}

/** Chunks that were read and are still in the list. */
const MAX_READ_CHUNKS = 64

/** Below this a byte loop is cheaper than a call. */
const LOOP_MAX_BYTES = 32

function copy(from: Uint8Array, start: number, into: Uint8Array, at: number, length: number): void {
  if (length <= LOOP_MAX_BYTES) {
    for (let i = 0; i < length; i += 1) into[at + i] = from[start + i]!
  } else if (start === 0 && length === from.length) into.set(from, at)
  else into.set(from.subarray(start, start + length), at)
}
