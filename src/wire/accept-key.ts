/** Sec-WebSocket-Accept: the proof that the server read the handshake. Source: RFC 6455 4.2.2. */
import { hash } from 'node:crypto'
import { BASE64, isOf } from './byte-class.js'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** @param key the Sec-WebSocket-Key header as it came */
export function acceptKey(key: string): string {
  return hash('sha1', key + GUID, 'base64')
}

const KEY_LENGTH = 24
const DIGITS = 21
/** The 22nd has two bits of the key, and four that must be 0. */
const LAST_DIGITS = 'AQgw'

/** 16 bytes in canonical base64: 22 characters, the last of which carries 2 bits, and `==`. */
export function isHandshakeKey(key: string): boolean {
  if (key.length !== KEY_LENGTH || !key.endsWith('==')) return false
  for (let index = 0; index < DIGITS; index++)
    if (!isOf(BASE64, key.charCodeAt(index))) return false
  return LAST_DIGITS.includes(key.charAt(DIGITS))
}
