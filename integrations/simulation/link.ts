/**
 * The way between two hosts, and one direction of a connection on it.
 *
 * A Link is what all connections between two hosts share: latency, bandwidth, reachability. A Pipe
 * holds what one end has sent and the other has not got: it is the sender's send buffer and the
 * wire in one, so it is bounded by the sender, and it delivers in order, as TCP does. While a link
 * is down nothing arrives and nothing is lost: TCP sends it again later. Knows no descriptors.
 * Source: tcp(7); Linux net/ipv4/tcp_output.c (tcp_write_xmit), tcp_input.c (tcp_reset).
 */
import type { Happening, Timeline } from './timeline.js'

/** Where a pipe ends. */
export interface Receiver {
  /** @returns bytes taken; 0: no room */
  arrive(chunk: Uint8Array): number
  arriveFin(): void
  arriveReset(): void
  /** Who sends to it. */
  readonly other: { sendRoomGrew(): void }
}

export interface LinkOptions {
  /** From one end to the other. Default 0: what is sent is there. */
  readonly latencyMs?: number
  /** Bytes a millisecond, for each direction of all connections together. Default: no limit. */
  readonly bytesPerMs?: number
}

export class Link {
  latencyMs: number
  bytesPerMs: number
  private down = false
  /** Until when each direction is busy with what was sent before. */
  private readonly busyMs = new Map<string, number>()
  private readonly waiting = new Set<Pipe>()

  constructor(
    readonly timeline: Timeline,
    readonly now: () => number,
    options: LinkOptions = {},
  ) {
    this.latencyMs = options.latencyMs ?? 0
    this.bytesPerMs = options.bytesPerMs ?? Infinity
  }

  /** Nothing gets through while it is down; what waited leaves when it is up again. */
  get isDown(): boolean {
    return this.down
  }

  set isDown(down: boolean) {
    this.down = down
    if (down) return
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const pipe of waiting) pipe.resume()
  }

  /** Resumes the pipe when the link is up again. */
  awaitUp(pipe: Pipe): void {
    this.waiting.add(pipe)
  }

  /** When something sent now arrives. @param direction whose bandwidth it takes */
  arrivalMs(direction: string, bytes: number): number {
    const nowMs = this.now()
    if (this.bytesPerMs === Infinity) return nowMs + this.latencyMs
    const sentMs = Math.max(nowMs, this.busyMs.get(direction) ?? 0) + bytes / this.bytesPerMs
    this.busyMs.set(direction, sentMs)
    return sentMs + this.latencyMs
  }
}

/** The end of file, on its way. */
const FIN = Symbol('FIN')
/** A reset, on its way. */
const RESET = Symbol('RST')

interface Segment {
  readonly what: Uint8Array | typeof FIN | typeof RESET
  readonly atMs: number
}

export class Pipe implements Happening {
  /** Bytes sent and not delivered. */
  bytes = 0
  /** Nothing of it ever arrives: the cable is cut, and neither side is told. */
  isDead = false

  private segments: Segment[] = []
  /** A moment is booked for the first segment. */
  private booked = false
  /** Later segments never overtake earlier ones. */
  private lastMs = 0

  constructor(
    private readonly link: Link,
    private readonly direction: string,
    private readonly to: Receiver,
  ) {}

  get isEmpty(): boolean {
    return this.segments.length === 0
  }

  send(chunk: Uint8Array): void {
    this.bytes += chunk.length
    this.put(chunk, chunk.length)
  }

  sendFin(): void {
    this.put(FIN, 0)
  }

  /** Overtakes what the receiver has no room for, as a reset does. */
  sendReset(): void {
    this.clear()
    this.put(RESET, 0)
  }

  /** What is under way is lost. */
  clear(): void {
    this.segments.length = 0
    this.bytes = 0
  }

  /** What arrives from now on takes so much longer. */
  delay(ms: number): void {
    this.lastMs = Math.max(this.lastMs, this.link.now()) + ms
    this.segments = this.segments.map(({ what, atMs }) => ({ what, atMs: atMs + ms }))
  }

  /** The receiver has room again, or the link is up: on with it. */
  resume(): void {
    if (!this.booked && this.segments.length > 0) this.book(this.link.now() + this.link.latencyMs)
  }

  happen(nowMs: number): void {
    this.booked = false
    while (!this.isDead) {
      const first = this.segments[0]
      if (first === undefined) return
      if (first.atMs > nowMs) {
        this.book(first.atMs)
        return
      }
      if (this.link.isDown) {
        this.link.awaitUp(this)
        return
      }
      if (!this.deliver(first)) return
    }
  }

  private put(what: Segment['what'], bytes: number): void {
    const atMs = Math.max(this.lastMs, this.link.arrivalMs(this.direction, bytes))
    this.lastMs = atMs
    this.segments.push({ what, atMs })
    if (this.segments.length === 1) this.book(atMs)
  }

  private book(atMs: number): void {
    if (this.booked) return
    this.booked = true
    this.link.timeline.add(atMs, this)
  }

  /** @returns false: the receiver has no room, and resumes this when it has */
  private deliver({ what, atMs }: Segment): boolean {
    const { to } = this
    if (what === FIN) {
      this.segments.shift()
      to.arriveFin()
    } else if (what === RESET) {
      this.segments.shift()
      to.arriveReset()
    } else {
      const taken = to.arrive(what)
      if (taken === 0) return false
      this.bytes -= taken
      if (taken < what.length) this.segments[0] = { what: what.subarray(taken), atMs }
      else this.segments.shift()
      to.other.sendRoomGrew()
    }
    return true
  }
}
