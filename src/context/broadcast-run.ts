/** Broadcasts on their way to their connections: deferred callbacks of the exit order (C7, C13). */
import { type Connection } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { Reason } from '../protocol/callback-reason.js'
import { type ProtocolEntry } from '../protocol/protocol-table.js'
import { type ContextState } from './context-state.js'

/** One broadcast: its bytes, and who was there when it was asked for. */
export interface BroadcastRun {
  readonly protocol: ProtocolEntry
  /** The library's one copy, shown to each callback in turn. */
  readonly data: Buffer
  readonly connections: readonly Connection[]
  /** The next one to be told. */
  at: number
}

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
      core.call(connection, run.protocol, Reason.BROADCAST, run.data, run.data.length)
    }
  }
}
