/** The one timeout: what the host is told of time (C14, C21). */
import { type ContextState } from './context-state.js'

/** poll(2) takes no longer wait than this. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** The earliest absolute deadline, or null; a time already past where work is pending. */
export function earliestDeadlineMs(core: ContextState): number | null {
  if (core.destroyed) return null
  return core.hasPending ? core.lastNowMs : core.deadlines.earliestMs
}

/** Milliseconds from `nowMs` to a deadline, rounded up, as poll(2) takes them; -1 for none. */
export function timeoutUntil(deadlineMs: number | null, nowMs: number): number {
  if (deadlineMs === null) return -1
  return Math.min(MAX_TIMEOUT_MS, Math.max(0, Math.ceil(deadlineMs - nowMs)))
}

/**
 * SET_TIMEOUT, only where the earliest deadline became earlier than the one last told, or that one
 * has passed or vanished.
 */
export function announceTimeout(core: ContextState): void {
  if (!core.announcer.hearsTimeout) return
  const told = core.announcedDeadlineMs
  const earliest = earliestDeadlineMs(core)
  if (
    told === null ? earliest === null : earliest !== null && earliest >= told && told > core.now()
  )
    return
  if (told === earliest) return
  core.announcedDeadlineMs = earliest
  core.announcer.announceTimeout(timeoutUntil(earliest, core.now()), earliest)
}
