/** The opening handshake of a simulated client. Source: RFC 6455 section 4.1. */
import { createHash } from 'node:crypto'

/** What `world.connect` takes beside the protocol. */
export interface ConnectOptions {
  /** Where to: a host's name. Default: the first. */
  readonly host?: string
  /** How reports and links call the peer. Default `peer N`. */
  readonly name?: string
  /** Default '/'. */
  readonly path?: string
  /** More headers, or others. */
  readonly headers?: Readonly<Record<string, string>>
}

const KEY_BYTES = 16
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** Every world's clients use the same keys, from the first on. */
const MAX_ACCEPTS = 16_384
const accepts = new Map<string, string>()

/** What a server must answer to a key. */
export function acceptOf(key: string): string {
  let accept = accepts.get(key)
  if (accept === undefined) {
    accept = createHash('sha1')
      .update(key + ACCEPT_GUID)
      .digest('base64')
    if (accepts.size < MAX_ACCEPTS) accepts.set(key, accept)
  }
  return accept
}

/** @param number makes the key, which no two clients share */
export function formatRequest(
  address: string,
  protocol: string,
  options: ConnectOptions,
  number: number,
): { readonly head: Buffer; readonly key: string } {
  const bytes = Buffer.alloc(KEY_BYTES)
  bytes.writeUInt32BE(number >>> 0, KEY_BYTES - 4)
  const key = bytes.toString('base64')
  let text =
    `GET ${options.path ?? '/'} HTTP/1.1\r\nHost: ${address}\r\nUpgrade: websocket\r\n` +
    `Connection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n`
  if (protocol !== '') text += `Sec-WebSocket-Protocol: ${protocol}\r\n`
  for (const [name, value] of Object.entries(options.headers ?? {})) text += `${name}: ${value}\r\n`
  return { head: Buffer.from(`${text}\r\n`, 'latin1'), key }
}
