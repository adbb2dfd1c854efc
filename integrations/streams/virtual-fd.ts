/**
 * A descriptor that no kernel knows: what the loop of stream-loop.ts needs of one.
 *
 * Whose it is, what is waited for, and what is ready now. Knows no stream; the two kinds are in
 * stream-socket.ts and stream-listener.ts.
 */
import type { Context } from '../../src/index.js'

/** Whoever wants to hear that something may have become ready. */
export interface ReadyQueue {
  push(entry: VirtualFd): void
}

export abstract class VirtualFd {
  readonly fd: number
  /** Announced, and not yet deleted. */
  live = false
  gen = 0
  context: Context | null = null
  /** The mask announced last. */
  mask = 0
  /** In the ready queue. */
  queued = false
  readonly #ready: ReadyQueue

  constructor(fd: number, ready: ReadyQueue) {
    this.fd = fd
    this.#ready = ready
  }

  /** What is ready of what is waited for, poll(2)'s bits. */
  abstract revents(): number

  /** Just reported; errors are not to be told again at mask 0 (C4). */
  reported(): void {
    // only sockets have errors
  }

  /** Waits for this from now on; begins or stops to read accordingly. */
  abstract want(mask: number): void

  /** Forgotten by the poll set; the descriptor is still open. */
  abstract unpolled(): void

  /** Readiness may have changed. */
  wake(): void {
    if (this.queued || !this.live) return
    this.queued = true
    this.#ready.push(this)
  }
}
