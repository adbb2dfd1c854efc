/** The end of a context (C27): everybody is ended first, then gone one by one in ADD order. */
import { Connection } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { Attempt, ResolverEntry } from '../connection/dial.js'
import { closeResolver, dropAttempt } from '../connection/dial-end.js'
import { endNow } from '../connection/drop.js'
import { beginClose, finish } from '../connection/ending.js'
import { drainQueue, flushCork } from '../connection/transmit.js'
import { type ContextState } from './context-state.js'
import { forgetConnection } from './membership.js'

/** Runs at the exit of the outermost call, in place of settling and the timeout. */
export function destroyNow(core: ContextState): void {
  core.destroyed = true
  core.table.forget()
  const entries = core.table.entries.list()
  const dialling = [...core.dialling]
  for (const entry of entries) if (entry instanceof Connection) sayGoingAway(core, entry)
  for (const entry of entries) {
    if (entry instanceof Connection) finishNow(core, entry)
    else if (entry instanceof Attempt) dropAttempt(core, core.io, entry.connection.dial!, entry)
    else if (entry instanceof ResolverEntry) closeResolver(core)
    else closeListener(core)
  }
  // Those without a descriptor of their own have lost what they waited for.
  for (const connection of dialling) {
    sayGoingAway(core, connection)
    finishNow(core, connection)
  }
  core.flushCount = 0
  core.endList.length = 0
  core.broadcasts.length = 0
  core.pending.clear()
  core.freeMemory()
  core.announcer.announceDestroyed()
}

function finishNow(core: ContextState, connection: Connection): void {
  core.ending = connection
  finish(core, connection, (ended) => {
    forgetConnection(core, ended)
  })
  core.ending = null
}

/** One attempt to send what is queued and 1001, without waiting; then it counts as ended. */
function sayGoingAway(core: ContextState, connection: Connection): void {
  core.budget.txBytes = core.limits.txBudgetBytes
  if (connection.state === State.OPEN)
    beginClose(core, connection, {
      code: 1001,
      reason: '',
      initiator: 'application',
      cause: 'CONTEXT_DESTROYED',
    })
  flushCork(core, connection)
  drainQueue(core, connection)
  if (connection.state === State.ENDED) return
  connection.closing ??= {
    code: 1001,
    reason: '',
    initiator: 'application',
    cause: 'CONTEXT_DESTROYED',
  }
  endNow(core, connection)
}

/** DEL and close of the listener, if there is one. */
export function closeListener(core: ContextState): void {
  const { listener } = core
  if (listener === null) return
  core.listener = null
  core.deadlines.remove(listener)
  core.table.remove(listener)
  listener.io.close(listener.fd, false)
}
