/** Broadcasts on their way to their connections: deferred callbacks of the exit order (C7, C13). */
import { State } from '../connection/connection-state.js'
import { Reason } from '../protocol/callback-reason.js'
import { type ContextState } from './context-state.js'

/**
 * Tells as many connections as the budget allows; who ended meanwhile is skipped. The rest is
 * pending work (C14).
 */
export function runBroadcasts(core: ContextState): void {
  while (core.broadcasts.length > 0 && core.budget.broadcasts > 0) {
    const run = core.broadcasts[0]!
    const connection = run.connections[run.at++]
    if (connection === undefined) {
      core.broadcasts.shift()
    } else if (connection.state === State.OPEN) {
      core.budget.broadcasts--
      const data = run.protocol.copies ? Buffer.from(run.data) : run.data
      core.call(connection, run.protocol, Reason.BROADCAST, data, data.length)
    }
  }
}
