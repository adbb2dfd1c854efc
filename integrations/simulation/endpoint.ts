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
import { Script } from './script.js'

export type Closing = 'close' | 'abort'

export class Endpoint {
  readonly kind = 'socket'
  /** The descriptor while this end has one, else -1. */
  fd = -1
  readonly inbound = new ByteQueue()
  /** Bytes that `inbound` takes before the other end's send would block. */
  windowBytes: number
  /** Results laid down for the next recv and send on this end. */
  readonly script = { recv: new Script(), send: new Script() }
  connecting = false
  /** How this end was closed by who holds it. */
  closed: Closing | undefined
  /** The connection was cut: nothing can be sent any more, and what waited may still be read. */
  cut = false
  /** This end has ended its sending direction. */
  finSent = false
  /** The pending error of the socket (SO_ERROR); reported once. */
  error = 0
  other!: Endpoint
  onActivity: (endpoint: Endpoint) => void = ignore

  constructor(
    readonly address: SocketAddress,
    windowBytes: number,
  ) {
    this.windowBytes = windowBytes
  }

  /** The other end has ended its sending direction. */
  get finReceived(): boolean {
    return this.other.finSent
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
    return this.other.windowBytes - this.other.inbound.lengthBytes
  }

  recv(into: Uint8Array, offset: number, length: number): number {
    const scripted = this.script.recv.next()
    if (scripted !== undefined && scripted <= 0) return this.asScripted(scripted)
    const limit = scripted === undefined ? length : Math.min(length, scripted)
    const count = this.inbound.read(into, offset, limit)
    if (count > 0) {
      this.other.activity()
      // Short although more waits: a kernel would have said so by a new arrival.
      if (count < length && this.inbound.lengthBytes > 0) this.activity()
      return count
    }
    if (this.error !== 0) return -this.takeError()
    return this.finReceived || this.cut ? 0 : WOULD_BLOCK
  }

  /** @returns bytes taken of `parts` together, a WOULD_BLOCK value, or -errno */
  send(parts: readonly Uint8Array[]): number {
    const scripted = this.script.send.next()
    if (scripted !== undefined && scripted <= 0) return this.asScripted(scripted)
    if (this.error !== 0) return -this.takeError()
    if (this.finSent || this.cut) return -Errno.EPIPE
    if (this.connecting) return WOULD_BLOCK
    if (this.other.closed !== undefined) return this.sendToClosed(parts)
    const room = Math.min(this.sendRoomBytes, scripted ?? Infinity)
    if (room <= 0) return WOULD_BLOCK
    let count = 0
    for (const part of parts) {
      const taken = Math.min(part.length, room - count)
      this.other.inbound.push(part.subarray(0, taken))
      count += taken
      if (count === room) break
    }
    this.other.activity()
    if (count === scripted && this.sendRoomBytes > 0) this.activity()
    return count
  }

  /** Ends the sending direction. */
  end(): number {
    if (this.cut || this.connecting) return -Errno.ENOTCONN
    this.finSent = true
    this.activity()
    this.other.activity()
    return 0
  }

  /** Who holds this end closes it. Like Linux, a close with unread bytes resets the connection. */
  close(how: Closing): void {
    this.closed = how
    this.fd = -1
    if (this.cut) return
    if (how === 'abort' || this.connecting || this.inbound.lengthBytes > 0) {
      this.other.cutOff(Errno.ECONNRESET)
    }
    this.finSent = true
    this.other.activity()
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
