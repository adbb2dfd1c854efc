/**
 * A context: the tables, the lists, the shared memory.
 *
 * Implements `Core` for connections and `Context` for applications. The bracket of the outermost
 * call is in bracket.ts; what runs when it closes, in exit-order.ts.
 */
import { Budget, RX_HEADER_BYTES } from '../connection/budget.js'
import { Connection, type Core, type OriginPolicy, THREW } from '../connection/connection.js'
import { type ResolverEntry } from '../connection/dial.js'
import { failConnection } from '../connection/ending.js'
import { LastFrame } from '../connection/last-frame.js'
import { type Limits } from '../connection/limits.js'
import { type Listener } from '../connection/listener.js'
import { ReceiveAhead } from '../connection/receive-ahead.js'
import { SpareMemory } from '../connection/spare-memory.js'
import { type TimedEntry } from '../connection/timed-entry.js'
import { FlushTogether } from '../connection/flush-together.js'
import { flushCork } from '../connection/transmit.js'
import { RunDigest } from '../digest/run-digest.js'
import { ContextDestroyedError } from '../errors.js'
import { type Host, type Tap } from '../host.js'
import { DeadlineHeap } from '../poll/deadline-heap.js'
import { InterestTable } from '../poll/interest-table.js'
import { type Context, type ContextEvents, type Wsi } from '../protocol/protocol-types.js'
import { makeProtocols, type ProtocolEntry } from '../protocol/protocol-table.js'
import { type IoBuffer, type SocketIo } from '../socket/socket-io.js'
import { FrameHeader } from '../wire/frame-parser.js'
import { wordsOf } from '../wire/masking.js'
import { Announcer } from './announcer.js'
import { type ContextOptions, DEFEAT_CLIENT_MASK } from './context-options.js'
import { Entropy } from './entropy.js'
import { ErrorSink } from './error-sink.js'

/** The transmit arena: a full txBudgetBytes of corks, and some room for headers. */
const ARENA_BYTES = 2 ** 18 + 2 ** 16

/** A power of 2. Frames begin at even places more often than not. */
const KEPT_VIEWS = 64

type ViewConstructor = new (memory: ArrayBufferLike, offset: number, length: number) => Buffer
/**
 * The class behind Buffer, as `subarray` finds it: its constructor only looks, it checks nothing
 * twice.
 */
const BufferView = (Buffer as unknown as { readonly [Symbol.species]: ViewConstructor })[
  Symbol.species
]

/** One broadcast: its bytes, and who was there when it was asked for. */
export interface BroadcastRun {
  readonly protocol: ProtocolEntry
  /** The library's one copy, shown to each callback in turn. */
  readonly data: Buffer
  readonly connections: readonly Connection[]
  /** The next one to be told. */
  at: number
}

export class ContextState implements Core {
  static made(value: unknown): value is ContextState {
    return typeof value === 'object' && value !== null && #nowMs in value
  }

  readonly givenHost: Host
  /** The one given, or, with a digest, the same one heard. */
  readonly host: Host
  readonly tap: Tap | null
  readonly limits: Limits
  readonly protocols: readonly ProtocolEntry[]
  readonly allowsOrigin: OriginPolicy
  readonly refusesUnknownProtocols: boolean
  readonly budget = new Budget()
  readonly deadlines = new DeadlineHeap<TimedEntry>()
  readonly table: InterestTable<TimedEntry>
  readonly announcer: Announcer
  readonly runDigest: RunDigest | null

  /** Whose memory `rx` and `arena` are. */
  memoryOf!: SocketIo
  rx!: IoBuffer
  rxWords!: Int32Array
  readonly header = new FrameHeader()
  readonly spares = new SpareMemory()
  readonly lastFrame = new LastFrame()
  arena!: IoBuffer
  arenaWords!: Int32Array
  fileBuffer: IoBuffer | null = null
  readonly defeatsMask: boolean
  nativeMask: Core['nativeMask'] = null
  /** Where the seam can send to many in one call. */
  flushTogether: FlushTogether | null = null
  receiveAhead: ReceiveAhead | null = null
  /** What the last turn of a batch handled. */
  turnMessages = 0
  readonly io: SocketIo
  /** Clients without a descriptor yet, the oldest first. */
  readonly dialling = new Set<Connection>()
  /** Opened with the first name asked for. */
  resolver: ResolverEntry | null = null
  arenaUsedBytes = 0
  bufferedBytes = 0

  /** Open while the context listens. */
  listener: Listener | null = null
  /** Connections in the table; listeners are not counted. */
  connectionCount = 0
  /** Live connections by peer address, kept only where maxConnectionsPerPeer asks for it. */
  readonly connectionsByPeer = new Map<string, number>()
  /** The connection whose end is being told: gone from the table, its address still known (C3). */
  ending: Connection | null = null
  /** Written to in this call, in order of first write. */
  readonly flushList: (Connection | null)[] = []
  /** How much of flushList counts: setting an array's length costs more. */
  flushCount = 0
  /** To be ended when the call unwinds. */
  endList: Connection[] = []
  /** Progress possible without readiness, first in first out (C14). */
  readonly pending = new Set<Connection>()
  /** Broadcasts under way, the oldest first. */
  readonly broadcasts: BroadcastRun[] = []
  /** Changes whenever the arena is emptied: what was put there before is gone. */
  arenaEpoch = 0
  destroyWanted = false
  destroyed = false

  /** The deadline SET_TIMEOUT last told, null = none. */
  announcedDeadlineMs: number | null = null

  /** Calls in hand: 0 outside, 1 in the outermost. */
  depth = 0
  #nowMs = 0
  #nowKnown = false
  #wallClockMs = 0
  #wallClockKnown = false
  #gen = 0
  #rxMemory!: ArrayBufferLike
  #rxOffset = 0
  readonly #views: Buffer[] = Array.from({ length: KEPT_VIEWS }, () => Buffer.alloc(0))
  readonly #viewStarts = new Int32Array(KEPT_VIEWS).fill(-1)
  readonly #entropy: Entropy
  readonly #errors: ErrorSink

  constructor(options: ContextOptions, limits: Limits, allowsOrigin: OriginPolicy) {
    this.runDigest = options.digest === true ? new RunDigest(options, limits) : null
    const host = this.runDigest?.host ?? options.host
    this.givenHost = options.host
    this.host = host
    this.tap = host.tap ?? null
    this.#entropy = new Entropy(host)
    this.limits = limits
    this.allowsOrigin = allowsOrigin
    this.refusesUnknownProtocols = options.unknownProtocol !== 'accept'
    this.protocols = makeProtocols(options.protocols, this.handle, limits)
    this.#errors = new ErrorSink(options.onError)
    this.announcer = new Announcer(this, host.pollSet, options.on)
    this.runDigest?.observe(this.announcer)
    this.table = new InterestTable(this, (change, { guestOf }) => {
      this.announcer.announce(change, guestOf === null ? null : guestOf.pollSet!)
    })
    this.io = host.io
    this.defeatsMask = ((options.options ?? 0) & DEFEAT_CLIENT_MASK) !== 0
    this.#takeMemory(host.io)
  }

  #takeMemory(io: SocketIo): void {
    const { rxBudgetBytes, rxHighWaterBytes, maxHeaderBytes, corkMaxBytes } = this.limits
    const budgetBytes = rxBudgetBytes + RX_HEADER_BYTES
    const rxBytes = Math.max(budgetBytes, rxHighWaterBytes, maxHeaderBytes + 1)
    this.memoryOf = io
    this.nativeMask = io.mask === undefined ? null : io.mask.bind(io)
    this.rx = io.createBuffer(rxBytes)
    this.rxWords = wordsOf(this.rx.bytes)
    this.#rxMemory = this.rx.bytes.buffer
    this.#rxOffset = this.rx.bytes.byteOffset
    this.#viewStarts.fill(-1)
    this.arena = io.createBuffer(Math.max(ARENA_BYTES, corkMaxBytes * 2))
    this.arenaWords = wordsOf(this.arena.bytes)
    this.flushTogether = io.sendEach === undefined ? null : new FlushTogether(io)
    this.receiveAhead = io.recvEach === undefined ? null : new ReceiveAhead(io)
  }

  freeMemory(): void {
    const { memoryOf, rx, arena, flushTogether, receiveAhead, fileBuffer } = this
    for (const buffer of [rx, arena, flushTogether?.list, receiveAhead?.list, fileBuffer])
      if (buffer) memoryOf.freeBuffer(buffer)
    this.fileBuffer = null
  }

  /**
   * Makes the shared memory such that this seam can move bytes in it as well. Between outermost
   * calls only: it holds nothing then, and nobody looks at it.
   * @returns false where two seams each insist on memory of their own
   */
  shareMemoryWith(io: SocketIo): boolean {
    if (io === this.memoryOf || io.takesAnyBuffer === true) return true
    if (this.memoryOf.takesAnyBuffer !== true) return false
    this.freeMemory()
    this.#takeMemory(io)
    return true
  }

  /** The application's handle is this object itself. */
  get handle(): Context {
    return this as unknown as Context
  }

  on<Name extends keyof ContextEvents>(event: Name, listener: ContextEvents[Name]): this {
    this.announcer.on(event, listener)
    return this
  }

  off<Name extends keyof ContextEvents>(event: Name, listener: ContextEvents[Name]): this {
    this.announcer.off(event, listener)
    return this
  }

  /** Takes what callbacks threw and no onError took. */
  takeErrors(): unknown[] {
    return this.#errors.take()
  }

  /** The clock as it was last read. */
  get lastNowMs(): number {
    return this.#nowMs
  }

  /** A new outermost call: the clock is unread, the budgets are full. */
  begin(): void {
    this.#nowKnown = false
    this.#wallClockKnown = false
    this.budget.refill(this.limits)
  }

  /** @throws ContextDestroyedError for calls that would create something (C27) */
  mustLive(call: string): void {
    if (this.destroyed || this.destroyWanted) throw new ContextDestroyedError(call)
  }

  // --- Core

  now(): number {
    if (!this.#nowKnown) {
      this.#nowMs = this.host.now()
      this.#nowKnown = true
    }
    return this.#nowMs
  }

  wallClock(): number {
    if (!this.#wallClockKnown) {
      this.#wallClockMs = this.host.wallClock()
      this.#wallClockKnown = true
    }
    return this.#wallClockMs
  }

  /**
   * A view of the receive buffer, for one callback. Messages of one length tend to lie at the same
   * few places, so views are kept and shown again: what is not allocated need not be collected, and
   * does not drive the next message's memory out of the caches.
   */
  viewReceived(start: number, stop: number): Buffer {
    const slot = ((start >> 1) ^ (start >> 6)) & (KEPT_VIEWS - 1)
    const kept = this.#views[slot]!
    if (this.#viewStarts[slot] === start && kept.length === stop - start) return kept
    // What `subarray` does, in a third of its time.
    const view = new BufferView(this.#rxMemory, this.#rxOffset + start, stop - start)
    this.#views[slot] = view
    this.#viewStarts[slot] = start
    return view
  }

  randomFraction(): number {
    return this.randomWord() / 2 ** 32
  }

  randomWord(): number {
    return this.#entropy.word()
  }

  /** Unsigned 32-bit, never 0 (C5). */
  nextGen(): number {
    if (this.host.nextGen !== undefined) return this.host.nextGen()
    this.#gen = this.#gen === 0xffff_ffff ? 1 : this.#gen + 1
    return this.#gen
  }

  join(entry: TimedEntry): void {
    this.table.add(entry)
  }

  part(entry: TimedEntry): void {
    this.deadlines.remove(entry)
    this.table.remove(entry)
  }

  takePlace(attempt: TimedEntry, connection: Connection): void {
    this.table.replace(attempt, connection)
    this.dialling.delete(connection)
  }

  touch(entry: TimedEntry): void {
    this.table.touch(entry)
  }

  scheduleFlush(connection: Connection): void {
    this.flushList[this.flushCount++] = connection
  }

  /** Each connection written to, in order of first write; the arena is empty afterwards. */
  flushAll(): void {
    const { flushList, flushCount, flushTogether } = this
    if (flushTogether !== null && flushCount > 1) {
      flushTogether.flush(this, flushList, flushCount)
    } else {
      for (let index = 0; index < flushCount; index++) {
        flushCork(this, flushList[index]!)
        flushList[index] = null
      }
    }
    this.flushCount = 0
    this.arenaUsedBytes = 0
    this.arenaEpoch++
  }

  scheduleEnd(connection: Connection): void {
    if (connection.inEndList) return
    connection.inEndList = true
    this.endList.push(connection)
  }

  schedulePending(connection: Connection): void {
    connection.isPending = true
    this.pending.add(connection)
  }

  call(
    connection: Connection,
    protocol: ProtocolEntry,
    reason: number,
    data: unknown,
    len: number,
  ): unknown {
    const { tap } = this
    const wsi = connection as unknown as Wsi
    if (tap !== null) tap.callback(reason, connection.fd, data, this, connection)
    try {
      const answer = protocol.callback(
        this as unknown as Context,
        wsi,
        reason,
        connection.user,
        data,
        len,
      )
      return typeof answer === 'object' && this.#errors.refusesPromise(answer) ? THREW : answer
    } catch (error) {
      this.report(error)
      if (connection.delivers) failConnection(this, connection, 'CALLBACK_THREW')
      return THREW
    } finally {
      if (tap !== null) tap.returned(reason, connection.fd, data, this, connection)
    }
  }

  /** A callback that belongs to no connection: filters of the network, announcements. */
  callFirst(reason: number, data: { readonly fd: number }, len: number): unknown {
    const protocol = this.protocols[0]!
    if (!protocol.hears(reason)) return undefined
    const { tap } = this
    const { fd } = data
    if (tap !== null) tap.callback(reason, fd, data, this, null)
    try {
      return protocol.callback(this.handle, null, reason, undefined, data, len)
    } finally {
      if (tap !== null) tap.returned(reason, fd, data, this, null)
    }
  }

  report(error: unknown): void {
    this.#errors.report(error)
  }

  /** Is there progress to be made without readiness? (C14) */
  get hasPending(): boolean {
    return (
      this.pending.size > 0 ||
      this.endList.length > 0 ||
      this.flushCount > 0 ||
      this.broadcasts.length > 0
    )
  }

  /** A list of every connection, in ADD order; those without a descriptor yet come last. */
  connections(): Connection[] {
    const live = this.table.entries.list().filter((entry) => entry instanceof Connection)
    return [...live, ...this.dialling]
  }
}
