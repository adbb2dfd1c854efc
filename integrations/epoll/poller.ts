/**
 * A set of descriptors that wait together, on epoll or poll(2). For loops of one's own as for ours.
 *
 * Keeps fd -> (generation, owner) and drops what is stale (C5). Knows neither contexts nor
 * WebSockets: an owner is whatever was handed in. Source: src/CONTRACT.md C4, C5, C12.
 */
import { POLLERR, POLLHUP, POLLIN, POLLOUT, UsageError } from '../../src/index.js'
import type { Pollfd } from '../../src/index.js'
import { addon } from '../epoll-addon/binding.js'
import { isList, readFields } from './arguments.js'
import { systemError } from './system-error.js'

export interface PollerOptions {
  /** `'epoll'` (default), or `'poll'`: poll(2), whose cost grows with the number of descriptors. */
  readonly backend?: 'epoll' | 'poll'
  /**
   * The longest that one wait lasts, 1 to 60,000 milliseconds, default 100. A wait that returns is
   * what lets `worker.terminate()` and `process.exit()` end the thread, so this bounds their delay.
   */
  readonly maxWaitMs?: number
  /** The most that one wait reports, 1 to 65,536, default 1024. What exceeds it comes next time. */
  readonly maxEvents?: number
}

const DEFAULT_MAX_WAIT_MS = 100
const MAX_MAX_WAIT_MS = 60_000
const DEFAULT_MAX_EVENTS = 1024
const MAX_MAX_EVENTS = 65_536
const TRIPLE_BYTES = 12
const MAX_FD = 2 ** 30 - 1
const MAX_GEN = 2 ** 32 - 1
const EBADF = -9
/** Room of a new set; doubled when a higher fd comes. */
const FIRST_FDS = 64
const IMPLIED = POLLERR | POLLHUP

/** What a collected Poller leaves behind, so that one that nobody closed is closed all the same. */
const forgotten = new FinalizationRegistry<{ id: number; bufferId: number }>(({ id, bufferId }) => {
  addon().pollerClose(id)
  addon().freeBuffer(bufferId)
})

function integerOption(name: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value
  const message = `Poller: ${name} must be an integer from 1 to ${max}`
  throw new UsageError('ERR_EXTPOLL_POLLER_OPTION', message)
}

function checkedFd(call: string, fd: number): number {
  if (Number.isInteger(fd) && fd >= 0 && fd <= MAX_FD) return fd
  const message = `${call}(): fd must be a descriptor's number, 0 to ${MAX_FD}`
  throw new UsageError('ERR_EXTPOLL_FD', message)
}

function checkedEvents(call: string, events: number): number {
  const known = POLLIN | POLLOUT | IMPLIED
  if (Number.isInteger(events) && (events & ~known) === 0) return events & ~IMPLIED
  const message = `${call}(): events must be 0, POLLIN, POLLOUT or both`
  throw new UsageError('ERR_EXTPOLL_EVENTS', message)
}

function refusePollfds(): never {
  const message = 'wait(): pollfds must be an array that can be written to'
  throw new UsageError('ERR_EXTPOLL_POLLFD', message)
}

let readId: (poller: Poller) => number
let hasId: (value: object) => boolean

/** What the addon calls it, for the integration's other files. */
export function pollerIdOf(poller: Poller): number {
  return readId(poller)
}

/** Whether it was made by `new Poller()`: neither a Proxy of one nor its heir. */
export function isPoller(value: unknown): value is Poller {
  return typeof value === 'object' && value !== null && hasId(value)
}

/**
 * A poll set. Level-triggered, whatever the backend: what is not dealt with is reported again.
 *
 * @example
 * const poller = new Poller()
 * const pollfds: Pollfd[] = []
 * poller.add(fd, POLLIN)
 * const count = poller.wait(pollfds, -1)
 * for (let i = 0; i < count; i++) console.log(pollfds[i].fd, formatEvents(pollfds[i].revents))
 */
export class Poller {
  static {
    readId = (poller) => poller.#id
    hasId = (value) => #id in value
  }

  readonly backend: 'epoll' | 'poll'
  /** See PollerOptions. */
  readonly maxWaitMs: number
  /**
   * The epoll descriptor, itself pollable: readable while something in the set is ready. Watch it
   * from another loop, never read, write or close it. -1 with poll(2), which has none.
   */
  readonly fd: number
  /** The number to hand to another thread, which calls `wakeFd(number)` to end a wait here. */
  readonly wakeFd: number

  readonly #id: number
  readonly #bufferId: number
  readonly #triples: Int32Array
  // What is in the set, by fd; in columns, since one object for each would cost 56 bytes.
  /** What the kernel gives back with an event: never repeated, so a stale one is told. 0: absent */
  #serials = new Uint32Array(FIRST_FDS)
  /** 0: none was given. */
  #gens = new Uint32Array(FIRST_FDS)
  #masks = new Uint8Array(FIRST_FDS)
  readonly #owners: unknown[] = []
  /** Of pollfds that carry no generation: the serial of the entry each was last filled for. */
  readonly #serialOf = new WeakMap<Pollfd, number>()
  #size = 0
  #serial = 0
  #gen = 0
  #woken = false
  #closed = false

  /**
   * @throws UsageError ERR_EXTPOLL_NO_ADDON where the addon is not built
   * @throws UsageError ERR_EXTPOLL_POLLER_OPTION for an option out of range
   * @throws Error with `code` EMFILE, ENFILE or ENOMEM where the system has no descriptor left
   */
  constructor(options: PollerOptions = {}) {
    const {
      backend = 'epoll',
      maxWaitMs = DEFAULT_MAX_WAIT_MS,
      maxEvents = DEFAULT_MAX_EVENTS,
    } = readFields('Poller', 'options', options, ({ ...given }) => given)
    if (!['epoll', 'poll'].includes(backend)) {
      const message = "Poller: backend must be 'epoll' or 'poll'"
      throw new UsageError('ERR_EXTPOLL_POLLER_OPTION', message)
    }
    this.backend = backend
    this.maxWaitMs = integerOption('maxWaitMs', maxWaitMs, MAX_MAX_WAIT_MS)
    integerOption('maxEvents', maxEvents, MAX_MAX_EVENTS)
    const [bufferId, memory] = addon().createBuffer(maxEvents * TRIPLE_BYTES, false)
    const id = addon().pollerCreate(backend === 'epoll', bufferId, maxEvents)
    if (id < 0) {
      addon().freeBuffer(bufferId)
      throw systemError('epoll_create1', id, 'the poll set could not be made')
    }
    this.#id = id
    this.#bufferId = bufferId
    this.#triples = new Int32Array(memory)
    this.fd = addon().pollerFd(id)
    this.wakeFd = addon().pollerWakeFd(id)
    forgotten.register(this, { id, bufferId }, this)
  }

  /** How many descriptors are in the set, the one behind `wake` apart. */
  get size(): number {
    return this.#size
  }

  /** Whether `wake` (or `wakeFd`, on any thread) was called before the last wait ended. */
  get woken(): boolean {
    return this.#woken
  }

  /** Whether `close` was called. */
  get closed(): boolean {
    return this.#closed
  }

  /**
   * Waits for a descriptor from now on. Any that is open and can be polled, not only sockets. A
   * repeat replaces generation, owner and mask.
   *
   * @param events POLLIN, POLLOUT, both, or 0: then POLLERR or POLLHUP is reported once and nothing
   *   else until the next `modify` (C4)
   * @param gen what `wait` reports in `gen`, 1 to 2^32 - 1; absent: its pollfds carry none
   * @param owner what `ownerOf` answers. A function is what `service` calls with the pollfd
   * @throws UsageError ERR_EXTPOLL_FD for a descriptor that is not open
   * @throws Error with `code` EPERM for one that cannot be polled (a regular file, epoll only),
   *   ENOSPC or ENOMEM where the system has no room. The set is then as it was
   */
  add(fd: number, events: number, gen?: number, owner?: unknown): void {
    this.#open('add')
    checkedFd('add', fd)
    const mask = checkedEvents('add', events)
    if (gen !== undefined && !(Number.isInteger(gen) && gen >= 1 && gen <= MAX_GEN)) {
      const message = `add(): gen must be an integer from 1 to ${MAX_GEN}, or absent`
      throw new UsageError('ERR_EXTPOLL_GEN', message)
    }
    this.#serial = (this.#serial + 1) >>> 0 || 1
    const result = addon().pollerAdd(this.#id, fd, mask, this.#serial)
    if (result === EBADF) throw new UsageError('ERR_EXTPOLL_FD', `add(): fd ${fd} is not open`)
    if (result < 0) throw systemError('epoll_ctl', result, `fd ${fd} cannot join the poll set`)
    if (fd >= this.#serials.length) this.#grow(fd)
    if (this.#serials[fd] === 0) this.#size++
    this.#serials[fd] = this.#serial
    this.#gens[fd] = gen ?? 0
    this.#masks[fd] = mask
    this.#owners[fd] = owner
  }

  /**
   * Changes what a descriptor waits for. The mask it has already is quietly accepted.
   *
   * @param events the whole new mask, as in `add`
   * @throws UsageError ERR_EXTPOLL_UNKNOWN_FD for a descriptor that is not in the set, or that was
   *   closed without being removed; it is then forgotten
   */
  modify(fd: number, events: number): void {
    this.#open('modify')
    checkedFd('modify', fd)
    const mask = checkedEvents('modify', events)
    const serial = this.#serialAt(fd)
    const message = `modify(): fd ${fd} is not in the poll set, or was closed; add() it`
    if (serial === 0) throw new UsageError('ERR_EXTPOLL_UNKNOWN_FD', message)
    if (this.#masks[fd] === mask) return
    const result = addon().pollerModify(this.#id, fd, mask, serial)
    if (result < 0) {
      this.remove(fd)
      throw new UsageError('ERR_EXTPOLL_UNKNOWN_FD', message)
    }
    this.#masks[fd] = mask
  }

  /**
   * Forgets a descriptor, before it is closed. From now on nothing of it is reported, not even what
   * the last `wait` already found: `isLive` tells. Unknown: nothing happens.
   */
  remove(fd: number): void {
    if (this.#serialAt(fd) === 0) return
    this.#serials[fd] = 0
    this.#owners[fd] = undefined
    this.#size--
    // Refused where it was closed too early; the kernel forgot it then by itself.
    if (!this.#closed) addon().pollerRemove(this.#id, fd)
  }

  /**
   * Waits until something is ready, the time is over, a signal arrived, or `wake` was called.
   *
   * @param pollfds filled from index 0 on; its objects are used again by the next call
   * @param timeoutMs 0 never waits, negative means no limit; fractions are rounded up. No single
   *   call waits longer than `maxWaitMs`, so that 0 does not mean that nothing will ever come
   * @returns how many of `pollfds` are ready, 0 or more
   * @throws UsageError ERR_EXTPOLL_TIMEOUT for a timeout that is no number, ERR_EXTPOLL_POLLFD for
   *   pollfds that are no array, or cannot be written to
   */
  wait(pollfds: Pollfd[], timeoutMs: number): number {
    this.#open('wait')
    if (!isList(pollfds)) refusePollfds()
    const count = addon().wait(this.#id, this.#bounded(timeoutMs))
    if (count < 0) throw systemError('epoll_wait', count, 'the poll set could not be waited for')
    try {
      return this.#report(count, pollfds)
    } catch {
      return refusePollfds()
    }
  }

  #report(count: number, pollfds: Pollfd[]): number {
    const triples = this.#triples
    this.#woken = false
    let filled = 0
    for (let at = 0; at < count * 3; at += 3) {
      const fd = triples[at]!
      const serial = triples[at + 1]! >>> 0
      if (serial === 0) {
        addon().eventDrain(this.wakeFd)
        this.#woken = true
      } else if (this.#serialAt(fd) === serial) {
        this.#fill(pollfds, filled++, fd, triples[at + 2]!)
      }
    }
    return filled
  }

  /** The next generation: unsigned 32-bit, never 0, one counter for all that share the set (C5). */
  nextGen(): number {
    this.#gen = (this.#gen + 1) >>> 0 || 1
    return this.#gen
  }

  /**
   * Whether what `wait` found is still about the same descriptor: false once it was removed, or
   * its number was removed and added again. Ask right before acting on each pollfd of a batch.
   */
  isLive(pollfd: Pollfd): boolean {
    return this.#isKnown(pollfd)
  }

  /** The owner given to `add`; undefined where there was none, and where `isLive` is false. */
  ownerOf(pollfd: Pollfd): unknown {
    return this.#isKnown(pollfd) ? this.#owners[pollfd.fd] : undefined
  }

  /** Ends a wait that is under way, or the next one, with 0 events unless others are ready. */
  wake(): void {
    this.#open('wake')
    addon().eventWrite(this.wakeFd)
  }

  /** Closes the set, not the descriptors in it. Further calls throw, `remove` and `close` apart. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    forgotten.unregister(this)
    addon().pollerClose(this.#id)
    addon().freeBuffer(this.#bufferId)
  }

  #open(call: string): void {
    if (!this.#closed) return
    const message = `${call}(): the poller was closed; make a new one`
    throw new UsageError('ERR_EXTPOLL_POLLER_CLOSED', message)
  }

  #bounded(timeoutMs: number): number {
    if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs)) {
      const message = 'wait(): timeoutMs must be a number of milliseconds, -1 for no limit'
      throw new UsageError('ERR_EXTPOLL_TIMEOUT', message)
    }
    return timeoutMs < 0 || timeoutMs > this.maxWaitMs ? this.maxWaitMs : Math.ceil(timeoutMs)
  }

  /** 0 for what is not in the set, and for what is no fd at all. */
  #serialAt(fd: number): number {
    return typeof fd === 'number' ? (this.#serials[fd] ?? 0) : 0
  }

  #grow(fd: number): void {
    let room = this.#serials.length
    while (room <= fd) room *= 2
    const [serials, gens, masks] = [this.#serials, this.#gens, this.#masks]
    this.#serials = new Uint32Array(room)
    this.#gens = new Uint32Array(room)
    this.#masks = new Uint8Array(room)
    this.#serials.set(serials)
    this.#gens.set(gens)
    this.#masks.set(masks)
  }

  #fill(pollfds: Pollfd[], index: number, fd: number, revents: number): void {
    const pollfd = pollfds[index]
    const gen = this.#gens[fd]!
    if (gen !== 0) {
      if (pollfd?.gen === undefined) {
        pollfds[index] = { fd, revents, gen }
      } else {
        pollfd.fd = fd
        pollfd.revents = revents
        pollfd.gen = gen
      }
      return
    }
    // An object that has no `gen` at all, so that serviceFd does not take it for stale.
    let plain = pollfd
    if (plain === undefined || 'gen' in plain) plain = pollfds[index] = { fd, revents }
    plain.fd = fd
    plain.revents = revents
    this.#serialOf.set(plain, this.#serials[fd]!)
  }

  #isKnown(pollfd: Pollfd): boolean {
    let fd: number
    try {
      ;({ fd } = pollfd)
    } catch {
      throw new UsageError('ERR_EXTPOLL_POLLFD', 'a pollfd must be one that wait() filled')
    }
    const serial = this.#serialAt(fd)
    if (serial === 0) return false
    const gen = this.#gens[fd]!
    if (gen !== 0) return gen === pollfd.gen
    if (pollfd.gen !== undefined) return false
    const filledFor = this.#serialOf.get(pollfd)
    return filledFor === undefined || filledFor === serial
  }
}

/**
 * Ends the wait of a poller of another thread (or this one), by the number its `wakeFd` gave.
 * @throws UsageError ERR_EXTPOLL_FD where no open poller of this process has that number
 */
export function wakeFd(fd: number): void {
  const result = addon().eventWrite(checkedFd('wakeFd', fd))
  if (result === 0) return
  const message = `wakeFd(): ${fd} is not a poller's wakeFd, or that poller was closed`
  throw new UsageError('ERR_EXTPOLL_FD', message)
}
