/**
 * The bracket around every call that may change a context: whatever happens inside, callbacks that
 * throw included, the exit order runs once, when the outermost call unwinds (C7, C8, C29).
 */
import { Connection } from '../connection/connection.js'
import { ReentrantCallError, UsageError } from '../errors.js'
import { ProtocolEntry } from '../protocol/protocol-table.js'
import { ContextState } from './context-state.js'
import { unwind } from './exit-order.js'

const NO_ERRORS: readonly unknown[] = []

/**
 * @param arg what the tap is told: a pollfd, an fd
 * @param first what else the caller gave, for the tap as well
 * @throws ReentrantCallError from within an announcement, before anything changed
 */
export function enter(
  core: ContextState,
  call: string,
  arg: unknown,
  first?: unknown,
  second?: unknown,
): void {
  if (core.announcer.announcing) throw new ReentrantCallError(call, 'within an announcement')
  core.tap?.enter(call, arg, core, first, second)
  if (core.depth++ === 0) core.begin()
}

/**
 * Always after `enter`, in a `finally`.
 * @param result what the tap is told; a function where only the unwound context knows
 * @throws what callbacks threw and no onError took, from the outermost call
 */
export function leave(core: ContextState, call: string, result: unknown): void {
  let errors = NO_ERRORS
  try {
    if (core.depth === 1) unwind(core)
  } finally {
    core.depth--
    if (core.depth === 0) errors = core.takeErrors()
    if (core.tap !== null) core.tap.leave(call, errors.length > 0 ? undefined : told(result), core)
  }
  throwFirst(errors)
}

/**
 * Inside an outermost call, and nobody listens: a bracket would open and close nothing. Asked by
 * what callbacks do for every message.
 */
export function isNested(core: ContextState): boolean {
  return core.depth > 0 && core.tap === null && !core.announcer.announcing
}

function told(result: unknown): unknown {
  return typeof result === 'function' ? (result as () => unknown)() : result
}

/** Throws the first, the others attached to it as `errors`. */
export function throwFirst(errors: readonly unknown[]): void {
  if (errors.length === 0) return
  const first = errors[0]
  if (errors.length > 1 && typeof first === 'object' && first !== null)
    Object.defineProperty(first, 'errors', { value: errors.slice(1), configurable: true })
  throw first
}

/** The context behind a handle. @throws UsageError for anything else */
export function contextOf(handle: unknown, call: string): ContextState {
  if (ContextState.made(handle)) return handle
  throw new UsageError(
    'ERR_EXTPOLL_NOT_A_CONTEXT',
    `${call}() takes a context made by createContext()`,
  )
}

/** The protocol behind a handle. @throws UsageError for what is no Protocol of a context */
export function protocolOf(handle: unknown, call: string): ProtocolEntry {
  if (ProtocolEntry.made(handle)) return handle
  throw new UsageError(
    'ERR_EXTPOLL_NOT_A_PROTOCOL',
    `${call}() takes a Protocol of a context: getProtocol(wsi), or one of ctx.protocols`,
  )
}

/** The connection behind a handle. @throws UsageError for anything else */
export function connectionOf(handle: unknown, call: string): Connection {
  if (Connection.made(handle)) return handle
  throw new UsageError(
    'ERR_EXTPOLL_NOT_A_CONNECTION',
    `${call}() takes a connection, as callbacks are given it`,
  )
}

/** The context of a connection. */
export function ownerOf(connection: Connection): ContextState {
  return contextOf(connection.core, 'ownerOf')
}
