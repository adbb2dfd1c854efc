/** How long the exchange in hand may stand still (C23). */
import { type Connection, type Core } from '../connection/connection.js'
import { armDeadline } from '../connection/deadline.js'

/** It went on: the time for its next step begins, whoever owes that. */
export function timeExchange(core: Core, connection: Connection): void {
  const { bodyTimeoutMs, answerTimeoutMs, writeStallTimeoutMs } = core.limits
  const http = connection.http!
  const waitsForBody = http.body !== null && !connection.paused
  const timeoutMs =
    http.source !== null ? writeStallTimeoutMs : waitsForBody ? bodyTimeoutMs : answerTimeoutMs
  connection.stateDeadlineMs = Math.min(core.now() + timeoutMs, http.endByMs)
  armDeadline(core, connection)
}
