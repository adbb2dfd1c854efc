/**
 * Every way things go wrong, in one table, and the three errors that are thrown.
 *
 * Whose fault decides the form (C29): a host's or an application's misuse throws; a peer's fault
 * ends its connection with a close code or an HTTP status; a resource fault costs one connection
 * or a pause of the listener. Errors carry `code`: tell them apart by it, never by instanceof.
 */
import { httpFaults } from './http-faults.js'

/**
 * Misuse by the host or the application. Thrown before anything changed; where there is no caller
 * to throw to (an answer of a callback, headers of a refusal) it goes to `onError`.
 */
export class UsageError extends Error {
  override readonly name: string = 'UsageError'
  /** `ERR_EXTPOLL_...`, stable across versions. */
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/**
 * Looks at a value that may not let itself be looked at: a revoked Proxy, a getter that throws.
 * @throws UsageError where it does not, and what `look` throws of this kind
 */
export function lookAt<T>(code: string, sentence: string, look: () => T): T {
  try {
    return look()
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(code, sentence)
  }
}

/** A value in a message, whatever it is: some refuse to become text. */
export function shown(value: unknown): string {
  const type = typeof value
  if (type === 'string') return JSON.stringify((value as string).slice(0, 40))
  return type === 'object' || type === 'function' || type === 'symbol' ? type : String(value)
}

/** @throws UsageError ERR_EXTPOLL_ARGUMENT_TYPE for what is no number */
export function checkNumber(call: string, name: string, value: unknown): void {
  if (typeof value === 'number') return
  const message = `${call}(): ${name} must be a number, not ${shown(value)}`
  throw new UsageError('ERR_EXTPOLL_ARGUMENT_TYPE', message)
}

/** A call that would change the context, made from where nothing may change it (C8). */
export class ReentrantCallError extends UsageError {
  override readonly name = 'ReentrantCallError'

  constructor(call: string, from: string) {
    super(
      'ERR_EXTPOLL_REENTRANT_CALL',
      `${call}() must not be called from ${from}; call it after that returned`,
    )
  }
}

/** A call that would create something in a context that was destroyed (C27). */
export class ContextDestroyedError extends UsageError {
  override readonly name = 'ContextDestroyedError'

  constructor(call: string) {
    super(
      'ERR_EXTPOLL_CONTEXT_DESTROYED',
      `${call}(): the context was destroyed; make a new one with createContext()`,
    )
  }
}

/** What is wrong, and what the peer hears of it: one row of `faults`. */
export interface Fault {
  /**
   * The close code: what goes to the peer, but for 1005 and 1006, which only CLOSED tells. Absent
   * for HTTP faults.
   */
  readonly closeCode?: number
  /** The HTTP status that goes to the peer. Absent for faults after the handshake. */
  readonly status?: number
  /** Where the rule stands. */
  readonly source: string
  /**
   * What is wrong, for the close reason, the answer's body and the application. At most 123 bytes.
   */
  readonly sentence: string
}

/** What only the application hears: the peer gets nothing. */
const told = (source: string, sentence: string) => ({ closeCode: 1006, source, sentence }) as const

const table = {
  // Opening handshake and HTTP
  REQUEST_MALFORMED: {
    status: 400,
    source: 'RFC 9112 2.2',
    sentence: 'The request is not well-formed HTTP/1.1.',
  },
  REQUEST_HEADER_TOO_LARGE: {
    status: 431,
    source: 'RFC 6585 5',
    sentence: 'The request head is larger than this server allows.',
  },
  REQUEST_VERSION: {
    status: 505,
    source: 'RFC 6455 4.1',
    sentence: 'This server speaks HTTP/1.1.',
  },
  REQUEST_BODY: {
    status: 400,
    source: 'RFC 6455 4.1',
    sentence: 'An upgrade request must not have a body.',
  },
  REQUEST_TIMEOUT: {
    status: 408,
    source: 'handshakeTimeoutMs',
    sentence: 'The request was not complete in time.',
  },
  REQUEST_METHOD: {
    status: 405,
    source: 'RFC 6455 4.2.1',
    sentence: 'A WebSocket handshake is a GET request.',
  },
  REQUEST_HOST: {
    status: 400,
    source: 'RFC 9112 3.2',
    sentence: 'The request must have exactly one valid Host header.',
  },
  UPGRADE_REQUIRED: {
    status: 426,
    source: 'RFC 9110 15.5.22',
    sentence: 'This address speaks WebSocket: ask for an upgrade.',
  },
  UPGRADE_VERSION: {
    status: 426,
    source: 'RFC 6455 4.4',
    sentence: 'Sec-WebSocket-Version must be 13, 8 or 7.',
  },
  UPGRADE_CONNECTION: {
    status: 400,
    source: 'RFC 6455 4.2.1',
    sentence: 'Connection must contain the token Upgrade.',
  },
  UPGRADE_KEY: {
    status: 400,
    source: 'RFC 6455 4.2.1',
    sentence: 'Sec-WebSocket-Key must be 16 bytes in base64, once.',
  },
  UPGRADE_PROTOCOL: {
    status: 400,
    source: 'RFC 6455 4.2.2',
    sentence: 'None of the offered subprotocols is spoken here.',
  },
  UPGRADE_ORIGIN: {
    status: 403,
    source: 'RFC 6455 4.2.2',
    sentence: 'This Origin is not allowed to connect.',
  },
  GOING_AWAY: {
    status: 503,
    source: 'closeAll()',
    sentence: 'The server is going away.',
  },
  UPGRADE_REFUSED: {
    status: 403,
    source: 'FILTER_PROTOCOL_CONNECTION',
    sentence: 'The server refused this connection.',
  },
  FILTER_FAILED: {
    status: 500,
    source: 'FILTER_PROTOCOL_CONNECTION',
    sentence: 'The server could not decide about this connection.',
  },
  ...httpFaults,

  // A client's way to its connection
  NAME_UNKNOWN: told('getaddrinfo(3)', 'The name has no address.'),
  NAME_TIMEOUT: told('resolveTimeoutMs', 'The name was not resolved in time.'),
  CONNECT_FAILED: told('connect(2)', 'No address could be connected to.'),
  CONNECT_TIMEOUT: told('connectTimeoutMs', 'No address answered in time.'),
  PROXY_REFUSED: told('RFC 9110 9.3.6', 'The proxy opened no tunnel.'),
  PROXY_AUTHORIZATION: told('RFC 9110 11.7.1', 'The proxy wants other credentials.'),
  PROXY_TIMEOUT: told('proxyTimeoutMs', 'The proxy did not answer in time.'),
  ANSWER_TIMEOUT: told('handshakeTimeoutMs', 'The answer was not complete in time.'),
  ANSWER_MALFORMED: told('RFC 9112 2.2', 'The answer is not well-formed HTTP/1.1.'),
  ANSWER_TOO_LARGE: told('maxHeaderBytes', 'The answer is larger than is allowed here.'),
  ANSWER_STATUS: told('RFC 6455 4.1 (1)', 'The server did not switch protocols.'),
  ANSWER_VERSION: told('RFC 6455 4.1', 'A handshake is answered in HTTP/1.1.'),
  ANSWER_UPGRADE: told('RFC 6455 4.1 (2)', 'The Upgrade header must be websocket.'),
  ANSWER_CONNECTION: told('RFC 6455 4.1 (3)', 'Connection must contain Upgrade.'),
  ANSWER_ACCEPT: told('RFC 6455 4.1 (4)', 'Sec-WebSocket-Accept is not of our key.'),
  ANSWER_EXTENSION: told('RFC 6455 4.1 (5)', 'The extension was not offered.'),
  ANSWER_PROTOCOL: told('RFC 6455 4.1 (6)', 'The subprotocol was not offered.'),
  SESSION_FAILED: told('createSession', 'The application made no session.'),
  TOO_MANY_CONNECTIONS: told('maxConnections', 'There are too many connections already.'),

  // Frames
  FRAME_RESERVED_BITS: {
    closeCode: 1002,
    source: 'RFC 6455 5.2',
    sentence: 'A reserved bit is set and no extension was negotiated.',
  },
  FRAME_RESERVED_OPCODE: {
    closeCode: 1002,
    source: 'RFC 6455 5.2',
    sentence: 'The opcode is reserved.',
  },
  FRAME_NOT_MASKED: {
    closeCode: 1002,
    source: 'RFC 6455 5.1',
    sentence: 'A client must mask every frame.',
  },
  FRAME_MASKED: {
    closeCode: 1002,
    source: 'RFC 6455 5.1',
    sentence: 'A server must not mask any frame.',
  },
  FRAME_LENGTH_NOT_MINIMAL: {
    closeCode: 1002,
    source: 'RFC 6455 5.2',
    sentence: 'The payload length is not in its shortest form.',
  },
  FRAME_LENGTH_SIGN: {
    closeCode: 1002,
    source: 'RFC 6455 5.2',
    sentence: 'The most significant bit of a 64-bit length must be 0.',
  },
  CONTROL_FRAGMENTED: {
    closeCode: 1002,
    source: 'RFC 6455 5.4',
    sentence: 'A control frame must not be fragmented.',
  },
  CONTROL_TOO_LONG: {
    closeCode: 1002,
    source: 'RFC 6455 5.5',
    sentence: 'A control frame carries at most 125 bytes.',
  },
  CONTINUATION_WITHOUT_MESSAGE: {
    closeCode: 1002,
    source: 'RFC 6455 5.4',
    sentence: 'A continuation frame came without a message to continue.',
  },
  MESSAGE_INTERLEAVED: {
    closeCode: 1002,
    source: 'RFC 6455 5.4',
    sentence: 'A new message began before the last one ended.',
  },
  CLOSE_LENGTH: {
    closeCode: 1002,
    source: 'RFC 6455 5.5.1',
    sentence: 'A close frame of one byte has no whole code.',
  },
  CLOSE_CODE: {
    closeCode: 1002,
    source: 'RFC 6455 7.4',
    sentence: 'The close code must not appear in a close frame.',
  },
  CLOSE_REASON_UTF8: {
    closeCode: 1007,
    source: 'RFC 6455 5.5.1',
    sentence: 'The close reason is not valid UTF-8.',
  },
  TEXT_UTF8: {
    closeCode: 1007,
    source: 'RFC 6455 8.1',
    sentence: 'A text message is not valid UTF-8.',
  },
  MESSAGE_TOO_BIG: {
    closeCode: 1009,
    source: 'maxMessageBytes',
    sentence: 'The message is larger than is allowed here.',
  },
  FRAME_TOO_BIG: {
    closeCode: 1009,
    source: 'maxFrameBytes',
    sentence: 'The frame is larger than is allowed here.',
  },
  TOO_MANY_FRAGMENTS: {
    closeCode: 1008,
    source: 'maxFragments',
    sentence: 'The message has more fragments than are allowed here.',
  },
  CONTEXT_BUFFERS_FULL: {
    closeCode: 1013,
    source: 'maxContextBufferedBytes',
    sentence: 'Too much data is held here for all peers together.',
  },
  TOO_MANY_PINGS: {
    closeCode: 1008,
    source: 'maxPendingPongs',
    sentence: 'Pings come faster than their pongs are taken.',
  },

  // Life of a connection
  CLOSED_BY_PEER: {
    closeCode: 1005,
    source: 'RFC 6455 7.1.5',
    sentence: 'The peer closed the connection.',
  },
  CLOSED_BY_APPLICATION: {
    closeCode: 1000,
    source: 'close()',
    sentence: 'The application closed the connection.',
  },
  DETACHED: {
    closeCode: 1006,
    source: 'detachSocket()',
    sentence: 'The application took the socket back.',
  },
  HUNG_UP: { closeCode: 1006, source: 'hangup()', sentence: 'The application hung up.' },
  CONTEXT_DESTROYED: {
    closeCode: 1001,
    source: 'contextDestroy()',
    sentence: 'The server is going away.',
  },
  CALLBACK_THREW: {
    closeCode: 1011,
    source: 'C29',
    sentence: 'The application met an unexpected condition.',
  },
  SEND_QUEUE_FULL: {
    closeCode: 1013,
    source: 'maxBufferedBytes',
    sentence: 'The peer takes data slower than it is made.',
  },
  ADMISSION_TIMEOUT: {
    status: 503,
    source: 'handshakeTimeoutMs',
    sentence: 'The server did not decide in time.',
  },
  IDLE_TIMEOUT: {
    closeCode: 1001,
    source: 'idleTimeoutMs',
    sentence: 'Nothing was received for too long.',
  },
  PONG_TIMEOUT: {
    closeCode: 1001,
    source: 'pongTimeoutMs',
    sentence: 'A ping was not answered in time.',
  },
  CLOSE_TIMEOUT: {
    closeCode: 1006,
    source: 'closeTimeoutMs',
    sentence: 'The closing handshake was not finished in time.',
  },
  WRITE_STALL_TIMEOUT: {
    closeCode: 1006,
    source: 'writeStallTimeoutMs',
    sentence: 'The peer took no data for too long.',
  },
  PAUSED_ERROR_TIMEOUT: {
    closeCode: 1006,
    source: 'pausedErrorTimeoutMs',
    sentence: 'The peer was gone while the connection was paused.',
  },
  END_OF_FILE: {
    closeCode: 1006,
    source: 'RFC 6455 7.1.5',
    sentence: 'The peer ended the connection without a closing handshake.',
  },
  TRANSPORT_ERROR: { closeCode: 1006, source: 'C29', sentence: 'The connection was lost.' },
  POLL_SET_REFUSED: {
    closeCode: 1006,
    source: 'C9',
    sentence: 'The host did not take the descriptor into its poll set.',
  },
} as const satisfies Record<string, Fault>

export type FaultName = keyof typeof table

/** Every named fault: what the peer gets, where the rule stands, and a sentence. */
export const faults: Readonly<Record<FaultName, Fault>> = table
