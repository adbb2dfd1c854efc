/**
 * The bytes seam over the addon: each function is one system call, its results are values.
 *
 * Non-blocking throughout. Knows no context: a loop of one's own uses these for its own sockets.
 * Source: src/socket/socket-io.ts, which says what every function answers.
 */
import { Buffer } from 'node:buffer'
import { Errno, UsageError } from '../../src/index.js'
import type { IoBuffer, SocketAddress, SocketIo } from '../../src/index.js'
import { addon } from '../epoll-addon/binding.js'
import { idOf, readFields, refuseType } from './arguments.js'

/** What adopting changed of a descriptor, until it is released: for one that is refused. */
const changesOf = new Map<number, number>()

/** Those that contexts of this thread have in a Poller by `epollHost`: nobody else adopts them. */
export const contextFds = new Set<number>()

/** The functions of SocketIo that this host has: all of them. */
export type EpollSocketIo = Required<Omit<SocketIo, 'takesAnyBuffer'>>

/**
 * Sockets of the kernel: TCP over IPv4 and IPv6, and Unix stream sockets.
 *
 * Every function of the bytes seam. A descriptor that was neither made nor adopted
 * here is -EBADF (-9), and 0, 1 and 2 always are. A wrong type, a number out of range or a buffer
 * that was freed throws an Error with a `code`.
 *
 * @example
 * const listenFd = socketIo.listen({ address: '127.0.0.1', port: 0, backlog: 511 })
 * const { port } = socketIo.localAddress(listenFd)
 */
export const socketIo: EpollSocketIo = {
  createBuffer(byteLength) {
    const [id, memory] = addon().createBuffer(byteLength, false)
    return { id, bytes: Buffer.from(memory) }
  },
  freeBuffer: (buffer) => addon().freeBuffer(idOf(buffer)),

  listen(options) {
    const { address, port, path, backlog } = readFields('listen', 'options', options, (given) => ({
      address: given.address,
      port: given.port,
      path: given.path,
      backlog: given.backlog,
    }))
    return path === undefined
      ? addon().listenTcp(address, port, backlog)
      : addon().listenUnix(path, backlog)
  },
  accept: (listenFd) => addon().accept(listenFd),
  shed: (listenFd, farewell) => addon().shed(listenFd, farewell),
  connect(to) {
    const { family, name, address, port } = readFields('connect', 'address', to, (given) => ({
      family: given.family,
      name: given.name,
      address: given.address,
      port: given.port,
    }))
    return family === 'Unix' ? addon().connectUnix(name) : addon().connectTcp(address, port)
  },

  connectResult: (fd) => addon().connectResult(fd),

  adopt(socket) {
    const fd = checkedSocket(socket)
    if (contextFds.has(fd)) refuseSocket(fd)
    const changes = addon().adopt(fd)
    // Made or adopted here before: a loop of one's own gives it to a context.
    if (changes < 0 && changes !== -Errno.EEXIST) refuseSocket(fd)
    changesOf.set(fd, changes)
    return fd
  },
  release(fd, refused) {
    const changes = changesOf.get(fd)
    changesOf.delete(fd)
    if (refused !== true) release(fd)
    // What was ours before the context refused it is ours again.
    else if (changes !== undefined && changes >= 0) addon().release(fd, changes)
    return fd
  },

  recv: (fd, into, offset, length) => addon().recv(fd, idOf(into), offset, length),
  send: (fd, from, offset, length) => addon().send(fd, idOf(from), offset, length),
  sendEach: (from, list, count) => addon().sendEach(idOf(from), idOf(list), count),
  recvEach: (into, list, count) => addon().recvEach(idOf(into), idOf(list), count),
  sendv: (fd, parts) => addon().sendv(fd, parts),
  pending: () => 0,
  shutdown: (fd) => addon().shutdown(fd),
  close: (fd, abort) => addon().close(fd, abort),
  socketError: (fd) => addon().socketError(fd),
  localAddress: (fd) => addon().localAddress(fd),
  peerAddress: (fd) => addon().peerAddress(fd),
  remembersPeers: true,
  mask: (buffer, offset, length, key) => addon().mask(idOf(buffer), offset, length, key),

  resolver: {
    open: () => addon().resolverOpen(),
    start: (fd, id, name, family) => addon().resolverStart(fd, id, name, family),
    take: (fd) => addon().resolverTake(fd),
    cancel: (fd, id) => addon().resolverCancel(fd, id),
    close: (fd) => addon().resolverClose(fd),
  },

  openFile: (root, path) => addon().openFile(root, path, false),
  fileInfo: (fileFd) => addon().fileInfo(fileFd),
  readFile: (fileFd, fileOffset, into, offset, length) =>
    addon().readFile(fileFd, fileOffset, idOf(into), offset, length),
  sendFile: (fd, fileFd, offset, length) => addon().sendFile(fd, fileFd, offset, length),
  closeFile(fileFd) {
    addon().closeFile(fileFd)
  },
}

function checkedSocket(socket: number | object): number {
  if (typeof socket === 'number') return socket
  const message =
    'this host adopts descriptors; for streams give streamsHost() of extpoll/node-streams as host'
  throw new UsageError('ERR_EXTPOLL_FD', message)
}

/**
 * The same, where each listener is a copy of one that is open already.
 * @throws UsageError ERR_EXTPOLL_FD where that is no stream socket that listens
 */
export function sharedListenerIo(listenFd: number): EpollSocketIo {
  const listen = (): number => addon().listenShared(listenFd)
  const tried = Number.isInteger(listenFd) ? listen() : -1
  if (tried < 0) {
    const message = 'epollHost(): listenFd must be the descriptor of a stream socket that listens'
    throw new UsageError('ERR_EXTPOLL_FD', message)
  }
  addon().close(tried, false)
  return { ...socketIo, listen }
}

/** The address to give to `socketIo.connect` for a Unix socket's path. */
export function unixAddress(path: string): SocketAddress {
  if (typeof path !== 'string') refuseType('unixAddress', 'path', 'a string')
  return { name: path, address: '', port: 0, family: 'Unix' }
}

/** The address to give to `socketIo.connect` for a TCP port. @param address IPv4 or IPv6 in text */
export function tcpAddress(address: string, port: number): SocketAddress {
  if (typeof address !== 'string') refuseType('tcpAddress', 'address', 'a string')
  return { name: '', address, port, family: address.includes(':') ? 'IPv6' : 'IPv4' }
}

/**
 * Takes over a stream socket that others opened: it becomes non-blocking and close-on-exec, and
 * from now on nobody else reads, writes, closes or polls it (C28).
 * @throws UsageError ERR_EXTPOLL_FD for 0 to 2, what is not open, no stream socket, or ours already
 */
export function adopt(fd: number): void {
  if (addon().adopt(fd) < 0) refuseSocket(fd)
}

function refuseSocket(fd: number): never {
  const message =
    `adopt(): fd ${fd} must be an open stream socket that does not listen, and that nobody here ` +
    'adopted before'
  throw new UsageError('ERR_EXTPOLL_FD', message)
}

/**
 * Gives a socket away again, open and as it is; from now on every function here refuses it.
 * @throws UsageError ERR_EXTPOLL_FD for a socket that is not ours
 */
export function release(fd: number): void {
  if (addon().release(fd, 0) === 0) return
  throw new UsageError('ERR_EXTPOLL_FD', `release(): fd ${fd} is not a socket made or adopted here`)
}

/**
 * Sends a string as UTF-8, for small protocols of one's own such as a control socket.
 * @returns bytes taken (may be short), WOULD_BLOCK, or -errno, as `socketIo.sendv`
 */
export function sendText(fd: number, text: string): number {
  if (typeof text !== 'string') refuseType('sendText', 'text', 'a string')
  return addon().sendv(fd, [Buffer.from(text)])
}

/**
 * Receives what waits as UTF-8 text. A character split over two reads comes out damaged: for
 * protocols whose messages are ASCII, such as a control socket.
 * @returns the text, '' at the end of file, or WOULD_BLOCK or -errno, as `socketIo.recv`
 */
export function recvText(fd: number, into: IoBuffer): string | number {
  const { id, bytes } = readFields('recvText', 'into', into, (given) => ({
    id: given.id,
    bytes: given.bytes,
  }))
  if (!ArrayBuffer.isView(bytes) || !Buffer.isBuffer(bytes))
    refuseType('recvText', 'into', 'what createBuffer() gave')
  const count = addon().recv(fd, id, 0, bytes.length)
  return count < 0 ? count : bytes.toString('utf8', 0, count)
}
