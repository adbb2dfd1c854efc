/**
 * A Peer that speaks WebSocket, as a client: the opening handshake, frames, messages.
 *
 * Refuses everything a server must not do, by throwing in the test. Shares no code with the
 * library.
 * Source: RFC 6455 sections 1.3, 4.1, 5.
 */
import { createHash } from 'node:crypto'
import { ServerFrameDecoder, encodeClientFrame, strictText } from './frame-codec.js'
import type { Frame, FrameToSend } from './frame-codec.js'
import { Peer } from './peer.js'

export interface UpgradeOptions {
  /** Default '/'. */
  readonly path?: string
  /** Subprotocols to offer, in order. Default none. */
  readonly protocols?: readonly string[]
  /** More headers, or others: a value replaces, `undefined` leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>
}

export interface HttpResponse {
  readonly status: number
  readonly statusText: string
  /** Names in lower case; a repeated one's values joined by ', '. */
  readonly headers: ReadonlyMap<string, string>
}

/** The key of RFC 6455 section 1.3. */
const EXAMPLE_KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const OPCODE_TEXT = 1

export class WsPeer extends Peer {
  private readonly decoder = new ServerFrameDecoder()
  private readonly arrived: Frame[] = []
  private head: HttpResponse | undefined
  private early: Buffer = Buffer.alloc(0)
  private key = EXAMPLE_KEY
  private readonly pieces: Buffer[] = []
  private pieceOpcode = 0

  /** Sends the opening handshake. */
  upgrade(options: UpgradeOptions = {}): this {
    this.send(this.upgradeRequest(options))
    return this
  }

  /** The bytes of the opening handshake, for a test that sends them its own way. */
  upgradeRequest(options: UpgradeOptions = {}): string {
    const headers: Record<string, string | undefined> = {
      Host: 'localhost',
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Key': EXAMPLE_KEY,
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Protocol': options.protocols?.join(', '),
      ...options.headers,
    }
    this.key = headers['Sec-WebSocket-Key'] ?? EXAMPLE_KEY
    const lines = Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}: ${value}\r\n`],
    )
    return `GET ${options.path ?? '/'} HTTP/1.1\r\n${lines.join('')}\r\n`
  }

  /** The answer to the opening handshake; undefined until its head has arrived whole. */
  response(): HttpResponse | undefined {
    if (this.head !== undefined) return this.head
    const bytes = this.received()
    const end = bytes.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    this.head = parseResponse(bytes.subarray(0, end).toString('latin1'))
    this.early = this.take().subarray(end + 4)
    return this.head
  }

  /** Sends one frame, masked unless asked otherwise. */
  sendFrame(frame: FrameToSend): this {
    this.send(encodeClientFrame(frame))
    return this
  }

  /** Sends a text or binary message in one frame. */
  sendMessage(data: string | Uint8Array): this {
    return this.sendFrame({ opcode: typeof data === 'string' ? 1 : 2, payload: data })
  }

  /** The whole frames that arrived since the last look; later looks do not repeat them. */
  frames(): Frame[] {
    this.receive()
    return this.arrived.splice(0)
  }

  /**
   * The whole messages that arrived since the last look: text as string, binary as Buffer. Control
   * frames stay for `frames()`.
   */
  messages(): (string | Buffer)[] {
    this.receive()
    const messages: (string | Buffer)[] = []
    const control: Frame[] = []
    for (const frame of this.arrived.splice(0)) {
      if (frame.opcode >= 8) {
        control.push(frame)
        continue
      }
      if (frame.opcode !== 0) this.pieceOpcode = frame.opcode
      this.pieces.push(frame.payload)
      if (!frame.fin) continue
      const whole = Buffer.concat(this.pieces.splice(0))
      messages.push(this.pieceOpcode === OPCODE_TEXT ? strictText(whole) : whole)
    }
    this.arrived.push(...control)
    return messages
  }

  private receive(): void {
    const response = this.response()
    if (response === undefined) return
    if (response.status !== 101)
      throw new Error(`not upgraded: ${response.status} ${response.statusText}`)
    const accept = createHash('sha1')
      .update(this.key + ACCEPT_GUID)
      .digest('base64')
    if (response.headers.get('sec-websocket-accept') !== accept) {
      throw new Error(`Sec-WebSocket-Accept is not ${accept} (4.2.2)`)
    }
    if (this.early.length > 0) this.arrived.push(...this.decoder.decode(this.early))
    this.early = Buffer.alloc(0)
    this.arrived.push(...this.decoder.decode(this.take()))
  }
}

/** An HTTP response's head, without the empty line. @throws Error where it is none */
export function parseResponse(text: string): HttpResponse {
  const [statusLine = '', ...lines] = text.split('\r\n')
  const match = /^HTTP\/1\.1 (\d{3}) ([^\r\n]*)$/.exec(statusLine)
  if (match === null) throw new Error(`not an HTTP status line: ${JSON.stringify(statusLine)}`)
  const headers = new Map<string, string>()
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line)
    if (field === null) throw new Error(`not a header field: ${JSON.stringify(line)}`)
    const [, name = '', value = ''] = field
    const before = headers.get(name.toLowerCase())
    headers.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`)
  }
  return { status: Number(match[1]), statusText: match[2] ?? '', headers }
}
