/**
 * Descriptors in memory: the bytes seam (SocketIo) without a kernel.
 *
 * Numbers are what a kernel gives: small, from 3 up, the lowest free one at once again. Refuses to
 * know who polls what (wait-set.ts) and what the bytes mean. A call that no correct program makes,
 * on a closed descriptor for instance, throws a MisuseError where a kernel would answer EBADF: in a
 * test that is always a fault of the library.
 * Source: socket(7), tcp(7), accept(2) of Linux; the seam's own page, src/socket/socket-io.ts.
 */
import { Errno, POLLIN, WOULD_BLOCK } from '../../src/index.js'
import type { IoBuffer, ListenOptions, SocketAddress, SocketIo } from '../../src/index.js'
import { DescriptorTable } from './descriptor-table.js'
import type { Endpoint } from './endpoint.js'
import { EphemeralPorts } from './ephemeral-ports.js'
import { FakeFileIo } from './fake-file-io.js'
import type { OpenFile } from './fake-file-io.js'
import { FakeResolver, resolverReadiness } from './fake-resolver.js'
import type { ResolverEnd } from './fake-resolver.js'
import { recvOneByOne, sendOneByOne } from './one-by-one.js'
import { isFull, sameAddress } from './listener.js'
import type { Listener } from './listener.js'
import { Script } from './script.js'
import { familyOf, NOWHERE } from './socket-addresses.js'
import { endpointPair } from './unix-endpoint.js'

/** The library did to a descriptor or a buffer what no correct program does. */
export class MisuseError extends Error {
  readonly code = 'FAKE_KERNEL_MISUSE'
  override readonly name = 'MisuseError'
}

/** A descriptor of the host's own, or of its program: none of the library's business. */
export interface ForeignFile {
  readonly kind: 'foreign'
  fd: number
}

type Entry = Endpoint | Listener | ForeignFile | OpenFile | ResolverEnd

export interface FakeKernelOptions {
  /** What a connection takes before its sender would block, in each direction. */
  readonly windowBytes: number
  /** Descriptors with this number or above do not exist: accept answers EMFILE. */
  readonly fdLimit: number
  /** No path is there but those listened on; else what waits in `dialled` may be to any. */
  readonly isAlone?: boolean
  /**
   * Connects the library to listeners of other kernels, or takes a way of its own to one of this:
   * asked first. Default: nobody else is there.
   */
  readonly dial?: (near: Endpoint, far: Endpoint, address: SocketAddress) => boolean
}

/** sendv takes at most this many pieces. */
const MAX_PARTS = 64

export class FakeKernel extends FakeFileIo implements SocketIo {
  /** Results laid down for the next calls: a negative one is the answer, others let it go on. */
  readonly script = { listen: new Script(), accept: new Script(), connect: new Script() }
  /** Calls made so far. */
  readonly counts = { recv: 0, send: 0, sendv: 0, accept: 0, close: 0 }
  /** Every misuse so far, for a test that must not miss one swallowed on its way. */
  readonly misuses: MisuseError[] = []
  /** Outgoing connections that met no listener here: a test answers them. */
  readonly dialled: Endpoint[] = []
  /** Hears of every descriptor whose readiness may have changed. */
  onActivity: (fd: number) => void = () => undefined
  /** Asked before a close: is the descriptor still being polled? */
  isPolled: (fd: number) => boolean = () => false
  /** The mask with which a descriptor is polled; 0 where it is not. */
  maskOf: (fd: number) => number = () => 0

  /** Names; a test answers those it did not lay down. */
  readonly resolver = new FakeResolver(this)
  readonly descriptors: DescriptorTable<Entry>
  private readonly buffers = new Map<number, IoBuffer>()
  private nextBufferId = 1
  private readonly ports = new EphemeralPorts()
  private readonly hear = (endpoint: Endpoint): void => {
    if (endpoint.fd >= 0) this.onActivity(endpoint.fd)
  }
  private readonly askMask = (endpoint: Endpoint): number => this.maskOf(endpoint.fd)

  constructor(private readonly options: FakeKernelOptions) {
    super()
    this.descriptors = new DescriptorTable(options.fdLimit)
  }

  /** Readiness of a descriptor as poll(2) sees it now; 0 where it is not open. */
  readiness(fd: number): number {
    const entry = this.descriptors.get(fd)
    if (entry?.kind === 'socket') return entry.readiness
    if (entry?.kind === 'resolver') return resolverReadiness(entry)
    return entry?.kind === 'listener' && entry.queue.length > 0 ? POLLIN : 0
  }

  /** Every open descriptor, lowest first. */
  openFds(): number[] {
    return this.descriptors.numbers()
  }

  /** Those of them that the library opened. */
  libraryFds(): number[] {
    return this.openFds().filter((fd) => this.descriptors.get(fd)?.kind !== 'foreign')
  }

  listenerAt(match: (listener: Listener) => boolean): Listener | undefined {
    for (const entry of this.descriptors.all())
      if (entry.kind === 'listener' && match(entry)) return entry
    return undefined
  }

  /**
   * Puts a new connection into a listener's queue. @returns the far end, or undefined: the queue is
   * full
   */
  connectFromOutside(listener: Listener): Endpoint | undefined {
    const [near, far] = this.pairFor(listener, listener.address.address)
    return this.enqueue(listener, near) ? far : undefined
  }

  /** The two ends of a connection to a listener, in nobody's queue yet: first this kernel's. */
  pairFor(listener: Listener, address: string): [near: Endpoint, far: Endpoint] {
    const from = { ...listener.address, name: '', address, port: this.ports.next() }
    return endpointPair(listener.address, from, this.options.windowBytes)
  }

  /** Opens a descriptor that is none of the library's, with the next number. */
  openForeign(): number {
    return this.open({ kind: 'foreign', fd: -1 })
  }

  closeForeign(fd: number): void {
    if (this.descriptors.get(fd)?.kind === 'foreign') this.descriptors.remove(fd)
  }

  createBuffer(byteLength: number): IoBuffer {
    const buffer = { id: this.nextBufferId, bytes: Buffer.alloc(byteLength) }
    this.nextBufferId += 1
    this.buffers.set(buffer.id, buffer)
    return buffer
  }

  freeBuffer(buffer: IoBuffer): void {
    if (!this.buffers.delete(buffer.id)) this.misuse(`freeBuffer(${buffer.id}): freed before`)
  }

  listen(options: ListenOptions): number {
    const scripted = this.script.listen.next()
    if (scripted !== undefined && scripted < 0) return scripted
    const port = options.path === undefined ? options.port || this.ports.next() : 0
    const address: SocketAddress =
      options.path === undefined
        ? { name: '', address: options.address, port, family: familyOf(options.address) }
        : { name: options.path, address: '', port: 0, family: 'Unix' }
    if (this.listenerAt((other) => sameAddress(other.address, address))) return -Errno.EADDRINUSE
    const { backlog } = options
    return this.open({ kind: 'listener', fd: -1, address, backlog, queue: [], late: [] })
  }

  accept(listenFd: number): number {
    this.counts.accept += 1
    const entry = this.entry('accept', listenFd)
    if (entry.kind !== 'listener') return this.misuse(`accept(${listenFd}): not a listener`)
    const scripted = this.script.accept.next()
    if (scripted !== undefined && scripted < 0) {
      this.onActivity(listenFd)
      return scripted
    }
    const waiting = entry.queue[0]
    // A number is looked for first, whoever waits.
    if (waiting === undefined) return this.descriptors.isFull ? -Errno.EMFILE : WOULD_BLOCK
    const fd = this.open(waiting)
    if (fd < 0) return fd
    entry.queue.shift()
    while (entry.late.length > 0 && !isFull(entry)) {
      const late = entry.late.shift()!
      this.request(entry, late.other, late)
    }
    return fd
  }

  connect(address: SocketAddress): number {
    const scripted = this.script.connect.next()
    if (scripted !== undefined && scripted < 0) return scripted
    const listener = this.listenerAt((other) => sameAddress(other.address, address))
    if (address.family === 'Unix') {
      if (listener === undefined && this.options.isAlone === true) return -Errno.ENOENT
      if (listener !== undefined && isFull(listener)) return WOULD_BLOCK
    }
    const from = { ...address, name: '', port: this.ports.next() }
    const [near, far] = endpointPair(from, address, this.options.windowBytes)
    const fd = this.open(near)
    if (fd < 0) return fd
    near.connecting = true
    if (this.options.dial?.(near, far, address) === true) return fd
    if (listener === undefined) this.dialled.push(far)
    else this.request(listener, near, far)
    return fd
  }

  /** A request to connect arrives at a listener of this kernel. */
  request(listener: Listener, near: Endpoint, far: Endpoint): void {
    if (near.closed !== undefined) return
    if (!this.enqueue(listener, far)) {
      listener.late.push(far)
      return
    }
    near.connecting = false
    near.activity()
  }

  connectResult(fd: number): number {
    const socket = this.socket('connectResult', fd)
    return socket.connecting ? WOULD_BLOCK : -socket.takeError()
  }

  /** For the resolver: its descriptor. */
  openResolver(end: ResolverEnd): number {
    return this.open(end)
  }

  resolverAt(call: string, fd: number): ResolverEnd {
    const entry = this.descriptors.get(fd)
    return entry?.kind === 'resolver' ? entry : this.misuse(`${call}(${fd}): this is no resolver`)
  }

  closeResolver(fd: number): number {
    this.resolverAt('close', fd).fd = -1
    this.forget(fd)
    return 0
  }

  recv(fd: number, into: IoBuffer, offset: number, length: number): number {
    this.counts.recv += 1
    const socket = this.socket('recv', fd)
    this.checkRange('recv', into, offset, length)
    return socket.recv(into.bytes, offset, length)
  }

  recvEach(into: IoBuffer, list: IoBuffer, count: number): number {
    return recvOneByOne(this, into, list, count)
  }

  send(fd: number, from: IoBuffer, offset: number, length: number): number {
    this.counts.send += 1
    const socket = this.socket('send', fd)
    this.checkRange('send', from, offset, length)
    return socket.send([from.bytes.subarray(offset, offset + length)])
  }

  sendEach(from: IoBuffer, list: IoBuffer, count: number): void {
    sendOneByOne(this, from, list, count)
  }

  sendv(fd: number, parts: readonly Uint8Array[]): number {
    this.counts.sendv += 1
    const socket = this.socket('sendv', fd)
    if (parts.length > MAX_PARTS) return this.misuse(`sendv(${fd}): ${parts.length} parts`)
    if (parts.every((part) => part.length === 0))
      return this.misuse(`sendv(${fd}): nothing to send`)
    return socket.send(parts)
  }

  pending(fd: number): number {
    this.socket('pending', fd)
    return 0
  }

  shutdown(fd: number): number {
    return this.socket('shutdown', fd).end()
  }

  close(fd: number, abort: boolean): number {
    this.counts.close += 1
    const entry = this.entry('close', fd)
    this.forget(fd)
    if (entry.kind === 'socket') entry.close(abort ? 'abort' : 'close')
    else {
      for (const waiting of entry.queue) waiting.drop()
      for (const { other } of entry.late) other.cutOff(Errno.ECONNREFUSED)
    }
    return 0
  }

  socketError(fd: number): number {
    return this.socket('socketError', fd).takeError()
  }

  localAddress(fd: number): SocketAddress {
    return this.entry('localAddress', fd).address
  }

  readonly remembersPeers = true

  peerAddress(fd: number): SocketAddress {
    const entry = this.entry('peerAddress', fd)
    return entry.kind === 'socket' ? entry.other.address : NOWHERE
  }

  protected forget(fd: number): void {
    if (this.isPolled(fd)) this.misuse(`close(${fd}): the poller still waits for it (C3)`)
    this.descriptors.remove(fd)
  }

  /** Puts an end into a listener's queue. @returns false: it is full */
  enqueue(listener: Listener, endpoint: Endpoint): boolean {
    if (isFull(listener)) return false
    listener.queue.push(endpoint)
    this.onActivity(listener.fd)
    return true
  }

  /** Who waits to be accepted, the first in line first; undefined where nobody listens. */
  queueOf(fd: number): Endpoint[] | undefined {
    const entry = this.descriptors.get(fd)
    return entry?.kind === 'listener' ? entry.queue : undefined
  }

  /**
   * Takes a socket out of the table as close does, but somebody else still holds it: whoever that
   * is closes it.
   */
  detach(fd: number): Endpoint {
    this.counts.close += 1
    const socket = this.socket('close', fd)
    this.forget(fd)
    socket.fd = -1
    return socket
  }

  /** The socket behind a descriptor; undefined where it is none. */
  socketAt(fd: number): Endpoint | undefined {
    const entry = this.descriptors.get(fd)
    return entry?.kind === 'socket' ? entry : undefined
  }

  protected open(entry: Entry): number {
    const fd = this.descriptors.add(entry)
    if (fd < 0) return -Errno.EMFILE
    entry.fd = fd
    if (entry.kind !== 'socket') return fd
    entry.onActivity = this.hear
    entry.maskOf = this.askMask
    return fd
  }

  private entry(call: string, fd: number): Endpoint | Listener {
    const entry = this.descriptors.get(fd)
    if (entry === undefined) return this.misuse(`${call}(${fd}): this descriptor is not open`)
    if (entry.kind === 'foreign') return this.misuse(`${call}(${fd}): a file of somebody else`)
    if (entry.kind === 'file') return this.misuse(`${call}(${fd}): this is a file`)
    return entry.kind === 'resolver' ? this.misuse(`${call}(${fd}): this is a resolver`) : entry
  }

  protected socket(call: string, fd: number): Endpoint {
    const entry = this.entry(call, fd)
    return entry.kind === 'socket' ? entry : this.misuse(`${call}(${fd}): this is a listener`)
  }

  protected checkRange(call: string, buffer: IoBuffer, offset: number, length: number): void {
    const known = this.buffers.get(buffer.id)
    if (known === undefined) this.misuse(`${call}: buffer ${buffer.id} was freed`)
    if (known.bytes !== buffer.bytes)
      this.misuse(`${call}: buffer ${buffer.id} is not of this seam`)
    const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length)
    if (!whole || offset < 0 || length <= 0 || offset + length > buffer.bytes.length) {
      this.misuse(`${call}: ${length} bytes at ${offset} of a buffer of ${buffer.bytes.length}`)
    }
  }

  protected misuse(sentence: string): never {
    const error = new MisuseError(sentence)
    this.misuses.push(error)
    throw error
  }
}
