/**
 * `serviceFds`: a whole batch of readiness, as few outermost calls as the budgets allow.
 *
 * Reading and handling for many connections, then sending for all of them: each of the three works
 * out of warm caches, which one message at a time does not.
 */
import { Connection } from '../connection/connection.js'
import { contextOf, enter, leave, throwFirst } from '../context/bracket.js'
import { type ContextState } from '../context/context-state.js'
import { ReentrantCallError, UsageError } from '../errors.js'
import { POLLIN, type Pollfd } from '../poll/pollfd.js'
import { type Context } from '../protocol/protocol-types.js'
import { consumeAhead } from './service-connection.js'
import { checkPollfd, serviceFd, serviceOther } from './service-fd.js'
import { beginTurn, endTurn, takeTurn } from './turn.js'

/** Where turns handle more, a call for each costs little, and its bytes lie best in front. */
const SHORT_TURN_MESSAGES = 4

/**
 * `serviceFd` for `pollfds[start]` up to but not including `pollfds[end]`, in order.
 *
 * The budgets of C13 hold for each outermost call, of which there is one at least and one for each
 * pollfd at most; with a tap always the latter, so that what is observed stays one pollfd a call.
 * What is foreign or stale is passed over. For level-triggered hosts: what the single answers would
 * say, the next wait tells again.
 *
 * @param pollfds as `serviceFd` takes them; neither changed nor kept
 * @throws as `serviceFd`; what one callback threw does not cost the rest of the batch its turn: the
 *   first is thrown at the end, the others attached to it as `errors`
 * @see CONTRACT.md C7, C13
 */
export function serviceFds(
  ctx: Context,
  pollfds: readonly Pollfd[],
  start = 0,
  end?: number,
): void {
  const core = contextOf(ctx, 'serviceFds')
  if (!isBatch(pollfds, start, end))
    throw new UsageError(
      'ERR_EXTPOLL_POLLFD',
      'serviceFds takes an array of pollfds, and whole numbers for start and end',
    )
  serviceBatch(ctx, core, pollfds, start, end ?? pollfds.length)
}

function isBatch(pollfds: unknown, start: unknown, end: unknown): boolean {
  try {
    return (
      Array.isArray(pollfds) &&
      Number.isInteger(start) &&
      (end === undefined || Number.isInteger(end))
    )
  } catch {
    return false
  }
}

function serviceBatch(
  ctx: Context,
  core: ContextState,
  pollfds: readonly Pollfd[],
  start: number,
  end: number,
): void {
  if (core.depth > 0) throw new ReentrantCallError('serviceFds', 'a callback')
  for (let at = start; at < end; at++) checkPollfd(pollfds[at]!)
  const errors: unknown[] = []
  const cursor = { at: start }
  while (cursor.at < end && !core.destroyed) {
    try {
      if (core.tap !== null) serviceFd(ctx, pollfds[cursor.at++]!)
      else serviceSome(core, pollfds, cursor, end)
    } catch (error) {
      errors.push(error)
    }
  }
  throwFirst(errors)
}

/** One outermost call: as long as the budgets are ample, so that nobody's turn is a short one. */
function serviceSome(
  core: ContextState,
  pollfds: readonly Pollfd[],
  cursor: { at: number },
  end: number,
): void {
  enter(core, 'serviceFds', undefined)
  try {
    do {
      const ahead = serviceAhead(core, pollfds, cursor.at, end)
      cursor.at += ahead
      if (ahead === 0) serviceOne(core, pollfds[cursor.at++]!)
    } while (cursor.at < end && core.budget.isAmple(core.limits))
  } finally {
    leave(core, 'serviceFds', undefined)
  }
}

function serviceOne(core: ContextState, pollfd: Pollfd): void {
  const entry = core.table.entries.get(pollfd.fd)
  if (entry === undefined || (pollfd.gen !== undefined && pollfd.gen !== entry.gen)) return
  if (entry instanceof Connection) takeTurn(core, entry, pollfd.revents)
  else serviceOther(core, entry)
}

/**
 * The next few that only want to be read, received for in one call.
 * @returns how many had their turns; 0 where the next one is no such pollfd
 */
function serviceAhead(
  core: ContextState,
  pollfds: readonly Pollfd[],
  at: number,
  end: number,
): number {
  const { receiveAhead } = core
  if (receiveAhead === null || core.turnMessages > SHORT_TURN_MESSAGES) return 0
  const most = Math.min(end - at, receiveAhead.mostReads(core))
  // One alone is cheaper the ordinary way.
  if (most < 2) return 0
  let count = 0
  for (; count < most; count++) {
    const connection = onlyReads(core, pollfds[at + count]!)
    if (connection === null || !receiveAhead.takes(connection)) break
    receiveAhead.put(count, connection)
  }
  if (count < 2) return 0
  const received = receiveAhead.receive(core, count)
  for (let index = 0; index < received; index++) {
    const others = beginTurn(core)
    consumeAhead(
      core,
      receiveAhead.take(index),
      receiveAhead.offsetOf(index),
      receiveAhead.resultOf(index),
    )
    endTurn(core, others)
  }
  return received
}

function onlyReads(core: ContextState, pollfd: Pollfd): Connection | null {
  if (pollfd.revents !== POLLIN) return null
  const entry = core.table.entries.get(pollfd.fd)
  if (!(entry instanceof Connection)) return null
  return pollfd.gen === undefined || pollfd.gen === entry.gen ? entry : null
}
