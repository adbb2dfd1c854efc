/**
 * One Duplex as a descriptor: its events become readiness, its buffers a kernel's.
 *
 * Reads by 'data', the cheapest way out of a stream, and pauses it where nobody takes what came;
 * writes copies, as long as the stream's own buffer is below its high-water mark. Knows no context
 * and no poll set. Source: Node's stream, net and tls; src/socket/socket-io.ts.
 */
import { Buffer } from 'node:buffer'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { Errno, POLLERR, POLLHUP, POLLIN, POLLOUT, WOULD_BLOCK } from '../../src/index.js'
import { type ReadyQueue, VirtualFd } from './virtual-fd.js'

/** Where a stream that is ours keeps its StreamSocket. */
const OWNER = Symbol('extpoll.stream')
const NOTHING = Buffer.alloc(0)

/** Below this a byte loop is cheaper than a call. */
const LOOP_MAX_BYTES = 48

type Owned = Duplex & { [OWNER]?: StreamSocket | undefined }

/** The StreamSocket a stream belongs to, while it does. */
export function ownerOf(stream: object): StreamSocket | undefined {
  return (stream as Owned)[OWNER]
}

// Shared by all streams: `this` is the stream, and a closure for each would cost idle memory.
function onData(this: Owned, chunk: Buffer): void {
  this[OWNER]?.arrived(chunk)
}
function onEnd(this: Owned): void {
  this[OWNER]?.ended()
}
function onDrain(this: Owned): void {
  this[OWNER]?.drained()
}
function onClose(this: Owned): void {
  this[OWNER]?.isGone(0)
}
function onError(this: Owned, error: NodeJS.ErrnoException): void {
  // Stays on the stream after we let go of it: an 'error' without a listener would end the process.
  this[OWNER]?.isGone(errnoOf(error))
}

function errnoOf({ code }: NodeJS.ErrnoException): number {
  const known = (Errno as Readonly<Record<string, number>>)[code ?? '']
  return known ?? (code?.startsWith('ERR_SSL') === true ? Errno.EPROTO : Errno.EIO)
}

export class StreamSocket extends VirtualFd {
  readonly stream: Duplex
  /** Received and not yet taken: the first piece from `#at` on, and those behind it. */
  #first: Buffer | null = null
  #at = 0
  #more: Buffer[] | null = null
  /** Bytes of these. */
  #bytes = 0
  #flowing = false
  #end = false
  #gone = false
  #errno = 0
  #told = false
  #connects = false

  constructor(fd: number, ready: ReadyQueue, stream: Duplex) {
    super(fd, ready)
    this.stream = stream
    ;(stream as Owned)[OWNER] = this
    stream.on('error', onError)
  }

  /** Bytes received that nobody has taken. */
  get waitingBytes(): number {
    return this.#bytes
  }

  /** Is it still on its way to a peer? */
  get connects(): boolean {
    return this.#connects
  }

  /** The stream was made just now and has no peer yet: writable means connected (C15). */
  awaitConnect(): void {
    this.#connects = true
    this.stream.once('connect', () => {
      this.#connects = false
      this.wake()
    })
  }

  connectResult(): number {
    if (this.#gone) return -(this.#errno || Errno.ECONNABORTED)
    return this.#connects ? WOULD_BLOCK : 0
  }

  // --- events of the stream

  arrived(chunk: Buffer): void {
    if (this.#first === null) this.#first = chunk
    else (this.#more ??= []).push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes >= this.stream.readableHighWaterMark) this.#flow(false)
    this.wake()
  }

  /**
   * libuv tells an end of file where data and a reset came together. Sending nothing sends nothing,
   * and fails on a connection that was reset: before our turn comes, the stream has told us.
   */
  ended(): void {
    this.#end = true
    const { stream } = this
    const plain = stream instanceof Socket && !(stream instanceof TLSSocket)
    if (plain && stream.writable && !stream.writableNeedDrain) stream.write(NOTHING)
    this.wake()
  }

  drained(): void {
    if ((this.mask & POLLOUT) !== 0) this.wake()
  }

  isGone(errno: number): void {
    this.#gone = true
    if (this.#errno === 0) this.#errno = errno
    this.wake()
  }

  // --- the poll set

  override revents(): number {
    const { mask } = this
    let revents = 0
    if ((mask & POLLIN) !== 0 && (this.#bytes > 0 || this.#end || this.#gone)) revents = POLLIN
    if ((mask & POLLOUT) !== 0 && (this.#gone || (!this.#connects && this.#roomBytes() > 0)))
      revents |= POLLOUT
    if (this.#gone && (mask !== 0 || !this.#told))
      revents |= this.#errno === 0 ? POLLHUP : POLLHUP | POLLERR
    return revents
  }

  override reported(): void {
    this.#told = this.#gone
  }

  override want(mask: number): void {
    const { stream } = this
    if (!this.live) {
      this.live = true
      takeOver(stream)
      stream.on('end', onEnd).on('drain', onDrain).on('close', onClose).on('data', onData)
      if ((mask & POLLIN) === 0) stream.pause()
      // It may have been paused by whoever had it before.
      else stream.resume()
      this.#flowing = (mask & POLLIN) !== 0
    }
    this.mask = mask
    this.#told = false
    this.#flow((mask & POLLIN) !== 0 && this.#bytes < stream.readableHighWaterMark)
    if (this.revents() !== 0) this.wake()
  }

  override unpolled(): void {
    const { stream } = this
    this.live = false
    this.#flow(false)
    stream.off('end', onEnd).off('drain', onDrain).off('close', onClose).off('data', onData)
  }

  #flow(flows: boolean): void {
    if (this.#flowing === flows) return
    this.#flowing = flows
    if (flows) this.stream.resume()
    else this.stream.pause()
  }

  // --- bytes

  recv(into: Buffer, offset: number, length: number): number {
    if (this.#first === null) {
      if (this.#errno !== 0) return -this.#errno
      if (this.#end) return 0
      return this.#gone ? -Errno.ECONNRESET : WOULD_BLOCK
    }
    let count = 0
    while (this.#first !== null && count < length) {
      const first: Buffer = this.#first
      const taken = Math.min(length - count, first.length - this.#at)
      copy(first, this.#at, into, offset + count, taken)
      count += taken
      this.#at += taken
      if (this.#at === first.length) {
        this.#first = this.#more === null ? null : (this.#more.shift() ?? null)
        this.#at = 0
      }
    }
    this.#bytes -= count
    if (!this.#flowing && (this.mask & POLLIN) !== 0 && this.live && !this.#end)
      this.#flow(this.#bytes < this.stream.readableHighWaterMark)
    return count
  }

  /** Copies what the stream has room for: it keeps what it is given until that has left. */
  send(from: Uint8Array, offset: number, length: number): number {
    const refused = this.#refuses()
    if (refused !== 0) return refused
    let count = 0
    while (count < length) {
      const taken = Math.min(length - count, this.#roomBytes())
      if (taken <= 0) break
      const piece = Buffer.allocUnsafe(taken)
      copy(from, offset + count, piece, 0, taken)
      try {
        this.stream.write(piece)
      } catch {
        // A `_write` of somebody's that throws is a transport that failed.
        this.isGone(Errno.EIO)
        this.stream.destroy()
        return count > 0 ? count : -Errno.EIO
      }
      count += taken
    }
    return count > 0 ? count : WOULD_BLOCK
  }

  sendv(parts: readonly Uint8Array[]): number {
    if (parts.length === 1) return this.send(parts[0]!, 0, parts[0]!.length)
    const whole = Buffer.concat(parts)
    return this.send(whole, 0, whole.length)
  }

  #refuses(): number {
    if (this.#gone || this.stream.destroyed) return -(this.#errno || Errno.EPIPE)
    return this.stream.writableEnded ? -Errno.EPIPE : 0
  }

  #roomBytes(): number {
    const { stream } = this
    // A stream that wants no buffer at all takes one byte at a time.
    return (stream.writableHighWaterMark || 1) - stream.writableLength
  }

  shutdown(): number {
    if (this.#gone || this.stream.destroyed) return -Errno.ENOTCONN
    if (!this.stream.writableEnded) this.stream.end()
    return 0
  }

  takeError(): number {
    const errno = this.#errno
    this.#errno = 0
    return errno
  }

  /** Lets go of the stream, which stays as it is, paused; an 'error' of it does no harm. */
  letGo(): void {
    if (this.live) this.unpolled()
    ;(this.stream as Owned)[OWNER] = undefined
  }
}

/** Once a context has it, and not before: one that is refused stays as it was (C28). */
function takeOver(stream: Duplex): void {
  stream.allowHalfOpen = true
  if (!(stream instanceof Socket)) return
  stream.setTimeout(0)
  stream.setNoDelay(true)
}

function copy(from: Uint8Array, start: number, into: Uint8Array, at: number, length: number): void {
  if (length > LOOP_MAX_BYTES) into.set(from.subarray(start, start + length), at)
  else for (let index = 0; index < length; index++) into[at + index] = from[start + index]!
}
