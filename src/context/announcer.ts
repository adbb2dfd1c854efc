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

type PollEvent = Exclude<keyof ContextEvents, 'SET_TIMEOUT' | 'DESTROYED'>

const EVENTS: Readonly<Record<PollOp, PollEvent>> = {
  ADD: 'ADD_POLL_FD',
  DEL: 'DEL_POLL_FD',
  SET: 'SET_MODE',
  CLEAR: 'CLEAR_MODE',
}
const REASONS: Readonly<Record<PollOp, number>> = {
  ADD: Reason.ADD_POLL_FD,
  DEL: Reason.DEL_POLL_FD,
  SET: Reason.SET_MODE_POLL_FD,
  CLEAR: Reason.CLEAR_MODE_POLL_FD,
}
const METHODS = { ADD: 'add', DEL: 'del', SET: 'set', CLEAR: 'clear' } as const

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
    if (event === 'SET_TIMEOUT') this.hearsTimeout = true
  }

  off(event: string, listener: (...args: never[]) => void): void {
    if (typeof event !== 'string') refuseEvent(event)
    this.#emitter.off(event, listener as (...args: unknown[]) => void)
    this.hearsTimeout =
      this.#keeper.timeout !== undefined || this.#emitter.listenerCount('SET_TIMEOUT') > 0
  }

  /**
   * @param keeper of the poll array this descriptor is in; null: the context's own
   * @throws what the keeper threw on ADD; everything else goes to onError
   */
  announce(change: PollChange, keeper: PollSet | null): void {
    const { op, fd, bits } = change
    const wasAnnouncing = this.announcing
    this.announcing = true
    try {
      this.#tellKeeper(change, keeper ?? this.#keeper)
      this.#guard(() => this.#audience.callFirst(REASONS[op], change, bits))
      if (this.#emitter.listenerCount(EVENTS[op]) > 0)
        for (const listener of this.#emitter.listeners(EVENTS[op]))
          this.#guard(() => listener(fd, bits, change))
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

  #tellKeeper(change: PollChange, keeper: PollSet): void {
    const { op, fd, bits } = change
    if (op === 'ADD') keeper.add(fd, bits, change)
    else this.#guard(() => keeper[METHODS[op]](fd, bits, change))
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
  const names = Object.values(EVENTS).join(', ')
  throw new UsageError(
    'ERR_EXTPOLL_EVENT',
    `there is no event ${shown(event)}; there are ${names}, SET_TIMEOUT and DESTROYED`,
  )
}

function checkEvent(event: string, handler: unknown): void {
  if (!isPlain(event) && !Object.values(EVENTS).includes(event as PollEvent)) refuseEvent(event)
  if (typeof handler !== 'function')
    throw new UsageError('ERR_EXTPOLL_EVENT', `the handler of ${event} must be a function`)
}
