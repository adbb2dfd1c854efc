/**
 * The far end of a connection that the library made: a server in a test's hands, or a proxy.
 *
 * Refuses everything that a client must not send, by throwing in the test. Shares no code with the
 * library. Source: RFC 6455 sections 4.2.2, 5.1, 5.3.
 */
import { createHash } from 'node:crypto'
import { ClientFrameDecoder, encodeClientFrame } from './frame-codec.js'
import type { FrameToSend, MaskedFrame } from './frame-codec.js'
import { Peer } from './peer.js'

const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** A request as it came. */
export interface ClientRequest {
  /** `GET /chat HTTP/1.1`. */
  readonly line: string
  /** Names in lower case; each may come once only. */
  readonly headers: ReadonlyMap<string, string>
}

export class ServerPeer extends Peer {
  private readonly decoder = new ClientFrameDecoder()
  private key = ''

  /** The request that arrived whole; undefined before. Taken by this look. */
  request(): ClientRequest | undefined {
    const bytes = this.received()
    const end = bytes.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    const rest = this.take().subarray(end + 4)
    if (rest.length > 0) throw new Error(`${rest.length} bytes behind a request (4.1)`)
    const [line = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
    const headers = new Map<string, string>()
    for (const field of lines) {
      const colon = field.indexOf(': ')
      const name = field.slice(0, colon).toLowerCase()
      if (colon < 1 || headers.has(name)) throw new Error(`one field, once: ${field}`)
      headers.set(name, field.slice(colon + 2))
    }
    this.key = headers.get('sec-websocket-key') ?? this.key
    return { line, headers }
  }

  /** The right answer to the request last looked at. @param more lines, each with its CRLF */
  accept(more = ''): string {
    const accept = createHash('sha1')
      .update(this.key + ACCEPT_GUID)
      .digest('base64')
    return (
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n${more}\r\n`
    )
  }

  /** Sends a frame, not masked unless asked for. */
  sendFrame(frame: FrameToSend): this {
    this.send(encodeClientFrame({ mask: false, ...frame }))
    return this
  }

  sendMessage(data: string | Uint8Array): this {
    return this.sendFrame({ opcode: typeof data === 'string' ? 1 : 2, payload: data })
  }

  /** The whole frames that arrived since the last look, unmasked, each with its key. */
  frames(): MaskedFrame[] {
    return this.decoder.decode(this.take())
  }
}
