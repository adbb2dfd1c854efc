/** The host's entropy, drawn some words at a time: a call for each masking key would cost more. */
import { type Host } from '../host.js'

const FIRST_WORDS = 64
/** A client draws a word for each of its frames: 4 KiB at a time make the call cost nothing. */
const MOST_WORDS = 1_024

export class Entropy {
  readonly #host: Host
  #words = new Uint32Array(0)
  #left = 0

  constructor(host: Host) {
    this.#host = host
  }

  /** 32 bits, none of them given out before. */
  word(): number {
    if (this.#left === 0) this.#draw()
    return this.#words[--this.#left]!
  }

  /** Four times as many as the last time, up to the most: few contexts need more than the first. */
  #draw(): void {
    const count = Math.min(MOST_WORDS, Math.max(FIRST_WORDS, this.#words.length * 4))
    if (this.#words.length < count) this.#words = new Uint32Array(count)
    this.#host.randomFill(new Uint8Array(this.#words.buffer))
    this.#left = count
  }
}
