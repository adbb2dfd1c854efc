/** Deadlines of a client connection on its way: one for each phase, and the next address (C23). */
import { type FaultName } from '../errors.js'
import { type Connection, type Core } from '../connection/connection.js'
import { State, type StateNumber } from '../connection/connection-state.js'
import { armDeadline } from '../connection/deadline.js'
import { type Dial } from '../connection/dial.js'
import { beginConnecting, tryNext } from './attempts.js'
import { failDial } from './failing.js'

const TIMEOUTS: Partial<Record<StateNumber, FaultName>> = {
  [State.RESOLVING]: 'NAME_TIMEOUT',
  [State.CONNECTING]: 'CONNECT_TIMEOUT',
  [State.PROXY]: 'PROXY_TIMEOUT',
  [State.UPGRADING]: 'ANSWER_TIMEOUT',
}

/** Does what is due, one thing at most, and arms what comes next. */
export function serviceDialDue(core: Core, connection: Connection, dial: Dial): void {
  const now = core.now()
  const timeout = TIMEOUTS[connection.state]
  if (timeout === undefined) return
  if (dial.early !== null) failDial(core, connection, dial, dial.early.cause, dial.early.detail)
  else if (connection.stateDeadlineMs !== 0 && now >= connection.stateDeadlineMs)
    failDial(core, connection, dial, timeout)
  else if (dial.stepMs !== 0 && now >= dial.stepMs) {
    dial.stepMs = 0
    if (connection.state === State.RESOLVING) beginConnecting(core, connection, dial)
    else if (connection.state === State.CONNECTING) tryNext(core, connection, dial)
  }
  armDeadline(core, connection)
}
