/**
 * A simulated host's own clock: the world's time, and what may be wrong with it.
 *
 * Answers two questions: what time is it here, and when in the world's time will it be that late
 * here. Without faults both are the same.
 */
import type { VirtualClock } from '../virtual-clock.js'

export class HostClock {
  /** How far ahead of the world it is; after a jump, minutes. */
  private offsetMs = 0
  private shownMs = -Infinity
  /** The step in which it ticks; 0: it does not. */
  private tickMs = 0
  /** It stands still, showing this, until then. */
  private frozen: { readonly atMs: number; readonly untilMs: number } | undefined

  constructor(private readonly world: VirtualClock) {}

  get now(): number {
    const { frozen, world } = this
    if (frozen !== undefined) {
      if (world.now < frozen.untilMs) return frozen.atMs
      this.frozen = undefined
    }
    // A clock that ticks more coarsely from now on waits until it is as late as it showed.
    this.shownMs = Math.max(this.shownMs, this.ticked(world.now + this.offsetMs))
    return this.shownMs
  }

  get wall(): number {
    return this.world.wall + this.offsetMs
  }

  /** When, in the world's time, this clock will show `hostMs` at the earliest. */
  worldTimeOf(hostMs: number): number {
    const shown = this.tickMs === 0 ? hostMs : Math.ceil(hostMs / this.tickMs) * this.tickMs
    return Math.max(shown - this.offsetMs, this.frozen?.untilMs ?? 0)
  }

  /** Forward, or back where negative, for good; never to before its first millisecond. */
  shift(ms: number): void {
    this.offsetMs = Math.max(this.offsetMs + ms, 1 - this.world.now)
    this.shownMs = -Infinity
    // Whoever set it has also set it going.
    this.frozen = undefined
  }

  freeze(lengthMs: number): void {
    this.frozen = { atMs: this.now, untilMs: this.world.now + lengthMs }
  }

  /** @param tickMs 0: as fine as the world's again */
  coarsen(tickMs: number): void {
    this.tickMs = tickMs
  }

  /** Shows the right time again from now on, apart from what it is ahead or behind. */
  mend(): void {
    this.tickMs = 0
    this.frozen = undefined
  }

  private ticked(ms: number): number {
    return this.tickMs === 0 ? ms : Math.floor(ms / this.tickMs) * this.tickMs
  }
}
