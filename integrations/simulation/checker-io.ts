/**
 * The bytes seam between the library and a host's own: every call goes on, and is seen.
 *
 * Also knows which memory is the seam's: a payload in it is a view, and dead after its callback.
 */
import type { IoBuffer, ListenOptions, Resolver, SocketAddress, SocketIo } from '../../src/index.js'
import { WOULD_BLOCK } from '../../src/index.js'
import type { Observer } from './checker-observer.js'
import type { IoOp } from './checker-rule.js'

/** What a dead view is filled with. */
const POISON = 0xdb

/** `SocketIo.sendEach` by `send`, so that each is seen. */
export function sendOneByOne(io: SocketIo, from: IoBuffer, list: IoBuffer, count: number): void {
  const { buffer, byteOffset } = list.bytes
  const numbers = new Int32Array(buffer, byteOffset, count * 4)
  for (let at = 0; at < numbers.length; at += 4)
    numbers[at + 3] = io.send(numbers[at]!, from, numbers[at + 1]!, numbers[at + 2]!)
}

export class CheckedIo implements SocketIo {
  private readonly memory = new Set<ArrayBufferLike>()
  /** How far recv has written into each buffer since it was last wiped. */
  private readonly received = new Map<IoBuffer, number>()

  readonly remembersPeers?: boolean
  readonly takesAnyBuffer?: boolean
  readonly adopt?: NonNullable<SocketIo['adopt']>
  readonly release?: NonNullable<SocketIo['release']>
  readonly shed?: NonNullable<SocketIo['shed']>
  readonly sendEach?: NonNullable<SocketIo['sendEach']>
  readonly mask?: NonNullable<SocketIo['mask']>
  readonly resolver?: Resolver
  readonly openFile?: NonNullable<SocketIo['openFile']>
  readonly fileInfo?: NonNullable<SocketIo['fileInfo']>
  readonly readFile?: NonNullable<SocketIo['readFile']>
  readonly sendFile?: NonNullable<SocketIo['sendFile']>
  readonly closeFile?: NonNullable<SocketIo['closeFile']>

  constructor(
    private readonly io: SocketIo,
    private readonly observer: Observer,
  ) {
    if (io.remembersPeers !== undefined) this.remembersPeers = io.remembersPeers
    if (io.takesAnyBuffer !== undefined) this.takesAnyBuffer = io.takesAnyBuffer
    const adopt = io.adopt?.bind(io)
    if (adopt) {
      this.adopt = (socket, begun) => {
        const fd = adopt(socket, begun)
        observer.opened('adopted', fd)
        return fd
      }
    }
    const release = io.release?.bind(io)
    if (release) this.release = (fd, refused) => this.releasing(fd, () => release(fd, refused))
    if (io.shed) this.shed = io.shed.bind(io)
    if (io.sendEach) this.sendEach = sendOneByOne.bind(undefined, this)
    if (io.mask) this.mask = io.mask.bind(io)
    if (io.openFile) this.openFile = io.openFile.bind(io)
    if (io.fileInfo) this.fileInfo = io.fileInfo.bind(io)
    if (io.readFile) this.readFile = io.readFile.bind(io)
    if (io.closeFile) this.closeFile = io.closeFile.bind(io)
    if (io.resolver) this.resolver = this.watched(io.resolver)
    const sendFile = io.sendFile?.bind(io)
    if (sendFile) {
      this.sendFile = (fd, fileFd, offset, length) =>
        this.seen('sendFile', fd, length, () => sendFile(fd, fileFd, offset, length))
    }
  }

  /** Overwrites a payload that lies in the seam's memory. A copy is the application's: it stays. */
  poison(data: unknown): void {
    if (data instanceof Uint8Array && this.memory.has(data.buffer)) data.fill(POISON)
  }

  /** Overwrites all that was received: the receive buffer means nothing between calls. */
  wipe(): void {
    if (this.received.size === 0) return
    for (const [buffer, end] of this.received) buffer.bytes.fill(POISON, 0, end)
    this.received.clear()
  }

  createBuffer(byteLength: number): IoBuffer {
    const buffer = this.io.createBuffer(byteLength)
    this.memory.add(buffer.bytes.buffer)
    return buffer
  }

  freeBuffer(buffer: IoBuffer): void {
    this.memory.delete(buffer.bytes.buffer)
    this.received.delete(buffer)
    this.io.freeBuffer(buffer)
  }

  listen(options: ListenOptions): number {
    const fd = this.io.listen(options)
    this.observer.opened('listen', fd)
    return fd
  }

  accept(listenFd: number): number {
    const fd = this.seen('accept', listenFd, 0, () => this.io.accept(listenFd))
    if (fd >= 0) this.observer.opened('accepted', fd)
    return fd
  }

  connect(address: SocketAddress): number {
    const fd = this.io.connect(address)
    const facts = this.observer.opened('connect', fd)
    if (facts !== undefined) facts.connecting = facts.attempt = facts.dialled = true
    return fd
  }

  connectResult(fd: number): number {
    return this.seen('connectResult', fd, 0, () => this.io.connectResult(fd))
  }

  recv(fd: number, into: IoBuffer, offset: number, length: number): number {
    const facts = this.observer.beforeIo('recv', fd)
    const result = this.io.recv(fd, into, offset, length)
    if (result > 0) {
      const end = Math.max(this.received.get(into) ?? 0, offset + result)
      this.received.set(into, end)
    }
    this.observer.afterIo('recv', fd, facts, length, result)
    return result
  }

  send(fd: number, from: IoBuffer, offset: number, length: number): number {
    const facts = this.observer.beforeIo('send', fd)
    const result = this.io.send(fd, from, offset, length)
    this.observer.afterIo('send', fd, facts, length, result)
    return result
  }

  sendv(fd: number, parts: readonly Uint8Array[]): number {
    const facts = this.observer.beforeIo('sendv', fd)
    let length = 0
    for (const part of parts) length += part.length
    const result = this.io.sendv(fd, parts)
    this.observer.afterIo('sendv', fd, facts, length, result)
    return result
  }

  pending(fd: number): number {
    return this.seen('pending', fd, 0, () => this.io.pending(fd))
  }

  shutdown(fd: number): number {
    return this.seen('shutdown', fd, 0, () => this.io.shutdown(fd))
  }

  close(fd: number, abort: boolean): number {
    return this.seen('close', fd, abort ? 1 : 0, () => this.io.close(fd, abort))
  }

  socketError(fd: number): number {
    return this.seen('socketError', fd, 0, () => this.io.socketError(fd))
  }

  localAddress(fd: number): SocketAddress {
    this.observer.beforeIo('localAddress', fd)
    return this.io.localAddress(fd)
  }

  peerAddress(fd: number): SocketAddress {
    this.observer.beforeIo('peerAddress', fd)
    return this.io.peerAddress(fd)
  }

  /** For the library it is as a close is: the descriptor is nothing to it any more. */
  private releasing(fd: number, release: () => number | object): number | object {
    let socket: number | object = fd
    this.seen('close', fd, 0, () => {
      socket = release()
      return 0
    })
    return socket
  }

  private watched(inner: Resolver): Resolver {
    return {
      open: () => {
        const fd = inner.open()
        this.observer.opened('resolver', fd)
        return fd
      },
      start: (fd, id, name, family) =>
        this.seen('resolve', fd, id, () => inner.start(fd, id, name, family)),
      take: (fd) => {
        const facts = this.observer.beforeIo('resolved', fd)
        const answer = inner.take(fd)
        this.observer.afterIo('resolved', fd, facts, 0, answer === null ? WOULD_BLOCK : 0)
        return answer
      },
      cancel: (fd, id) => {
        this.observer.beforeIo('cancel', fd)
        inner.cancel(fd, id)
      },
      close: (fd) => this.seen('close', fd, 0, () => inner.close(fd)),
    }
  }

  private seen(op: IoOp, fd: number, wanted: number, act: () => number): number {
    const facts = this.observer.beforeIo(op, fd, wanted)
    const result = act()
    this.observer.afterIo(op, fd, facts, wanted, result)
    return result
  }
}
