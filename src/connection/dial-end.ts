/** The end of a client's way: what was under way is given back (C1, C3). */
import { type SocketIo } from '../socket/socket-io.js'
import { type Core } from './connection.js'
import { type Attempt, type Dial } from './dial.js'

/** Ends everything under way but the connection's own descriptor: losers get DEL and close. */
export function releaseDial(core: Core, dial: Dial): void {
  for (const attempt of dial.attempts) dropAttempt(core, core.io, dial, attempt)
  for (const id of dial.lookups) {
    core.resolver?.waiting.delete(id)
    if (core.resolver !== null) core.io.resolver?.cancel(core.resolver.fd, id)
  }
  dial.lookups.clear()
  dial.addresses = []
  dial.stepMs = 0
}

/** DEL and close of one attempt. */
export function dropAttempt(core: Core, io: SocketIo, dial: Dial, attempt: Attempt): void {
  dial.attempts.delete(attempt)
  core.part(attempt)
  io.close(attempt.fd, false)
}

/** DEL and close of the resolver's descriptor, if there is one. */
export function closeResolver(core: Core): void {
  const { resolver } = core
  if (resolver === null) return
  core.resolver = null
  core.part(resolver)
  core.io.resolver?.close(resolver.fd)
}
