/**
 * One end of a simulated stream connection, as Linux's TCP treats it.
 *
 * Two ends always come as a pair; each holds what is on its way to it. An end that the library
 * holds has a descriptor; the other is a test's Peer, or a second descriptor of the library. Knows
 * no poller and no descriptor table; both hear through `onActivity`.
 * Source: Linux net/ipv4/tcp.c (tcp_poll, tcp_recvmsg, tcp_sendmsg) and tcp_input.c (tcp_reset).
 */
import { Errno, POLLERR, POLLHUP, POLLIN, POLLOUT, WOULD_BLOCK } from '../../src/index.js'
import type { SocketAddress } from '../../src/index.js'
import { ByteQueue } from './byte-queue.js'
import type { Pipe } from './link.js'
import { Script } from './script.js'

export type Closing = 'close' | 'abort'

export class Endpoint {
  readonly kind = 'socket'
  /** The descriptor while this end has one, else -1. */
  fd = -1
  readonly inbound = new ByteQueue()
  /** Bytes that `inbound` takes before the other end's send would block. */
  windowBytes: number
  /** The way to the other end; null: what is sent is there, bounded by the window alone. */
  pipe: Pipe | null = null
  /** Bytes that the pipe holds before a send would block. */
  sendBufferBytes = Infinity
  connecting = false
  /** How this end was closed by who holds it. */
  closed: Closing | undefined
  /** The connection was cut: nothing can be sent any more, and what waited may still be read. */
  cut = false
  /** This end has ended its sending direction. */
  finSent = false
  /** The other end has, and this one has heard of it. */
  finReceived = false
  /** The pending error of the socket (SO_ERROR); reported once. */
  error = 0
  other!: Endpoint
  onActivity: (endpoint: Endpoint) => void = ignore

  /** The mask with which this end is polled. */
  maskOf: (endpoint: Endpoint) => number = () => 0

  private scripts: { readonly recv: Script; readonly send: Script } | undefined
  /** A send did not get all it wanted: whoever makes room says so. */
  private wantsRoom = false

  constructor(
    readonly address: SocketAddress,
    windowBytes: number,
  ) {
    this.windowBytes = windowBytes
  }

  /** Results laid down for the next recv and send on this end. */
  get script(): { readonly recv: Script; readonly send: Script } {
    this.scripts ??= { recv: new Script(), send: new Script() }
    return this.scripts
  }

  /** Readiness as poll(2) sees it now. */
  get readiness(): number {
    if (this.connecting) return 0
    const readable = this.inbound.lengthBytes > 0 || this.finReceived || this.cut
    const writable = this.sendRoomBytes > 0 || this.finSent || this.cut
    const hungUp = this.cut || (this.finSent && this.finReceived)
    return (
      (readable ? POLLIN : 0) |
      (writable ? POLLOUT : 0) |
      (this.error === 0 ? 0 : POLLERR) |
      (hungUp ? POLLHUP : 0)
    )
  }

  get sendRoomBytes(): number {
    return this.pipe === null
      ? this.other.windowBytes - this.other.inbound.lengthBytes
      : this.sendBufferBytes - this.pipe.bytes
  }

  recv(into: Uint8Array, offset: number, length: number): number {
    const scripted = this.scripts?.recv.next()
    if (scripted !== undefined && scripted <= 0) return this.asScripted(scripted)
    const limit = scripted === undefined ? length : Math.min(length, scripted)
    const count = this.inbound.read(into, offset, limit)
    if (count > 0) {
      this.madeRoom()
      // Short although more waits: a kernel would have said so by a new arrival.
      if (count < length && this.inbound.lengthBytes > 0) this.activity()
      return count
    }
    if (this.error !== 0) return -this.takeError()
    return this.finReceived || this.cut ? 0 : WOULD_BLOCK
  }

  /** @returns bytes taken of `parts` together, a WOULD_BLOCK value, or -errno */
  send(parts: readonly Uint8Array[]): number {
    const scripted = this.scripts?.send.next()
    if (scripted !== undefined && scripted <= 0) return this.asScripted(scripted)
    const refusal = this.refusesSend()
    if (refusal !== 0) return refusal
    if (this.pipe === null && this.other.closed !== undefined) return this.sendToClosed(parts)
    const room = Math.min(this.sendRoomBytes, scripted ?? Infinity)
    let count = 0
    for (const part of parts) {
      if (count >= room) break
      const taken = Math.min(part.length, room - count)
      this.transmit(Buffer.from(taken === part.length ? part : part.subarray(0, taken)))
      count += taken
    }
    if (count >= room) this.wantsRoom = true
    if (count <= 0) return WOULD_BLOCK
    if (count === scripted && this.sendRoomBytes > 0) this.activity()
    return count
  }

  /** What send answers where it can take nothing, now or ever; 0 where it may take something. */
  private refusesSend(): number {
    if (this.error !== 0) return -this.takeError()
    if (this.finSent || this.cut) return -Errno.EPIPE
    return this.connecting ? WOULD_BLOCK : 0
  }

  /**
   * Sends a chunk that nobody else writes to any more, whatever room there is.
   * @param border as ByteQueue.push
   */
  transmit(chunk: Uint8Array, border = false): void {
    const { other } = this
    if (this.pipe !== null) {
      this.pipe.send(chunk)
      return
    }
    if (border) other.inbound.push(chunk, border)
    else other.inbound.give(chunk)
    other.activity()
  }

  /** Ends the sending direction. */
  end(): number {
    if (this.cut || this.connecting) return -Errno.ENOTCONN
    this.finSent = true
    this.activity()
    this.transmitFin()
    return 0
  }

  /** Who holds this end closes it. Like Linux, a close with unread bytes resets the connection. */
  close(how: Closing): void {
    this.closed = how
    this.fd = -1
    if (this.cut) return
    const resets = how === 'abort' || this.connecting || this.inbound.lengthBytes > 0
    if (resets) this.transmitReset()
    if (!this.finSent && !(resets && this.pipe !== null)) this.transmitFin()
    this.finSent = true
    this.other.pipe?.resume()
  }

  /** Resets the connection; whoever holds this end sees that it is cut. */
  transmitReset(): void {
    if (this.pipe === null) this.other.cutOff(Errno.ECONNRESET)
    else this.pipe.sendReset()
  }

  private transmitFin(): void {
    if (this.pipe === null) this.other.arriveFin()
    else this.pipe.sendFin()
  }

  // --- What arrives through a pipe

  /** @returns bytes taken; 0: no room */
  arrive(chunk: Uint8Array): number {
    if (this.cut) return chunk.length
    if (this.closed !== undefined) {
      // Data for a socket that nobody holds any more is answered with a reset.
      this.cut = true
      this.transmitReset()
      return chunk.length
    }
    const taken = Math.min(chunk.length, this.windowBytes - this.inbound.lengthBytes)
    if (taken <= 0) return 0
    this.inbound.give(taken === chunk.length ? chunk : chunk.subarray(0, taken))
    this.activity()
    return taken
  }

  arriveFin(): void {
    this.finReceived = true
    this.activity()
  }

  arriveReset(): void {
    this.cutOff(this.finReceived ? Errno.EPIPE : Errno.ECONNRESET)
  }

  /** What was sent left the pipe: a send that met a full one may go on. */
  sendRoomGrew(): void {
    if (!this.wantsRoom || this.sendRoomBytes <= 0) return
    this.wantsRoom = false
    this.activity()
  }

  /** Whoever polls this end waits for POLLOUT: it has something to send. */
  get wantsToSend(): boolean {
    return (this.maskOf(this) & POLLOUT) !== 0
  }

  /** Whoever polls this end does not want to read now. */
  get pausedByMask(): boolean {
    return this.fd >= 0 && (this.maskOf(this) & POLLIN) === 0
  }

  /** Something of `inbound` was taken: the other end may go on sending. */
  madeRoom(): void {
    const { other } = this
    if (other.pipe === null) other.activity()
    else other.pipe.resume()
  }

  /** A reset arrives at this end. What already waits stays readable. */
  cutOff(errno: number): void {
    if (this.cut) return
    this.connecting = false
    this.cut = true
    this.error = errno
    this.activity()
  }

  takeError(): number {
    const errno = this.error
    this.error = 0
    return errno
  }

  /** Something happened that may have changed this end's readiness. */
  activity(): void {
    this.onActivity(this)
  }

  private asScripted(result: number): number {
    // The kernel says "would block" only where it will wake the caller later: here, at once.
    this.activity()
    return result
  }

  private sendToClosed(parts: readonly Uint8Array[]): number {
    let count = 0
    for (const part of parts) count += part.length
    this.cutOff(this.finReceived ? Errno.EPIPE : Errno.ECONNRESET)
    return count
  }
}

/** A connection: its two ends. */
export function endpointPair(
  near: SocketAddress,
  far: SocketAddress,
  windowBytes: number,
): [Endpoint, Endpoint] {
  const a = new Endpoint(near, windowBytes)
  const b = new Endpoint(far, windowBytes)
  a.other = b
  b.other = a
  return [a, b]
}

function ignore(): void {
  // an end without a descriptor: nobody polls it
}
