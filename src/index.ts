/**
 * The public surface, in flow order: the context, the service, the poll set, protocols, commands,
 * questions, errors and limits. Re-exports only.
 */
export { contextDestroy, createContext, hostOf, isDestroyed } from './context/create-context.js'
export type { OriginPolicy } from './connection/connection.js'
export { DEFEAT_CLIENT_MASK, type ContextOptions } from './context/context-options.js'
export type { OnHandlers } from './context/announcer.js'
export type { Host, PollSet, Tap } from './host.js'

export { serviceFds } from './service/service-fds.js'
export { nextDeadline, nextTimeout, serviceFd, type ServiceResult } from './service/service-fd.js'
export {
  formatEvents,
  POLL_MASK,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  type Pollfd,
} from './poll/pollfd.js'
export { applyPollChange, type PollChange, type PollOp } from './poll/poll-change.js'
export {
  Errno,
  errnoName,
  pollEventsFromUv,
  UV_DISCONNECT,
  UV_READABLE,
  UV_WRITABLE,
  uvEventsFromPoll,
} from './poll/libuv-types.js'
export {
  FIRST_VIRTUAL_FD,
  WOULD_BLOCK,
  WOULD_BLOCK_UNTIL_READABLE,
  WOULD_BLOCK_UNTIL_WRITABLE,
  type FileInfo,
  type IoBuffer,
  type ListenOptions,
  type Resolver,
  type ResolverAnswer,
  type SocketAddress,
  type SocketIo,
} from './socket/socket-io.js'

export { defineProtocol, type ProtocolOptions } from './protocol/define-protocol.js'
export {
  Reason,
  reasonName,
  type ReasonName,
  type ReasonNumber,
} from './protocol/callback-reason.js'
export {
  ACCEPT,
  DEFER,
  type AddressAttempt,
  type AnyProtocolDefinition,
  type CallbackAnswer,
  type CallbackArguments,
  type CloseInfo,
  type ConnectFailure,
  type Context,
  type ContextEvents,
  type FilterAnswer,
  type Handlers,
  type HttpRequest,
  type HttpResult,
  type NetworkFilterAnswer,
  type NetworkPeer,
  type Protocol,
  type ProtocolCallback,
  type ProtocolDefinition,
  type Refusal,
  type Sync,
  type UpgradeAnswer,
  type Wsi,
} from './protocol/protocol-types.js'
export type { UpgradeRequest } from './wire/handshake.js'
export type { AnswerHeaders } from './wire/http-answer.js'
export type { HeaderFields } from './wire/header-fields.js'
export type { RequestHead } from './wire/request-head.js'
export type { ResponseHead } from './wire/response-head.js'

export {
  batch,
  BINARY,
  CLOSE,
  CONTINUATION,
  HTTP,
  HTTP_FINAL,
  NO_FIN,
  PING,
  PONG,
  TEXT,
  write,
  type WriteResult,
} from './commands/write.js'
export { broadcast, prepareFrame, writePrepared } from './commands/broadcast.js'
export type { PreparedFrame } from './wire/prepared-frame.js'
export {
  callbackOnWritable,
  callbackOnWritableAllProtocol,
  rxFlowControl,
} from './commands/flow.js'
export {
  type AdoptOptions,
  adoptSocket,
  type DetachedSocket,
  detachSocket,
} from './commands/adopt.js'
export { clientConnect } from './commands/client-connect.js'
export type { ClientOptions } from './commands/client-options.js'
export { close, closeAll, hangup, hangupOnClient, stopListening } from './commands/close.js'
export { answerHandshake, httpRespond, type HttpAnswer } from './commands/http-respond.js'
export { serveHttpFile, type ServeFileOptions } from './commands/serve-http-file.js'
export { pathOfTarget } from './http/target-path.js'
export {
  canonicalHostname,
  getBufferedBytes,
  getContext,
  getListenAddress,
  getPeerAddresses,
  getProtocol,
  getSocketFd,
  isBinary,
  isFinalFragment,
  pollFds,
  remainingPacketPayload,
  type PollFdInfo,
} from './commands/query.js'
export { digest, eventDigest } from './commands/digest.js'

export {
  ContextDestroyedError,
  type Fault,
  type FaultName,
  faults,
  ReentrantCallError,
  UsageError,
} from './errors.js'
export { type LimitName, type LimitRow, limits, type Limits } from './connection/limits.js'
