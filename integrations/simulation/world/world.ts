/**
 * A simulated world: hosts that run the library, peers, the ways between them, time, and choices.
 *
 * Everybody acts in turn at one moment, and when nobody has anything left to do, time jumps to the
 * next moment at which somebody has. Refuses to know what is tested in it.
 */
import type { Context } from '../../../src/index.js'
import type { Decider } from '../decide/decider.js'
import type { Endpoint } from '../endpoint.js'
import { formatViolation } from '../checker-rule.js'
import type { Violation } from '../checker-rule.js'
import { FaultyPeers } from '../faults/faulty-peer.js'
import type { Faults } from '../faults/faults.js'
import type { FaultName } from '../faults/fault-table.js'
import type { Link, LinkOptions } from '../link.js'
import { Timeline } from '../timeline.js'
import { VirtualClock } from '../virtual-clock.js'
import { ClientFrames } from './client-frames.js'
import { Network } from './network.js'
import { SimHost } from './sim-host.js'
import type { HostKeeper, SimHostOptions } from './sim-host.js'
import { RawPeer, SimPeer } from './sim-peer.js'
import type { PeerKeeper, PeerMischief } from './sim-peer.js'
import { Story } from './story.js'
import { formatRequest } from './upgrade-request.js'
import type { ConnectOptions } from './upgrade-request.js'

/** The world came to no end, or a rule was broken; `message` says which. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError'
  readonly code = 'EXTPOLL_SIMULATION'
}

export interface WorldLimits {
  /** Rounds at one moment after which somebody spins. */
  readonly maxRounds: number
  /** Chaos longer than this in one `run` ends by itself. */
  readonly chaosMs: number
  /** What is not done so long after that never will be. */
  readonly quietMs: number
}

const START_MS = 1000
const WALL_START_MS = 1_000_000_000_000
const SILENT_MS = 50
const MAX_WAITERS_TOLD = 8

export class World implements PeerKeeper, HostKeeper {
  readonly clock = new VirtualClock(START_MS, WALL_START_MS)
  readonly timeline = new Timeline()
  readonly story = new Story(() => this.clock.now)
  readonly network: Network
  readonly mischief: PeerMischief

  private readonly invariants: { readonly name: string; readonly check: () => unknown }[] = []
  private awake: RawPeer[] = []
  private failure: { readonly error: unknown } | undefined
  private folded = 0x811c_9dc5
  private peerCount = 0
  private silentCount = 0

  constructor(
    readonly seed: number,
    private readonly decider: Decider,
    readonly faults: Faults,
    link: LinkOptions,
    direct: boolean,
    private readonly limits: WorldLimits,
  ) {
    this.network = new Network(this, link, direct)
    this.mischief = new FaultyPeers(this, this.network)
    faults.onFire = ({ name, description }) => this.story.add('fault', `${name}:`, description)
  }

  /** Milliseconds since the world began, and where it began. */
  get now(): number {
    return this.clock.now
  }

  /** The context of the first host. */
  get ctx(): Context {
    return this.host().ctx
  }

  /** A host by its name; the first one by default. */
  host(name?: string): SimHost {
    const [first] = this.network.hosts
    return name === undefined && first !== undefined ? first : this.network.hostNamed(name ?? '')
  }

  /** Everything that makes up the course of the run so far, as one number. */
  get digest(): number {
    return this.folded
  }

  /** A machine more, that listens. */
  addHost(name: string, options: SimHostOptions): SimHost {
    const address = `10.0.0.${this.network.hosts.length + 1}`
    const host = new SimHost(name, address, this, this, options)
    this.network.hosts.push(host)
    this.network.nameHosts()
    return host
  }

  /**
   * A well-behaved WebSocket client. It connects and upgrades by itself, during `run`.
   * @param protocol the subprotocol to offer; default none
   */
  connect(protocol = '', options: ConnectOptions = {}): SimPeer {
    this.peerCount += 1
    const name = options.name ?? `peer ${this.peerCount}`
    const host = this.host(options.host)
    const [, far] = this.network.makeEnds(host, name)
    const request = formatRequest(host.address, protocol, options, this.peerCount)
    const frames = new ClientFrames(this.peerCount * 0x1234_567)
    const peer = new SimPeer(name, host.name, far, this, request, frames, options.path ?? '/')
    this.story.add(name, 'connects to', host.name)
    this.network.add(peer)
    return peer
  }

  /** A client that speaks bytes, as its user tells it. */
  dial(options: { readonly host?: string; readonly name?: string } = {}): RawPeer {
    this.peerCount += 1
    const name = options.name ?? `raw ${this.peerCount}`
    const host = this.host(options.host)
    const [, far] = this.network.makeEnds(host, name)
    const peer = new RawPeer(name, host.name, far, this)
    this.story.add(name, 'connects to', host.name)
    this.network.add(peer)
    return peer
  }

  /** The way between two hosts, or a peer and a host. */
  link(a: string, b: string): Link {
    return this.network.link(a, b)
  }

  /** Names on different sides do not reach each other any more, until `heal`. */
  partition(side: readonly string[], other: readonly string[]): void {
    this.network.partition(side, other)
  }

  heal(): void {
    this.network.heal()
  }

  /** Checked after every step: throws, or answers false, where it does not hold. */
  invariant(name: string, check: () => unknown): void {
    this.invariants.push({ name, check })
  }

  /** Runs `act` when `ms` have passed. */
  after(ms: number, act: () => void): void {
    this.timeline.at(this.clock.now + ms, act)
  }

  /** Everybody acts once, at this moment. @returns whether anybody had anything to do */
  step(): boolean {
    let worked = this.timeline.runDue(this.clock.now) > 0
    for (const host of this.network.hosts) if (host.round()) worked = true
    if (this.awake.length > 0) {
      worked = true
      const { awake } = this
      this.awake = []
      for (const peer of awake) peer.process()
    }
    if (worked) this.check()
    this.throwFailure()
    return worked
  }

  /**
   * Until nothing is under way: everybody has read what was sent and got what was written,
   * handshakes and closes are over. Passes as much time as that takes. Faults go on; where they let
   * nothing come to its end for too long, they stop.
   * @throws SimulationError where it never ends: who waits for what
   */
  run(): void {
    const startMs = this.clock.now
    for (;;) {
      this.settleNow()
      const waiting = this.network.firstWaiting()
      if (waiting === undefined) return
      const passedMs = this.clock.now - startMs
      if (passedMs > this.limits.chaosMs && this.faults.active) this.faults.stop()
      else if (!this.advance(Infinity) || passedMs > this.limits.chaosMs + this.limits.quietMs)
        throw new SimulationError(`no progress: ${this.describeWaiting()}`)
    }
  }

  /** Lets `ms` pass, with all that happens in them. */
  runFor(ms: number): void {
    const endMs = this.clock.now + ms
    do this.settleNow()
    while (this.advance(endMs))
    this.clock.advanceTo(endMs)
    this.settleNow()
  }

  // --- For the parts of the world

  choose(label: string, n: number): number {
    return this.decider.decide(label, n)
  }

  fold(value: number): void {
    this.folded = Math.imul(this.folded ^ (value | 0), 0x0100_0193)
  }

  wake(peer: RawPeer): void {
    this.awake.push(peer)
  }

  harm(endpoint: Endpoint | undefined, fault: FaultName): void {
    if (endpoint === undefined) {
      for (const peer of this.network.peers) peer.harmedBy ??= fault
      return
    }
    const peer = this.network.peerAt(endpoint)
    if (peer === undefined) return
    peer.harmedBy ??= fault
    if (fault === 'recv-bit-flip') peer.isGarbled = true
  }

  dialSilently(hostName: string): void {
    this.silentCount += 1
    const peer = this.dial({ host: hostName, name: `silent ${this.silentCount}` })
    this.after(SILENT_MS, () => peer.end())
  }

  violated(host: SimHost, violation: Violation): void {
    const where = this.network.hosts.length > 1 ? `on host ${host.name}: ` : ''
    this.failed(new SimulationError(where + formatViolation(violation)))
  }

  failed(error: unknown): void {
    this.failure ??= { error }
  }

  closeByPeer(endpoint: Endpoint | undefined): void {
    const peer = this.network.peerAt(endpoint)
    if (peer instanceof SimPeer) peer.close(1001)
  }

  connectsOut(from: SimHost, near: Endpoint, far: Endpoint, address: string): boolean {
    return this.network.connectOut(from, near, far, address)
  }

  /** Who waits for what, for a report. */
  describeWaiting(): string {
    const lines: string[] = []
    for (const peer of this.network.peers) {
      const { waitsFor } = peer
      if (waitsFor !== undefined) lines.push(`${peer.name} waits for ${waitsFor}`)
    }
    const shown = lines.slice(0, MAX_WAITERS_TOLD)
    if (lines.length > shown.length) shown.push(`${lines.length - shown.length} more`)
    return shown.join('; ')
  }

  // --- Inside

  /** Rounds until nobody has anything to do at this moment. */
  private settleNow(): void {
    for (let rounds = 0; this.step(); rounds += 1) {
      if (rounds < this.limits.maxRounds) continue
      throw new SimulationError(
        `still busy after ${rounds} rounds at ${this.clock.now} ms: ${this.describeBusy()}`,
      )
    }
  }

  /** Jumps to the next moment at which something happens. @returns false: none up to `endMs` */
  private advance(endMs: number): boolean {
    let nextMs = this.timeline.nextMs
    let due: SimHost | undefined
    for (const host of this.network.hosts) {
      const { dueMs } = host
      if (dueMs >= nextMs) continue
      nextMs = dueMs
      due = host
    }
    if (due !== undefined) nextMs = this.misjudge(nextMs)
    if (nextMs === Infinity || nextMs >= endMs) return false
    // Due, and yet not done: that host's clock is a rounding error behind.
    this.clock.advanceTo(nextMs > this.clock.now ? nextMs : this.clock.now + 1)
    this.fold(nextMs * 1000)
    return true
  }

  /** A wait for a deadline may end too late, or too early. */
  private misjudge(deadlineMs: number): number {
    const { faults, clock } = this
    if (!faults.active) return deadlineMs
    if (faults.fires('wake-late')) return deadlineMs + 1 + faults.pick('wake-late', 200)
    const waitMs = Math.floor(deadlineMs - clock.now)
    if (waitMs > 1 && faults.fires('wake-early'))
      return clock.now + 1 + faults.pick('wake-early', Math.min(waitMs, 60_000))
    return deadlineMs
  }

  private check(): void {
    for (const { name, check } of this.invariants) {
      if (check() === false) throw new SimulationError(`the invariant does not hold: ${name}`)
    }
  }

  private throwFailure(): void {
    const { failure } = this
    if (failure === undefined) return
    this.failure = undefined
    throw failure.error
  }

  private describeBusy(): string {
    const ready = this.network.hosts.flatMap(({ name, kernel, waitSet }) =>
      waitSet.liveList().flatMap(({ fd, mask }) => {
        const revents = kernel.readiness(fd)
        return revents & (mask | 24) ? [`${name} fd ${fd} mask ${mask} revents ${revents}`] : []
      }),
    )
    return ready.slice(0, MAX_WAITERS_TOLD).join(', ') || 'nothing is ready'
  }
}
