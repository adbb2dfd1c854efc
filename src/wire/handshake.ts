/**
 * The opening handshake, server side: what a request must have, and the two answers.
 *
 * Sees one parsed head and gives back data or text; decides nothing about origins, protocols or
 * the application's wishes. Source: RFC 6455 4.2; versions 8 and 7 are hybi-08..12 and hybi-07.
 */
import { type FaultName } from '../errors.js'
import { acceptKey, isHandshakeKey } from './accept-key.js'
import { hasToken, listMembers, type RequestHead } from './request-head.js'
import { isOneHost, targetFault } from './request-rules.js'

/** The versions spoken. They frame alike; only the name of the Origin header tells them apart. */
export const VERSIONS = [
  { version: 13, text: '13', originHeader: 'origin' },
  { version: 8, text: '8', originHeader: 'sec-websocket-origin' },
  { version: 7, text: '7', originHeader: 'sec-websocket-origin' },
] as const

/** For the Sec-WebSocket-Version header of a 426: newest first. */
export const SPOKEN_VERSIONS = VERSIONS.map((row) => row.version).join(', ')

/** What a valid upgrade request asks for. */
export interface UpgradeRequest extends RequestHead {
  readonly version: number
  /** The Sec-WebSocket-Key, 24 characters. */
  readonly key: string
  /** The subprotocols offered, in the client's order. Null where the client offered none. */
  readonly offered: readonly string[] | null
  /** The Origin, or null where none came: no browser then. */
  readonly origin: string | null
  readonly host: string
}

/** Does this request ask for a WebSocket at all, rightly or wrongly? */
export function asksForWebSocket(head: RequestHead): boolean {
  return hasToken(head.headers.get('upgrade'), 'websocket')
}

/** Checks the request against 4.2.1. @returns what it asks for, or the first rule it breaks */
export function parseUpgradeRequest(head: RequestHead): UpgradeRequest | FaultName {
  const { headers, repeated } = head
  if (head.method !== 'GET') return 'REQUEST_METHOD'
  if (head.minorVersion !== 1) return 'REQUEST_VERSION'
  const host = headers.get('host')
  if (host === undefined || !isOneHost(host, repeated)) return 'REQUEST_HOST'
  if (targetFault(head) !== null) return 'REQUEST_TARGET'
  if (!hasToken(headers.get('connection'), 'upgrade')) return 'UPGRADE_CONNECTION'
  const bodyBytes = headers.get('content-length')
  if (headers.has('transfer-encoding') || (bodyBytes !== undefined && bodyBytes !== '0'))
    return 'REQUEST_BODY'
  const wanted = headers.get('sec-websocket-version')
  const row = VERSIONS.find(({ text }) => text === wanted)
  if (row === undefined) return 'UPGRADE_VERSION'
  const key = headers.get('sec-websocket-key')
  if (key === undefined || !isHandshakeKey(key)) return 'UPGRADE_KEY'
  if (repeated.has(row.originHeader)) return 'REQUEST_MALFORMED'
  const offered = headers.get('sec-websocket-protocol')
  const names = offered === undefined ? null : listMembers(offered)
  if (names?.some((name) => !isToken(name))) return 'REQUEST_MALFORMED'
  const origin = headers.get(row.originHeader) ?? null
  const { method, target, minorVersion } = head
  const { version } = row
  // Spelt out: with a spread V8 makes a new hidden class of every request, 6 us and 1 KB each.
  return {
    method,
    target,
    minorVersion,
    headers,
    repeated,
    version,
    key,
    offered: names,
    origin,
    host,
  }
}

/** A token of RFC 9110 5.6.2: what a subprotocol's name must be. */
export function isToken(name: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)
}

/**
 * Does an Origin name the same authority as the Host header? The scheme's own port may be left out
 * on either side.
 */
export function isSameOrigin(origin: string, host: string): boolean {
  const match = /^(https?):\/\/([^/]+)$/i.exec(origin)
  if (match === null) return false
  const port = match[1]!.toLowerCase() === 'https' ? ':443' : ':80'
  const bare = (authority: string): string => {
    const lower = authority.toLowerCase()
    return lower.endsWith(port) ? lower.slice(0, -port.length) : lower
  }
  return bare(match[2]!) === bare(host)
}

const SWITCHING =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Accept: '

/** The 101 answer. @param protocol the chosen subprotocol, or '' for none */
export function formatSwitchingProtocols(key: string, protocol: string): string {
  const end = protocol === '' ? '\r\n\r\n' : `\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`
  return SWITCHING + acceptKey(key) + end
}
