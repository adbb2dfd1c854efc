/**
 * The opening handshake, client side: the request, what its answer must have, and the request to a
 * proxy. Text and data only. Source: RFC 6455 4.1; RFC 9110 9.3.6 (CONNECT); RFC 7617 (Basic).
 */
import { type FaultName } from '../errors.js'
import { acceptKey } from './accept-key.js'
import { VERSIONS } from './handshake.js'
import { hasToken, listMembers } from './request-head.js'
import { type ResponseHead } from './response-head.js'

/** What the upgrade request says. All of it was checked before. */
export interface UpgradeOffer {
  /** Path and query, as they are sent. */
  readonly target: string
  readonly host: string
  readonly version: number
  /** Null: none is sent. */
  readonly origin: string | null
  /** The subprotocols offered, in order. */
  readonly offered: readonly string[]
  /** Lines of the application, each with its CRLF. */
  readonly extraLines: string
}

/** The Origin header's name in this version, or undefined for a version that is not spoken. */
export function originHeaderOf(version: number): string | undefined {
  return VERSIONS.find((row) => row.version === version)?.originHeader
}

/** @param key the Sec-WebSocket-Key, 24 characters */
export function formatUpgradeRequest(offer: UpgradeOffer, key: string): string {
  const { target, host, version, origin, offered, extraLines } = offer
  const originName = version === 13 ? 'Origin' : 'Sec-WebSocket-Origin'
  return (
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: ${version}\r\n` +
    (origin === null ? '' : `${originName}: ${origin}\r\n`) +
    (offered.length === 0 ? '' : `Sec-WebSocket-Protocol: ${offered.join(', ')}\r\n`) +
    `${extraLines}\r\n`
  )
}

/** A rule that an answer breaks, and what was expected of it. */
export interface AnswerFault {
  readonly cause: FaultName
  /** `expected ..., got ...`: for people. */
  readonly detail: string
}

/**
 * Checks the answer against 4.1, in its order. No extension is offered, so none may be agreed to.
 * @returns the subprotocol agreed to ('' for none), or the first rule broken
 */
export function checkUpgradeAnswer(
  head: ResponseHead,
  key: string,
  offered: readonly string[],
): string | AnswerFault {
  const { headers, status, phrase } = head
  if (status !== 101) return { cause: 'ANSWER_STATUS', detail: statusDetail(status, phrase, head) }
  if (head.minorVersion !== 1) return fault('ANSWER_VERSION', 'HTTP/1.1', 'HTTP/1.0')
  const upgrade = headers.get('upgrade')
  if (upgrade?.toLowerCase() !== 'websocket')
    return fault('ANSWER_UPGRADE', 'Upgrade: websocket', upgrade)
  const connection = headers.get('connection')
  if (!hasToken(connection, 'upgrade'))
    return fault('ANSWER_CONNECTION', 'Connection: Upgrade', connection)
  const accept = headers.get('sec-websocket-accept')
  if (accept !== acceptKey(key)) return fault('ANSWER_ACCEPT', acceptKey(key), accept)
  const extensions = headers.get('sec-websocket-extensions')
  if (listMembers(extensions).length > 0)
    return fault('ANSWER_EXTENSION', 'none, as none was offered', extensions)
  const protocol = headers.get('sec-websocket-protocol')
  if (protocol === undefined) return ''
  if (!offered.includes(protocol))
    return fault(
      'ANSWER_PROTOCOL',
      offered.length === 0 ? 'none, as none was offered' : `one of ${offered.join(', ')}`,
      protocol,
    )
  return protocol
}

function statusDetail(status: number, phrase: string, { headers }: ResponseHead): string {
  const to = headers.get('location')
  const where = status >= 300 && status < 400 && to !== undefined ? `, which points to ${to}` : ''
  return `expected 101, got ${status}${phrase === '' ? '' : ` ${phrase}`}${where}`
}

function fault(cause: FaultName, expected: string, got: string | undefined): AnswerFault {
  const shown = got === undefined ? 'nothing' : JSON.stringify(got.slice(0, 200))
  return { cause, detail: `expected ${expected}, got ${shown}` }
}

/**
 * @param authority `name:port` of whom to reach, IPv6 in brackets
 * @param credentials `user:password`, or null
 */
export function formatConnectRequest(authority: string, credentials: string | null): string {
  const basic =
    credentials === null ? '' : `Proxy-Authorization: ${basicAuthorization(credentials)}\r\n`
  return `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${basic}\r\n`
}

/** `Basic ...`, of `user:password` in UTF-8. */
export function basicAuthorization(credentials: string): string {
  return `Basic ${Buffer.from(credentials, 'utf8').toString('base64')}`
}

/** A proxy's answer: any 2xx opens the tunnel. @returns the rule it breaks, or null */
export function checkProxyAnswer({ status, phrase }: ResponseHead): AnswerFault | null {
  if (status >= 200 && status < 300) return null
  const detail = `expected 200, got ${status}${phrase === '' ? '' : ` ${phrase}`}`
  return { cause: status === 407 ? 'PROXY_AUTHORIZATION' : 'PROXY_REFUSED', detail }
}
