/** Two Duplexes, each the other's far end, in memory: what one writes the other reads. */
import { Duplex } from 'node:stream'

export interface PairOptions {
  readonly highWaterMark?: number
  readonly allowHalfOpen?: boolean
}

class End extends Duplex {
  other!: End
  /** Goes on with a write that the far end had no room for. */
  #resume: (() => void) | null = null

  override _read(): void {
    const resume = this.other.#resume
    this.other.#resume = null
    resume?.()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    // As with a socket: it is lost, and the next thing heard may be a reset.
    if (this.other.destroyed) done()
    else if (this.other.push(chunk)) done()
    else this.#resume = done
  }

  override _final(done: () => void): void {
    this.other.push(null)
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Destroyed without an end: the far end hears of a reset.
    if (!this.writableFinished && !this.other.destroyed)
      this.other.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
    done(error)
  }
}

/** @returns both ends */
export function streamPair(options: PairOptions = {}): [Duplex, Duplex] {
  const near = new End(options)
  const far = new End({ ...options, allowHalfOpen: true })
  near.other = far
  far.other = near
  return [near, far]
}
