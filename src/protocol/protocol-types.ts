/**
 * What an application writes and is given: the two handles, the callback, its answers.
 *
 * Types only. `Context` and `Wsi` are opaque here; the layers above implement them.
 */
import { type FaultName } from '../errors.js'
import { type PollChange } from '../poll/poll-change.js'
import { type SocketAddress } from '../socket/socket-io.js'
import { type UpgradeRequest } from '../wire/handshake.js'
import { type AnswerHeaders } from '../wire/http-answer.js'
import { type RequestHead } from '../wire/request-head.js'
import { type ResponseHead } from '../wire/response-head.js'
import { type Reason } from './callback-reason.js'

declare const brand: unique symbol

/** Handlers of the announcements: `on` of createContext, and observers by `ctx.on`. */
export interface ContextEvents {
  ADD_POLL_FD(fd: number, events: number, change: PollChange): void
  DEL_POLL_FD(fd: number, events: number, change: PollChange): void
  SET_MODE(fd: number, events: number, change: PollChange): void
  CLEAR_MODE(fd: number, events: number, change: PollChange): void
  SET_TIMEOUT(timeoutMs: number, deadlineMs: number | null): void
  /** contextDestroy has done its work: nothing of the context will come any more. */
  DESTROYED(): void
}

/** A context: one listener, its connections, one poll set. Made by `createContext`. */
export interface Context {
  readonly [brand]: 'Context'
  /** The context's own Protocol objects, in the order they were given. */
  readonly protocols: readonly Protocol[]
  /** Observes announcements from now on; `pollFds(ctx)` lists what is live now. */
  on<Name extends keyof ContextEvents>(event: Name, listener: ContextEvents[Name]): this
  off<Name extends keyof ContextEvents>(event: Name, listener: ContextEvents[Name]): this
}

/**
 * One connection: the seed's wsi. Valid for ever; after its end every call answers 'closed' or
 * false (C19).
 */
export interface Wsi {
  readonly [brand]: 'Wsi'
}

/** A protocol as one context knows it: what `getProtocol` and `ctx.protocols` give. */
export interface Protocol {
  readonly name: string
  readonly owningContext: Context
  /** The limits in force, by name: `maxMessageBytes` and all others. */
  readonly limits: Readonly<Record<string, number>>
  /** Its place in `createContext({ protocols })`, from 0. */
  readonly protocolIndex: number
}

/** How a connection ended: the data of CLOSED. */
export interface CloseInfo {
  /**
   * The peer's close code, or ours where we began; 1005 none was given, 1006 no closing handshake.
   */
  readonly code: number
  readonly reason: string
  /** Who began the end. */
  readonly initiator: 'peer' | 'application' | 'library'
  /** The row of `faults` that says why. */
  readonly cause: FaultName
}

/** One address that a client tried. */
export interface AddressAttempt {
  /** `127.0.0.1:9000`, `[::1]:9000`, or a Unix socket's path. */
  readonly address: string
  /** '' while it was under way or where it connected; else the errno's name. */
  result: string
}

/** Why a client connection never opened: the data of CLIENT_CONNECTION_ERROR. `code` is 1006. */
export interface ConnectFailure extends CloseInfo {
  /** For people: which phase, which address, what was expected. */
  readonly reason: string
  /** How far it got. */
  readonly phase: 'resolving' | 'connecting' | 'proxy' | 'upgrading'
  /** Whom it was for: `ws://example.com:9000/chat`. */
  readonly target: string
  /** Every address tried, in order. */
  readonly attempts: readonly Readonly<AddressAttempt>[]
  /** The last answer's head, of the proxy or the server, where one came whole. */
  readonly response: ResponseHead | null
}

/** What the server agreed to: the data of CLIENT_ESTABLISHED. */
export interface UpgradeAnswer extends ResponseHead {
  /** The subprotocol that the server chose; '' for none. */
  readonly protocol: string
}

/** The data of FILTER_NETWORK_CONNECTION: a socket just accepted and not yet announced. */
export interface NetworkPeer extends SocketAddress {
  readonly fd: number
}

/** The data of HTTP: a request that asks for no upgrade. */
export interface HttpRequest extends RequestHead {
  /** Bytes of its body, which come as HTTP_BODY; 0 for none, -1 where only its end will tell. */
  readonly bodyBytes: number
}

/** The data of HTTP_COMPLETE: an answer that was taken whole. */
export interface HttpResult {
  readonly request: HttpRequest
  readonly status: number
  /** Of the answer's body, as sent: 0 for HEAD; chunk sizes are not counted. */
  readonly bytes: number
  /** From the request's head to the answer's last byte. */
  readonly durationMs: number
}

/** Decide later, by `answerHandshake(wsi, ...)`. */
export const DEFER = Symbol('extpoll.DEFER')
/** Go on; the same as answering nothing. */
export const ACCEPT = Symbol('extpoll.ACCEPT')

/** A refused handshake's answer. */
export interface Refusal {
  /** 400 to 599, or 300 to 399 with a Location header. */
  readonly status: number
  readonly headers?: AnswerHeaders
  readonly body?: string
}

/** Anything but a Promise: callbacks run inside the call that made them run. */
export type Sync = string | number | boolean | symbol | null | undefined | { readonly then?: never }
export type FilterAnswer = void | undefined | typeof ACCEPT | typeof DEFER | Refusal | number
export type NetworkFilterAnswer = void | undefined | typeof ACCEPT | Refusal | number
type Nothing = void | Sync
/** What any callback may answer; only the filters' answers mean anything. */
export type CallbackAnswer = Nothing | FilterAnswer

type PollReason =
  | typeof Reason.ADD_POLL_FD
  | typeof Reason.DEL_POLL_FD
  | typeof Reason.SET_MODE_POLL_FD
  | typeof Reason.CLEAR_MODE_POLL_FD
type DataReason =
  | typeof Reason.RECEIVE
  | typeof Reason.CLIENT_RECEIVE
  | typeof Reason.RECEIVE_PONG
  | typeof Reason.CLIENT_RECEIVE_PONG
  | typeof Reason.BROADCAST
  | typeof Reason.HTTP_BODY
type PlainReason =
  typeof Reason.SERVER_WRITEABLE | typeof Reason.CLIENT_WRITEABLE | typeof Reason.HTTP_WRITEABLE
type RequestReason = typeof Reason.ESTABLISHED | typeof Reason.FILTER_PROTOCOL_CONNECTION

/** The arguments of a callback, one tuple a kind of reason: `switch (reason)` narrows `data`. */
export type CallbackArguments<User = unknown> =
  | [ctx: Context, wsi: Wsi, reason: DataReason, user: User, data: Buffer, len: number]
  | [ctx: Context, wsi: Wsi, reason: RequestReason, user: User, data: UpgradeRequest, len: number]
  | [ctx: Context, wsi: Wsi, reason: typeof Reason.HTTP, user: User, data: HttpRequest, len: number]
  | [
      ctx: Context,
      wsi: Wsi,
      reason: typeof Reason.HTTP_COMPLETE,
      user: User,
      data: HttpResult,
      len: number,
    ]
  | [
      ctx: Context,
      wsi: Wsi,
      reason: typeof Reason.CLOSED | typeof Reason.HTTP_CLOSED,
      user: User,
      data: CloseInfo,
      len: number,
    ]
  | [
      ctx: Context,
      wsi: Wsi,
      reason: typeof Reason.CLIENT_CONNECTION_ERROR,
      user: User,
      data: ConnectFailure,
      len: number,
    ]
  | [
      ctx: Context,
      wsi: Wsi,
      reason: typeof Reason.CLIENT_ESTABLISHED,
      user: User,
      data: UpgradeAnswer,
      len: number,
    ]
  | [ctx: Context, wsi: Wsi, reason: PlainReason, user: User, data: undefined, len: number]
  | [
      ctx: Context,
      wsi: null,
      reason: typeof Reason.FILTER_NETWORK_CONNECTION,
      user: undefined,
      data: NetworkPeer,
      len: number,
    ]
  | [ctx: Context, wsi: null, reason: PollReason, user: undefined, data: PollChange, len: number]

/** The seed's form: one function per protocol, `reason` a number. Fastest. */
export type ProtocolCallback<User = unknown> = (...args: CallbackArguments<User>) => CallbackAnswer

/**
 * The table form: by reason name, with as few parameters as one likes. An `async` handler is a type
 * error.
 */
export interface Handlers<User = unknown> {
  ESTABLISHED?(wsi: Wsi, request: UpgradeRequest, user: User): Nothing
  CLOSED?(wsi: Wsi, info: CloseInfo, user: User): Nothing
  RECEIVE?(wsi: Wsi, data: Buffer, user: User): Nothing
  RECEIVE_PONG?(wsi: Wsi, data: Buffer, user: User): Nothing
  SERVER_WRITEABLE?(wsi: Wsi, data: undefined, user: User): Nothing
  CLIENT_ESTABLISHED?(wsi: Wsi, answer: UpgradeAnswer, user: User): Nothing
  CLIENT_CONNECTION_ERROR?(wsi: Wsi, failure: ConnectFailure, user: User): Nothing
  CLIENT_RECEIVE?(wsi: Wsi, data: Buffer, user: User): Nothing
  CLIENT_RECEIVE_PONG?(wsi: Wsi, data: Buffer, user: User): Nothing
  CLIENT_WRITEABLE?(wsi: Wsi, data: undefined, user: User): Nothing
  BROADCAST?(wsi: Wsi, data: Buffer, user: User): Nothing
  HTTP?(wsi: Wsi, request: HttpRequest, user: User): Nothing
  HTTP_BODY?(wsi: Wsi, data: Buffer, user: User): Nothing
  HTTP_WRITEABLE?(wsi: Wsi, data: undefined, user: User): Nothing
  HTTP_COMPLETE?(wsi: Wsi, result: HttpResult, user: User): Nothing
  HTTP_CLOSED?(wsi: Wsi, info: CloseInfo, user: User): Nothing
  FILTER_NETWORK_CONNECTION?(wsi: null, peer: NetworkPeer): NetworkFilterAnswer
  FILTER_PROTOCOL_CONNECTION?(wsi: Wsi, request: UpgradeRequest, user: User): FilterAnswer
  ADD_POLL_FD?(wsi: null, change: PollChange): Nothing
  DEL_POLL_FD?(wsi: null, change: PollChange): Nothing
  SET_MODE_POLL_FD?(wsi: null, change: PollChange): Nothing
  CLEAR_MODE_POLL_FD?(wsi: null, change: PollChange): Nothing
}

/**
 * What `createContext({ protocols })` takes. Never written to: one definition serves several
 * contexts.
 */
export interface ProtocolDefinition<User = unknown> {
  /** The subprotocol's name, a token; '' for connections that ask for none. */
  readonly name: string
  readonly callback: ProtocolCallback<User>
  /**
   * Makes the connection's session object, right before FILTER_PROTOCOL_CONNECTION or the first
   * HTTP.
   */
  readonly createSession?: (wsi: Wsi) => User
  /**
   * 'view': `data` is valid during the call only. 'copy': it is the application's. Default: 'view'
   * for a callback, 'copy' for handlers.
   */
  readonly payload?: 'view' | 'copy'
  /**
   * 'message': whole messages. 'stream': payload as it comes, the seed's way. Default 'message'.
   */
  readonly delivery?: 'message' | 'stream'
  /**
   * What happens when a write finds the send queue full. Default: 'report' for a callback, 'close'
   * (1013) for handlers.
   */
  readonly onFull?: 'report' | 'close'
  /** The reasons that `callback` acts on; absent: any of them. `defineProtocol` fills it in. */
  readonly hears?: ReadonlySet<number>
}

/** Any protocol, whatever its session. */
export interface AnyProtocolDefinition extends Omit<ProtocolDefinition<never>, 'createSession'> {
  readonly createSession?: (wsi: Wsi) => unknown
}
