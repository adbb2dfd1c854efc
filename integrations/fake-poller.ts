/**
 * A host in memory, for tests: descriptors whose results a test scripts, and a clock that it moves.
 *
 * The same operations as every host, without a socket, a timer or a wait. It keeps the contract; to
 * see what happens when a host does not, call `serviceFd` yourself with what `poll` answers. Knows
 * nothing of the library but its public surface; the parts are in simulation/.
 * Source: src/CONTRACT.md; simulation/README.md is the page.
 */
import { POLLERR, POLLHUP, nextDeadline, nextTimeout, pollFds, serviceFd } from '../src/index.js'
import type { Context, Host, Pollfd } from '../src/index.js'
import { readinessOn } from './simulation/edge-readiness.js'
import type { FakeFiles } from './simulation/fake-files.js'
import { FakeKernel } from './simulation/fake-kernel.js'
import type { MisuseError } from './simulation/fake-kernel.js'
import type { Listener } from './simulation/listener.js'
import type { Script } from './simulation/script.js'
import { VirtualClock } from './simulation/virtual-clock.js'
import { WaitSet } from './simulation/wait-set.js'
import { ServerPeer } from './simulation/server-peer.js'
import { WsPeer } from './simulation/ws-peer.js'
import type { FakeResolver } from './simulation/fake-resolver.js'

export { Campaign, isFailure, runScenario, trySeed } from './simulation/campaign/campaign.js'
export type {
  CampaignReport,
  RunOptions as SeedOptions,
  SeedFailure,
} from './simulation/campaign/campaign.js'
export type { Scenario } from './simulation/campaign/scenario.js'
export { scenarios } from './simulation/campaign/scenarios.js'
export { checked } from './simulation/checker.js'
export type { CheckedHost, CheckerOptions, PollHandlers } from './simulation/checker.js'
export { formatViolation } from './simulation/checker-rule.js'
export type { Violation } from './simulation/checker-rule.js'
export { RecordingDecider, ReplayDecider, SeededDecider } from './simulation/decide/decider.js'
export type { Decider, Decisions } from './simulation/decide/decider.js'
export {
  countDecisions,
  formatDecisions,
  parseDecisions,
} from './simulation/decide/decisions-text.js'
export { exhaust } from './simulation/decide/exhaustive.js'
export type { ExhaustOptions } from './simulation/decide/exhaustive.js'
export { shrink } from './simulation/decide/shrink.js'
export { SparseDecider } from './simulation/decide/sparse.js'
export type { SparseOptions } from './simulation/decide/sparse.js'
export { faultNames, faultTable } from './simulation/faults/fault-table.js'
export type { FaultName, FaultRow } from './simulation/faults/fault-table.js'
export type { FaultSelection } from './simulation/faults/faults.js'
export { simulate } from './simulation/world/simulate.js'
export type { SimulateOptions, SimulationResult } from './simulation/world/simulate.js'
export { SimulationError } from './simulation/world/world.js'
export type { World } from './simulation/world/world.js'
export type { RawPeer, SimPeer } from './simulation/world/sim-peer.js'
export type { Closing } from './simulation/endpoint.js'
export { MisuseError } from './simulation/fake-kernel.js'
export { ServerFrameDecoder, encodeClientFrame } from './simulation/frame-codec.js'
export type { Frame, FrameToSend } from './simulation/frame-codec.js'
export { ClientFrameDecoder } from './simulation/frame-codec.js'
export type { MaskedFrame } from './simulation/frame-codec.js'
export { FakeResolver, Lookup } from './simulation/fake-resolver.js'
export { ServerPeer } from './simulation/server-peer.js'
export type { ClientRequest } from './simulation/server-peer.js'
export { FakeFile, FakeFiles } from './simulation/fake-files.js'
export type { FakeFileOptions, SparseContent } from './simulation/fake-files.js'
export { Peer } from './simulation/peer.js'
export { Script } from './simulation/script.js'
export { VirtualClock } from './simulation/virtual-clock.js'
export { WsPeer } from './simulation/ws-peer.js'
export type { HttpResponse, UpgradeOptions } from './simulation/ws-peer.js'

export interface FakePollerOptions {
  /** The first `now`, in milliseconds. Default 1000: not 0, which hides a deadline never set. */
  readonly startMs?: number
  /** The wall clock at that moment, milliseconds since 1970. Default 2001-09-09T01:46:40Z. */
  readonly wallStartMs?: number
  /**
   * True: edge-triggered, each descriptor reported once per activity. Default false, as poll(2).
   */
  readonly edge?: boolean
  /** False: pollfds without `gen`, and no `nextGen`, as a host that keeps none. Default true. */
  readonly gens?: boolean
  /** Chooses what `randomFill` gives. Default 1. */
  readonly seed?: number
  /** Unread bytes that a peer holds before a send to it would block. Default 16 MiB. */
  readonly windowBytes?: number
  /** Descriptors from this number up do not exist: accept answers EMFILE. Default 65,536. */
  readonly fdLimit?: number
}

/** Where a peer connects to: a context (its first listener), or a listener by fd, port or path. */
export type ConnectTarget =
  Context | { readonly fd: number } | { readonly port: number } | { readonly path: string }

export interface RunOptions {
  /** Rounds after which a context that still has something to do is spinning. Default 10,000. */
  readonly maxSteps?: number
}

/**
 * A fake poller of its own: kernel, poll array and clock. Contexts that share its host share all
 * three.
 */
export function fakePoller(options: FakePollerOptions = {}): FakePoller {
  return new FakePoller(options)
}

const START_MS = 1000
const WALL_START_MS = 1_000_000_000_000
const WINDOW_BYTES = 16 * 1024 * 1024
const FD_LIMIT = 65_536
const MAX_STEPS = 10_000

export class FakePoller {
  readonly clock: VirtualClock
  readonly host: Host
  /**
   * Results laid down for the next listen, accept and connect; a Peer has its own for recv and
   * send.
   */
  readonly script: { readonly listen: Script; readonly accept: Script; readonly connect: Script }
  /** Calls the library made into the bytes seam so far. */
  readonly counts: Readonly<Record<'recv' | 'send' | 'sendv' | 'accept' | 'close', number>>
  /** What the library finds when it opens a file. */
  readonly files: FakeFiles
  /** Hears what each `poll` answers; the checker listens here. */
  onWait: ((batch: readonly Pollfd[]) => void) | undefined

  private readonly kernel: FakeKernel
  private readonly waitSet: WaitSet
  private readonly gens: boolean
  private lastGen = 0

  constructor(options: FakePollerOptions) {
    const { windowBytes = WINDOW_BYTES, fdLimit = FD_LIMIT, startMs = START_MS } = options
    this.clock = new VirtualClock(startMs, options.wallStartMs ?? WALL_START_MS)
    const kernel = new FakeKernel({ windowBytes, fdLimit })
    const { edge = false } = options
    const waitSet = new WaitSet(readinessOn(kernel, edge), edge)
    kernel.onActivity = (fd) => waitSet.activity(fd)
    kernel.isPolled = (fd) => waitSet.has(fd)
    this.kernel = kernel
    this.waitSet = waitSet
    this.script = kernel.script
    this.counts = kernel.counts
    this.files = kernel.files
    this.gens = options.gens ?? true
    const host: Host = {
      io: kernel,
      pollSet: waitSet,
      now: () => this.clock.now,
      wallClock: () => this.clock.wall,
      randomFill: randomFiller(options.seed ?? 1),
      hostname: () => 'fake',
    }
    this.host = this.gens ? { ...host, nextGen: () => this.nextGen() } : host
  }

  /** Edge-triggered semantics; may be switched in mid-run. */
  get edge(): boolean {
    return this.waitSet.edge
  }

  set edge(edge: boolean) {
    this.waitSet.edge = edge
  }

  /**
   * Every call by the library that no correct program makes. Each was thrown where it happened,
   * too.
   */
  get misuses(): readonly MisuseError[] {
    return this.kernel.misuses
  }

  /** Every open descriptor, lowest first. */
  get openFds(): number[] {
    return this.kernel.openFds()
  }

  /**
   * Connections begun by the library to addresses where nothing listens here, oldest first: taken
   * by this look.
   */
  dialled(): ServerPeer[] {
    return this.kernel.dialled.splice(0).map((far) => new ServerPeer(far))
  }

  /** Names: laid down in `names`, or answered one by one from `lookups`. */
  get resolver(): FakeResolver {
    return this.kernel.resolver
  }

  /** Puts a connection into a listener's accept queue. @returns its far end */
  connectTo(target: ConnectTarget): WsPeer {
    const listener = this.findListener(target)
    if (listener === undefined) throw new Error('nothing listens there')
    const far = this.kernel.connectFromOutside(listener)
    if (far === undefined)
      throw new Error(`${listener.queue.length} connections wait there already`)
    return new WsPeer(far)
  }

  /** Readiness of a descriptor now, whatever is waited for: the truth that `poll` filters. */
  probe(fd: number): number {
    return this.kernel.readiness(fd)
  }

  /** What SET_TIMEOUT said last (C21); null for none. */
  get announcedDeadlineMs(): number | null {
    return this.waitSet.announcedDeadlineMs
  }

  /** The mask that the library announced for a descriptor; undefined where it waits for nothing. */
  maskOf(fd: number): number | undefined {
    return this.waitSet.maskOf(fd)
  }

  /**
   * One wait of no length: what is ready now, of what is waited for.
   * At mask 0, POLLERR and POLLHUP are reported once and nothing else is (C4).
   * @param contexts whose descriptors; default everyone's
   */
  poll(...contexts: readonly Context[]): Pollfd[] {
    const batch = this.wait(contexts)
    return this.gens ? batch : batch.map(({ fd, revents }) => ({ fd, revents }))
  }

  /**
   * One round as a host makes it: a wait, `serviceFd` for each ready descriptor, then what is due.
   * @returns false: there was nothing to do
   */
  service(...contexts: readonly Context[]): boolean {
    const batch = this.poll(...contexts)
    let worked = batch.length > 0
    let next = 0
    try {
      while (next < batch.length) {
        const pollfd = batch[next] as Pollfd
        this.serviceOne(pollfd)
        next += 1
      }
    } finally {
      // An application's exception ended the round: who was not serviced is still ready.
      for (const pollfd of batch.slice(next)) this.waitSet.activity(pollfd.fd)
    }
    for (const ctx of contexts) {
      if (nextTimeout(ctx) !== 0) continue
      worked = true
      serviceFd(ctx, null)
    }
    return worked
  }

  /**
   * Rounds until nothing is ready and no timeout is 0. Time stands still.
   * @returns the rounds made
   * @throws Error where it never ends: the context spins
   */
  run(contexts: Context | readonly Context[], options: RunOptions = {}): number {
    const list = listOf(contexts)
    const maxSteps = options.maxSteps ?? MAX_STEPS
    for (let step = 0; step < maxSteps; step += 1) if (!this.service(...list)) return step
    throw new Error(`still busy after ${maxSteps} rounds: ${this.describeReady(list)}`)
  }

  /** Lets `ms` milliseconds pass, from deadline to deadline, with `run` at each stop. */
  runFor(contexts: Context | readonly Context[], ms: number, options: RunOptions = {}): void {
    const list = listOf(contexts)
    const endMs = this.clock.now + ms
    for (;;) {
      this.run(list, options)
      let stopMs = endMs
      for (const ctx of list) stopMs = Math.min(stopMs, nextDeadline(ctx) ?? endMs)
      if (stopMs >= endMs) break
      this.clock.advanceTo(stopMs)
    }
    this.clock.advanceTo(endMs)
    this.run(list, options)
  }

  private wait(contexts: readonly Context[]): Pollfd[] {
    const everyone = contexts.length === 0
    const batch = everyone
      ? this.waitSet.wait()
      : this.waitSet.wait((owner) => contexts.some((ctx) => ctx === owner))
    this.onWait?.(batch)
    return batch
  }

  private serviceOne(pollfd: Pollfd): void {
    const live = this.waitSet.liveAt(pollfd.fd)
    // C5: an earlier one of this batch ended it, and the number may be another's by now.
    if (live === undefined || (pollfd.gen !== undefined && pollfd.gen !== live.gen)) return
    const answer = serviceFd(live.owner as Context, pollfd)
    if (answer === 'more') this.waitSet.again(pollfd.fd, pollfd.revents)
  }

  private nextGen(): number {
    this.lastGen = this.lastGen === 0xffff_ffff ? 1 : this.lastGen + 1
    return this.lastGen
  }

  private findListener(target: ConnectTarget): Listener | undefined {
    const { kernel } = this
    if ('fd' in target) return kernel.listenerAt(({ fd }) => fd === target.fd)
    if ('port' in target) return kernel.listenerAt(({ address }) => address.port === target.port)
    if ('path' in target) return kernel.listenerAt(({ address }) => address.name === target.path)
    const fds = new Set(pollFds(target).map(({ fd }) => fd))
    return kernel.listenerAt(({ fd }) => fds.has(fd))
  }

  private describeReady(contexts: readonly Context[]): string {
    const ready = contexts.flatMap((ctx) =>
      pollFds(ctx).flatMap(({ fd, events }) => {
        const revents = this.kernel.readiness(fd) & (events | POLLERR | POLLHUP)
        return revents === 0 ? [] : [`fd ${fd} revents ${revents}`]
      }),
    )
    const due = contexts.filter((ctx) => nextTimeout(ctx) === 0).length
    return `${ready.join(', ') || 'nothing'} ready, ${due} of ${contexts.length} with timeout 0`
  }
}

function listOf(contexts: Context | readonly Context[]): readonly Context[] {
  return Array.isArray(contexts) ? (contexts as readonly Context[]) : [contexts as Context]
}

/** Bytes that only look random: the same for the same seed, on every machine (mulberry32). */
function randomFiller(seed: number): (bytes: Uint8Array) => void {
  let state = seed >>> 0
  return (bytes) => {
    for (let i = 0; i < bytes.length; i += 1) {
      state = (state + 0x6d2b_79f5) >>> 0
      let word = Math.imul(state ^ (state >>> 15), state | 1)
      word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
      bytes[i] = (word ^ (word >>> 14)) & 0xff
    }
  }
}
