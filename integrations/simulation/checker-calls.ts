/**
 * How the facts follow from calls: of the host, of the application, and of the library back to it.
 *
 * Called by the observer, after the rules have looked. Judges nothing.
 */
import { POLLERR, POLLHUP, POLLIN, POLL_MASK, Reason } from '../../src/index.js'
import type { CloseInfo, Pollfd } from '../../src/index.js'
import { Status } from './checker-facts.js'
import type { ContextFacts, FdFacts, Frame, Scene } from './checker-facts.js'

export function beginService(scene: Scene, context: ContextFacts, pollfd: Pollfd | null): void {
  context.pollfd = pollfd
  if (pollfd === null) return
  context.pollFd = pollfd.fd
  context.revents = pollfd.revents
  context.pollGen = pollfd.gen
  const facts = scene.fds.get(pollfd.fd)
  if (facts === undefined || facts.context !== context || facts.status !== Status.ANNOUNCED) {
    context.ownership = 'foreign'
  } else if (pollfd.gen !== undefined && pollfd.gen !== facts.gen) context.ownership = 'stale'
  else {
    context.ownership = 'mine'
    context.serviced = facts
    context.maskAtEntry = facts.mask
    scene.touch(facts)
  }
}

/** After the rules have looked at how the host calls. */
export function applyService(scene: Scene, context: ContextFacts): void {
  scene.serviceNo += 1
  if (context.ownership !== 'mine') countAfterDel(scene, context)
  const { serviced: facts, revents, maskAtEntry } = context
  if (facts === undefined) return
  facts.lastServiceNo = scene.serviceNo
  facts.hungerStrikes = 0
  if (facts.batchNo === scene.batchNo) facts.servedInBatch += 1
  if (maskAtEntry === 0) {
    if (revents & (POLLERR | POLLHUP) && !scene.isLate(facts)) facts.errorsAtZero += 1
    else facts.servicesAtZero += 1
  }
  const stray = revents & POLL_MASK & ~maskAtEntry
  facts.strayServices = stray === 0 ? 0 : facts.strayServices + 1
  facts.owedMore = false
  scene.owed.delete(facts)
}

function countAfterDel(scene: Scene, { pollFd, pollGen }: ContextFacts): void {
  const dead = scene.deadLife(pollFd, pollGen)
  if (dead !== undefined) dead.servicesAfterDel += 1
}

export function endService(
  scene: Scene,
  context: ContextFacts,
  facts: FdFacts,
  result: unknown,
): void {
  const idle = scene.progress === context.progressAtEntry
  facts.idleServices = idle ? facts.idleServices + 1 : 0
  // It reads on, and nothing is left over: less than a frame is all that can be held.
  if (result === 'handled' && facts.mask & POLLIN) facts.unseenFrames = 0
  if (result !== 'more' || facts.status !== Status.ANNOUNCED) return
  // What it does not wait for any more it will hear of when it waits again.
  facts.owedBits = context.revents & facts.mask
  if (facts.owedBits === 0) return
  facts.owedMore = true
  scene.owed.add(facts)
}

export function applyAnswer(scene: Scene, frame: Frame, result: unknown): void {
  const { call, arg, context } = frame
  if (call === 'callbackOnWritableAllProtocol') {
    for (const facts of context.live) if (facts.established) facts.wantsWritable = true
    return
  }
  const facts = typeof arg === 'number' ? scene.fds.get(arg) : undefined
  if (facts === undefined || facts.status !== Status.ANNOUNCED) return
  scene.touch(facts)
  switch (call) {
    case 'write':
      if ((result === 'ok' || result === 'backpressure') && facts.sends === frame.sendsBefore) {
        facts.unflushed = true
        facts.queuedBytes += byteLengthOf(frame.first)
      }
      break
    case 'callbackOnWritable':
      if (result !== false && result !== 'closed') facts.wantsWritable = true
      break
    case 'rxFlowControl':
      if (result !== false) facts.paused = !frame.first
      break
    case 'close':
      facts.closeAsked = true
      if (result === true) facts.closeAskedIn = context.callNo
      break
  }
}

function byteLengthOf(payload: unknown): number {
  if (typeof payload === 'string') return Buffer.byteLength(payload)
  return payload instanceof Uint8Array ? payload.length : 0
}

/** @param data what the callback is given */
export function applyCallback(
  context: ContextFacts,
  reason: number,
  facts: FdFacts,
  data: unknown,
): void {
  switch (reason) {
    case Reason.ESTABLISHED:
    case Reason.CLIENT_ESTABLISHED:
      facts.established = true
      break
    case Reason.HTTP_CLOSED:
      // Of one protocol, where the connection goes on as a WebSocket of another.
      facts.ended = (data as CloseInfo | null)?.cause !== 'UPGRADED'
      break
    case Reason.HTTP_COMPLETE:
      facts.sendsFile = false
      break
    case Reason.CLOSED:
    case Reason.CLIENT_CONNECTION_ERROR:
      facts.ended = true
      break
    case Reason.RECEIVE:
    case Reason.CLIENT_RECEIVE:
    case Reason.HTTP:
    case Reason.HTTP_BODY:
      context.messages += 1
      if (facts.unseenFrames > 0) facts.unseenFrames -= 1
      break
    case Reason.BROADCAST:
      context.broadcasts += 1
      break
    case Reason.SERVER_WRITEABLE:
    case Reason.CLIENT_WRITEABLE:
    case Reason.HTTP_WRITEABLE:
      facts.wantsWritable = false
      break
  }
}
