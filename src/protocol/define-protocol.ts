/**
 * `defineProtocol`: the table of handlers, compiled to the seed's one callback.
 */
import { lookAt, UsageError } from '../errors.js'
import { Reason, type ReasonName } from './callback-reason.js'
import {
  type CallbackAnswer,
  type CallbackArguments,
  type Handlers,
  type ProtocolDefinition,
  type Wsi,
} from './protocol-types.js'

/** What `defineProtocol` takes. */
export interface ProtocolOptions<User> extends Omit<
  ProtocolDefinition<User>,
  'callback' | 'hears' | 'name'
> {
  /** The subprotocol's name, a token. Default '': for connections that ask for none. */
  readonly name?: string
  readonly handlers: Handlers<User>
}

type AnyHandler = (wsi: Wsi | null, data: unknown, user: unknown) => unknown

/**
 * Makes a protocol of handlers.
 *
 * ```ts
 * const echo = defineProtocol({ name: 'echo', handlers: {
 *   RECEIVE(wsi, data) { write(wsi, data, isBinary(wsi) ? BINARY : TEXT) },
 * } })
 * ```
 *
 * @returns a frozen definition; give it to as many contexts as you like
 * @throws UsageError for a handler that no reason calls, or that is no function
 * @see seed: struct libwebsocket_protocols (differs from seed: a table in place of one function)
 */
export function defineProtocol<User = undefined>(
  options: ProtocolOptions<User>,
): ProtocolDefinition<User> {
  const unreadable = 'defineProtocol() takes an object whose fields can be read: { name, handlers }'
  if (typeof options !== 'object' || options === null)
    throw new UsageError('ERR_EXTPOLL_HANDLER', unreadable)
  return lookAt('ERR_EXTPOLL_HANDLER', unreadable, () => tableOf(options))
}

function tableOf<User>(options: ProtocolOptions<User>): ProtocolDefinition<User> {
  const { handlers, name = '', payload = 'copy', onFull = 'close', ...rest } = options
  if (typeof handlers !== 'object' || handlers === null)
    throw new UsageError(
      'ERR_EXTPOLL_HANDLER',
      'handlers must be an object: functions by the names of Reason',
    )
  const table: (AnyHandler | undefined)[] = Array.from(Object.keys(Reason), () => undefined)
  const hears = new Set<number>()
  for (const [reason, handler] of Object.entries(handlers) as [
    ReasonName,
    AnyHandler | undefined,
  ][]) {
    if (handler === undefined) continue
    if (!Object.hasOwn(Reason, reason))
      throw new UsageError(
        'ERR_EXTPOLL_HANDLER',
        `handlers.${reason}: there is no such reason; see Reason for the names`,
      )
    if (typeof handler !== 'function')
      throw new UsageError('ERR_EXTPOLL_HANDLER', `handlers.${reason} must be a function`)
    table[Reason[reason]] = handler
    hears.add(Reason[reason])
  }
  const callback = (...[, wsi, reason, user, data]: CallbackArguments<User>): CallbackAnswer =>
    table[reason]?.call(handlers, wsi, data, user) as CallbackAnswer
  return Object.freeze({ ...rest, name, payload, onFull, callback, hears })
}
