/**
 * Every way of running the library, for the adapter suite: one row each.
 *
 * To add one, write a `Ground` (adapter-app.ts) for the loop, and a row here. Where the context is
 * in this thread, `hereWith(ground, plan, turn)` makes the rest: `turn` lets the loop go round
 * once, and may be asynchronous. Where sockets are no descriptors of the kernel, give `connect` a
 * Transport of its own, as the fake poller's row does. Where the context is elsewhere, start it
 * there with `new App(ground, plan)` and bring back its port and its report, as the worker's row
 * does. The scenarios know rows by these functions alone.
 */
import { once } from 'node:events'
import * as net from 'node:net'
import type { Duplex } from 'node:stream'
import * as tls from 'node:tls'
import type { Worker } from 'node:worker_threads'
import { setTimeout as sleep } from 'node:timers/promises'
import { fakePoller, type CheckedHost, type FakePoller } from '../../integrations/fake-poller.js'
import { epollHost, socketIo, tcpAddress } from '../../integrations/epoll.js'
import { adoptSocket, getListenAddress, hostOf } from '../../src/index.js'
import type { Context } from '../../src/index.js'
import { attach, type AttachOptions } from '../../integrations/node-streams.js'
import { App, TICK_MS, type Ground, type Plan, type Report } from './adapter-app.js'
import { ForeignLoop, NodeGround, RawLoop, ServiceLoop, StreamsGround } from './adapter-loops.js'
import { certificate } from './certificate.js'
import { startWorker } from './epoll-addon.js'
import { streamPair } from './stream-pair.js'

/** A connection's other end, without a loop of its own. */
export interface Transport {
  /** @returns whether all of it was taken */
  send(bytes: Buffer): boolean
  /** What came since the last call. */
  receive(): Buffer
  /** The end of file came, or a reset. */
  readonly over: boolean
  end(): void
  reset(): void
  /** Gives back what it holds, whatever state it is in. */
  dispose(): void
}

/** An application that runs. */
export interface Running {
  connect(): Transport
  /** Lets the loop go round, once or for a moment. */
  turn(): Promise<void>
  /** Lets time pass; it is the loop's own time. */
  pass(ms: number): Promise<void>
  /** Its context is destroyed; its loop goes on, until a timer of its own fired twice more. */
  report(): Promise<Report>
}

export interface AdapterUnderTest {
  readonly name: string
  readonly needsAddon: boolean
  /** Whether the context accepts its connections itself: default true. */
  readonly accepts?: boolean
  /** Whether a number is given out again; virtual ones never are. Default true. */
  readonly reuses?: boolean
  start(plan: Plan): Promise<Running>
}

const PATIENCE_MS = 5_000

/** A socket of the kernel. */
class SocketTransport implements Transport {
  over = false
  readonly #fd: number
  #open = true

  constructor(port: number) {
    this.#fd = socketIo.connect(tcpAddress('127.0.0.1', port))
    if (this.#fd < 0) throw new Error(`connect answered ${this.#fd}`)
  }

  send(bytes: Buffer): boolean {
    return socketIo.sendv(this.#fd, [bytes]) === bytes.length
  }

  receive(): Buffer {
    const parts: Buffer[] = []
    while (this.#open && !this.over) {
      const count = socketIo.recv(this.#fd, scratch(), 0, scratch().bytes.length)
      if (count === -11) break
      if (count <= 0) this.over = true
      else parts.push(Buffer.from(scratch().bytes.subarray(0, count)))
    }
    return Buffer.concat(parts)
  }

  end(): void {
    socketIo.shutdown(this.#fd)
  }

  reset(): void {
    this.#open = false
    socketIo.close(this.#fd, true)
  }

  dispose(): void {
    if (this.#open) socketIo.close(this.#fd, false)
    this.#open = false
  }
}

/** A far end that is a stream: read when somebody looks, as the others are. */
class StreamTransport implements Transport {
  over = false
  readonly #stream: Duplex
  readonly #reset: () => void

  constructor(stream: Duplex, reset: () => void) {
    this.#stream = stream
    this.#reset = reset
    stream.on('end', () => (this.over = true))
    stream.on('close', () => (this.over = true))
    stream.on('error', () => (this.over = true))
  }

  send(bytes: Buffer): boolean {
    if (this.#stream.writable) this.#stream.write(bytes)
    return true
  }

  receive(): Buffer {
    const parts: Buffer[] = []
    const read = (): Buffer | null => this.#stream.read() as Buffer | null
    for (let part = read(); part !== null; part = read()) parts.push(part)
    return Buffer.concat(parts)
  }

  end(): void {
    this.#stream.end()
  }

  reset(): void {
    this.#reset()
  }

  dispose(): void {
    this.#stream.destroy()
  }
}

let scratchBuffer: ReturnType<typeof socketIo.createBuffer> | undefined
const scratch = (): ReturnType<typeof socketIo.createBuffer> =>
  (scratchBuffer ??= socketIo.createBuffer(65_536))

/** The context is in this thread. @param turn one round of its loop */
function hereWith<Own extends Ground>(
  ground: Own,
  plan: Plan,
  turn: (ground: Own, ctx: Context) => void | Promise<unknown>,
): Running {
  const app = new App(ground, plan)
  return hereAt(ground, app, getListenAddress(app.ctx)!.port, turn)
}

function hereAt<Own extends Ground>(
  ground: Own,
  app: App,
  port: number,
  turn: (ground: Own, ctx: Context) => void | Promise<unknown>,
): Running {
  const turnOnce = async (): Promise<void> => {
    await turn(ground, app.ctx)
  }
  return {
    connect: () => new SocketTransport(port),
    turn: turnOnce,
    async pass(ms) {
      const endMs = performance.now() + ms
      while (performance.now() < endMs) await turnOnce()
    },
    async report() {
      const endMs = performance.now() + PATIENCE_MS
      while (!app.ranOn) {
        if (performance.now() > endMs) throw new Error('the loop did not go on')
        await turnOnce()
      }
      const report = app.report()
      ground.close()
      return report
    },
  }
}

/** The fake poller's loop: time passes where a test says so, and tasks run before what is ready. */
class FakeGround implements Ground {
  readonly poller: FakePoller = fakePoller()
  readonly host = this.poller.host
  readonly checker = { probe: (fd: number): number => this.poller.probe(fd) }
  readonly #tasks: (() => void)[] = []
  #tick: (() => void) | undefined

  later(task: () => void): void {
    this.#tasks.push(task)
  }

  every(_ms: number, task: () => void): void {
    this.#tick = task
  }

  left(): number {
    return this.poller.openFds.length
  }

  close(): void {}

  turn(ctx: Context): void {
    for (const task of this.#tasks.splice(0)) task()
    this.poller.run(ctx)
  }

  pass(ctx: Context, ms: number): void {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      this.turn(ctx)
      this.poller.runFor(ctx, TICK_MS)
      this.#tick?.()
    }
  }
}

function fake(plan: Plan): Running {
  const ground = new FakeGround()
  const app = new App(ground, plan)
  const { ctx } = app
  return {
    connect() {
      const peer = ground.poller.connectTo(ctx)
      return {
        send: (bytes) => peer.send(bytes),
        receive: () => peer.take(),
        get over() {
          return peer.ended || peer.wasReset
        },
        end: () => peer.end(),
        reset: () => peer.reset(),
        dispose: () => {},
      }
    },
    turn() {
      ground.pass(ctx, TICK_MS)
      return Promise.resolve()
    },
    pass(ms) {
      ground.pass(ctx, ms)
      return Promise.resolve()
    },
    report() {
      while (!app.ranOn) ground.pass(ctx, TICK_MS)
      return Promise.resolve(app.report())
    },
  }
}

/** One thread for all runs, in turn; a run that did not end takes its thread with it. */
let thread: Worker | undefined

/** Ends what runs share; for when the last of them is over. */
export async function endWays(): Promise<void> {
  await thread?.terminate()
  thread = undefined
}

async function worker(plan: Plan): Promise<Running> {
  const own = thread ?? startWorker('./adapter-worker-child.ts', [])
  thread = undefined
  own.unref()
  own.postMessage(plan)
  const [port] = (await once(own, 'message')) as [number]
  const reported = once(own, 'message') as Promise<[Report]>
  return {
    connect: () => new SocketTransport(port),
    turn: () => sleep(1),
    pass: (ms) => sleep(ms),
    async report() {
      const [report] = await reported
      thread = own
      return report
    },
  }
}

/** Node's own loop and streams; what it listens on is its own. */
function onStreams(plan: Plan): Promise<Running> {
  return Promise.resolve(hereWith(new StreamsGround(undefined), plan, () => sleep(1)))
}

/** Sockets put out of Node's hands into epoll. */
async function handedOver(plan: Plan): Promise<Running> {
  const native = epollHost()
  const ground = new StreamsGround(native)
  const app = new App(ground, plan)
  const checker = hostOf(app.ctx) as CheckedHost
  const port = await attached(net.createServer(), app.ctx, { native: checker.guest(native) })
  return hereAt(ground, app, port, () => sleep(1))
}

async function overTls(plan: Plan): Promise<Running> {
  const ground = new StreamsGround(undefined)
  const app = new App(ground, plan)
  const { key, cert } = certificate()
  const port = await attached(tls.createServer({ key, cert }), app.ctx)
  const running = hereAt(ground, app, port, () => sleep(1))
  const connect = (): Transport => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    const stream = tls.connect({ socket, ca: cert, host: '127.0.0.1' })
    return new StreamTransport(stream, () => socket.resetAndDestroy())
  }
  return { ...running, connect }
}

function inMemory(plan: Plan): Promise<Running> {
  const ground = new StreamsGround(undefined)
  const app = new App(ground, plan)
  const running = hereAt(ground, app, 0, () => sleep(1))
  const connect = (): Transport => {
    const [near, far] = streamPair()
    adoptSocket(app.ctx, near)
    return new StreamTransport(far, () => far.destroy())
  }
  return Promise.resolve({ ...running, connect })
}

/** @returns the port; the server is closed with the context */
async function attached(
  server: net.Server,
  ctx: Context,
  options: AttachOptions = {},
): Promise<number> {
  attach(server, ctx, { ...options, closeWith: 'context' })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as net.AddressInfo).port
}

type OwnLoop = ServiceLoop | RawLoop | ForeignLoop

function ownLoop(name: string, make: () => OwnLoop): AdapterUnderTest {
  const start = (plan: Plan): Promise<Running> =>
    Promise.resolve(hereWith(make(), plan, (loop, ctx) => loop.turn(ctx)))
  return { name, needsAddon: true, start }
}

/** The first is what the others are compared with. */
export const adaptersUnderTest: readonly AdapterUnderTest[] = [
  { name: 'the fake poller', needsAddon: false, start: (plan) => Promise.resolve(fake(plan)) },
  ownLoop('epollHost() and service', () => new ServiceLoop()),
  {
    name: "epollHost({ loop: 'node' })",
    needsAddon: true,
    start: (plan) => Promise.resolve(hereWith(new NodeGround(), plan, () => sleep(1))),
  },
  { name: 'streamsHost()', needsAddon: true, reuses: false, start: onStreams },
  {
    name: 'streamsHost(), TLS',
    needsAddon: false,
    accepts: false,
    reuses: false,
    start: overTls,
  },
  {
    name: 'streamsHost(), streams in memory',
    needsAddon: false,
    accepts: false,
    reuses: false,
    start: inMemory,
  },
  { name: 'attach, handed over to epoll', needsAddon: true, accepts: false, start: handedOver },
  ownLoop('rawHost() and a Poller over epoll', () => new RawLoop('epoll')),
  ownLoop('rawHost() and a Poller over poll(2)', () => new RawLoop('poll')),
  ownLoop('one descriptor in a foreign epoll', () => new ForeignLoop('epoll')),
  ownLoop('one descriptor in a foreign poll(2)', () => new ForeignLoop('poll')),
  { name: 'a worker that blocks in service', needsAddon: true, start: worker },
]
