import { checkNumber } from '../errors.js'

/**
 * Why a protocol callback is called. Source: the seed's libwebsocket_callback_reasons; ours beyond
 * it come after the seed's. Numbers are stable: `switch (reason)` compiles to a jump.
 */
export const Reason = {
  ESTABLISHED: 0,
  CLIENT_ESTABLISHED: 1,
  CLOSED: 2,
  RECEIVE: 3,
  CLIENT_RECEIVE: 4,
  CLIENT_RECEIVE_PONG: 5,
  CLIENT_WRITEABLE: 6,
  HTTP: 7,
  BROADCAST: 8,
  FILTER_NETWORK_CONNECTION: 9,
  FILTER_PROTOCOL_CONNECTION: 10,
  ADD_POLL_FD: 11,
  DEL_POLL_FD: 12,
  SET_MODE_POLL_FD: 13,
  CLEAR_MODE_POLL_FD: 14,
  CLIENT_CONNECTION_ERROR: 15,
  RECEIVE_PONG: 16,
  SERVER_WRITEABLE: 17,
  HTTP_BODY: 18,
  HTTP_WRITEABLE: 19,
  HTTP_COMPLETE: 20,
  HTTP_CLOSED: 21,
} as const

export type ReasonName = keyof typeof Reason
export type ReasonNumber = (typeof Reason)[ReasonName]

const names = Object.keys(Reason) as ReasonName[]

/** `RECEIVE` for 3: for messages and logs. */
export function reasonName(reason: number): string {
  checkNumber('reasonName', 'reason', reason)
  return names.find((name) => Reason[name] === reason) ?? `reason ${reason}`
}
