/**
 * One end of a simulated Unix stream connection, as Linux treats it: what differs from TCP.
 *
 * No reset crosses it: an end that closes shuts both directions of the other, and leaves an error
 * there where it had bytes unread. Source: Linux net/unix/af_unix.c (unix_release_sock, unix_poll,
 * unix_stream_read_generic, unix_stream_sendmsg).
 */
import { Errno } from '../../src/index.js'
import type { SocketAddress } from '../../src/index.js'
import { Endpoint } from './endpoint.js'
import type { Closing } from './endpoint.js'

export class UnixEndpoint extends Endpoint {
  /** unix_writable: a quarter in use, at most. */
  protected override get reopensAt(): number {
    return 3 / 4
  }

  /** Whole pieces are freed: once full, it takes nothing before it is writable again. */
  protected override get takesBytes(): number {
    return this.hasRoom ? this.sendRoomBytes : 0
  }

  protected override get isWritable(): boolean {
    return this.hasRoom
  }

  /** Here the error comes before the end of file. */
  protected override recvNothing(): number {
    return this.error === 0 ? super.recvNothing() : -this.takeError()
  }

  protected override refusesSend(): number {
    return this.finSent ? -Errno.EPIPE : super.refusesSend()
  }

  /** Says nothing of a connection that is over. */
  override end(): number {
    if (!this.finSent) super.end()
    return 0
  }

  override close(how: Closing): void {
    this.shutBoth(how, this.inbound.lengthBytes > 0)
  }

  override drop(): void {
    this.shutBoth('abort', true)
  }

  private shutBoth(how: Closing, failing: boolean): void {
    this.closed = how
    this.fd = -1
    this.finSent = true
    this.inbound.clear()
    const { other } = this
    if (other.closed !== undefined) return
    if (failing) other.error = Errno.ECONNRESET
    other.finSent = true
    other.arriveFin()
  }
}

/** A connection: its two ends, of the kind that the address they meet at is of. */
export function endpointPair(
  near: SocketAddress,
  far: SocketAddress,
  windowBytes: number,
): [Endpoint, Endpoint] {
  const Kind = near.family === 'Unix' || far.family === 'Unix' ? UnixEndpoint : Endpoint
  const [a, b] = [new Kind(near, windowBytes), new Kind(far, windowBytes)]
  a.other = b
  b.other = a
  return [a, b]
}
