/**
 * Time that passes only when told to: the monotonic clock and the wall clock of a simulated host.
 *
 * Knows no deadline: who jumps from one to the next is the poller (`runFor`).
 */
export class VirtualClock {
  private monotonicMs: number
  private readonly wallOffsetMs: number

  /** @param startMs the first `now` @param wallStartMs the wall clock at that moment, since 1970 */
  constructor(startMs: number, wallStartMs: number) {
    this.monotonicMs = startMs
    this.wallOffsetMs = wallStartMs - startMs
  }

  /** Monotonic milliseconds. */
  get now(): number {
    return this.monotonicMs
  }

  /** Milliseconds since 1970. */
  get wall(): number {
    return this.monotonicMs + this.wallOffsetMs
  }

  /**
   * Lets `ms` milliseconds pass; fractions count. A negative length is the fault H7, made on
   * purpose.
   */
  advance(ms: number): void {
    this.monotonicMs += ms
  }

  /** Goes on to `ms`, or stays where that is past. */
  advanceTo(ms: number): void {
    if (ms > this.monotonicMs) this.monotonicMs = ms
  }
}
