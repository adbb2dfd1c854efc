/**
 * The bytes seam: every syscall the library wants made, as the host makes it.
 *
 * Each entry of the fd table points at its own SocketIo, so native and stream sockets live in one
 * context. TLS lives under this seam. Nothing here blocks, but for what of a
 * file is not in the page cache; nothing throws, or calls back.
 *
 * Results are values. A number >= 0 is a count or a descriptor; a negative number is `-errno` with
 * Linux's number (libuv-types.ts), whatever the platform. "Would block" is a value, not an error.
 * An implementation repeats a call interrupted by a signal (EINTR) itself.
 */

/**
 * The transport would block until the readiness one expects: POLLIN for recv and accept, POLLOUT
 * for send. (-EAGAIN)
 */
export const WOULD_BLOCK = -11
/** A TLS write that must read first: call again when the descriptor is readable. */
export const WOULD_BLOCK_UNTIL_READABLE = -100_001
/** A TLS read that must write first: call again when the descriptor is writable. */
export const WOULD_BLOCK_UNTIL_WRITABLE = -100_002

/** Descriptors from here up are virtual (streams, simulators) and never meet a real one. */
export const FIRST_VIRTUAL_FD = 2 ** 30

/**
 * Memory that the seam reads into and writes from.
 *
 * Made by `createBuffer`, so that a native seam can give out memory of its own once and then take
 * plain integers on the hot path. Owned by the context that asked for it, until `freeBuffer`.
 */
export interface IoBuffer {
  /** The seam's own handle; other seams ignore it. */
  readonly id: number
  /** The memory itself. */
  readonly bytes: Buffer
}

/** Where to listen: a TCP address and port, or a Unix socket's path. */
export interface ListenOptions {
  /** An IPv4 or IPv6 address in text, never a name. Ignored with `path`. */
  readonly address: string
  /** 0 to 65535; 0 = any free one. Ignored with `path`. */
  readonly port: number
  /** A Unix socket's path, made anew; an existing live socket there is -EADDRINUSE. */
  readonly path?: string
  /** Connections that may wait to be accepted. */
  readonly backlog: number
}

/** A socket's address. Empty strings and 0 where unknown or not applicable. */
export interface SocketAddress {
  /**
   * The peer's name where the host knows it without asking anyone: a Unix socket's path, else ''.
   */
  readonly name: string
  /** IPv4 or IPv6 address in text, without port or brackets; '' for Unix. */
  readonly address: string
  readonly port: number
  readonly family: 'IPv4' | 'IPv6' | 'Unix' | ''
}

/** What `fileInfo` tells of an open file. */
export interface FileInfo {
  readonly sizeBytes: number
  /** Milliseconds since 1970, fractions allowed. */
  readonly modifiedMs: number
  readonly inode: number
  readonly regular: boolean
  readonly directory: boolean
}

/** What became of a name. */
export interface ResolverAnswer {
  /** The one that `start` was given. */
  readonly id: number
  /** In text, in the order to try them; empty with an error. */
  readonly addresses: readonly string[]
  /** '', or a name of getaddrinfo(3) or errno: ENOTFOUND, EAI_AGAIN. */
  readonly error: string
}

/**
 * Names to addresses, without ever waiting: answers come through a descriptor, which is announced
 * like every other when the first name is asked for.
 */
export interface Resolver {
  /**
   * Opens a resolver of one's own.
   * @returns a descriptor, readable while answers wait, or -errno
   */
  open(): number
  /**
   * Asks for the addresses of one family.
   * @param id comes back with the answer; of the caller's choice
   * @returns 0 or -errno
   */
  start(resolverFd: number, id: number, name: string, family: 4 | 6): number
  /** Takes an answer that waits. @returns null where none does */
  take(resolverFd: number): ResolverAnswer | null
  /** Nobody waits for this answer any more; it may come all the same. */
  cancel(resolverFd: number, id: number): void
  /** Closes it, and forgets what is under way. @returns 0 or -errno */
  close(resolverFd: number): number
}

export interface SocketIo {
  /** It takes memory that another seam's `createBuffer` gave: it looks at `bytes` alone. */
  readonly takesAnyBuffer?: boolean
  /** Gives `byteLength` bytes of zeroed memory for the transfers below. */
  createBuffer(byteLength: number): IoBuffer
  /** Gives it back. Views that JavaScript still holds stay readable; the seam uses it no more. */
  freeBuffer(buffer: IoBuffer): void

  /** A non-blocking, close-on-exec listener. @returns fd or -errno */
  listen(options: ListenOptions): number
  /**
   * One waiting connection, non-blocking, close-on-exec, TCP_NODELAY.
   * @returns fd, WOULD_BLOCK or -errno
   */
  accept(listenFd: number): number
  /**
   * With a descriptor kept for this moment, accepts one connection that waits, sends it `farewell`,
   * and closes it: for when `accept` is out of descriptors. Absent: those who wait go on waiting.
   *
   * @returns 0 where one was shed, WOULD_BLOCK where none waits, or -errno
   */
  shed?(listenFd: number, farewell: Uint8Array): number
  /**
   * Starts a connection to an address (never a name).
   * @returns fd (possibly still connecting: POLLOUT, then connectResult) or -errno
   */
  connect(address: SocketAddress): number
  /**
   * How a connect that was started stands.
   * @returns 0 connected, WOULD_BLOCK not yet, or -errno
   */
  connectResult(fd: number): number

  /**
   * Takes over a connected stream that others opened: non-blocking from now on, and nobody else's
   * to read, write, poll or close (C28). Nothing is read yet. Absent: this seam adopts nothing.
   * @param socket a descriptor, or whatever this seam's sockets are: a Duplex, for instance
   * @param begun bytes were read of it before, and its adopter has them
   * @returns its fd
   * @throws UsageError for what cannot be adopted, which is then as it was: the one function here
   *   that throws
   */
  adopt?(socket: number | object, begun: boolean): number
  /**
   * Gives one away again, open; what was adopted as an object comes back as that object. From now
   * on every function here refuses the fd. Where there is `adopt`, there is this.
   * @param refused nothing but `adopt` was done with it: the socket is as it was before that, and
   *   goes on here where it was this seam's own
   */
  release?(fd: number, refused?: boolean): number | object

  /**
   * Reads at most `length` bytes into `into.bytes` from `offset` on.
   * @returns bytes read (> 0), 0 at end of file, a WOULD_BLOCK value, or -errno
   */
  recv(fd: number, into: IoBuffer, offset: number, length: number): number
  /**
   * Writes `length` bytes of `from.bytes` from `offset` on. Raises no SIGPIPE.
   * @returns bytes taken (> 0, may be short), a WOULD_BLOCK value, or -errno
   */
  send(fd: number, from: IoBuffer, offset: number, length: number): number
  /**
   * `send`, for several descriptors one after the other. Absent: they are sent to one by one.
   * @param list from `createBuffer`: of each send four 32-bit integers, the machine's byte order:
   *   fd, offset, length, and room for what `send` would answer
   * @param count how many sends there are
   */
  sendEach?(from: IoBuffer, list: IoBuffer, count: number): void
  /**
   * `recv`, for several descriptors one after the other, their bytes one behind the other. Absent:
   * they are received from one by one.
   * @param list from `createBuffer`, rows as those of `sendEach`; the fd of each is given, and of
   *   the first also offset and length: what all of them may fill. Answered is where the bytes of
   *   each lie, how many were asked for, and what `recv` would answer
   * @param count how many rows there are
   * @returns how many of them were received from: fewer where the room was used up
   */
  recvEach?(into: IoBuffer, list: IoBuffer, count: number): number
  /**
   * Writes several pieces of any memory in order, as one call. Keeps no reference to them.
   * @param parts at most 64, not all empty
   * @returns bytes taken of all together (> 0, may be short), a WOULD_BLOCK value, or -errno
   */
  sendv(fd: number, parts: readonly Uint8Array[]): number
  /**
   * Bytes that wait above the kernel (TLS plaintext) and that no readiness will announce. 0 without
   * TLS.
   */
  pending(fd: number): number
  /** Ends the sending direction (FIN). @returns 0 or -errno */
  shutdown(fd: number): number
  /**
   * Closes the descriptor.
   * @param abort true: discard what is unsent and reset the connection.
   * @returns 0 or -errno
   */
  close(fd: number, abort: boolean): number
  /** Takes the pending error of a socket (SO_ERROR). @returns errno, positive; 0 = none */
  socketError(fd: number): number
  /** The address this socket is bound to. All empty where unknown. */
  localAddress(fd: number): SocketAddress
  /** The other side's address. All empty where unknown. Never asks a resolver. */
  peerAddress(fd: number): SocketAddress
  /**
   * True: `peerAddress` knows an accepted descriptor's peer until `close`, after a reset as well;
   * so it is asked when somebody wants to know. Else it is asked right after `accept`.
   */
  readonly remembersPeers?: boolean

  /** XORs `length` bytes of `buffer` with a masking key. Absent: the core does it in JavaScript.
   * @param key the four key bytes as a little-endian 32-bit integer, first byte lowest (RFC 6455
   *   5.3)
   */
  mask?(buffer: IoBuffer, offset: number, length: number, key: number): void

  /** Names to addresses. Absent: this host connects to addresses only. */
  readonly resolver?: Resolver

  /**
   * Opens a file for reading beneath `root`, resolved by the kernel so that nothing escapes it.
   * Never hangs on a FIFO. Absent, like `fileInfo`, `readFile` and `closeFile`: this host serves no
   * files.
   * @param path relative to root; at most 4,095 bytes, without NUL
   * @returns fd, no descriptor of the poll set's, or -errno
   */
  openFile?(root: string, path: string): number
  /** What the open file is now. */
  fileInfo?(fileFd: number): FileInfo | number
  /**
   * Reads at most `length` bytes of a file from `fileOffset` on into `into.bytes` from `offset` on.
   * @returns bytes read (may be short), 0 where the file ends, or -errno
   */
  readFile?(
    fileFd: number,
    fileOffset: number,
    into: IoBuffer,
    offset: number,
    length: number,
  ): number
  /**
   * Sends bytes of a file without reading them. Absent: they are read, and sent by `send`.
   * @returns bytes taken (may be short), 0 where the file ends, a WOULD_BLOCK value, or -errno
   */
  sendFile?(fd: number, fileFd: number, offset: number, length: number): number
  closeFile?(fileFd: number): void
}
