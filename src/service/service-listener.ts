/** Readiness of a listener: accept within the budget and the limits (C13, C29). */
import { Connection } from '../connection/connection.js'
import { armDeadline } from '../connection/deadline.js'
import { type Listener } from '../connection/listener.js'
import { type ContextState } from '../context/context-state.js'
import {
  admitConnection,
  countsPeers,
  passesNetworkFilter,
  peerHasRoom,
} from '../context/membership.js'
import { Errno } from '../poll/libuv-types.js'
import { POLLIN } from '../poll/pollfd.js'
import { Reason } from '../protocol/callback-reason.js'
import { type SocketIo, WOULD_BLOCK } from '../socket/socket-io.js'
import { takeTurn } from './turn.js'

/** What accept says when it is out of something: waiting for a descriptor to come free may help. */
const EXHAUSTED: ReadonlySet<number> = new Set([
  Errno.EMFILE,
  Errno.ENFILE,
  Errno.ENOBUFS,
  Errno.ENOMEM,
])
/** A connection that failed before it was accepted: the next one may be fine. */
const PASSING: ReadonlySet<number> = new Set([
  Errno.ECONNABORTED,
  Errno.EPROTO,
  Errno.EPERM,
  Errno.ENETDOWN,
  Errno.EHOSTUNREACH,
  Errno.ENETUNREACH,
  Errno.ETIMEDOUT,
])

/** The answer to those for whom there is no descriptor. */
const FAREWELL = Buffer.from(
  'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n' +
    'Retry-After: 1\r\nContent-Length: 0\r\n\r\n',
  'latin1',
)

/**
 * Accepts until nobody waits, once in a millisecond of the host's clock; else one a turn.
 * @returns whether more may be waiting, if the listener is not paused when the call unwound
 */
export function serviceListener(core: ContextState, listener: Listener): boolean {
  const most = listener.emptiedMs === core.now() ? 1 : Infinity
  for (let tries = 0; tries < most && mayAccept(core, listener); tries++) {
    if (core.connectionCount >= core.limits.maxConnections) {
      pause(core, listener)
      break
    }
    core.budget.accepts--
    const fd = listener.io.accept(listener.fd)
    if (fd === WOULD_BLOCK) {
      listener.emptiedMs = core.now()
      return false
    }
    if (fd >= 0) admit(core, listener, fd)
    else if (EXHAUSTED.has(-fd) || !PASSING.has(-fd)) {
      shed(core, listener)
      pause(core, listener)
    }
  }
  return true
}

function mayAccept(core: ContextState, listener: Listener): boolean {
  const { budget, destroyWanted } = core
  return budget.accepts > 0 && core.listener === listener && !listener.paused && !destroyWanted
}

/** Those who wait learn at once that there is no room, and need not run into their timeouts. */
function shed(core: ContextState, listener: Listener): void {
  const { io } = listener
  while (io.shed !== undefined && core.budget.accepts > 0 && io.shed(listener.fd, FAREWELL) === 0)
    core.budget.accepts--
}

/** Tries again after acceptRetryMs, or as soon as a connection closed. */
function pause(core: ContextState, listener: Listener): void {
  listener.paused = true
  core.touch(listener)
  core.deadlines.armBy(listener, core.now() + core.limits.acceptRetryMs)
}

/** The retry deadline came. */
export function resumeDue(core: ContextState, listener: Listener): void {
  if (core.connectionCount >= core.limits.maxConnections) return
  listener.paused = false
  core.touch(listener)
}

function admit(core: ContextState, listener: Listener, fd: number): void {
  const { io } = listener
  const peer = needsPeer(core, io) ? io.peerAddress(fd) : null
  if (peer !== null && !(peerHasRoom(core, peer) && passesNetworkFilter(core, fd, peer))) {
    io.close(fd, true)
    return
  }
  const connection = new Connection(core, io, fd, core.nextGen(), peer)
  connection.lastRxMs = core.now()
  connection.stateDeadlineMs = core.now() + core.limits.handshakeTimeoutMs
  try {
    admitConnection(core, connection)
  } catch (refusal) {
    // The keeper of the poll array refused it: this fd only (C9).
    io.close(fd, true)
    core.report(refusal)
    return
  }
  armDeadline(core, connection)
  // Who connects speaks first, and at once: mostly its request is there, and no wait comes between.
  takeTurn(core, connection, POLLIN)
}

/** Must the address be known now? Most are never asked for, and memory of ours they cost. */
function needsPeer(core: ContextState, io: SocketIo): boolean {
  return (
    io.remembersPeers !== true ||
    countsPeers(core) ||
    core.protocols[0]!.hears(Reason.FILTER_NETWORK_CONNECTION)
  )
}
