/**
 * What the checker has seen so far: of each descriptor, each context, and the call at hand.
 *
 * Plain data, written by checker.ts and checker-io.ts, read by the rules. Judges nothing.
 */
import { FIRST_VIRTUAL_FD } from '../../src/index.js'
import type { Pollfd } from '../../src/index.js'

/** How far a descriptor has come. */
export const Status = { OPEN: 0, ANNOUNCED: 1, DELETED: 2, CLOSED: 3 } as const
export type StatusNumber = (typeof Status)[keyof typeof Status]

/** One life of a descriptor, from the call that opened it to the one that closed it, and after. */
export class FdFacts {
  status: StatusNumber = Status.OPEN
  /** 0 until announced. */
  gen = 0
  /** The mask last announced. */
  mask = 0
  /** The keeper of the poll array threw on its ADD (C9). */
  refused = false

  // What the bytes seam answered last
  /** A send was short, or would block. */
  sendBlocked = false
  sendWaitsReadable = false
  recvWaitsWritable = false
  eof = false
  eofReads = 0
  /**
   * Frames that may lie in what was read and is not handled yet: nobody sees one handled. 0 once
   * a service left nothing over.
   */
  unseenFrames = 0
  failed = false
  /** recv answered an error. */
  recvFailed = false
  connecting = false
  /** It was to be connected and was not yet: it ends without being a connection's end. */
  attempt = false
  /** It is a client's, made by connect. */
  dialled = false
  /** What `pending` answered, unless something was read since. */
  pendingBytes = 0
  sendsFile = false
  /** POLLOUT was on because the write budget was spent; no send since. */
  heldByBudget = false
  /** It was given back to the application whole (C28). */
  detached = false

  // What the application asked for and was told
  wantsWritable = false
  /** The application wants to read nothing now. */
  paused = false
  closeAsked = false
  established = false
  /** Its one end was reported. */
  ended = false
  /** At least so many bytes are queued: payloads written, less what was sent behind them. */
  queuedBytes = 0
  /** Something was written to it that no send followed yet. */
  unflushed = false

  // Within the outermost call `touchedIn`
  touchedIn = 0
  recvs = 0
  recvBlocks = 0
  recvFull = false
  accepts = 0
  /** accept met a lack of descriptors or memory. */
  acceptFault = false
  sends = 0
  sendBlocks = 0
  setBits = 0
  clearBits = 0

  // In which outermost call it was
  acceptedIn = 0
  /** closed by the application, with a close frame */
  closeAskedIn = 0
  /** shut down */
  shutIn = 0

  // How the host treats it
  /** Services at mask 0 that told of POLLERR or POLLHUP, and those that did not. */
  errorsAtZero = 0
  servicesAtZero = 0
  /** Services in a row with bits that were not announced. */
  strayServices = 0
  /** Services in a row that led to nothing. */
  idleServices = 0
  batchNo = 0
  servedInBatch = 0
  /** The round in which its mask changed last. */
  changedInBatch = 0
  /** The last service answered 'more', and none followed. */
  owedMore = false
  /** For these bits. */
  owedBits = 0
  lastServiceNo = 0
  hungerStrikes = 0
  /** Services with this generation after its DEL. */
  servicesAfterDel = 0
  deletedInBatch = 0

  constructor(
    readonly fd: number,
    readonly listener: boolean,
    /** Whose it is: who opened it, or announced it first. */
    readonly context: ContextFacts,
    /** The life before on the same number. */
    public before: FdFacts | undefined,
  ) {
    // A chain of one: who lived before the one before matters to nobody.
    if (before !== undefined) before.before = undefined
  }
}

export type Ownership = 'mine' | 'stale' | 'foreign'

/** One context: what outlasts a call, and the outermost call at hand. */
export class ContextFacts {
  /** Calls into it that have not returned. */
  depth = 0
  /** Announced descriptors in ADD order. */
  readonly live = new Set<FdFacts>()
  lastSeq = 0
  destroyAsked = false
  destroyed = false
  /** The host refused its listener: createContext throws (C9). */
  stillborn = false
  /** What SET_TIMEOUT said last. */
  announcedDeadlineMs: number | null = null
  /** `nextDeadline` when the last call ended: what a host may sleep to. */
  promisedMs: number | null = null
  /** Calls of serviceFd(ctx, null) in a row that answered 'more' and did nothing visible. */
  idleMores = 0
  /** `progress` after the last of them. */
  progressAtIdleMore = 0

  // The outermost call
  call = ''
  /** Numbers outermost calls of all contexts. */
  callNo = 0
  readonly touched: FdFacts[] = []
  pollfd: Pollfd | null = null
  pollFd = -1
  revents = 0
  pollGen: number | undefined
  ownership: Ownership = 'foreign'
  /** The descriptor served, where it is this context's. */
  serviced: FdFacts | undefined
  maskAtEntry = 0
  progressAtEntry = 0
  callbacks = 0
  announcements = 0
  /** Announcements being heard. */
  announcing = 0
  /** SET or CLEAR was announced: the exit order is at its step 4 (C7). */
  settling = false
  nowReads = 0
  wallReads = 0
  readBytes = 0
  writtenBytes = 0
  accepts = 0
  ends = 0
  messages = 0
  broadcasts = 0
  /** The DEL whose close and CLOSED must come before the next one's. */
  ending: FdFacts | undefined

  private probing: Iterator<FdFacts> | undefined

  constructor(readonly handle: object) {}

  /** One live descriptor after the other, round and round. */
  nextToProbe(): FdFacts | undefined {
    const next = this.probing?.next()
    if (next?.done === false) return next.value
    this.probing = this.live.values()
    const first = this.probing.next()
    return first.done === true ? undefined : first.value
  }

  beginCall(call: string, callNo: number): void {
    this.call = call
    this.callNo = callNo
    this.touched.length = 0
    this.pollfd = null
    this.pollFd = -1
    this.serviced = undefined
    this.callbacks = 0
    this.announcements = 0
    this.settling = false
    this.nowReads = 0
    this.wallReads = 0
    this.readBytes = 0
    this.writtenBytes = 0
    this.accepts = 0
    this.ends = 0
    this.messages = 0
    this.broadcasts = 0
    this.ending = undefined
  }
}

/** A call into a context that has not returned. */
export class Frame {
  context!: ContextFacts
  call = ''
  arg: unknown
  /** What else the caller gave. */
  first: unknown
  outermost = false
  /** It was made from inside an announcement. */
  inAnnouncement = false
  /** Sends on the descriptor of `arg` before the call, within the outermost one. */
  sendsBefore = 0
  /** The descriptor of `arg` was closed before the call. */
  wasClosed = false
}

/** What the rules need to know beside the facts. */
export interface Limits {
  readonly edge: boolean
  readonly lateMs: number
  readonly probe: ((fd: number) => number) | undefined
  readonly starveCalls: number
  readonly rxBudgetBytes: number
  readonly txBudgetBytes: number
  readonly messageBudget: number
  readonly acceptBudget: number
  readonly broadcastBudget: number
  readonly endBudget: number
  readonly txHighWaterBytes: number
  readonly times: Times
}

/** The times of C23 that the rules may judge by; without one nothing is said of it. */
export interface Times {
  readonly handshakeTimeoutMs?: number
  readonly closeTimeoutMs?: number
  readonly lingerTimeoutMs?: number
  readonly writeStallTimeoutMs?: number
  /** How long an open connection that is read may say nothing, until it is asked or given up. */
  readonly quietMs?: number
}

export class Scene {
  readonly fds = new Map<number, FdFacts>()
  /** Listeners opened outside of any call: by createContext, before its context can be called. */
  readonly newListeners = new Set<number>()
  private readonly contexts = new Map<object, ContextFacts>()
  /** Whose facts were asked for last: most often the same again. */
  private last: ContextFacts | undefined
  private readonly frames: Frame[] = []
  depth = 0
  callNo = 0
  /** The last `now` that the host gave; NaN before. */
  nowMs = Number.NaN
  /** What the host's entropy was when it was last asked. */
  entropy: Uint8Array | undefined
  /** Counts everything that is not idleness: bytes moved, errors, callbacks, announcements. */
  progress = 0
  /** The poller's waits, as far as the host tells of them. */
  batchNo = 0
  batchAborted = false
  readonly batch: FdFacts[] = []
  serviceNo = 0
  readonly owed = new Set<FdFacts>()
  /** Generations that the host's counter gave and no ADD used. */
  readonly issuedGens = new Set<number>()
  /** By `genKey`. */
  readonly liveGens = new Set<number>()

  constructor(
    readonly limits: Limits,
    /** Does the host count generations? */
    readonly hostCountsGens: boolean,
    readonly hearsTimeout: boolean,
    /** Asks the context, with the clock standing still. */
    readonly ask: { timeout(handle: object): number; deadline(handle: object): number | null },
  ) {}

  get contextCount(): number {
    return this.contexts.size
  }

  contextOf(handle: object): ContextFacts {
    const { last } = this
    if (last !== undefined && last.handle === handle) return last
    let facts = this.contexts.get(handle)
    if (facts === undefined) {
      facts = new ContextFacts(handle)
      this.contexts.set(handle, facts)
    }
    this.last = facts
    return facts
  }

  /** What this round found is from before its mask changed, and the change may tell of it again. */
  isLate({ changedInBatch }: FdFacts): boolean {
    return this.batchNo > 0 && changedInBatch === this.batchNo
  }

  /** The life that had this generation on this number and got its DEL. */
  deadLife(fd: number, gen: number | undefined): FdFacts | undefined {
    if (gen === undefined) return undefined
    const facts = this.fds.get(fd)
    const dead = facts?.gen === gen ? facts : facts?.before
    return dead?.gen === gen && dead.status >= Status.DELETED ? dead : undefined
  }

  /** The innermost call at hand. */
  get frame(): Frame | undefined {
    return this.depth === 0 ? undefined : this.frames[this.depth - 1]
  }

  push(): Frame {
    let frame = this.frames[this.depth]
    if (frame === undefined) {
      frame = new Frame()
      this.frames.push(frame)
    }
    this.depth += 1
    return frame
  }

  pop(): Frame | undefined {
    if (this.depth === 0) return undefined
    this.depth -= 1
    return this.frames[this.depth]
  }

  /**
   * Lists a descriptor for the rules of the outermost exit, and forgets what it did in an earlier
   * call.
   */
  touch(facts: FdFacts): void {
    const { context } = facts
    if (facts.touchedIn === context.callNo) return
    facts.touchedIn = context.callNo
    facts.recvs = 0
    facts.recvBlocks = 0
    facts.recvFull = false
    facts.accepts = 0
    facts.acceptFault = false
    facts.sends = 0
    facts.sendBlocks = 0
    facts.setBits = 0
    facts.clearBits = 0
    context.touched.push(facts)
  }
}

/** Each poller counts its own generations; a guest's descriptors are virtual where ours are not. */
export function genKey(fd: number, gen: number): number {
  return fd >= FIRST_VIRTUAL_FD ? gen + 2 ** 32 : gen
}
