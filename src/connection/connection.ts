/**
 * A connection: the seed's `struct libwebsocket`. Data, and the questions it can answer alone; and
 * `Core`, what it needs of its context: the context implements it, the layers below see only this.
 *
 * One of these is all that an idle peer costs, so what few connections need hangs off a field that
 * is null. Everything that happens to it is in the files beside this one.
 */
import { UsageError } from '../errors.js'
import { type DeadlineHeap } from '../poll/deadline-heap.js'
import { POLLIN, POLLOUT } from '../poll/pollfd.js'
import { type ProtocolEntry } from '../protocol/protocol-table.js'
import { type CloseInfo, type Context, type Wsi } from '../protocol/protocol-types.js'
import { type IoBuffer, type SocketAddress, type SocketIo } from '../socket/socket-io.js'
import { type FrameHeader } from '../wire/frame-parser.js'
import { type UpgradeRequest } from '../wire/handshake.js'
import { type Budget } from './budget.js'
import { type ConnectionEvent, nextState, State, type StateNumber } from './connection-state.js'
import { type Dial, type ResolverEntry } from './dial.js'
import { type HttpExchange } from './http-exchange.js'
import { type LastFrame } from './last-frame.js'
import { type Limits } from './limits.js'
import { type MessageAssembly } from './message-assembly.js'
import { packFlags } from './flags.js'
import { type Role, SERVER } from './role.js'
import { type SendQueue } from './send-queue.js'
import { type SpareMemory } from './spare-memory.js'
import { TimedEntry } from './timed-entry.js'

/** What a callback that threw "answers". */
export const THREW = Symbol('extpoll.threw')

/** May this Origin connect? */
export type OriginPolicy = (origin: string, request: UpgradeRequest) => boolean

/** Who decides about one connection before its protocol's filter is asked; as that answers. */
export type Gate = (wsi: Wsi, request: UpgradeRequest) => unknown

/** What comes next for an opening that nobody refused. */
export type OpeningStep = (core: Core, connection: Connection, request: UpgradeRequest) => void

/** An opening that waits: for its request, for a filter's word. */
export interface Admission {
  /** Asked first, once the request is understood. */
  readonly gate: Gate | null
  /** What came, once a filter said DEFER to it. */
  readonly request: UpgradeRequest | null
  /** Goes on then, once it is told to. */
  readonly resume: OpeningStep | null
}

export interface Core {
  readonly handle: Context
  readonly limits: Limits
  readonly protocols: readonly ProtocolEntry[]
  readonly spares: SpareMemory
  readonly lastFrame: LastFrame
  readonly allowsOrigin: OriginPolicy
  /** Whether a client that offers only unknown subprotocols is refused. */
  readonly refusesUnknownProtocols: boolean
  readonly budget: Budget
  readonly deadlines: DeadlineHeap<TimedEntry>

  /** The one receive buffer; its contents are dead once the call returns. */
  readonly rx: IoBuffer
  /** The same memory as 32-bit words. */
  readonly rxWords: Int32Array
  /** A view of the receive buffer. */
  viewReceived(start: number, stop: number): Buffer
  /** The header last read. */
  readonly header: FrameHeader
  /** The one transmit arena, empty between outermost calls. */
  readonly arena: IoBuffer
  /** The same memory as 32-bit words. */
  readonly arenaWords: Int32Array
  /** Frames of a client are masked with 0: DEFEAT_CLIENT_MASK. */
  readonly defeatsMask: boolean
  /** The seam's own masking, where it has one. */
  readonly nativeMask:
    ((buffer: IoBuffer, offset: number, length: number, key: number) => void) | null
  /** Whose memory all of this is; every seam of the context can move bytes in it. */
  readonly memoryOf: SocketIo
  /** Through which bytes of files go that are read: made with the first (http/file-buffer.ts). */
  fileBuffer: IoBuffer | null
  /** Bytes of the arena in use. */
  arenaUsedBytes: number
  /** Changes whenever the arena is emptied. */
  arenaEpoch: number
  /** contextDestroy was called; it runs when the outermost call unwinds (C27). */
  readonly destroyWanted: boolean
  /** Bytes in all send queues and message assemblies. */
  bufferedBytes: number

  /** The host's clock, read once per outermost call (C20). */
  now(): number
  wallClock(): number
  /** A fraction in [0, 1) from the host's entropy. */
  randomFraction(): number
  /** 32 bits of the host's entropy, none of them given out before. */
  randomWord(): number
  /** The seam of connections that are made, and of names. */
  readonly io: SocketIo
  /** Client connections that have no descriptor of their own yet, oldest first. */
  readonly dialling: Set<Connection>
  /** The descriptor of the resolver's answers; null before the first name. */
  resolver: ResolverEntry | null
  /** A generation for a descriptor (C5). */
  nextGen(): number
  /** ADD, before a byte moves. @throws what the keeper of the poll array threw (C9) */
  join(entry: TimedEntry): void
  /** DEL; whoever calls closes the descriptor next (C3). */
  part(entry: TimedEntry): void
  /** The connection takes the place of one of its attempts. */
  takePlace(attempt: TimedEntry, connection: Connection): void
  /** Compare this entry's interest with what the host knows, at the exit. */
  touch(entry: TimedEntry): void
  /** The connection was written to; in order of first write. */
  scheduleFlush(connection: Connection): void
  /** Every connection written to leaves now: the arena is full. */
  flushAll(): void
  /** The connection is over, or will be once flushed; or the answer in hand can go on. */
  scheduleEnd(connection: Connection): void
  /** Progress is possible without a new kernel event (C14). */
  schedulePending(connection: Connection): void
  /**
   * Runs a protocol callback.
   * @returns its answer, or THREW: then the connection was already dealt with
   */
  call(
    connection: Connection,
    protocol: ProtocolEntry,
    reason: number,
    data: unknown,
    len: number,
  ): unknown
  /** Tells `onError`, or keeps the error for the end of the outermost call (C29). */
  report(error: unknown): void
}

export class Connection extends TimedEntry {
  /**
   * Whether it was made by this class. Told by a private field: instanceof also takes a Proxy of
   * one and its heirs, on which half of the state would be another's.
   */
  static made(value: unknown): value is Connection {
    return typeof value === 'object' && value !== null && #peer in value
  }

  /** What is declared below as a boolean, each a bit (flags.ts). */
  flags = 0

  readonly core: Core
  readonly io: SocketIo
  /** A client's is set once it has a descriptor. */
  #peer: SocketAddress | null
  role: Role = SERVER
  /** A client's way to its connection; null once it is open, and always for a server's. */
  dial: Dial | null = null
  state: StateNumber = State.REQUEST
  protocol: ProtocolEntry | null = null
  /** The session object; made by createSession. */
  user: unknown = undefined
  /** It was made, for `protocol`. */
  declare hasSession: boolean

  /** The HTTP request in hand, and its answer. */
  http: HttpExchange | null = null
  /** Kept after an answer, and nothing of the next request has come. */
  declare awaitsNext: boolean

  // Receiving
  /** Raw bytes received and not yet consumed, from `heldAt` on. */
  held: Buffer | null = null
  heldAt = 0
  /** Bytes of a request head already searched for its end. */
  scanned = 0
  /** Switched off by rxFlowControl. */
  declare paused: boolean
  /** The transport has no more for us. */
  declare eof: boolean
  /** Opcode of the message in hand, 0 between messages. */
  messageOpcode = 0
  /** The RECEIVE in hand ends its message. */
  declare finalFragment: boolean
  /** The message in hand, where it comes in pieces. */
  assembly: MessageAssembly | null = null

  // Sending
  queue: SendQueue | null = null
  /** Its part of the transmit arena; equal when it has none. */
  corkStart = 0
  corkEnd = 0
  /** Earlier parts, start and end in turn, when others wrote in between. */
  corkParts: number[] | null = null
  /** The application is in the middle of a fragmented message. */
  declare sendsFragments: boolean
  /** callbackOnWritable was asked. */
  declare wantsWritable: boolean
  /** Pongs that have not left yet, as far as is known. */
  pendingPongs = 0
  /** TLS: the next send waits for readability, the next recv for writability. */
  declare sendWaitsReadable: boolean
  declare recvWaitsWritable: boolean

  // Ending
  /** Set with the first reason to end; CLOSED tells it. */
  closing: CloseInfo | null = null
  /** ESTABLISHED ran, so CLOSED will. */
  declare established: boolean
  /** The descriptor must be reset, not closed. */
  declare abortive: boolean
  declare lingers: boolean
  declare inEndList: boolean
  /** Listed for progress without readiness (C14). */
  declare isPending: boolean
  /** What is to be decided about it, where that is more than its own protocol's filter. */
  admission: Admission | null = null

  // Time
  /** When the state in hand must be over; 0 = no such time. */
  stateDeadlineMs = 0
  lastRxMs = 0
  /** When the ping that is not yet answered was sent; 0 = none. */
  pingSentMs = 0
  pingIntervalMs = 0
  /** When POLLERR or POLLHUP was heard while paused; 0 = never. */
  errorHeardMs = 0

  /** @param peer its address; null: the transport remembers it, and need not be asked yet */
  constructor(core: Core, io: SocketIo, fd: number, gen: number, peer: SocketAddress | null) {
    super(fd, gen)
    this.core = core
    this.io = io
    this.#peer = peer
  }

  /** The other side's address. */
  get peer(): SocketAddress {
    return (this.#peer ??= this.io.peerAddress(this.fd))
  }

  set peer(address: SocketAddress) {
    this.#peer = address
  }

  /** The application's handle is this object itself. */
  get wsi(): Wsi {
    return this as unknown as Wsi
  }

  /** The descriptor is about to close; its address stays known until CLOSED returned (C3). */
  keepPeer(): void {
    this.#peer ??= this.io.peerAddress(this.fd)
  }

  /** Takes the next state. */
  move(event: ConnectionEvent): void {
    const next = nextState(this.state, event)
    if (next === undefined)
      throw new UsageError(
        'ERR_EXTPOLL_INTERNAL',
        `${event} in state ${this.state}: please report this with your trace`,
      )
    this.state = next
  }

  /** The transport takes nothing from us any more. */
  get isDeaf(): boolean {
    return this.state === State.DRAINING || this.state === State.ENDED
  }

  /** Nothing received counts any more. */
  get frozen(): boolean {
    return this.state >= State.FLUSHING
  }

  /** Forgets the message in hand; its memory may live on with the application. */
  dropAssembly(): void {
    if (this.assembly === null) return
    this.core.bufferedBytes -= this.assembly.capacityBytes
    this.assembly = null
  }

  /** Payload bytes still to come of the data frame in hand. */
  get frameRemaining(): number {
    return this.assembly === null ? 0 : this.assembly.frameRemaining
  }

  get queuedBytes(): number {
    return this.queue === null ? 0 : this.queue.bytes
  }

  get corkedBytes(): number {
    let bytes = this.corkEnd - this.corkStart
    if (this.corkParts !== null)
      for (let index = 0; index < this.corkParts.length; index += 2)
        bytes += this.corkParts[index + 1]! - this.corkParts[index]!
    return bytes
  }

  get heldBytes(): number {
    return this.held === null ? 0 : this.held.length - this.heldAt
  }

  /** Frames that come are acted on: from the handshake to the last word of either side. */
  get delivers(): boolean {
    return this.state >= State.OPEN && this.state <= State.DRAINING
  }

  /** The application, or a peer that does not take our answers, holds up receiving. */
  get blocked(): boolean {
    return (
      this.paused || (this.queue !== null && this.queue.bytes >= this.core.limits.txHighWaterBytes)
    )
  }

  /** C16: not paused, below the high-water marks, before the end of file. */
  get reads(): boolean {
    const { state, held } = this
    if (this.eof || state === State.ENDED || state === State.FLUSHING) return false
    if (this.recvWaitsWritable || this.blocked) return false
    if (held === null) return true
    return held.length - this.heldAt < this.#heldHighWaterBytes
  }

  get #heldHighWaterBytes(): number {
    const { rxHighWaterBytes, maxHeaderBytes, pipelineHighWaterBytes } = this.core.limits
    // A head must come in whole, or be found too large, before anything of it can be consumed.
    if (this.state <= State.REQUEST) return maxHeaderBytes + 1
    // What comes behind a whole request waits until that is answered.
    return this.http !== null && this.http.body === null ? pipelineHighWaterBytes : rxHighWaterBytes
  }

  /** The application may write: messages, or pieces of an answer. */
  get takesWrites(): boolean {
    if (this.state === State.OPEN) return true
    const { http } = this
    return this.state === State.HTTP && http !== null && http.source === null && !http.answered
  }

  /** A writable callback could run as soon as the socket takes a write. */
  get writableDeliverable(): boolean {
    return (
      this.wantsWritable && this.takesWrites && this.queuedBytes < this.core.limits.txLowWaterBytes
    )
  }

  /** There is something for the transport as soon as it takes it. */
  get sends(): boolean {
    return this.queue !== null || (this.http !== null && this.http.source !== null)
  }

  /** C15, C16. */
  override interest(): number {
    const sends = this.sends || this.writableDeliverable
    return (
      (this.reads || (sends && this.sendWaitsReadable) ? POLLIN : 0) |
      ((sends && !this.sendWaitsReadable) || this.recvWaitsWritable ? POLLOUT : 0)
    )
  }
}

packFlags(Connection.prototype, [
  'hasSession',
  'awaitsNext',
  'paused',
  'eof',
  'finalFragment',
  'sendsFragments',
  'wantsWritable',
  'sendWaitsReadable',
  'recvWaitsWritable',
  'established',
  'abortive',
  'lingers',
  'inEndList',
  'isPending',
])
