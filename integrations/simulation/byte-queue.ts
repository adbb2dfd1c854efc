/**
 * Bytes on their way in one direction of a connection, in order.
 *
 * Knows nothing of sockets. Keeps copies only, so that whoever pushed may reuse its memory.
 */
export class ByteQueue {
  /** Bytes that wait. */
  lengthBytes = 0

  private chunks: Buffer[] = []
  private offset = 0
  /**
   * Chunks after which a read stops, although more waits. Few, and empty outside of tests of
   * borders.
   */
  private readonly borders = new Set<Buffer>()

  /**
   * @param border true: no read goes past these bytes into later ones, as if those arrived later
   */
  push(bytes: Uint8Array, border = false): void {
    if (bytes.length === 0) return
    const chunk = Buffer.allocUnsafeSlow(bytes.length)
    chunk.set(bytes)
    this.chunks.push(chunk)
    this.lengthBytes += chunk.length
    if (border) this.borders.add(chunk)
  }

  /** Moves up to `length` bytes into `into`. @returns how many; 0 = nothing waits */
  read(into: Uint8Array, at: number, length: number): number {
    let count = 0
    let used = 0
    for (const chunk of this.chunks) {
      const part = Math.min(length - count, chunk.length - this.offset)
      into.set(chunk.subarray(this.offset, this.offset + part), at + count)
      count += part
      this.offset += part
      if (this.offset < chunk.length) break
      this.offset = 0
      used += 1
      if (this.borders.delete(chunk) || count === length) break
    }
    if (used > 0) this.chunks.splice(0, used)
    this.lengthBytes -= count
    return count
  }

  /** A copy of everything that waits; it goes on waiting. */
  peek(): Buffer {
    const all = Buffer.concat(this.chunks)
    return this.offset === 0 ? all : all.subarray(this.offset)
  }

  /** Everything that waits; nothing does afterwards. */
  take(): Buffer {
    const all = this.peek()
    this.clear()
    return all
  }

  clear(): void {
    this.chunks.length = 0
    this.borders.clear()
    this.offset = 0
    this.lengthBytes = 0
  }
}
