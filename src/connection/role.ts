/** What differs between the two roles once a connection is open. Source: RFC 6455 5.1. */
import { Reason, type ReasonNumber } from '../protocol/callback-reason.js'

export interface Role {
  /** It sends masked frames and takes unmasked ones; a server the other way round. */
  readonly client: boolean
  readonly established: ReasonNumber
  readonly receive: ReasonNumber
  readonly pong: ReasonNumber
  readonly writeable: ReasonNumber
}

export const SERVER: Role = {
  client: false,
  established: Reason.ESTABLISHED,
  receive: Reason.RECEIVE,
  pong: Reason.RECEIVE_PONG,
  writeable: Reason.SERVER_WRITEABLE,
}

export const CLIENT: Role = {
  client: true,
  established: Reason.CLIENT_ESTABLISHED,
  receive: Reason.CLIENT_RECEIVE,
  pong: Reason.CLIENT_RECEIVE_PONG,
  writeable: Reason.CLIENT_WRITEABLE,
}
