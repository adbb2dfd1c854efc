/**
 * The bytes seam of a host whose kernel misbehaves: every call goes on to the fake kernel, or not.
 *
 * The kernel behind it stays honest; what is wrong is wrong here. Refuses to know the library and
 * the poller: it says of a descriptor that something happened, as a kernel does.
 * Source: the ERRORS sections of recv(2), send(2), accept(2), close(2).
 */
import { Errno, WOULD_BLOCK } from '../../../src/index.js'
import type {
  IoBuffer,
  ListenOptions,
  Resolver,
  SocketAddress,
  SocketIo,
} from '../../../src/index.js'
import type { FakeKernel } from '../fake-kernel.js'
import { recvOneByOne, sendOneByOne } from '../one-by-one.js'
import type { Environment } from '../world/environment.js'
import { undoLater } from '../world/environment.js'
import type { FaultName } from './fault-table.js'
import { FaultyResolver } from './faulty-resolver.js'

/** What a host hears of its kernel's closes: for faults that need a descriptor's number again. */
export interface CloseListener {
  /** The descriptor lives on elsewhere: it goes on being reported. */
  ghost(fd: number, lengthMs: number): void
  /** The number is to come back within the batch at hand. */
  reuseInBatch(fd: number): void
}

const BITS_IN_BYTE = 8
const FOLDED_BYTES = 16
/** Numbers from here up are above what a 16-bit number holds. */
const HIGH_FD = 65_536
const HIGH_FDS = 900_000

export class FaultyIo implements SocketIo {
  readonly resolver: Resolver
  /** Descriptors whose next recvs would block, and how many. */
  private readonly stuck = new Map<number, number>()

  constructor(
    private readonly kernel: FakeKernel,
    private readonly world: Environment,
    private readonly closes: CloseListener,
  ) {
    this.resolver = new FaultyResolver(kernel.resolver, world)
  }

  recv(fd: number, into: IoBuffer, offset: number, length: number): number {
    const { faults } = this.world
    if (!faults.active) return this.kernel.recv(fd, into, offset, length)
    if (this.isStuck(fd)) return WOULD_BLOCK
    if (faults.fires('recv-interrupted'))
      this.world.clock.advance(1 + faults.pick('recv-interrupted', 20))
    this.cutWhileReading(fd)
    let limit = length
    if (faults.fires('recv-one-byte')) limit = 1
    else if (length > 1 && faults.fires('recv-short'))
      limit = 1 + faults.pick('recv-short', Math.min(length - 1, 1000))
    const result = this.kernel.recv(fd, into, offset, limit)
    // What is left behind a short read was announced by its arrival: say so once more.
    if (result > 0 && limit < length) this.kernel.onActivity(fd)
    this.foldReceived(into, offset, result)
    if (result > 0 && faults.fires('recv-bit-flip')) this.flip(fd, into, offset, result)
    return result
  }

  send(fd: number, from: IoBuffer, offset: number, length: number): number {
    const { faults } = this.world
    if (!faults.active) return this.kernel.send(fd, from, offset, length)
    const refusal = this.refusesSend(fd)
    if (refusal !== 0) return refusal
    if (length < 2 || !faults.fires('send-partial'))
      return this.kernel.send(fd, from, offset, length)
    const part = 1 + faults.pick('send-partial', Math.min(length - 1, 5000))
    return this.partly(fd, this.kernel.send(fd, from, offset, part))
  }

  sendv(fd: number, parts: readonly Uint8Array[]): number {
    const { faults } = this.world
    if (!faults.active) return this.kernel.sendv(fd, parts)
    const refusal = this.refusesSend(fd)
    if (refusal !== 0) return refusal
    const first = parts.find((part) => part.length > 0)
    if (first === undefined || !faults.fires('send-partial')) return this.kernel.sendv(fd, parts)
    const part = 1 + faults.pick('send-partial', Math.min(first.length, 5000))
    return this.partly(fd, this.kernel.sendv(fd, [first.subarray(0, part)]))
  }

  recvEach(into: IoBuffer, list: IoBuffer, count: number): number {
    return recvOneByOne(this, into, list, count)
  }

  sendEach(from: IoBuffer, list: IoBuffer, count: number): void {
    sendOneByOne(this, from, list, count)
  }

  accept(listenFd: number): number {
    const { faults } = this.world
    const queue = this.kernel.queueOf(listenFd)
    if (!faults.active || queue === undefined || queue.length === 0)
      return this.kernel.accept(listenFd)
    const lack = faults.fires('accept-emfile')
      ? Errno.EMFILE
      : faults.fires('accept-enfile')
        ? Errno.ENFILE
        : 0
    // Who waits for the next edge now is told nothing: the queue is as it was (C29).
    if (lack !== 0) return -lack
    if (faults.fires('accept-aborted')) {
      const gone = queue.shift()!
      this.world.harm(gone, 'accept-aborted')
      gone.close('abort')
      return -Errno.ECONNABORTED
    }
    if (faults.fires('fd-very-high'))
      this.kernel.descriptors.wantNext(HIGH_FD + faults.pick('fd-very-high', HIGH_FDS))
    return this.kernel.accept(listenFd)
  }

  connect(address: SocketAddress): number {
    if (this.world.faults.fires('address-unreachable')) return -Errno.ENETUNREACH
    return this.kernel.connect(address)
  }

  close(fd: number, abort: boolean): number {
    const { faults } = this.world
    this.stuck.delete(fd)
    if (!faults.active || this.kernel.socketAt(fd) === undefined)
      return this.kernel.close(fd, abort)
    if (faults.fires('dup-ghost')) {
      const lengthMs = 1 + faults.pick('dup-ghost', 50)
      const ghost = this.kernel.detach(fd)
      this.closes.ghost(fd, lengthMs)
      undoLater(this.world, lengthMs, () => ghost.close(abort ? 'abort' : 'close'))
      return 0
    }
    const result = this.kernel.close(fd, abort)
    if (faults.fires('fd-taken')) this.takeNumber(fd)
    else if (faults.fires('fd-reused-in-batch')) this.closes.reuseInBatch(fd)
    const errno = faults.fires('close-interrupted')
      ? Errno.EINTR
      : faults.fires('close-io-error')
        ? Errno.EIO
        : 0
    this.world.fold(errno)
    return errno === 0 ? result : -errno
  }

  // --- What no fault is about

  createBuffer(byteLength: number): IoBuffer {
    return this.kernel.createBuffer(byteLength)
  }

  freeBuffer(buffer: IoBuffer): void {
    this.kernel.freeBuffer(buffer)
  }

  listen(options: ListenOptions): number {
    return this.kernel.listen(options)
  }

  connectResult(fd: number): number {
    return this.kernel.connectResult(fd)
  }

  pending(fd: number): number {
    return this.kernel.pending(fd)
  }

  shutdown(fd: number): number {
    return this.kernel.shutdown(fd)
  }

  socketError(fd: number): number {
    return this.kernel.socketError(fd)
  }

  localAddress(fd: number): SocketAddress {
    return this.kernel.localAddress(fd)
  }

  peerAddress(fd: number): SocketAddress {
    return this.kernel.peerAddress(fd)
  }

  // --- Reading

  /** How much came is part of a run's course, and its first bytes: headers and masking keys. */
  private foldReceived({ bytes }: IoBuffer, offset: number, result: number): void {
    this.world.fold(result)
    const end = offset + Math.min(result, FOLDED_BYTES)
    for (let at = offset; at < end; at += 1) this.world.fold(bytes[at] ?? 0)
  }

  private isStuck(fd: number): boolean {
    const { faults } = this.world
    const left = this.stuck.get(fd)
    if (left === undefined) {
      if (!faults.fires('recv-would-block')) return false
      this.stuck.set(fd, faults.pick('recv-would-block', 5))
    } else if (left === 0) {
      this.stuck.delete(fd)
      return false
    } else this.stuck.set(fd, left - 1)
    // "Would block" promises to tell when it does not any more: here, at once.
    this.kernel.onActivity(fd)
    return true
  }

  /** The connection fails under its reader, after some of what is there. */
  private cutWhileReading(fd: number): void {
    const { faults } = this.world
    const near = this.kernel.socketAt(fd)
    if (near === undefined || near.cut || near.finReceived) return
    const waiting = near.inbound.lengthBytes
    const cut = (name: FaultName, errno: number): boolean => {
      if (!faults.fires(name)) return false
      this.world.harm(near, name)
      near.inbound.truncate(faults.pick(name, waiting + 1))
      near.transmitReset()
      near.cutOff(errno)
      return true
    }
    if (cut('recv-reset', Errno.ECONNRESET) || cut('recv-timed-out', Errno.ETIMEDOUT)) return
    if (waiting === 0 || !faults.fires('recv-eof')) return
    this.world.harm(near, 'recv-eof')
    near.inbound.truncate(faults.pick('recv-eof', waiting))
    near.other.pipe?.clear()
    near.other.finSent = true
    near.arriveFin()
  }

  private flip(fd: number, into: IoBuffer, offset: number, length: number): void {
    const { faults } = this.world
    const bit = faults.pick('recv-bit-flip', length * BITS_IN_BYTE)
    const at = offset + Math.floor(bit / BITS_IN_BYTE)
    into.bytes[at] = into.bytes[at]! ^ (1 << (bit % BITS_IN_BYTE))
    this.world.harm(this.kernel.socketAt(fd), 'recv-bit-flip')
  }

  // --- Writing

  /** @returns what a send answers in place of sending; 0: it may go on */
  private refusesSend(fd: number): number {
    const { faults } = this.world
    const near = this.kernel.socketAt(fd)
    if (near === undefined || near.cut) return 0
    if (faults.fires('send-would-block')) {
      this.kernel.onActivity(fd)
      return WOULD_BLOCK
    }
    if (near.pipe !== null && faults.fires('send-buffer-shrinks'))
      near.sendBufferBytes = 16 + faults.pick('send-buffer-shrinks', 4000)
    if (faults.fires('send-no-buffers')) {
      this.world.harm(near, 'send-no-buffers')
      return -Errno.ENOBUFS
    }
    return (
      this.cutWhileSending(fd, 'send-broken-pipe', Errno.EPIPE) ||
      this.cutWhileSending(fd, 'send-reset', Errno.ECONNRESET)
    )
  }

  private cutWhileSending(fd: number, name: FaultName, errno: number): number {
    const near = this.kernel.socketAt(fd)
    if (near === undefined || !this.world.faults.fires(name)) return 0
    this.world.harm(near, name)
    near.transmitReset()
    near.cutOff(errno)
    return -near.takeError()
  }

  /** A kernel that takes a part has room for the rest soon, and says so. */
  private partly(fd: number, result: number): number {
    if (result > 0) this.kernel.onActivity(fd)
    return result
  }

  /** The host opens a file of its own, and it gets the number. */
  private takeNumber(fd: number): void {
    this.kernel.descriptors.wantNext(fd)
    const taken = this.kernel.openForeign()
    undoLater(this.world, 1 + this.world.faults.pick('fd-taken', 20), () =>
      this.kernel.closeForeign(taken),
    )
  }
}
