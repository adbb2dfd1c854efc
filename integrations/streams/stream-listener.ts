/**
 * A net.Server as a listening descriptor.
 *
 * The seam wants its answer at once, where `server.listen` with an address gives it later; so the
 * handle is made by the function that net itself makes it with. It is private to Node and asked for
 * here alone; where it is not there, `listen` answers EOPNOTSUPP, and `attach` to a server of one's
 * own does the same work. Source: node:net, lib/net.js of Node 20 to 26.
 */
import cluster from 'node:cluster'
import * as net from 'node:net'
import { getSystemErrorName } from 'node:util'
import { Errno, POLLIN } from '../../src/index.js'
import type { ListenOptions, SocketAddress } from '../../src/index.js'
import { type ReadyQueue, VirtualFd } from './virtual-fd.js'

interface ServerHandle {
  listen(backlog: number): number
  close(): void
}

type CreateHandle = (
  address: string,
  port: number,
  type: number,
  fd?: number,
  flags?: number,
) => ServerHandle | number

const PIPE = -1

/** libuv's number is the platform's; ours is Linux's. */
function linuxErrno(uvErrno: number): number {
  const name = getSystemErrorName(uvErrno)
  return -((Errno as Readonly<Record<string, number>>)[name] ?? Errno.EIO)
}

/** A handle that is bound and listens, or -errno. */
function listeningHandle({ address, port, path, backlog }: ListenOptions): ServerHandle | number {
  const createHandle = (net as unknown as { _createServerHandle?: CreateHandle })
    ._createServerHandle
  // A worker of a cluster shares its listeners through the primary, which answers later.
  if (createHandle === undefined || cluster.isWorker) return -Errno.EOPNOTSUPP
  const family = net.isIP(address)
  if (path === undefined && family === 0) return -Errno.EINVAL
  const handle =
    path === undefined ? createHandle(address, port, family) : createHandle(path, PIPE, PIPE)
  if (typeof handle === 'number') return linuxErrno(handle)
  // libuv keeps what bind was refused for until now.
  const result = handle.listen(backlog)
  if (result === 0) return handle
  handle.close()
  return linuxErrno(result)
}

export class StreamListener extends VirtualFd {
  readonly #server: net.Server
  readonly #backlog: number
  readonly #waiting: net.Socket[] = []
  readonly #path: string | undefined

  private constructor(fd: number, ready: ReadyQueue, options: ListenOptions, handle: ServerHandle) {
    super(fd, ready)
    this.#backlog = options.backlog
    this.#path = options.path
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true })
    this.#server.on('connection', (socket) => this.#connected(socket))
    // Out of descriptors, for instance: the server goes on, and who waits, waits.
    this.#server.on('error', () => undefined)
    this.#server.listen(handle, options.backlog)
  }

  /** @returns a listener, or -errno */
  static open(fd: number, ready: ReadyQueue, options: ListenOptions): StreamListener | number {
    const handle = listeningHandle(options)
    return typeof handle === 'number' ? handle : new StreamListener(fd, ready, options, handle)
  }

  #connected(socket: net.Socket): void {
    if (this.#waiting.length >= this.#backlog) {
      socket.destroy()
      return
    }
    // It may be reset while it waits.
    socket.on('error', () => undefined)
    this.#waiting.push(socket)
    this.wake()
  }

  /** The next connection that still lives. */
  accept(): net.Socket | undefined {
    for (;;) {
      const socket = this.#waiting.shift()
      if (socket?.destroyed !== true) return socket
    }
  }

  address(): SocketAddress {
    if (this.#path !== undefined) return { name: this.#path, address: '', port: 0, family: 'Unix' }
    const { address, port, family } = this.#server.address() as net.AddressInfo
    return { name: '', address, port, family: family === 'IPv6' ? 'IPv6' : 'IPv4' }
  }

  override revents(): number {
    return this.#waiting.length > 0 ? this.mask & POLLIN : 0
  }

  override want(mask: number): void {
    this.live = true
    this.mask = mask
    if (this.revents() !== 0) this.wake()
  }

  override unpolled(): void {
    this.live = false
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#waiting.splice(0)) socket.destroy()
  }

  ref(keepsAlive: boolean): void {
    if (keepsAlive) this.#server.ref()
    else this.#server.unref()
  }
}
