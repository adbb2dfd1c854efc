/**
 * A message that comes in pieces: of a split frame, of several fragments, or both.
 *
 * Grows with what was received, never with what was announced: a header that promises a megabyte
 * costs its sender a megabyte.
 */
import { Utf8Validator } from '../wire/utf8-validator.js'
import { type SpareMemory } from './spare-memory.js'

const FIRST_BYTES = 4_096
const NOTHING = Buffer.alloc(0)

export class MessageAssembly {
  /** Payload bytes still to come of the frame in hand. */
  frameRemaining = 0
  frameKey = 0
  frameFin = false
  /** Frames of the message so far. */
  fragments = 0
  /** Payload bytes so far. */
  length = 0
  /** Set for text. */
  readonly utf8: Utf8Validator | null
  readonly #spares: SpareMemory
  #buffer: Buffer = NOTHING

  constructor(text: boolean, spares: SpareMemory) {
    this.utf8 = text ? new Utf8Validator() : null
    this.#spares = spares
  }

  /** Bytes of memory behind it. */
  get capacityBytes(): number {
    return this.#buffer.length
  }

  /** @param knownBytes what the message cannot exceed; its length, where the last frame tells it */
  append(piece: Buffer, knownBytes: number): void {
    const needed = this.length + piece.length
    if (needed > this.#buffer.length) this.#grow(needed, knownBytes)
    this.#buffer.set(piece, this.length)
    this.length = needed
  }

  /** The whole message. Who may keep it has its memory; else it is given back by `recycle`. */
  take(): Buffer {
    return this.#buffer.subarray(0, this.length)
  }

  /** Nobody looks at the message any more: the next one may have its memory. */
  recycle(): void {
    this.#spares.give(this.#buffer)
    this.#buffer = NOTHING
  }

  #grow(needed: number, knownBytes: number): void {
    const wished = Math.min(knownBytes, Math.max(FIRST_BYTES, needed * 2))
    const grown = this.#spares.take(Math.max(needed, wished))
    this.#buffer.copy(grown, 0, 0, this.length)
    this.#spares.give(this.#buffer)
    this.#buffer = grown
  }
}
