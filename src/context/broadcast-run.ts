/** Broadcasts on their way to their connections: deferred callbacks of the exit order (C7, C13). */
import { State } from '../connection/connection-state.js'
import { Reason } from '../protocol/callback-reason.js'
import { type ContextState } from './context-state.js'

/** Of a frame's header: most are shorter. */
const HEADER_BYTES = 10

/**
 * Tells as many connections as the budgets allow; who ended meanwhile is skipped. The rest is
 * pending work (C14).
 *
 * Mostly each writes what it is told. What this call cannot send any more would wait in queues for
 * POLLOUT, and cost what queues cost: so they are told in the next call, but for the first of each.
 */
export function runBroadcasts(core: ContextState): void {
  const { budget, limits } = core
  let roomBytes = budget.txBytes
  while (core.broadcasts.length > 0 && budget.broadcasts > 0) {
    const run = core.broadcasts[0]!
    const connection = run.connections[run.at]
    if (connection === undefined) {
      core.broadcasts.shift()
    } else if (connection.state !== State.OPEN) {
      run.at++
    } else {
      const isFirst = budget.broadcasts === limits.broadcastBudget
      roomBytes -= HEADER_BYTES + run.data.length
      if (roomBytes < 0 && !isFirst) return
      run.at++
      budget.broadcasts--
      const data = run.protocol.copies ? Buffer.from(run.data) : run.data
      core.call(connection, run.protocol, Reason.BROADCAST, data, data.length)
    }
  }
}
