/**
 * The epoll host: WebSockets in a loop of your own on Linux, blocking or not, with your own fds
 * beside the library's.
 *
 * Four ways in. `epollHost()` with `run`, or a loop: `while (running) service(ctx, 0)`.
 * `epollHost({ loop: 'node' })`, beside everything else on Node's own loop. `epollHost()` and
 * `host.poller` for your own descriptors in the same set. `rawHost()` with a `Poller`, or any
 * poller you have: four announcements out, `serviceFd` in. Refuses to know frames and handshakes;
 * the parts are in epoll/ and epoll-addon/. Source: src/CONTRACT.md.
 */
import { randomFillSync } from 'node:crypto'
import { hostname } from 'node:os'
import { hostOf, isDestroyed, UsageError } from '../src/index.js'
import type { Context, Host, PollSet } from '../src/index.js'
import { addon } from './epoll-addon/binding.js'
import { readFields, refuseType } from './epoll/arguments.js'
import { isPoller, Poller } from './epoll/poller.js'
import type { PollerOptions } from './epoll/poller.js'
import { dropPrivileges } from './epoll/privileges.js'
import { NodeLoop } from './epoll/node-loop.js'
import { loopOf, wholeMs } from './epoll/service-loop.js'
import { contextFds, sharedListenerIo, socketIo } from './epoll/socket-io.js'

export { Poller, wakeFd } from './epoll/poller.js'
export type { PollerOptions } from './epoll/poller.js'
export type { PollfdHandler } from './epoll/service-loop.js'
export { watchSignals } from './epoll/signals.js'
export type { SignalWatch } from './epoll/signals.js'
export { adopt, recvText, release, sendText, socketIo } from './epoll/socket-io.js'
export { tcpAddress, unixAddress } from './epoll/socket-io.js'
export type { EpollSocketIo } from './epoll/socket-io.js'

export interface EpollHostOptions {
  /** The set to join, so that several hosts share one wait. Absent: the host makes one. */
  readonly poller?: Poller
  /** For a set of its own, as in PollerOptions; not together with `poller`. */
  readonly backend?: PollerOptions['backend']
  /** For a set of its own, as in PollerOptions; not together with `poller`. */
  readonly maxWaitMs?: number
  /**
   * `'node'`: Node's own loop, of this thread, serves the contexts beside its timers, promises and
   * other I/O; neither `service` nor `run` is called. Needs a set of its own, on epoll. Hosts that
   * join the set by `poller` are served with it.
   */
  readonly loop?: 'node'
  /**
   * A stream socket that listens, opened by another thread, another context or whoever started the
   * process. A context that listens does so on a copy of it, whatever its `port` or `path` say, and
   * leaves the original open; it becomes non-blocking. Of threads that block in `service` or `run`
   * on epoll, each connection wakes one, in turn. With `loop: 'node'`, `getPollFd` or poll(2) it
   * wakes all, and one accepts. `acceptBudget: 1` spreads a burst as well. One set is waited for
   * in one of these ways, not in several.
   */
  readonly listenFd?: number
}

/** What `epollHost` gives: a Host whose poll array is a Poller. */
export interface EpollHost extends Host {
  /**
   * The set the host's contexts wait in. Your own descriptors join it with a function as owner,
   * which `service` calls with the pollfd. Close it when its last context is destroyed; one that is
   * forgotten is closed when it is collected.
   *
   * @example
   * host.poller.add(fd, POLLIN, undefined, (pollfd) => readable(pollfd.fd))
   */
  readonly poller: Poller
  readonly pollSet: PollSet
  nextGen(): number
  /** Undoes `unref`. Where Node's loop does not serve the set, neither does anything. */
  ref(): void
  /**
   * A second descriptor of a connected socket that others own, for `adoptSocket`: what `attach` of
   * extpoll/node-streams takes sockets out of Node's hands by.
   * @returns the new descriptor, close-on-exec, or -errno
   */
  duplicate(fd: number): number
  /**
   * Puts the set under Node's own loop, as `loop: 'node'` does from the start; where it is there
   * already, nothing happens.
   * @throws UsageError ERR_EXTPOLL_HOST_OPTION for a set on poll(2)
   */
  serveByNode(): void
  /**
   * With `loop: 'node'` a context keeps the process alive, or the worker, until it is destroyed;
   * after this it does no longer.
   */
  unref(): void
}

/**
 * A Host with everything but the poll array: sockets of the kernel, clocks, entropy, and the
 * machine's name. The context needs the four handlers of `createContext({ on })`.
 *
 * @returns a new Host; it owns nothing and need not be closed
 * @throws UsageError ERR_EXTPOLL_NO_ADDON where the addon is not built
 *
 * @example
 * const ctx = createContext({ host: rawHost(), port: 9000, protocols: [chat], on: {
 *   ADD_POLL_FD: (fd, events) => poller.add(fd, events),
 *   DEL_POLL_FD: (fd) => poller.remove(fd),
 *   SET_MODE: (fd, events, { next }) => poller.modify(fd, next),
 *   CLEAR_MODE: (fd, events, { next }) => poller.modify(fd, next),
 * } })
 */
export function rawHost(): Host {
  addon()
  return {
    io: socketIo,
    now: wholeMs,
    wallClock: () => Date.now(),
    randomFill(bytes) {
      if (!ArrayBuffer.isView(bytes)) refuseType('randomFill', 'bytes', 'a Uint8Array')
      randomFillSync(bytes)
    },
    hostname,
    dropPrivileges,
  }
}

/**
 * A Host whose poll array is a Poller. Contexts that share a host, or hosts that share a poller,
 * are serviced together: one wait finds what is ready for any of them.
 *
 * With `loop: 'node'` Node's own loop is the one that waits. Each readiness is one round, within
 * the budgets, so that neither side starves the other. What a callback throws and no `onError`
 * takes is an uncaughtException. Foreign descriptors are served while a context has any.
 *
 * @throws UsageError ERR_EXTPOLL_NO_ADDON where the addon is not built; ERR_EXTPOLL_HOST_OPTION for
 *   `poller` together with options that only a new set can have, and for a loop that is not there;
 *   ERR_EXTPOLL_FD for a `listenFd` that does not listen
 *
 * @example
 * const ctx = createContext({ host: epollHost(), port: 9000, protocols: [chat] })
 * while (running) {
 *   tick()
 *   service(ctx, 0)
 * }
 *
 * @example
 * createContext({ host: epollHost({ loop: 'node' }), port: 9000, protocols: [chat] })
 */
export function epollHost(given: EpollHostOptions = {}): EpollHost {
  const options = readFields('epollHost', 'options', given, ({ ...fields }) => fields)
  checkHostOptions(options)
  const { listenFd } = options
  const io = listenFd === undefined ? socketIo : sharedListenerIo(listenFd)
  const poller = options.poller ?? ownPoller(options)
  const loop = loopOf(poller)
  if (options.loop === 'node') driveByNode(poller)
  return {
    ...rawHost(),
    io,
    now: () => loop.now(),
    poller,
    pollSet: pollSetOver(poller),
    nextGen: () => poller.nextGen(),
    ref: () => loop.driver?.ref(true),
    unref: () => loop.driver?.ref(false),
    duplicate: (fd) => addon().duplicate(fd),
    serveByNode() {
      if (loop.driver !== undefined) return
      if (poller.backend === 'poll') refuseOption("Node's loop needs epoll: make the host with it")
      driveByNode(poller)
    },
  }
}

function refuseOption(why: string): never {
  throw new UsageError('ERR_EXTPOLL_HOST_OPTION', `epollHost(): ${why}`)
}

function checkHostOptions({ poller, backend, maxWaitMs, loop }: EpollHostOptions): void {
  const refuse: typeof refuseOption = refuseOption
  if (poller !== undefined && !isPoller(poller)) refuse('poller must be a Poller')
  if (poller !== undefined && (backend !== undefined || maxWaitMs !== undefined))
    refuse('backend and maxWaitMs are those of the poller given; leave them out')
  if (loop === undefined) return
  if (loop !== 'node') refuse("loop must be 'node', or left out")
  if (poller !== undefined)
    refuse("loop: 'node' is for a host with a poller of its own; others join that by poller alone")
  if (backend === 'poll') refuse("loop: 'node' needs epoll: poll(2) has no descriptor to watch")
}

function driveByNode(poller: Poller): void {
  const loop = loopOf(poller)
  try {
    loop.driven(new NodeLoop(poller, loop))
  } catch (error) {
    poller.close()
    throw error
  }
}

function ownPoller({ backend, maxWaitMs }: EpollHostOptions): Poller {
  return new Poller({
    ...(backend === undefined ? {} : { backend }),
    ...(maxWaitMs === undefined ? {} : { maxWaitMs }),
  })
}

/** The announcements, as changes of the poller; the owner of each fd is its context. */
function pollSetOver(poller: Poller): PollSet {
  const loop = loopOf(poller)
  return {
    // A client whose connection failed at once has something due, and no descriptor.
    timeout: (timeoutMs, _deadlineMs, context) =>
      loop.timeoutChanged(context as Context, timeoutMs),
    add(fd, events, change) {
      poller.add(fd, events, change.gen, change.context)
      loop.count(change.context as Context, 1)
      contextFds.add(fd)
    },
    del(fd, _events, change) {
      contextFds.delete(fd)
      loop.count(change.context as Context, -1)
      poller.remove(fd)
    },
    set: (fd, _events, change) => poller.modify(fd, change.next),
    clear: (fd, _events, change) => poller.modify(fd, change.next),
  }
}

/**
 * One wait, one round: everything that is ready in the context's poller goes to its owner, this
 * context, another one on the same poller, or the function given with a foreign fd; then every
 * context on the poller that is due gets `serviceFd(context, null)`.
 *
 * What a callback throws does not cost the rest of the round: the first error is thrown when the
 * round is done, the others attached to it as `errors`.
 *
 * @param ctx a context made with `epollHost`
 * @param timeoutMs how long to wait at most: 0 never waits; -1 (any negative number) until
 *   something was ready or due, or `poller.wake()` was called. Waits end earlier for a context's
 *   deadline. The thread can be terminated while it waits, see `maxWaitMs`
 * @returns how many ready descriptors were serviced; 0 too where only a deadline was due, where the
 *   poller was woken, and where the context was destroyed
 * @throws UsageError ERR_EXTPOLL_NOT_EPOLL for a context of another host;
 *   ERR_EXTPOLL_TIMEOUT for a timeout that is no number;
 *   ERR_EXTPOLL_REENTRANT_SERVICE from within a callback of a context on the same poller;
 *   ERR_EXTPOLL_NO_OWNER where a ready foreign fd was added without an owner
 * @see seed: libwebsocket_service
 */
export function service(ctx: Context, timeoutMs: number): number {
  return loopOf(pollerOf(ctx)).service(ctx, timeoutMs)
}

/**
 * `service(ctx, -1)` until the context is destroyed: for a thread that has nothing else to do.
 * @throws what `service` throws; call it again to go on
 */
export function run(ctx: Context): void {
  const loop = loopOf(pollerOf(ctx))
  while (!isDestroyed(ctx)) loop.service(ctx, -1)
}

/**
 * The one descriptor that stands for a context in a loop of yours that is not ours: poll(2), epoll,
 * another library. Wait until it is readable (POLLIN, level-triggered) or `nextTimeout(ctx)` has
 * passed, and call `service(ctx, 0)`: until then nothing of the context is ready or due.
 *
 * Ask for `nextTimeout` right before each wait: a call from elsewhere, `write` for instance, may
 * have changed it. Several contexts on one poller have one descriptor, and the least of their
 * timeouts counts.
 * @returns `host.poller.fd`: the poller's as long as that is open. Never read, write or close it
 * @throws UsageError ERR_EXTPOLL_NOT_EPOLL for a context of another host, and for poll(2), which
 *   has no such descriptor; ERR_EXTPOLL_NODE_LOOP where Node's loop polls it already
 */
export function getPollFd(ctx: Context): number {
  const poller = pollerOf(ctx)
  if (poller.fd < 0) {
    const message = "getPollFd() needs a poller on epoll: backend 'poll' has no descriptor"
    throw new UsageError('ERR_EXTPOLL_NOT_EPOLL', message)
  }
  if (loopOf(poller).driver === undefined) return poller.fd
  const message = "getPollFd() is not for a host with loop: 'node', which polls it already"
  throw new UsageError('ERR_EXTPOLL_NODE_LOOP', message)
}

function pollerOf(ctx: Context): Poller {
  const { poller } = hostOf(ctx) as Partial<EpollHost>
  if (isPoller(poller)) return poller
  const message = 'service(), run() and getPollFd() need a context made with epollHost()'
  throw new UsageError('ERR_EXTPOLL_NOT_EPOLL', message)
}
