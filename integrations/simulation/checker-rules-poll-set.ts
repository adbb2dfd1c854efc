/**
 * Rules C1 to C9: what the library announces, and when.
 */
import { POLLOUT, POLL_MASK, Reason, formatEvents } from '../../src/index.js'
import type { PollChange } from '../../src/index.js'
import { genKey, Status } from './checker-facts.js'
import type { FdFacts } from './checker-facts.js'
import { quoted } from './checker-rule.js'
import type { Broken, IoOp, Rule } from './checker-rule.js'

const MOVES_BYTES: readonly IoOp[] = ['recv', 'send', 'sendv', 'sendFile', 'accept']
/** What close is asked for where the transport is to be reset. */
const RESET = 1
const ADDRESSES: readonly IoOp[] = ['localAddress', 'peerAddress']
/** Calls that are legal from inside an announcement (C8). */
const QUERIES = new Set([
  'nextTimeout',
  'nextDeadline',
  'pollFds',
  'getSocketFd',
  'getProtocol',
  'getPeerAddresses',
  'getListenAddress',
  'canonicalHostname',
  'isBinary',
  'isFinalFragment',
  'remainingPacketPayload',
  'hostOf',
  'digest',
  'eventDigest',
])

export const pollSetRules: readonly Rule[] = [
  {
    id: 'C1',
    sentence: 'For each (fd, gen): ADD (SET | CLEAR)* DEL, exactly one ADD and one DEL.',
    announce: (_scene, facts, change) => brokenGrammar(facts, change),
  },
  {
    id: 'C1',
    sentence: 'Every descriptor the library waits for is announced.',
    settled(_scene, facts) {
      if (facts.status !== Status.OPEN || facts.refused) return undefined
      return `fd ${facts.fd} was opened, and neither announced nor closed when the call returned`
    },
  },
  {
    id: 'C2',
    sentence:
      'Real changes only: SET bits are off before, CLEAR bits on, and prev is the last next.',
    announce: (_scene, facts, change, events) => brokenChange(facts, change, events),
  },
  {
    id: 'C3',
    sentence: 'DEL is announced while the descriptor is open, and only close follows it.',
    io: (_scene, op, fd, facts) => brokenEnd(op, fd, facts),
    settled(_scene, { status, detached, fd }) {
      if (status !== Status.DELETED || detached) return undefined
      return `fd ${fd} got its DEL and was not closed when the call returned`
    },
  },
  {
    id: 'C3',
    sentence: 'The end of a connection is: flush, DEL, close, CLOSED.',
    callback(_scene, _context, reason, facts) {
      if (reason !== Reason.CLOSED || facts === undefined) return undefined
      return facts.status === Status.CLOSED
        ? undefined
        : `CLOSED of fd ${facts.fd} before its close`
    },
  },
  {
    id: 'C3',
    sentence: 'Only a reset throws away what is queued.',
    io(_scene, op, fd, facts, asked) {
      if (op !== 'close' || asked === RESET || facts === undefined) return undefined
      if (facts.failed || facts.context.destroyAsked) return undefined
      // A dial that is given up owes nobody its request.
      if (facts.dialled && !facts.established) return undefined
      if (!facts.sendBlocked && !facts.heldByBudget) return undefined
      return `fd ${fd} is closed, and bytes are queued`
    },
  },
  {
    id: 'C4',
    sentence: 'POLLIN and POLLOUT are the only mask bits.',
    announce(_scene, _facts, { op, fd, bits, next }) {
      if (((bits | next) & ~POLL_MASK) === 0) return undefined
      return `${op} of fd ${fd} with ${formatEvents(bits | next)} (${bits | next})`
    },
  },
  {
    id: 'C5',
    sentence: 'Every ADD carries a generation: unsigned 32-bit, never 0, new, from host.nextGen.',
    announce(scene, facts, { op, fd, gen }) {
      if (op !== 'ADD') return undefined
      const at = `ADD of fd ${fd} with gen ${gen}`
      if (!Number.isInteger(gen) || gen < 1 || gen > 0xffff_ffff) return at
      if (scene.liveGens.has(genKey(fd, gen))) return `${at}, which is another's`
      if (facts?.gen === gen) return `${at}, as in its life before`
      if (scene.hostCountsGens && !scene.issuedGens.has(gen)) return `${at}, not from host.nextGen`
      return undefined
    },
  },
  {
    id: 'C5',
    sentence: "serviceFd answers 'stale' for a generation that is not the live one, and only then.",
    exit(_scene, context, result) {
      if (context.pollfd === null || result === undefined) return undefined
      if ((result === 'stale') === (context.ownership === 'stale')) return undefined
      return `${quoted(result)} for fd ${context.pollFd}, gen ${String(context.pollGen)}`
    },
  },
  {
    id: 'C6',
    sentence: 'Announcements happen only inside a call into the context.',
    announce(scene, _facts, { op, fd, context }) {
      return scene.contextOf(context).depth > 0
        ? undefined
        : `${op} of fd ${fd} outside of any call`
    },
    timeout: (_scene, context) =>
      context !== undefined && context.depth > 0 ? undefined : 'SET_TIMEOUT outside of any call',
  },
  {
    id: 'C6',
    sentence: 'Announcements are in one total order: seq counts them from 1.',
    announce(scene, _facts, { op, fd, seq, context }) {
      const { lastSeq } = scene.contextOf(context)
      return seq === lastSeq + 1 ? undefined : `${op} of fd ${fd} with seq ${seq} after ${lastSeq}`
    },
  },
  {
    id: 'C7',
    sentence: 'ADD comes before the first byte of its fd.',
    io(_scene, op, fd, facts) {
      if (facts?.status !== Status.OPEN || !MOVES_BYTES.includes(op)) return undefined
      return `${op} on fd ${fd}, not announced yet`
    },
  },
  {
    id: 'C7',
    sentence: 'SET and CLEAR come last: after every flush, end and callback of the outermost call.',
    announce(scene, _facts, { op, fd, context }) {
      if (op === 'SET' || op === 'CLEAR') return undefined
      return scene.contextOf(context).settling
        ? `${op} of fd ${fd} after a SET or CLEAR`
        : undefined
    },
    // Where it listens may be asked at any time.
    io: (_scene, op, fd, facts) =>
      facts?.context.settling === true && op !== 'localAddress'
        ? `${op} on fd ${fd} after a SET or CLEAR`
        : undefined,
    callback: (_scene, context, reason, facts) =>
      context.settling
        ? `callback ${reason} of fd ${String(facts?.fd)} after a SET or CLEAR`
        : undefined,
  },
  {
    id: 'C7',
    sentence: 'Per fd and outermost call at most one net CLEAR, then one net SET.',
    announce(_scene, facts, { op, fd, bits }) {
      if (facts === undefined || facts.touchedIn !== facts.context.callNo) return undefined
      const { setBits, clearBits } = facts
      if (op === 'SET' && setBits !== 0) return `a second SET of fd ${fd}`
      if (op === 'SET' && clearBits & bits) return `SET of bits of fd ${fd} just cleared`
      if (op === 'CLEAR' && clearBits !== 0) return `a second CLEAR of fd ${fd}`
      return op === 'CLEAR' && setBits !== 0 ? `CLEAR of fd ${fd} after its SET` : undefined
    },
  },
  {
    id: 'C7',
    sentence: 'The exit of the outermost call flushes each connection written to.',
    settled(scene, { status, unflushed, mask, fd, context }) {
      if (!unflushed || status !== Status.ANNOUNCED || mask & POLLOUT) return undefined
      if (context.destroyed || scene.ask.timeout(context.handle) === 0) return undefined
      return `fd ${fd} was written to, and no send followed`
    },
  },
  {
    id: 'C8',
    sentence: 'serviceFd is refused inside a call into the same context.',
    leave(_scene, { call, outermost }, result) {
      if (call !== 'serviceFd' || outermost || result === undefined) return undefined
      return `a nested serviceFd answered ${quoted(result)}`
    },
  },
  {
    id: 'C8',
    sentence: 'From an announcement, calls that could change the context throw and change nothing.',
    leave(_scene, { call, inAnnouncement }, result) {
      if (!inAnnouncement || result === undefined || QUERIES.has(call)) return undefined
      return `${call} from an announcement answered ${quoted(result)}`
    },
  },
  {
    id: 'C8',
    sentence: 'Nothing recurses: while an announcement is heard, nothing else happens.',
    announce: (scene, _facts, { op, fd, context }) =>
      scene.contextOf(context).announcing > 0
        ? `${op} of fd ${fd} inside an announcement`
        : undefined,
    io: (_scene, op, fd, facts) =>
      facts !== undefined && facts.context.announcing > 0
        ? `${op} on fd ${fd} inside an announcement`
        : undefined,
    callback: (_scene, context, reason) =>
      context.announcing > 0 ? `callback ${reason} inside an announcement` : undefined,
  },
  {
    id: 'C9',
    sentence: 'An fd whose ADD the host refused is closed, and nobody hears of it again.',
    announce(_scene, facts, { op, fd }) {
      if (facts?.status !== Status.OPEN || !facts.refused) return undefined
      return `${op} of fd ${fd}, whose ADD was refused`
    },
    settled(_scene, { refused, status, fd }) {
      if (!refused || status === Status.CLOSED) return undefined
      return `fd ${fd} is open although its ADD was refused`
    },
  },
  {
    id: 'C9',
    sentence: "createContext throws when the host refuses the listener's ADD.",
    enter: (_scene, { call, context }) =>
      context.stillborn ? `${call} on a context whose listener was refused` : undefined,
  },
]

function brokenGrammar(facts: FdFacts | undefined, { op, fd, gen }: PollChange): Broken {
  const live = facts?.status === Status.ANNOUNCED ? facts : undefined
  if (op === 'ADD') return live === undefined ? undefined : `ADD of fd ${fd}, which is announced`
  if (live === undefined) return `${op} of fd ${fd}, which is not announced`
  return live.gen === gen ? undefined : `${op} of fd ${fd} with gen ${gen}; its ADD had ${live.gen}`
}

function brokenChange(facts: FdFacts | undefined, change: PollChange, events: number): Broken {
  const { op, fd, bits, prev, next } = change
  const told = `${op} of fd ${fd}: bits ${bits}, prev ${prev}, next ${next}`
  if (events !== bits) return `${told}, but events ${events}`
  const mask = op === 'ADD' || facts === undefined ? 0 : facts.mask
  if (prev !== mask) return `${told}, but the mask was ${mask}`
  switch (op) {
    case 'ADD':
      return next === bits ? undefined : told
    case 'DEL':
      return next === 0 && bits === prev ? undefined : told
    case 'SET':
      return bits !== 0 && (bits & prev) === 0 && next === (prev | bits) ? undefined : told
    case 'CLEAR':
      return bits !== 0 && (bits & ~prev) === 0 && next === (prev & ~bits) ? undefined : told
  }
}

function brokenEnd(op: IoOp, fd: number, facts: FdFacts | undefined): Broken {
  if (facts === undefined) return undefined
  switch (facts.status) {
    case Status.OPEN:
      return undefined
    case Status.ANNOUNCED:
      return op === 'close' ? `close of fd ${fd}, which is announced` : undefined
    case Status.DELETED:
      if (op === 'close' || ADDRESSES.includes(op)) return undefined
      return `${op} on fd ${fd} after its DEL`
    case Status.CLOSED:
      return `${op} on fd ${fd}, which is closed`
  }
}
