/**
 * A poller under Node's own loop: Node says when to turn, one timer says when something is due.
 *
 * Each turn is one round that does not wait, and goes back to Node's loop, which serves everything
 * else in between. Knows no context and no event; rounds are in service-loop.ts, the handle in
 * uv-poll.cc. Source: src/CONTRACT.md C14, C21.
 */
import { addon } from '../epoll-addon/binding.js'
import { pollerIdOf } from './poller.js'
import type { Poller } from './poller.js'
import type { LoopDriver, ServiceLoop } from './service-loop.js'
import { systemError } from './system-error.js'

export class NodeLoop implements LoopDriver {
  readonly #poller: Poller
  readonly #loop: ServiceLoop
  readonly #id: number
  /** Held here: the addon holds it only while the poller is watched. */
  readonly #onReadable = (): void => this.#turn()
  #fds = 0
  #active = false
  #turning = false
  /** The poller was woken and the turn for it has not come yet. */
  #woken = false
  #keepsAlive = true
  #timer: NodeJS.Timeout | undefined
  /** When the timer fires. */
  #timerMs = Infinity

  /** @throws Error with `code` ENOSPC or ENOMEM where the loop cannot watch the poller */
  constructor(poller: Poller, loop: ServiceLoop) {
    this.#poller = poller
    this.#loop = loop
    this.#id = pollerIdOf(poller)
    const result = addon().uvPollOpen(this.#id, this.#onReadable)
    if (result < 0) throw systemError('uv_poll_init', result, "Node's loop cannot watch the poller")
  }

  ref(keepsAlive: boolean): void {
    this.#keepsAlive = keepsAlive
    if (!this.#poller.closed) addon().uvPollRef(this.#id, keepsAlive)
    if (keepsAlive && this.#fds === 0) this.#timer?.ref()
    else this.#timer?.unref()
  }

  /** The contexts have this many descriptors now. One more turn settles the end of the last. */
  fdsChanged(fds: number): void {
    this.#fds = fds
    if (fds > 0) this.#activate(true)
    else if (!this.#turning) this.#wake()
    if (fds === 0) this.#disarm()
  }

  /** The wait became shorter, or the deadline it was for is gone (C21). */
  timeoutChanged(timeoutMs: number): void {
    // A turn looks at everything when it ends.
    if (!this.#turning) this.#await(timeoutMs)
  }

  #turn(): void {
    // Where a callback turns Node's loop itself: the turn above goes on with what is ready.
    if (this.#turning) return
    this.#turning = true
    this.#woken = false
    try {
      this.#loop.round()
    } finally {
      this.#turning = false
      if (this.#fds === 0) this.#activate(false)
      if (!this.#poller.closed) this.#await(this.#loop.timeoutMs())
    }
  }

  /** Without a descriptor the poller is not watched: a turn by a timer alone. */
  #await(timeoutMs: number): void {
    if (this.#fds > 0) this.#arm(timeoutMs)
    else if (timeoutMs >= 0 && this.#isSooner(timeoutMs)) {
      this.#startTimer(timeoutMs, () => this.#turn())
      if (!this.#keepsAlive) this.#timer!.unref()
    }
  }

  #activate(active: boolean): void {
    if (this.#active === active || this.#poller.closed) return
    const result = addon().uvPollActive(this.#id, active)
    if (result < 0) throw systemError('uv_poll_start', result, 'the poller cannot be watched')
    this.#active = active
  }

  #arm(timeoutMs: number): void {
    if (timeoutMs === 0) this.#wake()
    if (timeoutMs <= 0 || !this.#isSooner(timeoutMs)) return
    // Whoever called just now has nothing to do with what is due: the turn comes from the poller,
    // in its own async context. And it is descriptors that keep the process alive, not time.
    this.#startTimer(timeoutMs, () => this.#wake())
    this.#timer!.unref()
  }

  /** Only ever to an earlier time, a rounded millisecond apart: what is too early does no harm. */
  #isSooner(timeoutMs: number): boolean {
    return performance.now() + timeoutMs < this.#timerMs - 1
  }

  #startTimer(timeoutMs: number, act: () => void): void {
    this.#disarm()
    this.#timerMs = performance.now() + timeoutMs
    this.#timer = setTimeout(() => {
      this.#disarm()
      act()
    }, timeoutMs)
  }

  #disarm(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#timerMs = Infinity
  }

  /** A turn in the loop's next iteration: after the timers and the I/O that wait already. */
  #wake(): void {
    if (this.#woken || this.#poller.closed) return
    this.#woken = true
    this.#poller.wake()
  }
}
