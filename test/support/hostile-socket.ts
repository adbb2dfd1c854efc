/**
 * A raw TCP client for attacks and for honest peers: prebuilt bytes out, frames of a server in.
 *
 * Parses what a server sends as cheaply as can be, since a hundred of these share a thread; strict
 * clients are in integrations/simulation. Shares no code with the library.
 */
import { connect, type Socket } from 'node:net'

/** Its key is zero, so the payload stands in it as it is. */
export function maskedFrame(firstByte: number, payload: Uint8Array): Buffer {
  const size = payload.length
  const length = size < 126 ? [0x80 | size] : [0x80 | 126, size >> 8, size & 0xff]
  return Buffer.concat([Buffer.from([firstByte, ...length, 0, 0, 0, 0]), payload])
}

export const TEXT_FRAME = 0x81
export const BINARY_FRAME = 0x82
export const PING_FRAME = 0x89

/** A port of 127.0.0.1, or a Unix socket's path. */
export type Place = string

function whereIs(place: Place): { readonly path: string } | { port: number; host: string } {
  return place.startsWith('/') ? { path: place } : { port: Number(place), host: '127.0.0.1' }
}

const UPGRADE_FIELDS = [
  'HTTP/1.1',
  'Host: 127.0.0.1',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n')

const OPCODE_CLOSE = 8

export class HostileSocket {
  readonly socket: Socket
  readonly connected: Promise<void>
  /** When the last byte came, or the connection ended. */
  readonly ended: Promise<number>
  /** Of the answer to the handshake, or to what was sent in place of one; 0 before. */
  status = 0
  answeredMs = 0
  /** Of the server's close frame; 0 where none came. */
  closeCode = 0
  /** Whole frames received, by opcode. */
  readonly frames = new Map<number, number>()
  onFrame: (opcode: number) => void = () => {}
  #rest: Buffer = Buffer.alloc(0)
  #inHead = true

  constructor(place: Place) {
    this.socket = connect({ ...whereIs(place), allowHalfOpen: true, noDelay: true })
    this.socket.on('error', () => {})
    this.socket.on('data', (chunk) => this.#receive(chunk))
    this.connected = new Promise((resolve) => {
      this.socket.once('connect', resolve)
    })
    this.ended = new Promise((resolve) => {
      this.socket.once('close', () => resolve(performance.now()))
    })
  }

  /** Upgraded, with its name in the request. @throws Error where the connection ended instead */
  static async open(place: Place, name: string): Promise<HostileSocket> {
    const client = new HostileSocket(place)
    await client.upgraded(name)
    return client
  }

  /** Asks for the upgrade. @throws Error where it is refused, or the connection ends */
  async upgraded(name: string): Promise<void> {
    this.socket.write(`GET /${name} ${UPGRADE_FIELDS}`)
    const answered = new Promise<void>((resolve) => (this.#answered = resolve))
    await Promise.race([answered, this.ended])
    if (this.status !== 101) throw new Error(`refused: ${this.status}`)
  }

  #answered = (): void => {}

  #receive(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    if (this.#inHead && !this.#takeHead()) return
    let at = 0
    for (let next = this.#takeFrame(at); next > at; next = this.#takeFrame(at)) at = next
    this.#rest = this.#rest.subarray(at)
  }

  #takeHead(): boolean {
    const end = this.#rest.indexOf('\r\n\r\n')
    if (end < 0) return false
    this.status = Number(this.#rest.toString('latin1', 9, 12))
    this.answeredMs = performance.now()
    this.#rest = this.#rest.subarray(end + 4)
    this.#inHead = false
    this.#answered()
    return true
  }

  /** @returns where the next frame begins; `at` where this one is not whole */
  #takeFrame(at: number): number {
    const bytes = this.#rest
    if (this.status !== 101 || bytes.length < at + 2) return at
    const short = bytes[at + 1]!
    const head = short < 126 ? 2 : short === 126 ? 4 : 10
    if (bytes.length < at + head) return at
    const size =
      head === 2 ? short : head === 4 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6)
    const next = at + head + size
    if (bytes.length < next) return at
    const opcode = bytes[at]! & 0x0f
    this.frames.set(opcode, (this.frames.get(opcode) ?? 0) + 1)
    if (opcode === OPCODE_CLOSE && size >= 2) this.closeCode = bytes.readUInt16BE(at + head)
    this.onFrame(opcode)
    return next
  }
}
