/**
 * The first seam: what an integration supplies, all of it, and nothing else.
 *
 * A Host has no loop as far as the library knows: it announces nothing, and is called only from
 * inside a call of its own into the context (C6).
 */
import type { PollChange } from './poll/poll-change.js'
import type { SocketIo } from './socket/socket-io.js'

/**
 * The poll array. Where a host has none, the four handlers of `createContext({ on })` keep it.
 *
 * Only `add` may refuse, by throwing: that fd is closed, and the context goes on (C9).
 */
export interface PollSet {
  /**
   * Wait for `events` (POLLIN, POLLOUT, or 0 = nothing but POLLERR and POLLHUP, once: C4) on a new
   * fd.
   */
  add(fd: number, events: number, change: PollChange): void
  /** Forget the fd. It is still open now and closed right after (C3). */
  del(fd: number, events: number, change: PollChange): void
  /** Wait for `events` as well; `change.next` is the whole mask. */
  set(fd: number, events: number, change: PollChange): void
  /** Wait for `events` no longer; `change.next` is the whole mask. */
  clear(fd: number, events: number, change: PollChange): void
  /**
   * The earliest deadline came nearer, passed or vanished (C21). Optional: `nextTimeout` always
   * tells.
   * @param context whose; its descriptors may all be in the poll arrays of other hosts
   */
  timeout?(timeoutMs: number, deadlineMs: number | null, context: object): void
}

export interface Host {
  /** Bytes: the second seam. */
  readonly io: SocketIo
  readonly pollSet?: PollSet
  /**
   * One counter per poller, shared by every context on it (C5): unsigned 32-bit, never 0. Absent:
   * the context counts.
   */
  nextGen?(): number
  /** Monotonic milliseconds, fractions allowed. */
  now(): number
  /** Milliseconds since 1970: HTTP dates and logs only. */
  wallClock(): number
  /** Fills with unpredictable bytes. */
  randomFill(bytes: Uint8Array): void
  /** This machine's name, without asking a resolver. */
  hostname(): string
  /**
   * Gives up the process's rights for good: supplementary groups, gid, uid, and shows that they
   * cannot be had back. Main thread only. Absent: `gid` and `uid` of createContext are refused.
   * @throws where anything of that failed
   */
  dropPrivileges?(ids: { readonly gid?: number; readonly uid?: number }): void
  /** Hears everything and changes nothing: the checker and the recorder listen here. */
  readonly tap?: Tap
}

/**
 * The observation seam. Every call of the host or the application into the context, and every
 * callback out of it, in order. A tap must not throw and must not call into the context, except
 * queries.
 */
export interface Tap {
  /**
   * A call into the context begins.
   * @param call the public function's name, `serviceFd` for instance
   * @param arg what it acts on: the Pollfd (or null) of serviceFd, the connection's fd of a
   *   command, else undefined
   * @param context the context called; inside createContext it is not yet known to its caller
   * @param first what else the call was given: data, a code, an answer, on or off
   * @param second and the one after that: a kind, a reason
   */
  enter(call: string, arg: unknown, context: object, first?: unknown, second?: unknown): void
  /**
   * It ends, after the exit order where it was the outermost one.
   * @param result what it answers; undefined after a throw
   */
  leave(call: string, result: unknown, context: object): void
  /**
   * A protocol callback is about to run.
   * @param data what it will be given
   * @param wsi the connection it is about; null for filters of the network and announcements
   */
  callback(reason: number, fd: number, data: unknown, context: object, wsi: object | null): void
  /**
   * It returned, or threw. Views in `data` are dead from now on: a checker overwrites them here.
   */
  returned(reason: number, fd: number, data: unknown, context: object, wsi: object | null): void
}
