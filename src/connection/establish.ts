/** The moment a handshake is complete, whichever role: what both begin with. */
import { type Connection, type Core } from './connection.js'
import { armDeadline } from './deadline.js'

/** From now on messages go both ways. The callback that says so comes right after. */
export function becomeOpen(core: Core, connection: Connection): void {
  connection.move('accept')
  connection.stateDeadlineMs = 0
  connection.lastRxMs = core.now()
  // Connections made together must not ping together: up to a tenth sooner, by entropy. Without a
  // fraction, which would take 16 bytes more.
  const { pingIntervalMs } = core.limits
  connection.pingIntervalMs =
    pingIntervalMs === 0 ? 0 : Math.ceil(pingIntervalMs * (1 - core.randomFraction() / 10))
  armDeadline(core, connection)
  core.touch(connection)
  connection.established = true
}
