/**
 * What became ready, served in one go when Node's loop has polled: readiness of virtual descriptors
 * as level-triggered poll sets have it, one timer for all deadlines.
 *
 * One `setImmediate` gathers what one poll phase brought, so that a batch is parsed, answered and
 * sent together. Knows no stream. Source: src/CONTRACT.md B and C, C5, C12, C14, C21.
 */
import { isDestroyed, nextTimeout, serviceFd, serviceFds } from '../../src/index.js'
import type { Context, PollChange, PollSet } from '../../src/index.js'
import type { ReadyQueue, VirtualFd } from './virtual-fd.js'

interface Member {
  readonly context: Context
  /** Descriptors it has here. */
  fds: number
}

export class StreamLoop implements ReadyQueue, PollSet {
  readonly #entries: ReadonlyMap<number, VirtualFd>
  readonly #members: Member[] = []
  /** Ready now; and the list before it, to be filled next. */
  #ready: VirtualFd[] = []
  #spare: VirtualFd[] = []
  readonly #batch: VirtualFd[] = []
  readonly #pollfds: { fd: number; revents: number; gen: number }[] = []
  readonly #errors: unknown[] = []
  #scheduled = false
  #inRound = false
  #timer: NodeJS.Timeout | undefined
  /** When the timer fires. */
  #timerMs = Infinity
  #gen = 0
  readonly #turn = (): void => this.#round()

  /** @param entries every open descriptor, by number */
  constructor(entries: ReadonlyMap<number, VirtualFd>) {
    this.#entries = entries
  }

  push(entry: VirtualFd): void {
    this.#ready.push(entry)
    if (!this.#scheduled) this.#schedule()
  }

  // --- the poll set

  add(fd: number, events: number, change: PollChange): void {
    const entry = this.#entries.get(fd)!
    entry.gen = change.gen
    entry.context = change.context as Context
    this.#memberOf(entry.context).fds++
    entry.want(events)
  }

  del(fd: number): void {
    const entry = this.#entries.get(fd)
    if (entry?.live !== true) return
    this.#memberOf(entry.context!).fds--
    entry.unpolled()
    entry.context = null
  }

  set(fd: number, _events: number, change: PollChange): void {
    this.#entries.get(fd)?.want(change.next)
  }

  clear(fd: number, _events: number, change: PollChange): void {
    this.#entries.get(fd)?.want(change.next)
  }

  /** The wait became shorter, or the deadline it was for is gone (C21). */
  timeout(timeoutMs: number, _deadlineMs: number | null, context: object): void {
    this.#memberOf(context as Context)
    // A round looks at everything when it ends.
    if (!this.#inRound) this.#arm(timeoutMs)
  }

  nextGen(): number {
    this.#gen = (this.#gen + 1) >>> 0 || 1
    return this.#gen
  }

  // --- rounds

  #schedule(): void {
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  #round(): void {
    this.#scheduled = false
    this.#inRound = true
    try {
      this.#serveReady(this.#takeReady())
      this.#serveDue()
    } finally {
      this.#inRound = false
      this.#arm(this.#soonestMs())
      this.#forgetSpent()
    }
    this.#throwErrors()
  }

  /** Fills the batch with what is still ready of what once was. @returns how many */
  #takeReady(): number {
    const ready = this.#ready
    this.#ready = this.#spare
    this.#spare = ready
    let count = 0
    for (const entry of ready) {
      entry.queued = false
      const revents = entry.live ? entry.revents() : 0
      if (revents === 0) continue
      this.#batch[count] = entry
      const pollfd = this.#pollfds[count]
      if (pollfd === undefined) this.#pollfds[count] = { fd: entry.fd, revents, gen: entry.gen }
      else {
        pollfd.fd = entry.fd
        pollfd.revents = revents
        pollfd.gen = entry.gen
      }
      entry.reported()
      count++
    }
    ready.length = 0
    return count
  }

  #serveReady(count: number): void {
    const batch = this.#batch
    for (let at = 0; at < count;) {
      const { context } = batch[at]!
      let next = at + 1
      while (next < count && batch[next]!.context === context) next++
      // Null: an earlier one of this batch ended it.
      if (context !== null) this.#guard(() => this.#serveRun(context, at, next))
      at = next
    }
    // What is ready yet is ready again: level-triggered (C12).
    for (let at = 0; at < count; at++) {
      const entry = batch[at]!
      if (entry.live && !entry.queued && entry.revents() !== 0) entry.wake()
    }
    batch.length = 0
  }

  #serveRun(context: Context, at: number, next: number): void {
    serviceFds(context, this.#pollfds, at, next)
  }

  #serveDue(): void {
    // By index: a callback may make a context while we are here.
    for (let at = 0; at < this.#members.length; at++) {
      const { context } = this.#members[at]!
      if (nextTimeout(context) === 0) this.#guard(() => serviceFd(context, null))
    }
  }

  /** What one callback throws does not cost the others of the round their turn. */
  #guard(serve: () => unknown): void {
    try {
      serve()
    } catch (error) {
      this.#errors.push(error)
    }
  }

  #throwErrors(): void {
    if (this.#errors.length === 0) return
    const errors = this.#errors.splice(0)
    throw errors.length === 1
      ? errors[0]
      : new AggregateError(errors, 'callbacks of several contexts threw in one round')
  }

  // --- contexts and time

  #memberOf(context: Context): Member {
    let member = this.#members.find((one) => one.context === context)
    if (member === undefined) {
      member = { context, fds: 0 }
      this.#members.push(member)
    }
    return member
  }

  /** A context without a descriptor joins again with its next one; until then nobody holds it. */
  #forgetSpent(): void {
    for (let at = this.#members.length - 1; at >= 0; at--) {
      const { context, fds } = this.#members[at]!
      if (fds === 0 && (isDestroyed(context) || nextTimeout(context) === -1))
        this.#members.splice(at, 1)
    }
  }

  #soonestMs(): number {
    let soonestMs = -1
    for (const { context } of this.#members) {
      const timeoutMs = nextTimeout(context)
      if (timeoutMs >= 0 && (soonestMs < 0 || timeoutMs < soonestMs)) soonestMs = timeoutMs
    }
    return soonestMs
  }

  /** Only ever to an earlier time, a rounded millisecond apart: what is too early does no harm. */
  #arm(timeoutMs: number): void {
    if (timeoutMs === 0 && !this.#scheduled) this.#schedule()
    if (timeoutMs <= 0) return
    const dueMs = performance.now() + timeoutMs
    if (dueMs >= this.#timerMs - 1) return
    clearTimeout(this.#timer)
    this.#timerMs = dueMs
    // It is sockets that keep the process alive, not time.
    this.#timer = setTimeout(() => {
      this.#timerMs = Infinity
      if (!this.#scheduled) this.#schedule()
    }, timeoutMs).unref()
  }
}
