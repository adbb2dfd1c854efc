/**
 * The fidelity scenarios' FakeKernel: what is sent is there at once, or takes its way over a link.
 */
import { FakeKernel } from '../../../integrations/simulation/fake-kernel.js'
import type { Endpoint } from '../../../integrations/simulation/endpoint.js'
import { Link, Pipe } from '../../../integrations/simulation/link.js'
import { Timeline } from '../../../integrations/simulation/timeline.js'
import { WaitSet } from '../../../integrations/simulation/wait-set.js'
import { Errno } from '../../../src/index.js'
import type { PollChange, Pollfd, SocketAddress } from '../../../src/index.js'
import type { Machine, Transport } from './machine.js'

const FD_LIMIT = 4096
const WINDOW_BYTES = 256 * 1024
const LATENCY_MS = 5
const NOBODY: SocketAddress = { name: '', address: '192.0.2.1', port: 9, family: 'IPv4' }
const NO_PATH: SocketAddress = { name: '/nowhere', address: '', port: 0, family: 'Unix' }

export class FakeMachine implements Machine {
  readonly name: string
  readonly io: FakeKernel
  readonly keepsOrder = true
  readonly patienceMs = 0

  private readonly waitSet: WaitSet
  private readonly timeline = new Timeline()
  private readonly held: { readonly fd: number; end?: Endpoint; abort: boolean }[] = []
  private readonly hoard: number[] = []
  private nowMs = 0
  private lastGen = 0
  private paths = 0

  constructor(way: 'direct' | 'link') {
    this.name = `FakeKernel, ${way}`
    this.io = new FakeKernel({
      windowBytes: WINDOW_BYTES,
      fdLimit: FD_LIMIT,
      isAlone: true,
      ...(way === 'link' ? { dial: (near, far, to) => this.dial(near, far, to) } : {}),
    })
    this.waitSet = new WaitSet((fd) => this.io.readiness(fd), false)
    this.io.onActivity = (fd) => this.waitSet.activity(fd)
    this.io.isPolled = (fd) => this.waitSet.has(fd)
  }

  listen(transport: Transport, backlog: number): number {
    this.paths += 1
    const path = transport === 'unix' ? { path: `/${this.paths}` } : {}
    return this.io.listen({ address: '127.0.0.1', port: 0, backlog, ...path })
  }

  connect(listenFd: number): number {
    return this.io.connect(this.io.localAddress(listenFd))
  }

  connectToNobody(transport: Transport): number {
    const fd = this.io.connect(transport === 'unix' ? NO_PATH : NOBODY)
    for (const far of this.io.dialled.splice(0)) far.other.cutOff(Errno.ECONNREFUSED)
    return fd
  }

  close(fd: number, abort: boolean): number {
    const held = this.held.find((one) => one.fd === fd && one.end === undefined)
    if (held === undefined) return this.io.close(fd, abort)
    held.end = this.io.detach(fd)
    held.abort = abort
    return 0
  }

  settle(): void {
    while (this.timeline.nextMs < Infinity) {
      this.nowMs = Math.max(this.nowMs, this.timeline.nextMs)
      this.timeline.runDue(this.nowMs)
    }
  }

  readiness(fds: readonly number[]): number[] {
    return fds.map((fd) => this.io.readiness(fd))
  }

  add(fd: number, events: number): void {
    this.lastGen += 1
    this.waitSet.add(fd, events, change(fd, this.lastGen))
  }

  modify(fd: number, events: number): void {
    const mask = this.waitSet.maskOf(fd) ?? 0
    // A mask is told as what goes off, then what comes on.
    this.waitSet.clear(fd, mask & ~events)
    this.waitSet.set(fd, events & ~mask)
  }

  remove(fd: number): void {
    this.waitSet.del(fd)
  }

  wait(): readonly Pollfd[] {
    return this.waitSet.wait()
  }

  isLive({ fd, gen }: Pollfd): boolean {
    return this.waitSet.liveAt(fd)?.gen === gen
  }

  hold(fd: number): void {
    this.held.push({ fd, abort: false })
  }

  letGo(): void {
    for (const { end, abort } of this.held.splice(0)) end?.close(abort ? 'abort' : 'close')
  }

  leaveDescriptors(count: number): void {
    for (const fd of this.hoard.splice(0)) this.io.closeForeign(fd)
    if (count === Infinity) return
    for (let fd = 0; (fd = this.io.openForeign()) >= 0;) this.hoard.push(fd)
    for (let left = count; left > 0; left -= 1) this.io.closeForeign(this.hoard.pop()!)
  }

  dispose(): void {
    this.letGo()
  }

  private dial(near: Endpoint, far: Endpoint, { port, family }: SocketAddress): boolean {
    const listener = this.io.listenerAt(({ address }) => address.port === port)
    if (listener === undefined || family === 'Unix') return false
    const link = new Link(this.timeline, () => this.nowMs, { latencyMs: LATENCY_MS })
    near.pipe = new Pipe(link, 'there', far)
    far.pipe = new Pipe(link, 'back', near)
    for (const end of [near, far]) end.sendBufferBytes = WINDOW_BYTES
    this.timeline.at(this.nowMs + LATENCY_MS, () => this.io.request(listener, near, far))
    return true
  }
}

const owner = {}

function change(fd: number, gen: number): PollChange {
  return { op: 'ADD', fd, gen, bits: 0, prev: 0, next: 0, seq: 0, context: owner }
}
