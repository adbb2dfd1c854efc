/** Sec-WebSocket-Accept: the proof that the server read the handshake. Source: RFC 6455 4.2.2. */
import { hash } from 'node:crypto'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** @param key the Sec-WebSocket-Key header as it came */
export function acceptKey(key: string): string {
  return hash('sha1', key + GUID, 'base64')
}

/** 16 bytes in canonical base64: 22 characters, the last of which carries 2 bits, and `==`. */
export function isHandshakeKey(key: string): boolean {
  return /^[A-Za-z0-9+/]{21}[AQgw]==$/.test(key)
}
