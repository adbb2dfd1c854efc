/**
 * The bytes seam over streams: descriptors count up from 2^30 and are never used again.
 *
 * Source: src/socket/socket-io.ts, which says what every function answers.
 */
import { Buffer } from 'node:buffer'
import { connect, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Errno, FIRST_VIRTUAL_FD, WOULD_BLOCK } from '../../src/index.js'
import type { IoBuffer, ListenOptions, Resolver, SocketAddress, SocketIo } from '../../src/index.js'
import { checkedStream } from './checked-stream.js'
import { finishThenDestroy } from './ending.js'
import { StreamListener } from './stream-listener.js'
import { StreamResolver } from './stream-resolver.js'
import { StreamSocket } from './stream-socket.js'
import type { ReadyQueue, VirtualFd } from './virtual-fd.js'

const NOWHERE: SocketAddress = { name: '', address: '', port: 0, family: '' }

// One counter for all hosts of the process: a number names one stream, for ever.
let lastFd = FIRST_VIRTUAL_FD - 1

export class StreamIo implements SocketIo {
  readonly takesAnyBuffer = true
  readonly #entries: Map<number, VirtualFd>
  readonly #ready: ReadyQueue

  constructor(entries: Map<number, VirtualFd>, ready: ReadyQueue) {
    this.#entries = entries
    this.#ready = ready
  }

  createBuffer(byteLength: number): IoBuffer {
    return { id: 0, bytes: Buffer.from(new ArrayBuffer(byteLength)) }
  }

  freeBuffer(): void {
    // the collector's
  }

  listen(options: ListenOptions): number {
    const listener = StreamListener.open(++lastFd, this.#ready, options)
    if (typeof listener === 'number') return listener
    this.#entries.set(listener.fd, listener)
    return listener.fd
  }

  accept(listenFd: number): number {
    const listener = this.#entries.get(listenFd)
    if (!(listener instanceof StreamListener)) return -Errno.EBADF
    const socket = listener.accept()
    return socket === undefined ? WOULD_BLOCK : this.#open(socket)
  }

  connect({ family, name, address: host, port }: SocketAddress): number {
    const options = { allowHalfOpen: true, noDelay: true }
    const stream =
      family === 'Unix' ? connect({ ...options, path: name }) : connect({ ...options, host, port })
    const fd = this.#open(stream)
    this.#socket(fd)!.awaitConnect()
    return fd
  }

  connectResult(fd: number): number {
    return this.#socket(fd)?.connectResult() ?? -Errno.EBADF
  }

  readonly resolver: Resolver = {
    open: () => {
      const resolver = new StreamResolver(++lastFd, this.#ready)
      this.#entries.set(resolver.fd, resolver)
      return resolver.fd
    },
    start: (fd, id, name, family) => {
      const resolver = this.#resolver(fd)
      resolver?.ask(id, name, family)
      return resolver === undefined ? -Errno.EBADF : 0
    },
    take: (fd) => this.#resolver(fd)?.take() ?? null,
    cancel: (fd, id) => this.#resolver(fd)?.forget(id),
    close: (fd) => {
      const resolver = this.#resolver(fd)
      resolver?.close()
      return this.#entries.delete(fd) ? 0 : -Errno.EBADF
    },
  }

  adopt(stream: number | object, begun: boolean): number {
    return this.#open(checkedStream(stream, begun))
  }

  release(fd: number): number | object {
    const socket = this.#socket(fd)
    if (socket === undefined) return -Errno.EBADF
    this.#entries.delete(fd)
    socket.letGo()
    return socket.stream
  }

  recv(fd: number, into: IoBuffer, offset: number, length: number): number {
    return this.#socket(fd)?.recv(into.bytes, offset, length) ?? -Errno.EBADF
  }

  send(fd: number, from: IoBuffer, offset: number, length: number): number {
    return this.#socket(fd)?.send(from.bytes, offset, length) ?? -Errno.EBADF
  }

  sendv(fd: number, parts: readonly Uint8Array[]): number {
    return this.#socket(fd)?.sendv(parts) ?? -Errno.EBADF
  }

  pending(fd: number): number {
    return this.#socket(fd)?.waitingBytes ?? 0
  }

  shutdown(fd: number): number {
    return this.#socket(fd)?.shutdown() ?? -Errno.EBADF
  }

  close(fd: number, abort: boolean): number {
    const entry = this.#entries.get(fd)
    if (entry === undefined) return -Errno.EBADF
    this.#entries.delete(fd)
    if (entry instanceof StreamListener) entry.close()
    if (!(entry instanceof StreamSocket)) return 0
    entry.letGo()
    if (entry.connects) entry.stream.destroy()
    else if (abort) reset(entry.stream)
    else finishThenDestroy(entry.stream)
    return 0
  }

  socketError(fd: number): number {
    return this.#socket(fd)?.takeError() ?? Errno.EBADF
  }

  localAddress(fd: number): SocketAddress {
    const entry = this.#entries.get(fd)
    if (entry instanceof StreamListener) return entry.address()
    if (!(entry instanceof StreamSocket) || !(entry.stream instanceof Socket)) return NOWHERE
    const { localAddress, localPort, localFamily } = entry.stream
    return addressOf(localAddress, localPort, localFamily)
  }

  peerAddress(fd: number): SocketAddress {
    const stream = this.#socket(fd)?.stream
    if (!(stream instanceof Socket)) return NOWHERE
    return addressOf(stream.remoteAddress, stream.remotePort, stream.remoteFamily)
  }

  #socket(fd: number): StreamSocket | undefined {
    const entry = this.#entries.get(fd)
    return entry instanceof StreamSocket ? entry : undefined
  }

  #resolver(fd: number): StreamResolver | undefined {
    const entry = this.#entries.get(fd)
    return entry instanceof StreamResolver ? entry : undefined
  }

  #open(stream: Duplex): number {
    const fd = ++lastFd
    this.#entries.set(fd, new StreamSocket(fd, this.#ready, stream))
    return fd
  }
}

function addressOf(
  address: string | undefined,
  port: number | undefined,
  family: string | undefined,
): SocketAddress {
  if (address === undefined) return NOWHERE
  return { name: '', address, port: port ?? 0, family: family === 'IPv6' ? 'IPv6' : 'IPv4' }
}

/** Only TCP can be reset; everything else is destroyed. */
function reset(stream: Duplex): void {
  if (stream instanceof Socket && !stream.destroyed)
    try {
      stream.resetAndDestroy()
      return
    } catch {
      // TLS, or a pipe
    }
  stream.destroy()
}
