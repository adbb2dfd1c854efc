/**
 * Rules C20 to C22 and C27: the clock, the one timeout, and the destroy of a context.
 */
import { Status } from './checker-facts.js'
import type { ContextFacts, Scene } from './checker-facts.js'
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
      const { announcedDeadlineMs, promisedMs: deadlineMs } = context
      if (deadlineMs === null) return undefined
      if (announcedDeadlineMs !== null && deadlineMs >= announcedDeadlineMs) return undefined
      return `nextDeadline is ${deadlineMs}, and SET_TIMEOUT said ${String(announcedDeadlineMs)}`
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
