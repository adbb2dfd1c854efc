/**
 * The event module: nginx's table of event actions, over a poll set of extpoll's.
 *
 * Keeps, for each descriptor, whom to call and what it waits for, whosever it is. Refuses to know
 * WebSockets, signals and control sockets. Source: ngx_event_actions_t in nginx's ngx_event.h.
 */
import type { Pollfd, PollOp } from 'extpoll'
import { Poller } from 'extpoll/epoll'

/** No other thread ends this one, and signals come by a descriptor: a wait may last. */
const MAX_WAIT_MS = 60_000

/** Called with the readiness of its descriptor. */
export type EventHandler = (pollfd: Pollfd) => void

/** One descriptor of the set: what nginx keeps in an ngx_event_t and its connection. */
export interface PolledFd {
  readonly fd: number
  /** The library's descriptors carry one; this program's own do not. */
  readonly gen: number | undefined
  readonly handler: EventHandler
  readonly sinceMs: number
  /** What it waits for: POLLIN, POLLOUT, both or nothing. */
  events: number
  /** What it is, for people. */
  readonly what: string
}

/** Hears of each change after it was made. @param bits those that changed */
export type ChangeListener = (op: PollOp, polled: PolledFd, bits: number) => void

export interface EventActions {
  /** Every descriptor in the set, in the order of `add`. */
  readonly polled: ReadonlyMap<number, PolledFd>
  /** Makes the set. Before it, and after `done`, nothing else may be called. */
  init(): void
  /** Gives the set back; whoever added a descriptor closes it. */
  done(): void
  add(
    fd: number,
    events: number,
    handler: EventHandler,
    about: { gen?: number; what: string },
  ): void
  /** Before the descriptor is closed. */
  del(fd: number): void
  /** Waits for `bits` as well. */
  enable(fd: number, bits: number): void
  /** Waits for `bits` no longer. */
  disable(fd: number, bits: number): void
  /**
   * One wait, and the handler of each descriptor that is ready.
   * @param timeoutMs as poll(2) takes it: 0 never waits, -1 knows no limit
   * @returns how many were ready
   */
  processEvents(timeoutMs: number): number
}

/** The table for one of the poller's backends, as `use epoll;` or `use poll;` chooses it. */
export function eventActions(
  backend: 'epoll' | 'poll',
  onChange: ChangeListener = () => undefined,
): EventActions {
  const polled = new Map<number, PolledFd>()
  const pollfds: Pollfd[] = []
  let poller: Poller

  const setMask = (op: 'SET' | 'CLEAR', fd: number, bits: number): void => {
    const entry = polled.get(fd)
    if (entry === undefined) return
    entry.events = op === 'SET' ? entry.events | bits : entry.events & ~bits
    poller.modify(fd, entry.events)
    onChange(op, entry, bits)
  }

  return {
    polled,
    init() {
      poller = new Poller({ backend, maxWaitMs: MAX_WAIT_MS })
    },
    done() {
      poller.close()
    },
    add(fd, events, handler, { gen, what }) {
      poller.add(fd, events, gen)
      const entry = { fd, gen, handler, sinceMs: performance.now(), events, what }
      polled.set(fd, entry)
      onChange('ADD', entry, events)
    },
    del(fd) {
      const entry = polled.get(fd)
      if (entry === undefined) return
      poller.remove(fd)
      polled.delete(fd)
      onChange('DEL', entry, entry.events)
    },
    enable: (fd, bits) => setMask('SET', fd, bits),
    disable: (fd, bits) => setMask('CLEAR', fd, bits),
    processEvents(timeoutMs) {
      const count = poller.wait(pollfds, timeoutMs)
      for (let at = 0; at < count; at++) {
        const pollfd = pollfds[at]!
        // An earlier handler of this batch may have closed it, and its number may be another's.
        if (poller.isLive(pollfd)) polled.get(pollfd.fd)!.handler(pollfd)
      }
      return count
    },
  }
}
