/**
 * One end of a simulated stream connection, as Linux's TCP treats it; unix-endpoint.ts has what is
 * different on Unix sockets.
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
  /** A send met the end of the room: it may go on when enough of it is free again. */
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
    const hungUp = this.cut || (this.finSent && this.finReceived)
    return (
      (readable ? POLLIN : 0) |
      (this.isWritable ? POLLOUT : 0) |
      (this.error === 0 ? 0 : POLLERR) |
      (hungUp ? POLLHUP : 0)
    )
  }

  get sendRoomBytes(): number {
    return this.pipe === null
      ? this.other.windowBytes - this.other.inbound.lengthBytes
      : this.sendBufferBytes - this.pipe.bytes
  }

  /** Once full, it is writable again when so much of the room is free (sk_stream_is_writable). */
  protected get reopensAt(): number {
    return 1 / 3
  }

  /** There is room to send into, as POLLOUT sees it. */
  protected get hasRoom(): boolean {
    const { sendRoomBytes: room } = this
    if (room <= 0 || !this.wantsRoom) return room > 0
    const whole = this.pipe === null ? this.other.windowBytes : this.sendBufferBytes
    return room >= whole * this.reopensAt
  }

  /** POLLOUT: a send would not block; where it can only fail, it does not block either. */
  protected get isWritable(): boolean {
    return this.hasRoom || this.finSent || this.cut
  }

  /** Bytes that a send takes now: any room will do, however little it is. */
  protected get takesBytes(): number {
    return this.sendRoomBytes
  }

  /** Both directions have ended in order: nothing is left that a reset could end. */
  private get isOver(): boolean {
    return this.finSent && this.finReceived && this.other.finReceived
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
    return this.recvNothing()
  }

  /** What recv answers where no bytes wait: an end of file that was seen hides an error. */
  protected recvNothing(): number {
    if (this.finReceived) return 0
    if (this.error !== 0) return -this.takeError()
    return this.cut ? 0 : WOULD_BLOCK
  }

  /** @returns bytes taken of `parts` together, a WOULD_BLOCK value, or -errno */
  send(parts: readonly Uint8Array[]): number {
    const scripted = this.scripts?.send.next()
    if (scripted !== undefined && scripted <= 0) return this.asScripted(scripted)
    const refusal = this.refusesSend()
    if (refusal !== 0) return refusal
    if (this.pipe === null && this.other.closed !== undefined) return this.sendToClosed(parts)
    const room = Math.min(this.takesBytes, scripted ?? Infinity)
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
  protected refusesSend(): number {
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

  /** Ends the sending direction. @returns 0 or -errno */
  end(): number {
    if (this.cut || this.connecting || this.isOver) return -Errno.ENOTCONN
    if (this.finSent) return 0
    this.finSent = true
    this.activity()
    this.transmitFin()
    return 0
  }

  /** Who holds this end closes it. Like Linux, a close with unread bytes resets the connection. */
  close(how: Closing): void {
    this.closed = how
    this.fd = -1
    if (this.cut || this.isOver) return
    const resets = how === 'abort' || this.connecting || this.inbound.lengthBytes > 0
    if (resets) this.transmitReset()
    else if (!this.finSent) this.transmitFin()
    this.finSent = true
    this.other.pipe?.resume()
  }

  /** The listener in whose queue this end waits closes. */
  drop(): void {
    this.close('abort')
  }

  /** Resets the connection; whoever holds this end sees that it is cut. */
  transmitReset(): void {
    if (this.pipe === null) this.other.arriveReset()
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
    if (this.isOver) return
    this.cutOff(this.finReceived && !this.finSent ? Errno.EPIPE : Errno.ECONNRESET)
  }

  /** What was sent is taken: a send that met the end of the room may go on. */
  sendRoomGrew(): void {
    if (!this.wantsRoom || !this.hasRoom) return
    this.wantsRoom = false
    this.activity()
  }

  /** The room itself grew, or shrank: from now on what is free counts. */
  roomChanged(): void {
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
    if (other.pipe === null) other.sendRoomGrew()
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
    this.arriveReset()
    return count
  }
}

function ignore(): void {
  // an end without a descriptor: nobody polls it
}
