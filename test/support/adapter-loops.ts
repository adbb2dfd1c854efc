/**
 * Grounds for the adapter suite that are loops of one's own on the kernel's descriptors: `service`,
 * four handlers over a Poller, a foreign poller around it. And Node's own loop.
 *
 * Each `turn` is one round, which waits, and a look at the loop's own timers.
 */
import {
  epollHost,
  Poller,
  rawHost,
  service,
  socketIo,
  type EpollHost,
} from '../../integrations/epoll.js'
import {
  nextTimeout,
  POLLIN,
  serviceFd,
  type Context,
  type Host,
  type Pollfd,
} from '../../src/index.js'
import type { PollHandlers } from '../../integrations/fake-poller.js'
import { streamsHost } from '../../integrations/node-streams.js'
import type { Ground } from './adapter-app.js'
import { tcpPair } from './epoll-addon.js'

/** Without anything to do a round waits no longer: the test looks on meanwhile. */
const LONGEST_WAIT_MS = 5

interface Timer {
  readonly everyMs: number
  dueMs: number
  readonly task: () => void
}

/** Tasks and timers, and a descriptor of the loop's own that wakes it for a task. */
abstract class OwnLoop implements Ground {
  abstract readonly host: Host
  protected abstract readonly poller: Poller
  readonly #timers: Timer[] = []
  readonly #tasks: (() => void)[] = []
  readonly #bell = tcpPair()
  readonly #buffer = socketIo.createBuffer(16)

  /** One wait and one round. @returns once it waited `maxMs` at most */
  protected abstract round(ctx: Context, maxMs: number): void

  protected hangBell(): void {
    this.poller.add(this.#bell.server, POLLIN, undefined, () => this.answerBell())
  }

  protected isBell(fd: number): boolean {
    return fd === this.#bell.server
  }

  protected answerBell(): void {
    socketIo.recv(this.#bell.server, this.#buffer, 0, 16)
    for (const task of this.#tasks.splice(0)) task()
  }

  turn(ctx: Context): void {
    const nowMs = performance.now()
    const nextMs = Math.min(...this.#timers.map(({ dueMs }) => dueMs), nowMs + LONGEST_WAIT_MS)
    this.round(ctx, Math.max(0, nextMs - nowMs))
    for (const timer of this.#timers) {
      if (performance.now() < timer.dueMs) continue
      timer.dueMs = performance.now() + timer.everyMs
      timer.task()
    }
  }

  later(task: () => void): void {
    this.#tasks.push(task)
    socketIo.sendv(this.#bell.client, [Buffer.of(1)])
  }

  every(everyMs: number, task: () => void): void {
    this.#timers.push({ everyMs, dueMs: performance.now() + everyMs, task })
  }

  left(): number {
    return this.poller.size - 1
  }

  close(): void {
    this.poller.remove(this.#bell.server)
    this.poller.close()
    for (const fd of [this.#bell.client, this.#bell.server]) socketIo.close(fd, false)
    socketIo.freeBuffer(this.#buffer)
  }
}

/** `epollHost()` and `service`. */
export class ServiceLoop extends OwnLoop {
  readonly host: EpollHost
  protected readonly poller: Poller

  constructor() {
    super()
    this.host = epollHost()
    this.poller = this.host.poller
    this.hangBell()
  }

  protected round(ctx: Context, maxMs: number): void {
    service(ctx, maxMs)
  }
}

/** Another poller holds ours as one descriptor, and knows no more of it. */
export class ForeignLoop extends OwnLoop {
  readonly host: EpollHost
  protected readonly poller: Poller
  readonly #outer: Poller
  readonly #ready: Pollfd[] = []

  constructor(backend: 'epoll' | 'poll') {
    super()
    this.host = epollHost()
    this.poller = this.host.poller
    this.#outer = new Poller({ backend })
    this.#outer.add(this.poller.fd, POLLIN)
    this.hangBell()
  }

  protected round(ctx: Context, maxMs: number): void {
    const dueMs = nextTimeout(ctx)
    const count = this.#outer.wait(this.#ready, dueMs < 0 ? maxMs : Math.min(maxMs, dueMs))
    if (count > 0 || nextTimeout(ctx) === 0) service(ctx, 0)
  }

  override close(): void {
    this.#outer.close()
    super.close()
  }
}

/** `rawHost()`, and a poll array kept by the four handlers. */
export class RawLoop extends OwnLoop {
  readonly host = rawHost()
  readonly on: PollHandlers
  protected readonly poller: Poller
  readonly #ready: Pollfd[] = []

  constructor(backend: 'epoll' | 'poll') {
    super()
    const poller = new Poller({ backend })
    this.poller = poller
    this.on = {
      ADD_POLL_FD: (fd, events, { gen }) => poller.add(fd, events, gen),
      DEL_POLL_FD: (fd) => poller.remove(fd),
      SET_MODE: (fd, _events, { next }) => poller.modify(fd, next),
      CLEAR_MODE: (fd, _events, { next }) => poller.modify(fd, next),
    }
    this.hangBell()
  }

  protected round(ctx: Context, maxMs: number): void {
    const dueMs = nextTimeout(ctx)
    const count = this.poller.wait(this.#ready, dueMs < 0 ? maxMs : Math.min(maxMs, dueMs))
    for (const pollfd of this.#ready.slice(0, count)) {
      if (!this.poller.isLive(pollfd)) continue
      if (this.isBell(pollfd.fd)) this.answerBell()
      else serviceFd(ctx, pollfd)
    }
    serviceFd(ctx, null)
  }
}

/** Node serves it; nobody turns. */
abstract class NodeServes implements Ground {
  abstract readonly host: Host
  readonly #timers: NodeJS.Timeout[] = []

  abstract left(): number

  later(task: () => void): void {
    setTimeout(task, 1)
  }

  every(ms: number, task: () => void): void {
    this.#timers.push(setInterval(task, ms).unref())
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer)
  }
}

/** The kernel's descriptors under Node's own loop. */
export class NodeGround extends NodeServes {
  readonly host = epollHost({ loop: 'node' })

  constructor() {
    super()
    // A test that fails before it destroys its context must not keep the run alive.
    this.host.unref()
  }

  left(): number {
    return this.host.poller.size
  }

  override close(): void {
    super.close()
    this.host.poller.close()
  }
}

/** Node's own streams; and beside them, where it is given, the set that takes sockets over. */
export class StreamsGround extends NodeServes {
  readonly host = streamsHost()
  readonly #native: EpollHost | undefined

  constructor(native: EpollHost | undefined) {
    super()
    this.#native = native
  }

  left(): number {
    return this.host.size + (this.#native?.poller.size ?? 0)
  }

  override close(): void {
    super.close()
    this.#native?.poller.close()
  }
}
