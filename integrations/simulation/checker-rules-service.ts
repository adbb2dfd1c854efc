/**
 * Rules C10 to C19 and C29: what a call of serviceFd does, and what it leaves behind.
 */
import { POLLERR, POLLHUP, POLLIN, POLLOUT, Reason, formatEvents } from '../../src/index.js'
import type { CloseInfo } from '../../src/index.js'
import { Status } from './checker-facts.js'
import type { ContextFacts, FdFacts, Scene } from './checker-facts.js'
import { quoted } from './checker-rule.js'
import type { Broken, IoOp, Rule } from './checker-rule.js'

/** Beyond the budget of bytes read: the longest header of a frame (C13). */
const HEADER_BYTES = 14

/**
 * Services without any effect before a rule says that it spins; more where the truth is unknown.
 */
const SPINS = 8
const SPINS_UNPROBED = 64

export const serviceRules: readonly Rule[] = [
  {
    id: 'C10',
    sentence: "Any pollfd is safe to pass; 'foreign' means not mine and untouched.",
    io(scene, op, fd) {
      const context = scene.frame?.context
      if (context === undefined || context.pollfd === null) return undefined
      if (context.ownership !== 'foreign' || context.pollFd !== fd) return undefined
      return `${op} on foreign fd ${fd}`
    },
    exit(_scene, context, result) {
      if (context.pollfd === null || result === undefined) return undefined
      if ((result === 'foreign') === (context.ownership === 'foreign')) return undefined
      return `${quoted(result)} for fd ${context.pollFd}`
    },
  },
  {
    id: 'C10',
    sentence: 'The library does not change the pollfd.',
    exit(_scene, { pollfd, pollFd, revents, pollGen }) {
      if (pollfd === null) return undefined
      if (pollfd.fd === pollFd && pollfd.revents === revents && pollfd.gen === pollGen)
        return undefined
      return `fd ${pollFd}, revents ${revents} became fd ${pollfd.fd}, revents ${pollfd.revents}`
    },
  },
  {
    id: 'C11',
    sentence: 'Spurious readiness costs one syscall at most.',
    io: (_scene, op, fd, facts) => brokenSpurious(op, fd, facts),
  },
  {
    id: 'C12',
    sentence: "'more' where a descriptor may have more to give than one call takes.",
    exit(_scene, { serviced, pollfd, callNo, revents }, result) {
      if (pollfd === null || serviced === undefined || result !== 'handled') return undefined
      if (serviced.status !== Status.ANNOUNCED || serviced.touchedIn !== callNo) return undefined
      const { fd, mask, recvFull, heldByBudget, wantsWritable, sends, setBits } = serviced
      if (mask & POLLIN && recvFull) return `'handled' for fd ${fd}, and its last read was full`
      // A SET makes an edge of its own; where POLLOUT was on before, only the answer can tell.
      // It may also be on for a writable callback, and the budget be spent by others.
      const cut = heldByBudget && !wantsWritable && sends > 0 && (setBits & POLLOUT) === 0
      if (cut) return `'handled' for fd ${fd}, and the budget cut its writing`
      // Nor is there an edge for a callback that is wanted anew while the socket takes writes.
      const untold = wantsWritable && (revents & mask & POLLOUT) !== 0 && (setBits & POLLOUT) === 0
      const isFree = !serviced.sendBlocked && !heldByBudget && !serviced.sendsFile
      if (untold && isFree && !serviced.recvWaitsWritable)
        return `'handled' for fd ${fd}, and a writable callback is wanted`
      return undefined
    },
  },
  {
    id: 'C13',
    sentence: 'One call does a bounded amount of work.',
    exit: (scene, context) => brokenBudget(scene, context),
  },
  {
    id: 'C14',
    sentence: 'Where progress is possible without a new kernel event, nextTimeout is 0.',
    settled(scene, facts) {
      const { status, mask, pendingBytes, fd } = facts
      if (status !== Status.ANNOUNCED || (mask & POLLIN) === 0) return undefined
      // A kernel that has no memory for a send may have nothing to tell ever after.
      const isCut = facts.failed && facts.established && !facts.recvFailed && !facts.eof
      if (pendingBytes <= 0 && !isCut) return undefined
      if (scene.ask.timeout(facts.context.handle) === 0) return undefined
      const what = isCut ? 'what was sent before' : `${pendingBytes} bytes`
      return `${what} pends above fd ${fd}`
    },
  },
  {
    id: 'C15',
    sentence:
      'POLLOUT is on exactly while bytes are queued, a callback is wanted, or a connect runs.',
    settled: (scene, facts) => brokenWriteInterest(scene, facts),
  },
  {
    id: 'C16',
    sentence: 'POLLIN is on exactly while the library would read.',
    settled(_scene, { status, eof, mask, sendBlocked, sendWaitsReadable, fd }) {
      if (status !== Status.ANNOUNCED || !eof || (mask & POLLIN) === 0) return undefined
      return sendBlocked && sendWaitsReadable
        ? undefined
        : `POLLIN is on after the end of file of fd ${fd}`
    },
    exit(scene, context) {
      const { serviced, revents } = context
      if (serviced === undefined || serviced.recvs > 0) return undefined
      if ((revents & serviced.mask & POLLIN) === 0) return undefined
      if (idleServices(scene, context, serviced) < SPINS + serviced.unseenFrames) return undefined
      return `fd ${serviced.fd} is readable and waited for, and not read ${SPINS} times in a row`
    },
  },
  {
    id: 'C16',
    sentence: 'POLLIN is off while the send queue is above its mark.',
    settled({ limits }, { status, queuedBytes, failed, mask, sendWaitsReadable, fd }) {
      if (queuedBytes < limits.txHighWaterBytes || status !== Status.ANNOUNCED) return undefined
      if ((mask & POLLIN) === 0 || sendWaitsReadable || failed) return undefined
      return `POLLIN of fd ${fd} is on, and ${queuedBytes} bytes are queued`
    },
  },
  {
    id: 'C16',
    sentence: 'While the application pauses, not one RECEIVE comes.',
    callback(_scene, _context, reason, facts) {
      if (facts?.paused !== true || !RECEIVES.includes(reason)) return undefined
      return `callback ${reason} of fd ${facts.fd}, which is paused`
    },
  },
  {
    id: 'C17',
    sentence: 'POLLIN is served before POLLERR or POLLHUP is obeyed.',
    io(_scene, op, fd, facts) {
      if (op !== 'close' || facts === undefined) return undefined
      const { context } = facts
      const { revents, maskAtEntry, serviced, callbacks } = context
      if (serviced !== facts || callbacks > 0 || facts.recvs > 0 || facts.eof) return undefined
      // What was read before may be what ends it: a broken frame, a close frame.
      if (facts.unseenFrames > 0) return undefined
      // What comes behind a request that cannot be answered has no reader.
      if (facts.failed && !facts.established) return undefined
      if ((revents & maskAtEntry & POLLIN) === 0 || (revents & (POLLERR | POLLHUP)) === 0)
        return undefined
      return `fd ${fd} with ${formatEvents(revents)} was closed unread`
    },
  },
  {
    id: 'C17',
    sentence: 'End of file is handled once.',
    io: (_scene, op, fd, facts) =>
      op === 'recv' && facts?.eof === true ? `recv on fd ${fd} after its end of file` : undefined,
  },
  {
    id: 'C17',
    sentence: 'POLLHUP alone and POLLERR alone end in progress, never in a spin.',
    exit(scene, context) {
      const { serviced, revents, maskAtEntry } = context
      if (serviced === undefined || maskAtEntry === 0) return undefined
      if ((revents & (POLLERR | POLLHUP)) === 0) return undefined
      const { probe } = scene.limits
      // A kernel that tells of an end and gives none: the library looked, and more it cannot do.
      if (serviced.recvBlocks > 0) return undefined
      const spins = idleServices(scene, context, serviced)
      const allowed = (probe === undefined ? SPINS_UNPROBED : SPINS) + serviced.unseenFrames
      if (spins < allowed) return undefined
      if (probe !== undefined && (probe(serviced.fd) & (POLLERR | POLLHUP)) === 0) return undefined
      return `fd ${serviced.fd}: ${formatEvents(revents)} led to nothing ${spins} times in a row`
    },
  },
  {
    id: 'C18',
    sentence: 'A live connection has a non-empty mask, a deadline, or an explicit pause.',
    settled(_scene, { status, listener, mask, paused, context, fd }) {
      if (status !== Status.ANNOUNCED || listener || mask !== 0 || paused) return undefined
      if (context.destroyed || context.promisedMs !== null) return undefined
      return `fd ${fd} waits for nothing`
    },
  },
  {
    id: 'C19',
    sentence: 'Exactly one end: CLOSED after ESTABLISHED; no callback after it.',
    callback: (_scene, _context, reason, facts) => brokenLife(reason, facts),
    settled(_scene, { status, established, ended, detached, fd }) {
      if (status < Status.DELETED || detached || !established || ended) return undefined
      return `fd ${fd} was established and ended without CLOSED`
    },
  },
  {
    id: 'C19',
    sentence: 'CLOSED tells who ended the connection, and how.',
    callback(_scene, _context, reason, facts, data) {
      if (reason !== Reason.CLOSED || facts === undefined) return undefined
      const { code, initiator, cause } = (data ?? {}) as Partial<CloseInfo>
      const isTold = code !== undefined && initiator !== undefined && cause !== undefined
      if (!isTold) return `CLOSED of fd ${facts.fd} with ${JSON.stringify(data)}`
      // An error that was taken for silence looks like an end of file the next time.
      if (cause !== 'END_OF_FILE' || !facts.recvFailed) return undefined
      return `CLOSED of fd ${facts.fd} with END_OF_FILE, and recv had failed`
    },
  },
  {
    id: 'C19',
    sentence: "Calls on a dead connection answer 'closed'.",
    leave(_scene, { call, arg, wasClosed }, result) {
      if (call !== 'write' || !wasClosed) return undefined
      if (result !== 'ok' && result !== 'backpressure') return undefined
      return `write to closed fd ${String(arg)} answered '${result}'`
    },
  },
  {
    id: 'C29',
    sentence: 'A resource fault costs one connection or a pause of the listener.',
    settled(_scene, { status, acceptFault, mask, fd, context }) {
      if (status !== Status.ANNOUNCED || !acceptFault || (mask & POLLIN) === 0) return undefined
      // What ended in the same call gave its descriptor back: to try again at once is right.
      if (context.ends > 0) return undefined
      return `accept on fd ${fd} met a lack of resources, and POLLIN is on: that spins`
    },
  },
]

/** Services of this descriptor in a row without effect, the one at hand included. */
function idleServices(scene: Scene, context: ContextFacts, facts: FdFacts): number {
  return scene.progress === context.progressAtEntry ? facts.idleServices + 1 : 0
}

function brokenSpurious(op: IoOp, fd: number, facts: FdFacts | undefined): Broken {
  if (facts === undefined) return undefined
  const { context } = facts
  if (context.call !== 'serviceFd' || context.callbacks > 0) return undefined
  if (facts.touchedIn !== context.callNo) return undefined
  if ((op === 'recv' || op === 'accept') && facts.recvBlocks > 0) {
    return `a second ${op} on fd ${fd} after one that would block`
  }
  if ((op === 'send' || op === 'sendv') && facts.sendBlocks > 0) {
    return `a second ${op} on fd ${fd} after one that would block`
  }
  const { serviced, revents, maskAtEntry } = context
  if (serviced !== facts || (op !== 'recv' && op !== 'accept')) return undefined
  if (maskAtEntry & POLLIN || revents & (POLLERR | POLLHUP)) return undefined
  if (facts.recvWaitsWritable || facts.sends > 0) return undefined
  return `${op} on fd ${fd}, whose mask is ${formatEvents(maskAtEntry)}`
}

function brokenBudget(scene: Scene, context: ContextFacts): Broken {
  const { limits } = scene
  const over = (what: string, done: number, budget: number): Broken =>
    done > budget ? `${done} ${what} in one call, of ${budget}` : undefined
  const input =
    over('bytes read', context.readBytes, limits.rxBudgetBytes + HEADER_BYTES) ??
    over('messages', context.messages, limits.messageBudget) ??
    over('connections accepted', context.accepts, limits.acceptBudget) ??
    over('broadcasts', context.broadcasts, limits.broadcastBudget)
  // A destroy is the one call that does everything at once (C27).
  if (input !== undefined || context.destroyAsked) return input
  return (
    over('bytes written', context.writtenBytes, limits.txBudgetBytes) ??
    over('connections ended', context.ends, limits.endBudget)
  )
}

function brokenWriteInterest(scene: Scene, facts: FdFacts): Broken {
  if (facts.status !== Status.ANNOUNCED || facts.listener) return undefined
  const { fd, mask, context } = facts
  // It may be over, and its end wait for its turn (C13).
  if (context.ends >= scene.limits.endBudget) return undefined
  const blocked = facts.sendBlocked && !facts.sendWaitsReadable
  const on = (mask & POLLOUT) !== 0
  if (!on && blocked) return `fd ${fd} has bytes queued, and POLLOUT is off`
  if (!on && facts.connecting) return `fd ${fd} is connecting, and POLLOUT is off`
  if (!on && facts.recvWaitsWritable) return `fd ${fd} reads when writable, and POLLOUT is off`
  if (facts.sendBlocked && facts.sendWaitsReadable && (mask & POLLIN) === 0) {
    return `fd ${fd} writes when readable, and POLLIN is off`
  }
  const asked = facts.wantsWritable && facts.established && !facts.closeAsked
  if (!on && asked && context.call === 'callbackOnWritable' && !facts.eof && !facts.failed) {
    return `a writable callback of fd ${fd} is wanted, and POLLOUT is off`
  }
  if (!on || blocked || facts.connecting || facts.recvWaitsWritable) return undefined
  if (facts.wantsWritable || facts.heldByBudget || facts.sendsFile) return undefined
  return `POLLOUT of fd ${fd} is on with nothing to wait for`
}

const ENDS: readonly number[] = [Reason.CLOSED, Reason.HTTP_CLOSED, Reason.CLIENT_CONNECTION_ERROR]
const RECEIVES: readonly number[] = [Reason.RECEIVE, Reason.CLIENT_RECEIVE]
const STARTS: readonly number[] = [Reason.ESTABLISHED, Reason.CLIENT_ESTABLISHED]
const IN_LIFE: readonly number[] = [
  Reason.RECEIVE,
  Reason.CLIENT_RECEIVE,
  Reason.RECEIVE_PONG,
  Reason.CLIENT_RECEIVE_PONG,
  Reason.SERVER_WRITEABLE,
  Reason.CLIENT_WRITEABLE,
  Reason.BROADCAST,
]

function brokenLife(reason: number, facts: FdFacts | undefined): Broken {
  if (facts === undefined) return undefined
  const { fd, established, ended } = facts
  if (ended) return `callback ${reason} of fd ${fd} after its end`
  if (reason === Reason.CLOSED) {
    return established ? undefined : `CLOSED of fd ${fd}, which was never established`
  }
  if (ENDS.includes(reason)) {
    return established ? `callback ${reason} of fd ${fd}, which was established` : undefined
  }
  if (facts.status === Status.CLOSED) return `callback ${reason} of closed fd ${fd}`
  if (STARTS.includes(reason)) {
    return established ? `fd ${fd} was established twice` : undefined
  }
  if (established || !IN_LIFE.includes(reason)) return undefined
  return `callback ${reason} of fd ${fd} before it was established`
}
