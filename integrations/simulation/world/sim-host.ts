/**
 * One simulated machine that runs the library: a kernel, a poller, a clock, contexts, a checker.
 *
 * Obeys the contract where no fault says otherwise. Refuses to know its peers: bytes come from the
 * kernel.
 */
import {
  contextDestroy,
  createContext,
  isDestroyed,
  limits,
  nextDeadline,
  nextTimeout,
  POLLIN,
  serviceFd,
  serviceFds,
} from '../../../src/index.js'
import type {
  AnyProtocolDefinition,
  Context,
  ContextOptions,
  Host,
  Pollfd,
  SocketIo,
} from '../../../src/index.js'
import { checked } from '../checker.js'
import type { CheckedHost, CheckerOptions } from '../checker.js'
import type { Endpoint } from '../endpoint.js'
import type { Violation } from '../checker-rule.js'
import { readinessOn } from '../edge-readiness.js'
import { FakeKernel } from '../fake-kernel.js'
import { FaultyBatch } from '../faults/faulty-batch.js'
import { FaultyIo } from '../faults/faulty-io.js'
import { FaultyPollSet, SimulatedError } from '../faults/faulty-poll-set.js'
import { faultyProtocol } from '../faults/faulty-application.js'
import { WaitSet } from '../wait-set.js'
import type { Environment } from './environment.js'
import { undoLater } from './environment.js'
import { HostClock } from './host-clock.js'
import { storyTap } from './story-tap.js'

/** Everything of createContext but the host; limits too. */
export type SimContextOptions = Omit<ContextOptions, 'host' | 'protocols' | 'path' | 'gid' | 'uid'>

export interface SimHostOptions {
  readonly protocols: readonly AnyProtocolDefinition[]
  readonly context?: SimContextOptions | ChooseLimits
  /** Edge-triggered; default false. */
  readonly edge?: boolean
  /** The contract checker; default true. */
  readonly checker?: boolean
  /**
   * Whole batches are served by `serviceFds`, as the epoll host does: level-triggered, and with
   * nobody who listens in, the checker neither. Default false.
   */
  readonly batches?: boolean
}

/** Limits of each seed's own choosing. @param choose gives a number below n; 0 is the ordinary */
export type ChooseLimits = (choose: (label: string, n: number) => number) => SimContextOptions

/** What the world does for its hosts. */
export interface HostKeeper {
  violated(host: SimHost, violation: Violation): void
  failed(error: unknown): void
  closeByPeer(endpoint: Endpoint | undefined): void
  connectsOut(host: SimHost, near: Endpoint, far: Endpoint, address: string, port: number): boolean
}

type TimeName = keyof SimContextOptions & `${string}Ms`

const WINDOW_BYTES = 64 * 1024
const FD_LIMIT = 2 ** 20
const PORT = 80
const RESTART_MS = 100
const BUSY_MAX_MS = 30
const CLOCK_JUMP_MIN_MS = 30_000
const CLOCK_JUMP_MAX_MS = 600_000

export class SimHost {
  readonly kernel: FakeKernel
  readonly clock: HostClock
  readonly waitSet: WaitSet
  /** The one context of the host; a new one after a restart. */
  ctx: Context
  /** Hears what the context's callbacks threw, besides what was thrown on purpose. */
  readonly port = PORT
  /** Both families: what its name stands for. */
  readonly addresses: readonly string[]

  private readonly host: Host
  private readonly checker: CheckedHost | undefined
  private readonly pollSet: FaultyPollSet
  private readonly batch: FaultyBatch
  private readonly protocols: readonly AnyProtocolDefinition[]
  private readonly limits: SimContextOptions
  /** It sleeps to what SET_TIMEOUT said, and asks for nothing. */
  private readonly goesByWord: boolean
  /** Served at the end of the batch at hand: a number that is to come back. */
  private reusing: number | undefined
  /** How many things it does that keep it from looking. */
  private busy = 0
  private lastGen = 0
  private lastEntropy: Uint8Array | undefined

  constructor(
    readonly name: string,
    readonly address: string,
    private readonly world: Environment,
    private readonly keeper: HostKeeper,
    private readonly options: SimHostOptions,
  ) {
    this.addresses = [`fd00::${address}`, address]
    this.clock = new HostClock(world.clock)
    world.faults.onStop(() => this.mend())
    this.kernel = new FakeKernel({
      windowBytes: WINDOW_BYTES,
      fdLimit: FD_LIMIT,
      dial: (near, far, { address, port }) => keeper.connectsOut(this, near, far, address, port),
    })
    const { context = {}, batches = false } = options
    // Without faults everybody chooses the ordinary.
    const choose = (label: string, n: number): number =>
      world.faults.takePart ? world.choose(label, n) : 0
    this.limits = typeof context === 'function' ? context(choose) : context
    this.goesByWord = choose('host.sleeps', 4) === 3
    const edge = options.edge === true && !batches
    this.waitSet = new WaitSet(readinessOn(this.kernel, edge), edge)
    this.kernel.onActivity = (fd) => this.waitSet.activity(fd)
    this.kernel.isPolled = (fd) => this.waitSet.has(fd)
    this.kernel.maskOf = (fd) => this.waitSet.maskOf(fd) ?? 0
    this.pollSet = new FaultyPollSet(this.waitSet, world, (fd) =>
      world.harm(this.kernel.socketAt(fd), 'throws-in-add'),
    )
    this.batch = new FaultyBatch(this.waitSet, this.pollSet, world)
    this.protocols = options.protocols.map((protocol) =>
      faultyProtocol(protocol, world, this.applicationHost()),
    )
    const plain = this.plainHost()
    this.checker = options.checker === false || batches ? undefined : this.checkedHost(plain)
    this.host = this.checker ?? plain
    this.ctx = this.createContext()
  }

  /** One round: a wait of no length, and all it asks for. @returns whether there was anything */
  round(): boolean {
    const { faults } = this.world
    if (this.busy > 0) return false
    if (faults.active) this.misbehave()
    let worked = this.pollSet.catchUp()
    const honest = this.waitSet.wait()
    const batch = this.batch.distort(honest)
    this.checker?.waited(batch)
    if (batch.length > 0) {
      worked = true
      if (this.options.batches === true) this.serveWhole(batch)
      else this.serveBatch(batch)
      this.reuse()
    }
    if (this.isDue) {
      worked = true
      serviceFd(this.ctx, null)
    }
    return worked || this.batch.holdsBack
  }

  /** When something is due here without readiness, in the world's time; Infinity for never. */
  get dueMs(): number {
    const { goesByWord, waitSet, ctx } = this
    if (this.busy > 0) return Infinity
    const deadlineMs = goesByWord ? waitSet.announcedDeadlineMs : nextDeadline(ctx)
    return deadlineMs === null ? Infinity : this.clock.worldTimeOf(deadlineMs)
  }

  private get isDue(): boolean {
    if (!this.goesByWord) return nextTimeout(this.ctx) === 0
    const { announcedDeadlineMs: toldMs } = this.waitSet
    return toldMs !== null && toldMs <= this.clock.now
  }

  /** The end of the host's program. */
  shutDown(): void {
    contextDestroy(this.ctx)
    const [misuse] = this.kernel.misuses
    if (misuse !== undefined) throw misuse
    const left = this.kernel.libraryFds()
    if (left.length > 0) throw new Error(`C27: descriptors left open: ${left.join(', ')}`)
    if (this.waitSet.size > 0) throw new Error('C27: descriptors left in the poll array')
  }

  private createContext(): Context {
    this.pollSet.refuses = false
    const ctx = createContext({
      onError: (error) => {
        if (!(error instanceof SimulatedError)) this.keeper.failed(error)
      },
      ...this.limits,
      address: this.address,
      port: PORT,
      protocols: this.protocols,
      host: this.host,
    })
    this.pollSet.refuses = true
    // A destroy tells no timeout (C7): the last one ends with its context.
    ctx.on('DESTROYED', () => (this.waitSet.announcedDeadlineMs = null))
    return ctx
  }

  private restart(): void {
    // Two callbacks of one call may have destroyed the same context.
    if (isDestroyed(this.ctx)) this.ctx = this.createContext()
  }

  private serveBatch(batch: readonly Pollfd[]): void {
    for (let at = 0; at < batch.length; at += 1) {
      const pollfd = batch[at]!
      const before = this.pollSet.deletions
      this.serve(pollfd)
      if (this.pollSet.deletions === before || at + 1 === batch.length) continue
      if (!this.world.faults.fires('entry-skipped')) continue
      at += 1
      this.waitSet.lost(batch[at]!)
    }
  }

  /** As many of them in one call as the library likes. */
  private serveWhole(batch: readonly Pollfd[]): void {
    const served = batch.filter((pollfd) => this.mayServe(pollfd))
    for (const { fd, revents } of served) this.world.fold(fd * 8 + revents)
    serviceFds(this.ctx, served)
  }

  /** A number that was closed in this batch comes back within it. */
  private reuse(): void {
    if (this.reusing === undefined) return
    const fd = this.reusing
    this.reusing = undefined
    const listener = this.kernel.listenerAt(() => true)
    if (listener !== undefined) this.serve({ fd: listener.fd, revents: POLLIN })
    this.serve({ fd, revents: POLLIN })
  }

  private serve(pollfd: Pollfd): void {
    if (!this.mayServe(pollfd)) return
    const { fd } = pollfd
    const answer = serviceFd(this.ctx, pollfd)
    this.world.fold(fd * 8 + pollfd.revents)
    if (answer === 'more') this.waitSet.again(fd, pollfd.revents)
  }

  /** C5: a poller drops what is not live; one that does not may still not do any harm. */
  private mayServe({ fd, gen }: Pollfd): boolean {
    if (this.world.faults.active) return true
    const live = this.waitSet.liveAt(fd)
    return live !== undefined && (gen === undefined || gen === live.gen)
  }

  private misbehave(): void {
    const { faults } = this.world
    if (faults.fires('foreign-pollfd')) {
      const answer = serviceFd(this.ctx, { fd: FD_LIMIT + 1, revents: POLLIN })
      this.world.fold(FD_LIMIT)
      if (answer !== 'foreign' && !isDestroyed(this.ctx))
        this.keeper.failed(new Error(`C10: a foreign descriptor was answered '${answer}'`))
    }
    if (faults.fires('host-busy')) {
      this.busy += 1
      undoLater(this.world, 1 + faults.pick('host-busy', BUSY_MAX_MS), () => (this.busy -= 1))
    }
    if (faults.fires('clock-jump')) {
      this.world.harm(undefined, 'clock-jump')
      const range = CLOCK_JUMP_MAX_MS - CLOCK_JUMP_MIN_MS
      this.clock.shift(CLOCK_JUMP_MIN_MS + faults.pick('clock-jump', range))
    }
    if (faults.fires('clock-backwards')) {
      this.world.harm(undefined, 'clock-backwards')
      this.clock.shift(-1 - faults.pick('clock-backwards', 1000))
    }
    if (faults.fires('clock-frozen')) this.clock.freeze(1 + faults.pick('clock-frozen', 500))
    if (faults.fires('clock-coarse')) {
      this.clock.coarsen(10)
      undoLater(this.world, 500, () => this.clock.coarsen(0))
    }
  }

  private mend(): void {
    this.clock.mend()
    this.pollSet.catchUp()
  }

  private plainHost(): Host {
    const { world } = this
    const io: SocketIo = world.faults.takePart
      ? new FaultyIo(this.kernel, world, {
          ghost: (fd, lengthMs) => this.batch.addGhost(fd, lengthMs),
          reuseInBatch: (fd) => {
            this.reusing = fd
            world.dialSilently(this.name)
          },
        })
      : this.kernel
    return {
      io,
      pollSet: this.pollSet,
      now: () => this.clock.now,
      wallClock: () => this.clock.wall,
      randomFill: (bytes) => this.fillRandomly(bytes),
      hostname: () => this.name,
      nextGen: () => (this.lastGen += 1),
      ...(this.options.batches === true ? {} : { tap: storyTap(this.name, world.story) }),
    }
  }

  private checkedHost(plain: Host): CheckedHost {
    return checked(plain, {
      ...this.limits,
      edge: this.waitSet.edge,
      times: timesOf(this.limits),
      probe: (fd) => this.kernel.readiness(fd),
      excused: (rule) => this.world.faults.excuses(rule),
      onViolation: (violation) => this.keeper.violated(this, violation),
    })
  }

  private applicationHost() {
    return {
      endpointOf: (fd: number) => this.kernel.socketAt(fd),
      closeByPeer: (endpoint: Endpoint | undefined) => this.keeper.closeByPeer(endpoint),
      destroyed: () => undoLater(this.world, RESTART_MS, () => this.restart()),
      fail: (sentence: string) => this.keeper.failed(new Error(sentence)),
    }
  }

  private fillRandomly(bytes: Uint8Array): void {
    const { faults } = this.world
    if (this.lastEntropy !== undefined && faults.fires('entropy-repeats')) {
      const { length } = this.lastEntropy
      for (let i = 0; i < bytes.length; i += 1) bytes[i] = this.lastEntropy[i % length] ?? 0
      return
    }
    let state = this.world.choose(`${this.name}.entropy`, 2 ** 31)
    for (let i = 0; i < bytes.length; i += 1) {
      state = Math.imul(state, 1_103_515_245) + 12_345
      bytes[i] = state >>> 16
    }
    this.lastEntropy = bytes.slice()
    this.world.fold(state)
  }
}

/** What the checker may judge deadlines by. */
function timesOf(given: SimContextOptions): NonNullable<CheckerOptions['times']> {
  const of = (name: TimeName): number => given[name] ?? limits[name].default
  const [pingMs, idleMs] = [of('pingIntervalMs'), of('idleTimeoutMs')]
  const [closeTimeoutMs, lingerTimeoutMs] = [of('closeTimeoutMs'), of('lingerTimeoutMs')]
  const others = [closeTimeoutMs, lingerTimeoutMs, of('pausedErrorTimeoutMs'), of('pongTimeoutMs')]
  const askedMs = Math.max(pingMs === 0 ? idleMs : pingMs, ...others)
  return {
    handshakeTimeoutMs: of('handshakeTimeoutMs'),
    closeTimeoutMs,
    lingerTimeoutMs,
    writeStallTimeoutMs: of('writeStallTimeoutMs'),
    ...(pingMs === 0 && idleMs === 0 ? {} : { quietMs: askedMs }),
  }
}
