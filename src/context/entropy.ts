/** The host's entropy, drawn some words at a time: a call for each masking key would cost more. */
import { type Host } from '../host.js'

const WORDS = 64

export class Entropy {
  readonly #host: Host
  readonly #words = new Uint32Array(WORDS)
  readonly #bytes = new Uint8Array(this.#words.buffer)
  #left = 0

  constructor(host: Host) {
    this.#host = host
  }

  /** 32 bits, none of them given out before. */
  word(): number {
    if (this.#left === 0) {
      this.#host.randomFill(this.#bytes)
      this.#left = WORDS
    }
    return this.#words[--this.#left]!
  }
}
