/**
 * A round of a loop over a poller: whose turn it is, how long to wait, what becomes of errors.
 *
 * Knows the contexts of one poller and routes what became ready to its owner: a context, or a
 * function for a foreign fd. Source: src/CONTRACT.md B and C, C5, C14, C29.
 */
import { isDestroyed, nextTimeout, serviceFd, serviceFds, UsageError } from '../../src/index.js'
import type { Context, Pollfd } from '../../src/index.js'
import type { Poller } from './poller.js'

/** A foreign fd's owner. */
export type PollfdHandler = (pollfd: Pollfd) => void

interface Member {
  readonly context: Context
  /** Descriptors it has in the set. */
  fds: number
}

/** Who turns the loop where it is not `service`. */
export interface LoopDriver {
  /** The contexts on the poller have this many descriptors now. Called within announcements. */
  fdsChanged(fds: number): void
  /** As PollSet.timeout. */
  timeoutChanged(timeoutMs: number): void
  /** Whether its contexts keep the process alive. */
  ref(keepsAlive: boolean): void
}

export class ServiceLoop {
  readonly poller: Poller
  driver: LoopDriver | undefined
  readonly #members: Member[] = []
  readonly #pollfds: Pollfd[] = []
  readonly #errors: unknown[] = []
  #fds = 0
  #running = false
  /** The clock as last read: when the wait ended, or since. A round happens at one time. */
  #roundMs = 0
  #inRound = false

  constructor(poller: Poller) {
    this.poller = poller
  }

  /** From now on it is turned by this one, and tells it what there is already. */
  driven(driver: LoopDriver): void {
    this.driver = driver
    if (this.#fds > 0) driver.fdsChanged(this.#fds)
    driver.timeoutChanged(this.timeoutMs())
  }

  /** A descriptor of the context joined (1) or left (-1) the set; 0: the context alone. */
  count(context: Context, change: -1 | 0 | 1): void {
    let member = this.#members.find((one) => one.context === context)
    if (member === undefined) {
      member = { context, fds: 0 }
      this.#members.push(member)
    }
    member.fds += change
    if (change === 0) return
    this.#fds += change
    this.driver?.fdsChanged(this.#fds)
  }

  /** As PollSet.timeout. Asked for the driver each time: it may come when contexts are there. */
  timeoutChanged(context: Context, timeoutMs: number): void {
    if (timeoutMs >= 0) this.count(context, 0)
    this.driver?.timeoutChanged(timeoutMs)
  }

  /** Read once per round, as libuv does, and afresh outside of one. */
  now(): number {
    if (!this.#inRound) this.#roundMs = wholeMs()
    return this.#roundMs
  }

  /** See `service`. */
  service(context: Context, timeoutMs: number): number {
    if (this.driver !== undefined) {
      const message =
        "service() and run() are not for a host with loop: 'node': Node's own loop serves its " +
        'contexts, as soon as you return to it'
      throw new UsageError('ERR_EXTPOLL_NODE_LOOP', message)
    }
    if (this.#running) {
      const message = 'service() must not be called from a callback of a context on the same poller'
      throw new UsageError('ERR_EXTPOLL_REENTRANT_SERVICE', message)
    }
    if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs)) {
      const message = 'service(): timeoutMs must be a number of milliseconds, -1 for no limit'
      throw new UsageError('ERR_EXTPOLL_TIMEOUT', message)
    }
    this.count(context, 0)
    return this.#run(() => this.#wait(context, timeoutMs))
  }

  /** One round of what is ready and due now, for a driver. @throws as `service` */
  round(): void {
    if (this.poller.closed) return
    this.#run(() => {
      const count = this.poller.wait(this.#pollfds, 0)
      this.#roundMs = wholeMs()
      this.#inRound = true
      this.#serviceReady(count)
      this.#serviceDue()
      return count
    })
  }

  /** How long until the next context is due: 0 now, -1 never. */
  timeoutMs(): number {
    return this.#soonest(-1)
  }

  #run(serve: () => number): number {
    this.#running = true
    let serviced: number
    try {
      serviced = serve()
    } finally {
      this.#running = false
      this.#inRound = false
      this.#forgetSpent()
    }
    this.#throwErrors()
    return serviced
  }

  /** Waits, bounded and again, until there was something to do or the time is over. */
  #wait(context: Context, timeoutMs: number): number {
    const bounded = timeoutMs > 0 && timeoutMs !== Infinity
    const endMs = bounded ? performance.now() + timeoutMs : 0
    let leftMs = timeoutMs
    for (;;) {
      const count = this.poller.wait(this.#pollfds, this.#sooner(leftMs))
      this.#roundMs = wholeMs()
      this.#inRound = true
      const serviced = this.#serviceReady(count)
      const due = this.#serviceDue()
      this.#inRound = false
      if (count > 0 || due || this.poller.woken || timeoutMs === 0) return serviced
      if (this.poller.closed || isDestroyed(context)) return serviced
      if (bounded) {
        leftMs = endMs - performance.now()
        if (leftMs <= 0) return serviced
      }
    }
  }

  /**
   * The nearest of the caller's limit and what each context on the poller waits for, from now on:
   * the last round, or what came between two calls, may have taken any time. One look at the clock,
   * however many contexts there are, and none where it does not wait.
   */
  #sooner(limitMs: number): number {
    if (limitMs === 0) return 0
    this.#roundMs = wholeMs()
    this.#inRound = true
    const soonestMs = this.#soonest(limitMs)
    this.#inRound = false
    return soonestMs
  }

  #soonest(limitMs: number): number {
    let soonestMs = limitMs
    for (const { context } of this.#members) {
      const timeoutMs = nextTimeout(context)
      if (timeoutMs >= 0 && (soonestMs < 0 || timeoutMs < soonestMs)) soonestMs = timeoutMs
    }
    return soonestMs
  }

  #serviceReady(count: number): number {
    let serviced = 0
    for (let at = 0; at < count;) {
      const owner = this.poller.ownerOf(this.#pollfds[at]!)
      const next = this.#endOfRun(at, count, owner)
      // Asked right before each: a callback of this very batch may have closed it (C5).
      const live = this.poller.isLive(this.#pollfds[at]!)
      if (live) serviced += next - at
      try {
        if (live) this.#route(owner, at, next)
      } catch (error) {
        this.#errors.push(error)
      }
      at = next
    }
    return serviced
  }

  /** Where the pollfds from `at` on cease to be one context's. A function gets one at a time. */
  #endOfRun(at: number, count: number, owner: unknown): number {
    let next = at + 1
    if (typeof owner !== 'object' || owner === null) return next
    while (next < count && this.poller.ownerOf(this.#pollfds[next]!) === owner) next++
    return next
  }

  #route(owner: unknown, at: number, next: number): void {
    if (typeof owner === 'function') {
      ;(owner as PollfdHandler)(this.#pollfds[at]!)
    } else if (owner === undefined) {
      const { fd } = this.#pollfds[at]!
      const message = `fd ${fd} is ready and has no owner: give poller.add() a function`
      throw new UsageError('ERR_EXTPOLL_NO_OWNER', message)
    } else {
      serviceFds(owner as Context, this.#pollfds, at, next)
    }
  }

  /** @returns whether anything was due */
  #serviceDue(): boolean {
    let due = false
    // By index: a callback may make a context on this poller while we are here.
    for (let at = 0; at < this.#members.length; at++) {
      const { context } = this.#members[at]!
      if (nextTimeout(context) !== 0) continue
      due = true
      try {
        serviceFd(context, null)
      } catch (error) {
        this.#errors.push(error)
      }
    }
    return due
  }

  /** A context without a descriptor joins again with its next one; until then nobody holds it. */
  #forgetSpent(): void {
    for (let at = this.#members.length - 1; at >= 0; at--) {
      const { context, fds } = this.#members[at]!
      if (fds === 0 && nextTimeout(context) === -1) this.#members.splice(at, 1)
    }
  }

  /** The first of the round, the others attached as `errors`, beside what it carries already. */
  #throwErrors(): void {
    if (this.#errors.length === 0) return
    const [first, ...rest] = this.#errors.splice(0)
    if (rest.length === 0) throw first
    if (!(first instanceof Error) || Object.isFrozen(first)) {
      throw new AggregateError([first, ...rest], 'several callbacks of one round threw')
    }
    const { errors: own } = first as { errors?: unknown }
    const errors = Array.isArray(own) ? [...(own as unknown[]), ...rest] : rest
    Object.defineProperty(first, 'errors', { value: errors, configurable: true })
    throw first
  }
}

/**
 * Monotonic milliseconds, as libuv counts them, without a fraction: each time that a connection
 * remembers would take 16 bytes more with one.
 */
export function wholeMs(): number {
  return Math.floor(performance.now())
}

const loops = new WeakMap<Poller, ServiceLoop>()

/** The one loop of a poller. */
export function loopOf(poller: Poller): ServiceLoop {
  let loop = loops.get(poller)
  if (loop === undefined) {
    loop = new ServiceLoop(poller)
    loops.set(poller, loop)
  }
  return loop
}
