/**
 * Who can reach whom in a simulated world, and how fast; and how connections come about.
 *
 * A link for each pair of names. Connect requests take their way like everything else, and are sent
 * again where they got lost, as TCP's are. Refuses to know what the bytes mean.
 * Source: tcp(7), tcp_syn_retries: the first again after 1 s.
 */
import { Errno } from '../../../src/index.js'
import type { Endpoint } from '../endpoint.js'
import type { Listener } from '../listener.js'
import { Link, Pipe } from '../link.js'
import type { LinkOptions } from '../link.js'
import type { Environment } from './environment.js'
import { undoLater } from './environment.js'
import type { SimHost } from './sim-host.js'
import type { RawPeer } from './sim-peer.js'

/** Who retries a refused connect waits so long. */
const REFUSED_RETRY_MS = 100
/** A request nobody answered is sent again. */
const SYN_RETRY_MS = 1000
const SO_ERROR_AFTER_MS = 20
const SEND_BUFFER_BYTES = 64 * 1024
/** Within so long a connection that somebody resets was made, and perhaps in use. */
const RESET_MS = 50

export class Network {
  readonly hosts: SimHost[] = []
  /** Everybody who is not wholly gone yet. */
  readonly peers = new Set<RawPeer>()
  /** The host's end of each connection -> who holds the other. */
  private readonly byEndpoint = new Map<Endpoint, RawPeer>()
  private readonly links = new Map<string, Link>()
  private readonly now: () => number
  private dialled = 0

  /**
   * @param direct connections without latency, limits and losses need no way: what is sent is there
   */
  constructor(
    private readonly world: Environment,
    private readonly linkOptions: LinkOptions,
    private readonly direct: boolean,
  ) {
    this.now = () => world.clock.now
  }

  hostNamed(name: string): SimHost {
    const host = this.hosts.find((one) => one.name === name)
    if (host !== undefined) return host
    const names = this.hosts.map((one) => one.name).join(', ')
    throw new Error(`there is no host ${name}; there is ${names}`)
  }

  /** Every host knows the addresses of all, by name. */
  nameHosts(): void {
    for (const { kernel } of this.hosts)
      for (const { name, addresses } of this.hosts) kernel.resolver.names.set(name, addresses)
  }

  peerAt(endpoint: Endpoint | undefined): RawPeer | undefined {
    return endpoint === undefined ? undefined : this.byEndpoint.get(endpoint)
  }

  /** The link between two hosts, or a peer and a host, by name; the same for both directions. */
  link(a: string, b: string): Link {
    const key = linkKey(a, b)
    let link = this.links.get(key)
    if (link === undefined) {
      link = new Link(this.world.timeline, this.now, this.linkOptions)
      this.links.set(key, link)
    }
    return link
  }

  /** The two ends of a connection from a client to a host, with the way between them. */
  makeEnds(host: SimHost, clientName: string): [near: Endpoint, far: Endpoint] {
    const listener = host.kernel.listenerAt(() => true)
    const template: Listener = listener ?? NO_LISTENER
    this.dialled += 1
    const address = `10.1.${(this.dialled >> 8) & 255}.${this.dialled & 255}`
    const [near, far] = host.kernel.pairFor(template, address)
    if (!this.direct) this.layPipes(near, far, host.name, clientName)
    far.connecting = true
    return [near, far]
  }

  add(peer: RawPeer): void {
    this.peers.add(peer)
    this.byEndpoint.set(peer.far.other, peer)
    this.request(peer)
  }

  /** Forgets who is gone. @returns the first who waits for something, and what */
  firstWaiting(): { readonly peer: RawPeer; readonly waitsFor: string } | undefined {
    for (const peer of this.peers) {
      const { waitsFor } = peer
      if (waitsFor !== undefined) return { peer, waitsFor }
      if (peer.state === 'ended' && peer.far.other.fd < 0) this.forget(peer)
    }
    return undefined
  }

  private forget(peer: RawPeer): void {
    this.peers.delete(peer)
    this.byEndpoint.delete(peer.far.other)
    if (!this.direct) this.links.delete(linkKey(peer.name, peer.hostName))
  }

  /**
   * A connection that the library of one host begins to another host's address; who has none of
   * this world's never answers.
   * @returns false where it stays on the host
   */
  connectOut(from: SimHost, near: Endpoint, far: Endpoint, address: string): boolean {
    const { faults } = this.world
    const host = this.hosts.find((one) => one.addresses.includes(address))
    if (host === undefined) return !isLoopback(address)
    if (!this.direct) this.layPipes(far, near, host.name, from.name)
    const { latencyMs } = this.link(from.name, host.name)
    if (faults.fires('address-hangs')) return true
    this.later(2 * latencyMs, () => {
      const listener = host.kernel.listenerAt(() => true)
      if (listener === undefined || faults.fires('address-refuses')) near.cutOff(Errno.ECONNREFUSED)
      else {
        host.kernel.request(listener, near, far)
        if (faults.fires('address-resets')) this.resetSoon(near)
      }
    })
    return true
  }

  /** Somebody on the way ends it for both. */
  private resetSoon(near: Endpoint): void {
    const afterMs = this.world.faults.pick('address-resets', RESET_MS)
    undoLater(this.world, afterMs, () => {
      if (near.closed !== undefined || near.cut) return
      near.transmitReset()
      near.cutOff(Errno.ECONNRESET)
    })
  }

  /** Names on different sides do not reach each other, until `heal`. */
  partition(side: readonly string[], other: readonly string[]): void {
    for (const a of side) for (const b of other) this.link(a, b).isDown = true
  }

  heal(): void {
    for (const link of this.links.values()) link.isDown = false
  }

  cutFor(peer: RawPeer, lengthMs: number): void {
    const link = this.link(peer.name, peer.hostName)
    if (link.isDown) return
    link.isDown = true
    undoLater(this.world, lengthMs, () => (link.isDown = false))
  }

  slowFor(peer: RawPeer, bytesPerMs: number, lengthMs: number): void {
    const link = this.link(peer.name, peer.hostName)
    const before = link.bytesPerMs
    link.bytesPerMs = Math.min(before, bytesPerMs)
    undoLater(this.world, lengthMs, () => (link.bytesPerMs = before))
  }

  /** Nothing of the peer ever arrives any more, and nothing arrives at it. */
  kill({ far }: RawPeer): void {
    if (far.pipe !== null) far.pipe.isDead = true
    if (far.other.pipe !== null) far.other.pipe.isDead = true
  }

  private layPipes(near: Endpoint, far: Endpoint, hostName: string, clientName: string): void {
    const link = this.link(clientName, hostName)
    near.pipe = new Pipe(link, `from ${hostName}`, far)
    far.pipe = new Pipe(link, `from ${clientName}`, near)
    near.sendBufferBytes = SEND_BUFFER_BYTES
  }

  /** The connect request of a peer sets out. */
  private request(peer: RawPeer): void {
    const { faults } = this.world
    const latencyMs = this.direct ? 0 : this.link(peer.name, peer.hostName).latencyMs
    if (faults.fires('connect-hang')) this.again(peer, SYN_RETRY_MS)
    else if (faults.fires('connect-refused')) this.again(peer, 2 * latencyMs + REFUSED_RETRY_MS)
    else if (faults.fires('connect-so-error'))
      this.again(peer, 2 * latencyMs + SO_ERROR_AFTER_MS + REFUSED_RETRY_MS)
    else this.later(latencyMs, () => this.arrive(peer))
  }

  private arrive(peer: RawPeer): void {
    if (peer.state !== 'connecting') return
    const { faults } = this.world
    const host = this.hostNamed(peer.hostName)
    const { kernel } = host
    const listener = kernel.listenerAt(() => true)
    const isDown = !this.direct && this.link(peer.name, peer.hostName).isDown
    if (listener === undefined) this.again(peer, REFUSED_RETRY_MS)
    else if (isDown || faults.fires('backlog-overflow')) this.again(peer, SYN_RETRY_MS)
    else if (!kernel.enqueue(listener, peer.far.other)) this.again(peer, SYN_RETRY_MS)
    else {
      peer.connected()
      if (faults.fires('gone-before-accept')) {
        this.world.harm(peer.far.other, 'gone-before-accept')
        peer.reset()
      }
      if (faults.fires('accept-burst')) {
        const count = 1 + faults.pick('accept-burst', 10)
        for (let i = 0; i < count; i += 1) this.world.dialSilently(host.name)
      }
    }
  }

  private again(peer: RawPeer, afterMs: number): void {
    this.later(afterMs, () => this.request(peer))
  }

  /** Without a way there is nothing to wait for. */
  private later(ms: number, act: () => void): void {
    if (ms === 0) act()
    else this.world.timeline.at(this.world.clock.now + ms, act)
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

function linkKey(a: string, b: string): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`
}

/** Where nobody listens now, somebody may when the request comes. */
const NO_LISTENER: Listener = {
  kind: 'listener',
  fd: -1,
  address: { name: '', address: '', port: 0, family: 'IPv4' },
  backlog: 0,
  queue: [],
  late: [],
}
