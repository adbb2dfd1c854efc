/**
 * Who hears of an announcement, in order: the keeper of the poll array, the first protocol's
 * callback, observers (C6, C8, C9). Nothing may change the context meanwhile.
 */
import { EventEmitter } from 'eventemitter3'
import { shown, UsageError } from '../errors.js'
import { type PollSet } from '../host.js'
import { type PollChange, type PollOp } from '../poll/poll-change.js'
import { Reason } from '../protocol/callback-reason.js'
import { type ContextEvents } from '../protocol/protocol-types.js'

/** The handlers of `createContext({ on })`. */
export type OnHandlers = { readonly [Name in keyof ContextEvents]?: ContextEvents[Name] }

/** What each announcement is called: by the first protocol, by observers. */
const NAMES = {
  ADD: { reason: Reason.ADD_POLL_FD, event: 'ADD_POLL_FD' },
  DEL: { reason: Reason.DEL_POLL_FD, event: 'DEL_POLL_FD' },
  SET: { reason: Reason.SET_MODE_POLL_FD, event: 'SET_MODE' },
  CLEAR: { reason: Reason.CLEAR_MODE_POLL_FD, event: 'CLEAR_MODE' },
} as const satisfies Record<PollOp, unknown>
const POLL_EVENTS: readonly string[] = Object.values(NAMES).map(({ event }) => event)

/** What the announcer needs of its context. */
export interface Audience {
  callFirst(reason: number, data: { readonly fd: number }, len: number): unknown
  report(error: unknown): void
}

export class Announcer {
  /** An announcement is being heard: the context must not change. */
  announcing = false
  readonly #audience: Audience
  readonly #keeper: PollSet
  readonly #emitter = new EventEmitter()
  /** Somebody wants SET_TIMEOUT: asked at every exit, so kept, not looked up. */
  hearsTimeout: boolean
  /** Somebody observes the poll array, beside its keeper. */
  #isObserved = false

  /** @throws UsageError where nobody keeps the poll array */
  constructor(audience: Audience, pollSet: PollSet | undefined, on: OnHandlers | undefined) {
    this.#audience = audience
    this.#keeper = pollSet ?? keeperOf(on)
    this.hearsTimeout = this.#keeper.timeout !== undefined
    if (on === undefined) return
    for (const [event, handler] of Object.entries(on)) {
      checkEvent(event, handler)
      // Without a pollSet these four keep the array, and are heard first; else they observe.
      if (pollSet !== undefined || isPlain(event)) this.on(event, handler)
    }
  }

  on(event: string, listener: (...args: never[]) => void): void {
    checkEvent(event, listener)
    this.#emitter.on(event, listener as (...args: unknown[]) => void)
    this.#noteListeners()
  }

  off(event: string, listener: (...args: never[]) => void): void {
    if (typeof event !== 'string') refuseEvent(event)
    this.#emitter.off(event, listener as (...args: unknown[]) => void)
    this.#noteListeners()
  }

  #noteListeners(): void {
    const isHeard = (event: string): boolean => this.#emitter.listenerCount(event) > 0
    this.hearsTimeout = this.#keeper.timeout !== undefined || isHeard('SET_TIMEOUT')
    this.#isObserved = POLL_EVENTS.some(isHeard)
  }

  /**
   * @param keeper of the poll array this descriptor is in; null: the context's own
   * @throws what the keeper threw on ADD; everything else goes to onError
   */
  announce(change: PollChange, keeper: PollSet | null): void {
    const { reason, event } = NAMES[change.op]
    const wasAnnouncing = this.announcing
    this.announcing = true
    try {
      this.#tellKeeper(change, keeper ?? this.#keeper)
      this.#tellProtocol(change, reason)
      if (this.#isObserved) this.#tellObservers(change, event)
    } finally {
      this.announcing = wasAnnouncing
    }
  }

  announceTimeout(timeoutMs: number, deadlineMs: number | null): void {
    this.announcing = true
    try {
      this.#guard(() => this.#keeper.timeout?.(timeoutMs, deadlineMs, this.#audience))
      for (const listener of this.#emitter.listeners('SET_TIMEOUT'))
        this.#guard(() => listener(timeoutMs, deadlineMs))
    } finally {
      this.announcing = false
    }
  }

  /** The context is over: every fd closed, every CLOSED told. */
  announceDestroyed(): void {
    for (const listener of this.#emitter.listeners('DESTROYED')) this.#guard(() => listener())
  }

  // Spelt out, not guarded by a function made for each: announcements come with every connection.

  #tellKeeper(change: PollChange, keeper: PollSet): void {
    const { op, fd, bits } = change
    if (op === 'ADD') {
      keeper.add(fd, bits, change)
      return
    }
    try {
      if (op === 'DEL') keeper.del(fd, bits, change)
      else if (op === 'SET') keeper.set(fd, bits, change)
      else keeper.clear(fd, bits, change)
    } catch (error) {
      this.#audience.report(error)
    }
  }

  #tellProtocol(change: PollChange, reason: number): void {
    try {
      this.#audience.callFirst(reason, change, change.bits)
    } catch (error) {
      this.#audience.report(error)
    }
  }

  #tellObservers(change: PollChange, event: string): void {
    for (const listener of this.#emitter.listeners(event))
      this.#guard(() => listener(change.fd, change.bits, change))
  }

  /** A throw changes no state, and the others still hear (C9). */
  #guard(hear: () => unknown): void {
    try {
      hear()
    } catch (error) {
      this.#audience.report(error)
    }
  }
}

/** The four handlers of `on`, as the poll array's keeper. */
function keeperOf(on: OnHandlers | undefined): PollSet {
  const { ADD_POLL_FD: add, DEL_POLL_FD: del, SET_MODE: set, CLEAR_MODE: clear } = on ?? {}
  if (add === undefined || del === undefined || set === undefined || clear === undefined)
    throw new UsageError(
      'ERR_EXTPOLL_NO_POLL_SET',

      'nobody keeps the poll array: give a host with a pollSet, or all four of on: { ' +
        'ADD_POLL_FD, DEL_POLL_FD, SET_MODE, CLEAR_MODE }',
    )
  return { add, del, set, clear }
}

/** An event that is not of the poll array. */
function isPlain(event: string): boolean {
  return event === 'SET_TIMEOUT' || event === 'DESTROYED'
}

function refuseEvent(event: unknown): never {
  const names = POLL_EVENTS.join(', ')
  throw new UsageError(
    'ERR_EXTPOLL_EVENT',
    `there is no event ${shown(event)}; there are ${names}, SET_TIMEOUT and DESTROYED`,
  )
}

function checkEvent(event: string, handler: unknown): void {
  if (!isPlain(event) && !POLL_EVENTS.includes(event)) refuseEvent(event)
  if (typeof handler !== 'function')
    throw new UsageError('ERR_EXTPOLL_EVENT', `the handler of ${event} must be a function`)
}
