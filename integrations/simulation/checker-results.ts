/**
 * How the facts follow from what the bytes seam answered.
 *
 * Called by the observer, before the rules look at the result. Judges nothing.
 */
import {
  Errno,
  POLLOUT,
  WOULD_BLOCK,
  WOULD_BLOCK_UNTIL_READABLE,
  WOULD_BLOCK_UNTIL_WRITABLE,
} from '../../src/index.js'
import { Status } from './checker-facts.js'
import type { FdFacts, Scene } from './checker-facts.js'
import type { IoOp } from './checker-rule.js'

export function applyResult(
  scene: Scene,
  op: IoOp,
  facts: FdFacts,
  wanted: number,
  result: number,
): void {
  if (result !== WOULD_BLOCK) scene.progress += 1
  switch (op) {
    case 'recv': {
      applyRecv(facts, wanted, result)
      return
    }
    case 'send':
    case 'sendv': {
      applySend(facts, wanted, result)
      return
    }
    case 'accept': {
      applyAccept(facts, result)
      return
    }
    case 'pending':
      facts.pendingBytes = result
      break
    case 'socketError':
      facts.connecting = false
      if (result !== 0) facts.failed = true
      break
    case 'connectResult':
      if (result === WOULD_BLOCK) break
      facts.connecting = false
      if (result < 0) facts.failed = true
      else facts.attempt = false
      break
    case 'sendFile':
      facts.sendsFile = true
      applySend(facts, wanted, result)
      return
    case 'close':
      facts.status = Status.CLOSED
      break
    case 'resolved':
      facts.recvs += 1
      if (result === WOULD_BLOCK) facts.recvBlocks += 1
      break
    case 'shutdown':
      facts.shutIn = facts.context.callNo
      break
    case 'resolve':
    case 'cancel':
    case 'localAddress':
    case 'peerAddress':
      break
  }
}

/** A header with a masking key, and no payload. */
const MIN_FRAME_BYTES = 6
/** More is never held: rxHighWaterBytes. */
const MAX_UNSEEN_FRAMES = 65_536 / MIN_FRAME_BYTES

function applyRecv(facts: FdFacts, wanted: number, result: number): void {
  facts.recvs += 1
  facts.recvFull = result === wanted
  facts.recvWaitsWritable = result === WOULD_BLOCK_UNTIL_WRITABLE
  if (result > 0) {
    facts.context.readBytes += result
    const frames = facts.unseenFrames + Math.ceil(result / MIN_FRAME_BYTES)
    facts.unseenFrames = Math.min(frames, MAX_UNSEEN_FRAMES)
    facts.pendingBytes = 0
    facts.connecting = false
  } else if (result === 0) {
    facts.eof = true
    facts.eofReads += 1
  } else if (result === WOULD_BLOCK) facts.recvBlocks += 1
  else if (!facts.recvWaitsWritable) facts.failed = facts.recvFailed = true
}

function applySend(facts: FdFacts, wanted: number, result: number): void {
  facts.sends += 1
  facts.unflushed = false
  facts.heldByBudget = false
  facts.sendWaitsReadable = result === WOULD_BLOCK_UNTIL_READABLE
  const blocks = result === WOULD_BLOCK || facts.sendWaitsReadable
  facts.sendBlocked = blocks || (result >= 0 && result < wanted)
  if (result > 0) {
    facts.context.writtenBytes += result
    facts.connecting = false
    facts.queuedBytes = result === wanted ? 0 : Math.max(facts.queuedBytes - result, 0)
  } else if (blocks) facts.sendBlocks += 1
  else facts.failed = true
}

/**
 * POLLOUT on, nothing refused, but the call had written all it may: the rest waits for its turn
 * (C13).
 */
export function noteBudget(scene: Scene, facts: FdFacts): void {
  const spent = facts.context.writtenBytes >= scene.limits.txBudgetBytes
  if (spent && !facts.sendBlocked && facts.mask & POLLOUT) facts.heldByBudget = true
}

const LACKS: readonly number[] = [Errno.EMFILE, Errno.ENFILE, Errno.ENOBUFS, Errno.ENOMEM]

function applyAccept(facts: FdFacts, result: number): void {
  facts.recvs += 1
  if (LACKS.includes(-result)) facts.acceptFault = true
  facts.recvFull = result >= 0
  if (result >= 0) {
    facts.accepts += 1
    facts.context.accepts += 1
  } else if (result === WOULD_BLOCK) facts.recvBlocks += 1
}
