/**
 * What happens when the outermost call unwinds, in the order of C7.
 *
 * Rounds of flushes, ends and what their callbacks caused; then one CLEAR and one SET at most per
 * fd; then the timeout; a destroy takes the place of those. Nothing recurses: callbacks add to the
 * lists, the rounds work them off, and what is left after the last round is pending work (C14).
 */
import { type Connection } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { finish } from '../connection/ending.js'
import { flushCork } from '../connection/transmit.js'
import { driveAnswer } from '../http/answer-progress.js'
import { runBroadcasts } from './broadcast-run.js'
import { type ContextState } from './context-state.js'
import { destroyNow } from './destroy.js'
import { forgetConnection } from './membership.js'
import { announceTimeout } from './timeout.js'

export function unwind(core: ContextState): void {
  for (let round = 0; round < core.limits.unwindRounds; round++) {
    if (core.flushCount === 0 && core.endList.length === 0 && core.broadcasts.length === 0) break
    core.flushAll()
    endScheduled(core)
    if (core.broadcasts.length > 0) runBroadcasts(core)
  }
  if (core.destroyWanted && !core.destroyed) {
    destroyNow(core)
    return
  }
  core.table.settle()
  announceTimeout(core)
}

/**
 * Ends what is scheduled and flushed, within the budget; what must still be sent comes back with
 * its last byte.
 */
function endScheduled(core: ContextState): void {
  const scheduled = core.endList
  core.endList = []
  for (const connection of scheduled) {
    if (core.budget.ends <= 0) {
      core.endList.push(connection)
      continue
    }
    connection.inEndList = false
    flushCork(core, connection)
    if (connection.state === State.HTTP) driveAnswer(core, connection)
    else endOne(core, connection)
  }
}

function endOne(core: ContextState, connection: Connection): void {
  // Its address stays known while CLOSED runs (C3).
  core.ending = connection
  const over = finish(core, connection, (ended) => {
    forgetConnection(core, ended)
  })
  core.ending = null
  if (over) core.budget.ends--
}
