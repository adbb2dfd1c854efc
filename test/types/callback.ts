/**
 * The form of C: `switch (reason)` says what `data` is. Compiled by 72.types.test.ts, never run.
 *
 * Each line marked `@ts-expect-error` must be an error: the compiler says so where it is none.
 */
import { ACCEPT, BINARY, createContext, Reason, write } from 'extpoll'
import type { CallbackArguments, CloseInfo, Context, Host, HttpRequest } from 'extpoll'
import type { HttpResult, NetworkPeer } from 'extpoll'
import type { PollChange, ProtocolCallback, ProtocolDefinition } from 'extpoll'
import type { ReasonName, ReasonNumber, UpgradeRequest, Wsi } from 'extpoll'
import { is } from './same-type.js'

declare const host: Host

export const narrowed: ProtocolCallback<string> = (ctx, wsi, reason, user, data, len) => {
  is<Context>()(ctx)
  is<number>()(len)
  switch (reason) {
    case Reason.RECEIVE:
    case Reason.BROADCAST:
    case Reason.RECEIVE_PONG:
      is<Buffer>()(data)
      is<Wsi>()(wsi)
      is<string>()(user)
      write(wsi, data, BINARY)
      break
    case Reason.FILTER_PROTOCOL_CONNECTION:
      is<UpgradeRequest>()(data)
      return ACCEPT
    case Reason.ESTABLISHED:
      is<UpgradeRequest>()(data)
      break
    case Reason.HTTP:
      is<HttpRequest>()(data)
      break
    case Reason.HTTP_BODY:
      is<Buffer>()(data)
      break
    case Reason.HTTP_COMPLETE:
      is<HttpResult>()(data)
      break
    case Reason.CLOSED:
      is<CloseInfo>()(data)
      // @ts-expect-error: how it ended is no message
      write(wsi, data, BINARY)
      break
    case Reason.SERVER_WRITEABLE:
      is<undefined>()(data)
      break
    case Reason.FILTER_NETWORK_CONNECTION:
      is<NetworkPeer>()(data)
      is<null>()(wsi)
      is<undefined>()(user)
      break
    case Reason.ADD_POLL_FD:
      is<PollChange>()(data)
      is<null>()(wsi)
      break
    default:
      break
  }
  return undefined
}

// Every reason has its arguments, and no other number has.
is<ReasonNumber>()(undefined as unknown as CallbackArguments[2])
is<ReasonName>()(undefined as unknown as keyof typeof Reason)
is<3>()(Reason.RECEIVE)

// All six parameters or none: in between TypeScript compares tuples of different lengths.
export const none: readonly ProtocolCallback[] = [() => undefined, () => 0, () => {}]
// @ts-expect-error: write all six; the table of handlers takes fewer
export const two: ProtocolCallback = (_ctx, wsi) => wsi === null
// @ts-expect-error: the same with three
export const three: ProtocolCallback = (_ctx, _wsi, reason) => reason
// @ts-expect-error: callbacks are synchronous
export const asyncCallback: ProtocolCallback = async () => {}
// @ts-expect-error: there are six
export const seventh: ProtocolCallback = (_a, _b, _c, _d, _e, _f, _g: number) => undefined

// A protocol without defineProtocol.
const callback: ProtocolCallback = () => undefined
export const plain: ProtocolDefinition = { name: 'plain', callback }
// @ts-expect-error: '' is a name, none is not
export const nameless: ProtocolDefinition = { callback }
createContext({ host, protocols: [plain, { name: 'x', callback }] })
createContext({ host, protocols: [{ name: 'n', callback: narrowed, createSession: () => 'a' }] })
