/**
 * Rules C20 to C23 and C27: the clock, the one timeout, deadlines, and the destroy of a context.
 */
import { POLLIN } from '../../src/index.js'
import { Status } from './checker-facts.js'
import type { ContextFacts, FdFacts, Scene } from './checker-facts.js'
import type { Broken, Rule } from './checker-rule.js'

/**
 * Visible idleness that lazily armed deadlines may need, beside one step for each descriptor (C21).
 */
const IDLE_MORES = 16

export const timeRules: readonly Rule[] = [
  {
    id: 'C20',
    sentence: 'now() and wallClock() are read at most once per outermost call.',
    exit(_scene, { nowReads, wallReads, call }) {
      if (nowReads > 1) return `now() was read ${nowReads} times in ${call}`
      return wallReads > 1 ? `wallClock() was read ${wallReads} times in ${call}` : undefined
    },
  },
  {
    id: 'C21',
    sentence:
      'SET_TIMEOUT only when the deadline came nearer, or the one told before passed or vanished.',
    timeout: (scene, context, timeoutMs, deadlineMs) =>
      context === undefined ? undefined : brokenTimeout(scene, context, timeoutMs, deadlineMs),
    exit(scene, context) {
      if (!scene.hearsTimeout || context.destroyed || context.destroyAsked) return undefined
      const { announcedDeadlineMs: toldMs, promisedMs: deadlineMs, nowReads } = context
      if (deadlineMs === toldMs) return undefined
      if (deadlineMs !== null && toldMs !== null && deadlineMs >= toldMs) {
        // The host comes back at the one it knows: later, or, where both have passed, at once.
        if (nowReads === 0 || toldMs > scene.nowMs || deadlineMs <= scene.nowMs) return undefined
      }
      return `nextDeadline is ${String(deadlineMs)}, and SET_TIMEOUT said ${String(toldMs)}`
    },
  },
  {
    id: 'C22',
    sentence:
      "After serviceFd(ctx, null), nextTimeout at the same now is not 0 unless it answered 'more'.",
    exit(scene, context, result) {
      if (context.call !== 'serviceFd' || context.pollfd !== null) return undefined
      if (result === 'more' || result === undefined || context.destroyed) return undefined
      const timeoutMs = scene.ask.timeout(context.handle)
      return timeoutMs === 0 ? "nextTimeout is 0, and the answer was not 'more'" : undefined
    },
  },
  {
    id: 'C22',
    sentence: "Each 'more' did at least one unit of work.",
    exit(scene, context, result) {
      if (context.call !== 'serviceFd' || context.pollfd !== null) return undefined
      const idle = result === 'more' && scene.progress === context.progressAtEntry
      const inARow = context.progressAtIdleMore === scene.progress
      context.idleMores = idle ? (inARow ? context.idleMores : 0) + 1 : 0
      context.progressAtIdleMore = scene.progress
      if (context.idleMores <= context.live.size + IDLE_MORES) return undefined
      // What was read and holds no whole message is handled where nobody sees it.
      let unseenFrames = 0
      for (const facts of context.live) unseenFrames += facts.unseenFrames
      if (context.idleMores <= context.live.size + IDLE_MORES + unseenFrames) return undefined
      return `'more' ${context.idleMores} times in a row, and nothing happened`
    },
  },
  {
    id: 'C23',
    sentence: 'What must be over after some time has its deadline: nextDeadline is no later.',
    settled(scene, facts) {
      const { context, fd } = facts
      if (facts.status !== Status.ANNOUNCED || facts.listener) return undefined
      if (context.destroyed || context.destroyAsked || context.nowReads === 0) return undefined
      const { promisedMs } = context
      const lengthMs = mustEndWithin(scene, facts)
      if (promisedMs !== null && promisedMs <= scene.nowMs + lengthMs) return undefined
      if (lengthMs === Infinity) return undefined
      const said = `nextDeadline is ${String(promisedMs)}`
      return `fd ${fd} must be looked at in ${lengthMs} ms, it is ${scene.nowMs}, and ${said}`
    },
  },
  {
    id: 'C27',
    sentence: 'Destroy ends everything one by one in ADD order: DEL, close, CLOSED.',
    announce(scene, facts, { op, fd, context: handle }) {
      const context = scene.contextOf(handle)
      if (op !== 'DEL' || context.call !== 'contextDestroy') return undefined
      const [first] = context.live
      if (first !== undefined && facts !== undefined && first !== facts) {
        return `DEL of fd ${fd} before fd ${first.fd}, which was added earlier`
      }
      const { ending } = context
      if (ending === undefined) return undefined
      if (ending.status !== Status.CLOSED)
        return `DEL of fd ${fd} before the close of fd ${ending.fd}`
      const told = !ending.established || ending.ended
      return told ? undefined : `DEL of fd ${fd} before CLOSED of fd ${ending.fd}`
    },
    exit(scene, context) {
      if (!context.destroyAsked || context.destroyed) return undefined
      const [left] = context.live
      if (left !== undefined) return `fd ${left.fd} is still announced`
      const timeoutMs = scene.ask.timeout(context.handle)
      return timeoutMs === -1 ? undefined : `nextTimeout is ${timeoutMs}`
    },
  },
  {
    id: 'C27',
    sentence: 'Nothing comes from a destroyed context.',
    announce: (scene, _facts, { op, fd, context }) =>
      scene.contextOf(context).destroyed ? `${op} of fd ${fd}` : undefined,
    callback: (_scene, context, reason) => (context.destroyed ? `callback ${reason}` : undefined),
  },
]

function brokenTimeout(
  scene: Scene,
  context: ContextFacts,
  timeoutMs: number,
  deadlineMs: number | null,
): Broken {
  const said = (how: string): string => `SET_TIMEOUT(${timeoutMs}, ${String(deadlineMs)})${how}`
  if (deadlineMs === context.announcedDeadlineMs) return said(' again')
  if (deadlineMs === null) return timeoutMs === -1 ? undefined : said('')
  if (Number.isNaN(scene.nowMs)) return undefined
  const lengthMs = Math.max(0, deadlineMs - scene.nowMs)
  return Math.abs(timeoutMs - lengthMs) <= 1 ? undefined : said(` at ${scene.nowMs}`)
}

/** How long the library may sleep because of this descriptor, from now; Infinity: for ever. */
function mustEndWithin({ limits: { times } }: Scene, facts: FdFacts): number {
  let lengthMs = Infinity
  const atMost = (ms: number | undefined): void => {
    if (ms !== undefined && ms < lengthMs) lengthMs = ms
  }
  const { context } = facts
  if (facts.shutIn === context.callNo) atMost(times.lingerTimeoutMs)
  if (facts.closeAskedIn === context.callNo) atMost(times.closeTimeoutMs)
  if (facts.acceptedIn === context.callNo) atMost(times.handshakeTimeoutMs)
  if (facts.sendBlocked && facts.sends > 0 && !facts.sendsFile) atMost(times.writeStallTimeoutMs)
  if (facts.established && (facts.mask & POLLIN) !== 0) atMost(times.quietMs)
  return lengthMs
}
