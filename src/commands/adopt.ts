/** `adoptSocket` and `detachSocket`: connections that begin, or go on, outside of the library. */
import { armDeadline } from '../connection/deadline.js'
import { giveBack } from '../connection/ending.js'
import { Connection } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { establish, makeSession } from '../connection/opening.js'
import { flushCork } from '../connection/transmit.js'
import { connectionOf, contextOf, enter, leave } from '../context/bracket.js'
import { type ContextState } from '../context/context-state.js'
import {
  admitConnection,
  forgetConnection,
  passesNetworkFilter,
  peerHasRoom,
} from '../context/membership.js'
import { lookAt, ReentrantCallError, shown, UsageError } from '../errors.js'
import { type Host } from '../host.js'
import { type ProtocolEntry, selectProtocol } from '../protocol/protocol-table.js'
import { type Context, type FilterAnswer, type Wsi } from '../protocol/protocol-types.js'
import { isBytes } from '../wire/bytes.js'
import { type UpgradeRequest } from '../wire/handshake.js'
import { type RequestHead } from '../wire/request-head.js'

/** What `adoptSocket` takes beside the socket. */
export interface AdoptOptions {
  /** Bytes read of it already, in order; copied. They come before anything the socket still has. */
  readonly head?: Uint8Array
  /** It was upgraded elsewhere, the 101 answer was sent: frames from now on. */
  readonly established?: boolean
  /** With `established`: the subprotocol agreed on. Default: that of clients without one. */
  readonly protocol?: string
  /** With `established`: the request it was upgraded by, for ESTABLISHED. Default: an empty one. */
  readonly request?: UpgradeRequest
  /**
   * Asked once the request is understood, before the protocol's FILTER_PROTOCOL_CONNECTION, and
   * answers as that does; DEFER leaves it to `answerHandshake`.
   */
  readonly authorize?: (wsi: Wsi, request: UpgradeRequest) => FilterAnswer
  /** Whose seam and poll set take it, where not the context's own host; it needs a `pollSet`. */
  readonly host?: Host
}

/** What `detachSocket` gives back. */
export interface DetachedSocket {
  /** The descriptor; a virtual one is nobody's any more. */
  readonly fd: number
  /** What the seam gave back: the descriptor, or the object that was adopted, a stream. */
  readonly socket: number | object
  /** Received and not yet consumed: they come before anything the socket still has. */
  readonly unread: Buffer
  /** The request that was not answered, if there is one. */
  readonly request: RequestHead | null
}

/** For who was upgraded where we did not see it. */
const UNSEEN_REQUEST: UpgradeRequest = {
  method: 'GET',
  target: '/',
  minorVersion: 1,
  headers: new Map(),
  repeated: new Set(),
  version: 13,
  key: '',
  offered: null,
  origin: null,
  host: '',
}

/**
 * Takes a socket that others opened: raw, half-way through its request, or already upgraded.
 *
 * ADD is announced before this returns; nothing is read, answered or delivered before the next
 * `serviceFd` (of `head`, that is `serviceFd(ctx, null)`). Filters and limits are those of accepted
 * connections. From now on nobody else reads, writes, polls or closes it.
 *
 * @param socket a descriptor, or a Duplex where the host is one of streams
 * @returns the connection; null where FILTER_NETWORK_CONNECTION, `maxConnections` or
 *   `maxConnectionsPerPeer` refused it: nothing was taken then
 * @throws UsageError for a host that adopts nothing, a socket it cannot adopt or the context has
 *   already, options that cannot be right; ReentrantCallError from a callback of this context;
 *   ContextDestroyedError; what the keeper of the poll array threw (C9). The socket is then as it
 *   was
 * @see C28
 */
export function adoptSocket(
  ctx: Context,
  socket: number | object,
  options: AdoptOptions = {},
): Wsi | null {
  const core = contextOf(ctx, 'adoptSocket')
  core.mustLive('adoptSocket')
  if (core.depth > 0) throw new ReentrantCallError('adoptSocket', 'a callback of its context')
  const protocol = checkAdoption(core, options)
  if (core.table.entries.get(socket) !== undefined)
    throw new UsageError(
      'ERR_EXTPOLL_FD',
      `adoptSocket(): the context has fd ${shown(socket)} already`,
    )
  const given = options.host ?? core.givenHost
  const host = core.runDigest?.heard(given) ?? given
  joinHost(core, host)
  let connection: Connection | null = null
  enter(core, 'adoptSocket', undefined, options.head, options.established)
  try {
    connection = admitAdopted(core, host, socket, options.head !== undefined)
    if (connection !== null) begin(core, connection, protocol, options)
  } finally {
    leave(core, 'adoptSocket', connection)
  }
  return connection === null ? null : connection.wsi
}

/** @returns the protocol of one that is established, else null */
function checkAdoption(core: ContextState, options: AdoptOptions): ProtocolEntry | null {
  const refuse = (why: string): never => {
    throw new UsageError('ERR_EXTPOLL_ADOPT_OPTIONS', `adoptSocket(): ${why}`)
  }
  const {
    head,
    established = false,
    protocol: name,
    request,
    authorize,
  } = lookAt('ERR_EXTPOLL_ADOPT_OPTIONS', 'adoptSocket(): options must be an object', () => ({
    ...options,
    head: options.head,
  }))
  if (head !== undefined && !isBytes(head)) refuse('head must be a Uint8Array')
  if (authorize !== undefined && typeof authorize !== 'function')
    refuse('authorize must be a function')
  if (!established) {
    if (name !== undefined || request !== undefined)
      refuse('protocol and request are of one that is established; leave them to the handshake')
    return null
  }
  if (authorize !== undefined) refuse('an established connection has no handshake to authorize')
  const protocol = selectProtocol(core.protocols, name === undefined ? null : [name])
  return protocol ?? refuse(`the context has no protocol ${shown(name ?? '')}`)
}

/** Makes sure that bytes can move and announcements arrive there. */
function joinHost(core: ContextState, host: Host): void {
  const { io, pollSet } = host
  if (io.adopt === undefined || io.release === undefined)
    throw new UsageError('ERR_EXTPOLL_ADOPT_HOST', 'adoptSocket(): this host adopts no sockets')
  if (host === core.host) return
  if (pollSet === undefined)
    throw new UsageError(
      'ERR_EXTPOLL_ADOPT_HOST',
      'adoptSocket(): a second host keeps its own poll array; this one has no pollSet',
    )
  if (!core.shareMemoryWith(io))
    throw new UsageError(
      'ERR_EXTPOLL_ADOPT_HOST',
      "adoptSocket(): the two hosts' seams cannot share one buffer; use one of streams beside one",
    )
}

/** @returns null where it was refused, and given back */
function admitAdopted(
  core: ContextState,
  host: Host,
  socket: number | object,
  begun: boolean,
): Connection | null {
  const { io } = host
  const fd = io.adopt!(socket, begun)
  const peer = io.peerAddress(fd)
  const refused =
    core.connectionCount >= core.limits.maxConnections ||
    !peerHasRoom(core, peer) ||
    !passesNetworkFilter(core, fd, peer)
  if (refused) {
    io.release!(fd, true)
    return null
  }
  const gen = host.nextGen === undefined ? core.nextGen() : host.nextGen()
  const connection = new Connection(core, io, fd, gen, peer)
  if (host !== core.host) connection.guestOf = host
  connection.lastRxMs = core.now()
  connection.stateDeadlineMs = core.now() + core.limits.handshakeTimeoutMs
  try {
    admitConnection(core, connection)
  } catch (refusal) {
    io.release!(fd, true)
    throw refusal
  }
  return connection
}

function begin(
  core: ContextState,
  connection: Connection,
  protocol: ProtocolEntry | null,
  { head, authorize, request }: AdoptOptions,
): void {
  if (head !== undefined && head.length > 0) {
    connection.held = Buffer.from(head)
    core.bufferedBytes += head.length
    core.schedulePending(connection)
    core.touch(connection)
  }
  armDeadline(core, connection)
  if (protocol !== null) {
    connection.protocol = protocol
    if (makeSession(core, connection, protocol))
      establish(core, connection, protocol, request ?? UNSEEN_REQUEST)
  } else if (authorize !== undefined) {
    connection.admission = { gate: authorize, request: null, resume: null }
  }
}

/**
 * Lets go of a connection's socket, which stays open: DEL, then CLOSED or HTTP_CLOSED with the
 * cause DETACHED.
 *
 * @returns the socket, what was received and not consumed, and the request that waits for its
 *   answer; null where the connection is over or ending, bytes wait to be sent (ask again in
 *   SERVER_WRITEABLE's wake), a message is half received or half sent, or a client is not open
 *   yet: nothing changed then
 * @throws ReentrantCallError from a callback of its context: pause it by `rxFlowControl` or DEFER,
 *   and call this after that returned
 * @see C28
 */
export function detachSocket(ctx: Context, wsi: Wsi): DetachedSocket | null {
  const core = contextOf(ctx, 'detachSocket')
  const connection = connectionOf(wsi, 'detachSocket')
  if (connection.core !== core)
    throw new UsageError(
      'ERR_EXTPOLL_NOT_A_CONNECTION',
      'detachSocket(): the connection belongs to another context',
    )
  if (core.depth > 0) throw new ReentrantCallError('detachSocket', 'a callback of its context')
  if (core.destroyed || connection.state > State.OPEN || connection.io.release === undefined)
    return null
  let detached: DetachedSocket | null = null
  enter(core, 'detachSocket', connection.fd)
  try {
    flushCork(core, connection)
    if (isBetweenMessages(connection)) detached = detach(core, connection)
  } finally {
    leave(core, 'detachSocket', detached !== null)
  }
  return detached
}

function isBetweenMessages(connection: Connection): boolean {
  const { queue, dial, messageOpcode, frameRemaining, sendsFragments, eof, state, http } =
    connection
  const half = dial !== null || messageOpcode !== 0 || frameRemaining > 0 || sendsFragments
  const answering = http !== null && (http.status !== 0 || http.bodyBegun)
  return queue === null && !half && !answering && !eof && state <= State.OPEN
}

function detach(core: ContextState, connection: Connection): DetachedSocket {
  const { fd, admission, http } = connection
  const unread = takeUnread(core, connection)
  const request = admission?.request ?? http?.request ?? null
  core.ending = connection
  const socket = giveBack(core, connection, (ended) => {
    forgetConnection(core, ended)
  })
  core.ending = null
  return { fd, socket, unread, request }
}

/** What the library holds, and what waits in the seam above the kernel: a stream's, TLS's. */
function takeUnread(core: ContextState, { io, fd, held, heldAt }: Connection): Buffer {
  const pieces: Buffer[] = held === null ? [] : [held.subarray(heldAt)]
  while (io.pending(fd) > 0) {
    const count = io.recv(fd, core.rx, 0, core.rx.bytes.length)
    if (count <= 0) break
    pieces.push(Buffer.from(core.rx.bytes.subarray(0, count)))
  }
  return Buffer.concat(pieces)
}
