/**
 * When a connection must be looked at next without readiness (C21, C23). The earliest of its
 * deadlines; computed when something changes, never per message.
 */
import { type Connection, type Core } from './connection.js'
import { State } from './connection-state.js'

/** The earliest deadline in force, Infinity where there is none. */
export function nextDeadlineMs(connection: Connection): number {
  if (connection.state === State.ENDED) return Infinity
  const { limits } = connection.core
  let earliest = Infinity
  if (connection.stateDeadlineMs !== 0) earliest = connection.stateDeadlineMs
  if (connection.dial !== null && connection.dial.stepMs !== 0)
    earliest = Math.min(earliest, connection.dial.stepMs)
  if (connection.queue !== null)
    earliest = Math.min(earliest, connection.queue.stalledSinceMs + limits.writeStallTimeoutMs)
  earliest = Math.min(earliest, errorDeadlineMs(connection))
  // While we do not read, silence says nothing about the peer.
  if (connection.state === State.OPEN && connection.reads)
    earliest = Math.min(earliest, quietDeadlineMs(connection))
  return earliest
}

/**
 * When an error that was heard ends what it was heard of. While that is read, recv tells of it, or
 * the poller anew: in force it is only where neither can be.
 */
export function errorDeadlineMs({ core, errorHeardMs, reads, eof, isDeaf }: Connection): number {
  if (errorHeardMs === 0 || (reads && !eof && !isDeaf)) return Infinity
  return errorHeardMs + core.limits.pausedErrorTimeoutMs
}

/** What silence of the peer leads to: a ping, the end of an unanswered ping, the idle limit. */
function quietDeadlineMs(connection: Connection): number {
  const { limits } = connection.core
  const idle = limits.idleTimeoutMs === 0 ? Infinity : connection.lastRxMs + limits.idleTimeoutMs
  if (connection.pingSentMs !== 0 && connection.pingSentMs > connection.lastRxMs)
    return Math.min(idle, connection.pingSentMs + limits.pongTimeoutMs)
  return connection.pingIntervalMs === 0
    ? idle
    : Math.min(idle, connection.lastRxMs + connection.pingIntervalMs)
}

/** Reading begins anew after a pause: the peer's silence counts from now. */
export function resumeListening(core: Core, connection: Connection): void {
  connection.lastRxMs = core.now()
  armDeadline(core, connection)
}

/** Puts the connection's earliest deadline into the context's heap. */
export function armDeadline(core: Core, connection: Connection): void {
  const deadlineMs = nextDeadlineMs(connection)
  if (deadlineMs !== Infinity) core.deadlines.armBy(connection, deadlineMs)
}
