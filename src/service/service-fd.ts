/**
 * `serviceFd`: the heart. The host's poller reported readiness; everything else follows from here.
 */
import { serviceAttempt } from '../client/attempts.js'
import { serviceDialDue } from '../client/due.js'
import { serviceResolver } from '../client/names.js'
import { Connection } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { Attempt, ResolverEntry } from '../connection/dial.js'
import { serviceDue } from '../connection/due.js'
import { Listener } from '../connection/listener.js'
import { type TimedEntry } from '../connection/timed-entry.js'
import { contextOf, enter, leave } from '../context/bracket.js'
import { type ContextState } from '../context/context-state.js'
import { earliestDeadlineMs, timeoutUntil } from '../context/timeout.js'
import { ReentrantCallError, UsageError } from '../errors.js'
import { POLLOUT, type Pollfd } from '../poll/pollfd.js'
import { type Context } from '../protocol/protocol-types.js'
import { consumeHeld, serviceConnection } from './service-connection.js'
import { resumeDue, serviceListener } from './service-listener.js'

/**
 * - `'handled'`: it was ours, and is done with.
 * - `'more'`: ours; call again for this fd before sleeping. A level-triggered host that honours
 * `nextTimeout` may ignore it (C12).
 * - `'closed'`: ours until now; the fd is closed.
 * - `'foreign'`: not ours; nothing was touched.
 * - `'stale'`: the readiness is of an earlier owner of this fd; drop it (C5).
 */
export type ServiceResult = 'handled' | 'more' | 'closed' | 'foreign' | 'stale'

/**
 * Services one ready descriptor, or, given null, what is due without readiness: deadlines and
 * pending work.
 *
 * ```ts
 * for (const pollfd of poller.wait(nextTimeout(ctx)))
 *   if (serviceFd(ctx, pollfd) === 'foreign') mine(pollfd)
 * serviceFd(ctx, null)
 * ```
 *
 * @param pollfd `{ fd, revents, gen? }`; any fd is safe to pass, and the object is neither changed
 *   nor kept (C10)
 * @returns see ServiceResult; given null only `'handled'` or `'more'`
 * @throws ReentrantCallError from a protocol callback or an announcement; what a callback threw,
 *   where the context has no `onError`, after all invariants hold again (C29)
 * @see CONTRACT.md B, seed: libwebsocket_service_fd
 */
export function serviceFd(ctx: Context, pollfd: Pollfd): ServiceResult
export function serviceFd(ctx: Context, pollfd: null): 'handled' | 'more'
export function serviceFd(ctx: Context, pollfd: Pollfd | null): ServiceResult
export function serviceFd(ctx: Context, pollfd: Pollfd | null): ServiceResult {
  const core = contextOf(ctx, 'serviceFd')
  if (core.depth > 0) throw new ReentrantCallError('serviceFd', 'a callback')
  if (core.destroyed) return pollfd === null ? 'handled' : 'foreign'
  if (pollfd === null) return serviceDueWork(core)
  checkPollfd(pollfd)
  const entry = core.table.entries.get(pollfd.fd)
  if (entry === undefined) return passOver(core, pollfd, 'foreign')
  if (pollfd.gen !== undefined && pollfd.gen !== entry.gen) return passOver(core, pollfd, 'stale')
  const { revents } = pollfd
  let more = false
  enter(core, 'serviceFd', pollfd)
  try {
    if (entry instanceof Connection) more = serviceConnection(core, entry, revents)
    else more = serviceOther(core, entry)
  } finally {
    leave(core, 'serviceFd', core.tap === null ? undefined : () => answerFor(entry, revents, more))
  }
  return answerFor(entry, revents, more)
}

/** A descriptor that is no connection's. @returns whether it may have more to give */
export function serviceOther(core: ContextState, entry: TimedEntry): boolean {
  if (entry instanceof Listener) return serviceListener(core, entry)
  if (entry instanceof ResolverEntry) return serviceResolver(core, entry)
  if (entry instanceof Attempt) serviceAttempt(core, entry)
  return false
}

/** Known only when the call unwound: its exit sends, and may resume a paused listener. */
function answerFor(entry: TimedEntry, revents: number, more: boolean): ServiceResult {
  // An attempt that connected lives on as its connection, under the same descriptor.
  if (!entry.live) return entry instanceof Attempt && entry.connection.live ? 'handled' : 'closed'
  if (entry instanceof Listener) return more && !entry.paused ? 'more' : 'handled'
  return more || (entry instanceof Connection && maySendMore(entry, revents)) ? 'more' : 'handled'
}

/** The kernel had not enough yet: an edge-triggered poller would not tell again (C12). */
function maySendMore(connection: Connection, revents: number): boolean {
  if (connection.sends) return connection.core.budget.txBytes <= 0
  return (revents & POLLOUT) !== 0 && connection.writableDeliverable
}

/** Not serviced, but observed. */
function passOver(core: ContextState, pollfd: Pollfd, result: 'foreign' | 'stale'): ServiceResult {
  if (pollfd.gen !== undefined && typeof pollfd.gen !== 'number') refusePollfd()
  core.tap?.enter('serviceFd', pollfd, core)
  core.tap?.leave('serviceFd', result, core)
  return result
}

export function checkPollfd(pollfd: Pollfd): void {
  let right = false
  try {
    right = typeof pollfd.fd === 'number' && typeof pollfd.revents === 'number'
  } catch {
    // Null, or what does not let itself be read.
  }
  if (!right) refusePollfd()
}

function refusePollfd(): never {
  throw new UsageError(
    'ERR_EXTPOLL_POLLFD',
    'serviceFd takes { fd, revents, gen? } with whole numbers, or null',
  )
}

/** Deadlines first, then pending work in order, each within its budget (C13, C14, C22). */
function serviceDueWork(core: ContextState): 'handled' | 'more' {
  enter(core, 'serviceFd', null)
  // Known only when the call unwound: a callback about an end may have made something due at once.
  const result = (): 'handled' | 'more' =>
    !core.destroyed && (core.hasPending || isDue(core)) ? 'more' : 'handled'
  try {
    serviceDeadlines(core)
    servicePending(core)
  } finally {
    leave(core, 'serviceFd', result)
  }
  return result()
}

function serviceDeadlines(core: ContextState): void {
  while (core.budget.deadlines > 0) {
    const entry = core.deadlines.takeDue(core.now())
    if (entry === null) return
    core.budget.deadlines--
    if (entry instanceof Connection && entry.dial !== null) serviceDialDue(core, entry, entry.dial)
    else if (entry instanceof Connection) serviceDue(core, entry)
    else if (entry instanceof Listener) resumeDue(core, entry)
  }
}

function isDue(core: ContextState): boolean {
  const earliest = core.deadlines.earliestMs
  return earliest !== null && earliest <= core.now()
}

/** Those that wait now, first in first out; what they leave over waits for the next call. */
function servicePending(core: ContextState): void {
  if (core.pending.size === 0) return
  for (const connection of [...core.pending]) {
    if (core.budget.messages <= 0) return
    // An earlier one's callback may have ended it.
    if (connection.state === State.ENDED) core.pending.delete(connection)
    else consumeHeld(core, connection)
  }
}

/**
 * How long the host may sleep, as poll(2) takes it.
 * @returns whole milliseconds, rounded up; 0 where something is due or pending, -1 for no limit
 * @see C14, C21
 */
export function nextTimeout(ctx: Context): number {
  const core = contextOf(ctx, 'nextTimeout')
  if (core.destroyed) return -1
  if (core.hasPending) return 0
  const deadlineMs = core.deadlines.earliestMs
  return deadlineMs === null
    ? -1
    : timeoutUntil(deadlineMs, core.depth > 0 ? core.now() : core.host.now())
}

/**
 * The earliest deadline, in the milliseconds of `host.now()`; in the past where work is pending.
 * @returns null for none
 * @see C21
 */
export function nextDeadline(ctx: Context): number | null {
  return earliestDeadlineMs(contextOf(ctx, 'nextDeadline'))
}
