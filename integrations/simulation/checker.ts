/**
 * The contract checker: wraps a Host, any Host, and watches both sides keep their word.
 *
 * It changes nothing that either side sees, apart from overwriting dead views. It sees calls, their
 * results and their order, nothing inside the library. The rules are in checker-rules*.ts.
 * Source: src/CONTRACT.md.
 */
import { limits, nextDeadline, nextTimeout } from '../../src/index.js'
import type {
  Context,
  ContextEvents,
  Host,
  PollChange,
  PollSet,
  Pollfd,
  Tap,
} from '../../src/index.js'
import { Scene } from './checker-facts.js'
import type { Times } from './checker-facts.js'
import { CheckedIo } from './checker-io.js'
import { Observer } from './checker-observer.js'
import { formatViolation } from './checker-rule.js'
import type { Violation } from './checker-rule.js'
import { rules } from './checker-rules.js'

export interface CheckerOptions {
  /**
   * The poller is edge-triggered: 'more' must be honoured (H3), starvation cannot be judged (H5).
   */
  readonly edge?: boolean
  /** The readiness of an fd right now, poll(2)'s bits. With it H5 is judged, and C17 sooner. */
  readonly probe?: (fd: number) => number
  /**
   * How late a host may come back after a deadline (H2). Default 1000. `Infinity` where a test
   * moves the clock by itself.
   */
  readonly lateMs?: number
  /** Services of others after which a ready fd is starving (H5). Default 1024. */
  readonly starveCalls?: number
  /** Overwrite payload views after their callback. Default true. */
  readonly poison?: boolean
  /** Hears of each broken rule at once. Without it they wait in `violations`. */
  readonly onViolation?: (violation: Violation) => void
  /** Is the breaking of this rule on purpose? Then nobody is told. */
  readonly excused?: (rule: string) => boolean
  /** The budgets of C13, where createContext was given others than the defaults. */
  readonly rxBudgetBytes?: number
  readonly txBudgetBytes?: number
  readonly messageBudget?: number
  readonly acceptBudget?: number
  readonly broadcastBudget?: number
  readonly endBudget?: number
  /** The mark of C16, where createContext was given another than the default. */
  readonly txHighWaterBytes?: number
  /** The times of C23 that createContext was given; judged only where they are told here. */
  readonly times?: Times
  /** How a context is asked for its timeout. Default: the library's own functions. */
  readonly queries?: {
    nextTimeout(handle: object): number
    nextDeadline(handle: object): number | null
  }
}

/** The four handlers of `createContext({ on })`. */
export type PollHandlers = Pick<
  ContextEvents,
  'ADD_POLL_FD' | 'DEL_POLL_FD' | 'SET_MODE' | 'CLEAR_MODE'
>

/** A host that is being watched: give it to createContext in place of the other. */
export interface CheckedHost extends Host {
  /** Every broken rule so far; the first is the one to read. */
  readonly violations: readonly Violation[]
  /** @throws Error with the first broken rule, its sentence and the last 20 calls */
  assertClean(): void
  /**
   * Tell what a wait gave, before its descriptors are served: H6 is judged by it, H3 and H8 sooner.
   */
  waited(batch: readonly Pollfd[]): void
  /**
   * A second host of the same contexts, watched by the same checker: what `adoptSocket` is given as
   * `host`.
   */
  guest<G extends Host>(host: G): G
  /** Wraps the four handlers that keep the poll array, for a host without `pollSet`. */
  on(handlers: PollHandlers): PollHandlers
}

const LATE_MS = 1000
const STARVE_CALLS = 1024

/**
 * Watches a host and the contexts made on it. One checker per poller: contexts that share the
 * poller share it.
 */
export function checked<H extends Host>(host: H, options: CheckerOptions = {}): H & CheckedHost {
  const queries = options.queries ?? {
    nextTimeout: (handle) => nextTimeout(handle as Context),
    nextDeadline: (handle) => nextDeadline(handle as Context),
  }
  const quietly = <T>(ask: () => T): T => {
    observer.asking = true
    try {
      return ask()
    } finally {
      observer.asking = false
    }
  }
  const scene = new Scene(
    sceneLimits(options),
    host.nextGen !== undefined,
    host.pollSet?.timeout !== undefined,
    {
      timeout: (handle) => quietly(() => queries.nextTimeout(handle)),
      deadline: (handle) => quietly(() => queries.nextDeadline(handle)),
    },
  )
  const observer = new Observer(scene, rules, options.onViolation, options.excused)
  // What else the host has, a poller for instance, its own functions look for on it.
  return { ...host, ...watch(host, observer, options.poison ?? true) }
}

function sceneLimits(options: CheckerOptions): Scene['limits'] {
  return {
    edge: options.edge ?? false,
    lateMs: options.lateMs ?? LATE_MS,
    probe: options.probe,
    starveCalls: options.starveCalls ?? STARVE_CALLS,
    rxBudgetBytes: options.rxBudgetBytes ?? limits.rxBudgetBytes.default,
    txBudgetBytes: options.txBudgetBytes ?? limits.txBudgetBytes.default,
    messageBudget: options.messageBudget ?? limits.messageBudget.default,
    acceptBudget: options.acceptBudget ?? limits.acceptBudget.default,
    broadcastBudget: options.broadcastBudget ?? limits.broadcastBudget.default,
    endBudget: options.endBudget ?? limits.endBudget.default,
    txHighWaterBytes: options.txHighWaterBytes ?? limits.txHighWaterBytes.default,
    times: options.times ?? {},
  }
}

function watch(host: Host, observer: Observer, poisons: boolean): CheckedHost {
  const io = new CheckedIo(host.io, observer)
  const { scene } = observer
  const checkedHost: CheckedHost = {
    io,
    tap: chained(host.tap, observer.tap, poisons ? io : undefined),
    now() {
      if (observer.asking && !Number.isNaN(scene.nowMs)) return scene.nowMs
      const nowMs = host.now()
      observer.clock(nowMs)
      return nowMs
    },
    wallClock() {
      const frame = scene.frame
      if (frame !== undefined) frame.context.wallReads += 1
      return host.wallClock()
    },
    randomFill(bytes) {
      host.randomFill(bytes)
      observer.entropy(bytes)
    },
    hostname: () => host.hostname(),
    violations: observer.violations,
    assertClean() {
      const [first, ...rest] = observer.violations
      if (first === undefined) return
      const more = rest.length === 0 ? '' : `\n(and ${rest.length} more)`
      throw new Error(formatViolation(first) + more)
    },
    waited: (batch) => observer.waited(batch),
    guest: (guest) => ({
      ...guest,
      io: new CheckedIo(guest.io, observer),
      ...watchedExtras(guest, observer),
    }),
    on: (handlers) => watchedHandlers(handlers, observer),
  }
  return { ...checkedHost, ...watchedExtras(host, observer) }
}

/** The parts that a host may have or not. */
function watchedExtras(host: Host, observer: Observer): { pollSet?: PollSet; nextGen?(): number } {
  const { scene } = observer
  const extra: { pollSet?: PollSet; nextGen?(): number } = {}
  if (host.pollSet !== undefined) extra.pollSet = watchedPollSet(host.pollSet, observer)
  if (host.nextGen !== undefined) {
    extra.nextGen = () => {
      const gen = host.nextGen?.() ?? 0
      scene.issuedGens.add(gen)
      return gen
    }
  }
  return extra
}

function watchedPollSet(inner: PollSet, observer: Observer): PollSet {
  const pollSet: PollSet = {
    add: (fd, events, change) =>
      observer.announce(change, events, () => inner.add(fd, events, change)),
    del: (fd, events, change) =>
      observer.announce(change, events, () => inner.del(fd, events, change)),
    set: (fd, events, change) =>
      observer.announce(change, events, () => inner.set(fd, events, change)),
    clear: (fd, events, change) =>
      observer.announce(change, events, () => inner.clear(fd, events, change)),
  }
  if (inner.timeout === undefined) return pollSet
  return {
    ...pollSet,
    timeout(timeoutMs, deadlineMs, context) {
      observer.timeout(timeoutMs, deadlineMs)
      inner.timeout?.(timeoutMs, deadlineMs, context)
    },
  }
}

function watchedHandlers(handlers: PollHandlers, observer: Observer): PollHandlers {
  type Handler = (fd: number, events: number, change: PollChange) => void
  const watched =
    (handler: Handler): Handler =>
    (fd, events, change) =>
      observer.announce(change, events, () => handler(fd, events, change))
  return {
    ADD_POLL_FD: watched(handlers.ADD_POLL_FD.bind(handlers)),
    DEL_POLL_FD: watched(handlers.DEL_POLL_FD.bind(handlers)),
    SET_MODE: watched(handlers.SET_MODE.bind(handlers)),
    CLEAR_MODE: watched(handlers.CLEAR_MODE.bind(handlers)),
  }
}

/** The host's own tap hears first; the view is dead when both have heard. */
function chained(outer: Tap | undefined, inner: Tap, poisoner: CheckedIo | undefined): Tap {
  let depth = 0
  return {
    enter(call, arg, context, first, second) {
      depth++
      outer?.enter(call, arg, context, first, second)
      inner.enter(call, arg, context, first, second)
    },
    leave(call, result, context) {
      outer?.leave(call, result, context)
      inner.leave(call, result, context)
      // What the library still needs of what it received, it has copied by now.
      if (--depth === 0) poisoner?.wipe()
    },
    callback(reason, fd, data, context, wsi) {
      outer?.callback(reason, fd, data, context, wsi)
      inner.callback(reason, fd, data, context, wsi)
    },
    returned(reason, fd, data, context, wsi) {
      outer?.returned(reason, fd, data, context, wsi)
      inner.returned(reason, fd, data, context, wsi)
      poisoner?.poison(data)
    },
  }
}
