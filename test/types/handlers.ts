/**
 * What compiles as a table of handlers, and what does not. Compiled by 72.types.test.ts, never run.
 *
 * Each line marked `@ts-expect-error` must be an error: the compiler says so where it is none.
 */
import { ACCEPT, answerHandshake, batch, BINARY, close, createContext, DEFER } from 'extpoll'
import { defineProtocol, isBinary, TEXT, write } from 'extpoll'
import type { CloseInfo, Context, Handlers, Host, NetworkPeer, PollChange } from 'extpoll'
import type { HttpRequest, HttpResult, ProtocolDefinition, UpgradeRequest, Wsi } from 'extpoll'
import { is } from './same-type.js'

declare const host: Host
declare const ctx: Context

// From no parameter to all of them, in each way of writing a function.
export const parameters: readonly Handlers[] = [
  { RECEIVE() {} },
  { RECEIVE: () => {} },
  { RECEIVE: (wsi) => void write(wsi, '', TEXT) },
  { RECEIVE: (wsi, data) => void write(wsi, data, isBinary(wsi) ? BINARY : TEXT) },
  { RECEIVE: (_wsi, data, user) => [data, user].length },
  { RECEIVE: (wsi, data) => write(wsi, data, TEXT) },
  { SERVER_WRITEABLE() {}, CLOSED() {}, ESTABLISHED() {}, BROADCAST() {}, HTTP_CLOSED() {} },
  { FILTER_NETWORK_CONNECTION() {}, ADD_POLL_FD() {}, DEL_POLL_FD() {} },
]

// One more than there are.
// @ts-expect-error: a handler has three parameters
export const fourth: Handlers = { RECEIVE: (_wsi, _data, _user, len: number) => len }

// What each is given.
export const given = defineProtocol({
  handlers: {
    ESTABLISHED: (wsi, request) => [is<Wsi>()(wsi), is<UpgradeRequest>()(request)].length,
    CLOSED: (wsi, info) => [is<Wsi>()(wsi), is<CloseInfo>()(info)].length,
    RECEIVE: (wsi, data) => [is<Wsi>()(wsi), is<Buffer>()(data)].length,
    RECEIVE_PONG: (_wsi, data) => void is<Buffer>()(data),
    BROADCAST: (_wsi, data) => void is<Buffer>()(data),
    HTTP: (_wsi, request) => void is<HttpRequest>()(request),
    HTTP_BODY: (_wsi, data) => void is<Buffer>()(data),
    HTTP_WRITEABLE: (_wsi, data) => is<undefined>()(data),
    HTTP_COMPLETE: (_wsi, result) => void is<HttpResult>()(result),
    SERVER_WRITEABLE: (_wsi, data) => is<undefined>()(data),
    FILTER_NETWORK_CONNECTION(wsi, peer) {
      is<null>()(wsi)
      is<NetworkPeer>()(peer)
      return ACCEPT
    },
    ADD_POLL_FD: (_wsi, change) => void is<PollChange>()(change),
  },
})

// Callbacks are synchronous.
// @ts-expect-error: an async handler answers a Promise
export const asyncMethod: Handlers = { async RECEIVE() {} }
// @ts-expect-error: an async arrow answers a Promise
export const asyncArrow: Handlers = { CLOSED: async () => {} }
// @ts-expect-error: a Promise made by hand is one too
export const promise: Handlers = { ESTABLISHED: () => Promise.resolve() }
// @ts-expect-error: so is anything that has a `then`
export const thenable: Handlers = { HTTP: () => ({ then: () => 1 }) }
export const asyncFilter: Handlers = {
  // @ts-expect-error: a filter that must ask somebody answers DEFER
  FILTER_PROTOCOL_CONNECTION: async () => ACCEPT,
}
defineProtocol({
  handlers: {
    // @ts-expect-error: nor in the place where it is given
    async RECEIVE() {},
  },
})

// What filters answer.
export const filters: readonly Handlers[] = [
  { FILTER_PROTOCOL_CONNECTION() {} },
  { FILTER_PROTOCOL_CONNECTION: () => ACCEPT },
  { FILTER_PROTOCOL_CONNECTION: () => DEFER },
  { FILTER_PROTOCOL_CONNECTION: () => ({ status: 401, headers: { 'X-Why': 'so' }, body: 'no' }) },
  { FILTER_PROTOCOL_CONNECTION: (_wsi, { origin }) => (origin === null ? ACCEPT : DEFER) },
]
// @ts-expect-error: a boolean is no decision
export const booleanFilter: Handlers = { FILTER_PROTOCOL_CONNECTION: () => true }
// @ts-expect-error: accepting a connection of the network cannot be put off
export const deferredNetwork: Handlers = { FILTER_NETWORK_CONNECTION: () => DEFER }
// @ts-expect-error: a refusal has a status
export const noStatus: Handlers = { FILTER_PROTOCOL_CONNECTION: () => ({ body: 'no' }) }

// Names.
// @ts-expect-error: there is no such reason
export const unknown: Handlers = { MESSAGE() {} }
// @ts-expect-error: the seed's spelling is WRITEABLE
export const misspelt: Handlers = { SERVER_WRITABLE() {} }
// @ts-expect-error: handlers are what it is for
defineProtocol({ name: 'empty' })
// @ts-expect-error: 'view' or 'copy'
defineProtocol({ handlers: {}, payload: 'borrow' })
// @ts-expect-error: 'report' or 'close'
defineProtocol({ handlers: {}, onFull: 'drop' })

// The session object flows from createSession to the handlers.
interface Session {
  lines: number
}
export const inferred = defineProtocol({
  createSession: (): Session => ({ lines: 0 }),
  handlers: {
    RECEIVE: (_wsi, _data, session) => void is<Session>()(session),
    CLOSED: (_wsi, _info, { lines }) => void is<number>()(lines),
    // @ts-expect-error: a session has no such member
    ESTABLISHED: (_wsi, _request, session) => session.name,
  },
})
is<ProtocolDefinition<Session>>()(inferred)
export const named = defineProtocol<Session>({
  createSession: () => ({ lines: 0 }),
  handlers: { BROADCAST: (_wsi, _data, session) => session.lines++ },
})
defineProtocol<Session>({
  // @ts-expect-error: a session of another shape
  createSession: () => ({ rows: 0 }),
  handlers: {},
})
export const without = defineProtocol({
  handlers: { RECEIVE: (_wsi, _data, user) => is<undefined>()(user) },
})

// Protocols of different sessions live in one context.
createContext({ host, protocols: [inferred, named, without, given] })

// Commands.
export function commands(wsi: Wsi): void {
  is<'ok' | 'backpressure' | 'full' | 'closed'>()(write(wsi, 'text', TEXT))
  is<number>()(batch(ctx, () => 1))
  answerHandshake(wsi, { status: 403 })
  // @ts-expect-error: an object is not what is sent
  write(wsi, { a: 1 }, TEXT)
  // @ts-expect-error: which kind is never guessed
  write(wsi, 'text')
  // @ts-expect-error: to decide is to accept or to refuse
  answerHandshake(wsi, DEFER)
  // @ts-expect-error: a code is a number
  close(wsi, 'bye')
  // @ts-expect-error: a context is no connection
  close(ctx)
}
