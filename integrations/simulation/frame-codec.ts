/**
 * WebSocket frames as a client sees them: a second opinion, that shares nothing with src/wire.
 *
 * Written for strictness and plainness, not for speed: what a server must not send throws.
 * Knows no handshake and no connection.
 * Source: RFC 6455 sections 5.2, 5.3, 5.5, 7.4.
 */
export interface Frame {
  readonly fin: boolean
  readonly opcode: number
  readonly payload: Buffer
}

export interface FrameToSend {
  /** Default true. */
  readonly fin?: boolean
  /** Default 1, text. */
  readonly opcode?: number
  readonly payload?: string | Uint8Array
  /** The masking key, four bytes; `false` sends unmasked, which a server must refuse. */
  readonly mask?: Uint8Array | false
  /** The three reserved bits, 0 to 7, RSV1 highest. Default 0. */
  readonly rsv?: number
}

/** The masking key of RFC 6455 section 5.7. */
const EXAMPLE_KEY = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d)

export function encodeClientFrame(frame: FrameToSend): Buffer {
  const given = frame.payload ?? ''
  const payload = typeof given === 'string' ? Buffer.from(given, 'utf8') : Buffer.from(given)
  const key = frame.mask ?? EXAMPLE_KEY
  const first = (frame.fin === false ? 0 : 0x80) | ((frame.rsv ?? 0) << 4) | (frame.opcode ?? 1)
  const size = payload.length
  const header = lengthField(size)
  if (key === false) return Buffer.concat([Buffer.of(first, ...header), payload])
  header[0] = (header[0] ?? 0) | 0x80
  for (let i = 0; i < size; i += 1) payload[i] = (payload[i] ?? 0) ^ (key[i % 4] ?? 0)
  return Buffer.concat([Buffer.of(first, ...header), key, payload])
}

/** A frame with the key that it was masked with. */
export interface MaskedFrame extends Frame {
  readonly key: number
}

/** Frames of a client, strictly: each must be masked. */
export class ClientFrameDecoder {
  private rest: Buffer = Buffer.alloc(0)
  private readonly rules = new ServerFrameDecoder()

  decode(bytes: Buffer): MaskedFrame[] {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes])
    const frames: MaskedFrame[] = []
    for (let frame = this.next(); frame !== undefined; frame = this.next()) frames.push(frame)
    return frames
  }

  /** Takes the mask off, and lets the rules of both sides judge what is beneath. */
  private next(): MaskedFrame | undefined {
    const { rest } = this
    if (rest.length < 2) return undefined
    const second = rest[1]!
    if ((second & 0x80) === 0) refuse('a client frame is not masked (5.1)')
    const short = second & 0x7f
    const keyAt = short < 126 ? 2 : short === 126 ? 4 : 10
    if (rest.length < keyAt + 4) return undefined
    const size =
      short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
    const start = keyAt + 4
    if (rest.length < start + size) return undefined
    const payload = Buffer.from(rest.subarray(start, start + size))
    for (let at = 0; at < size; at += 1) payload[at]! ^= rest[keyAt + (at & 3)]!
    const bare = Buffer.concat([rest.subarray(0, keyAt), payload])
    bare[1]! &= 0x7f
    const [frame] = this.rules.decode(bare)
    if (frame === undefined) return refuse('a frame is less than its length says')
    this.rest = rest.subarray(start + size)
    return { ...frame, key: rest.readUInt32LE(keyAt) }
  }
}

/** Takes bytes as they come; gives whole frames. */
export class ServerFrameDecoder {
  private rest: Buffer = Buffer.alloc(0)
  private inMessage = false
  private closed = false

  /** Bytes of a frame that has not ended yet. */
  get partialBytes(): number {
    return this.rest.length
  }

  decode(bytes: Buffer): Frame[] {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes])
    const frames: Frame[] = []
    for (let frame = this.next(); frame !== undefined; frame = this.next()) frames.push(frame)
    return frames
  }

  private next(): Frame | undefined {
    const { rest } = this
    if (rest.length < 2) return undefined
    const [first = 0, second = 0] = rest
    const short = second & 0x7f
    if (second & 0x80) refuse('a server frame is masked (5.1)')
    if (first & 0x70) refuse(`reserved bits ${(first >> 4) & 7} without an extension (5.2)`)
    const head = short < 126 ? 2 : short === 126 ? 4 : 10
    if (rest.length < head) return undefined
    const size =
      short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
    if (size < (short === 126 ? 126 : short === 127 ? 65_536 : 0))
      refuse('length not minimal (5.2)')
    if (rest.length < head + size) return undefined
    const payload = rest.subarray(head, head + size)
    const frame = { fin: first >= 0x80, opcode: first & 0x0f, payload }
    this.check(frame)
    this.rest = rest.subarray(head + size)
    return frame
  }

  private check({ fin, opcode, payload }: Frame): void {
    if (this.closed) refuse('a frame after the close frame (5.5.1)')
    if (opcode >= 8) {
      if (opcode > 10) refuse(`reserved opcode ${opcode} (5.2)`)
      if (!fin) refuse('a control frame is fragmented (5.5)')
      if (payload.length > 125) refuse('a control frame is longer than 125 bytes (5.5)')
      if (opcode === 8) this.checkClose(payload)
      return
    }
    if (opcode > 2) refuse(`reserved opcode ${opcode} (5.2)`)
    if (opcode === 0 && !this.inMessage) refuse('a continuation of nothing (5.4)')
    if (opcode !== 0 && this.inMessage) refuse('a new message inside another (5.4)')
    this.inMessage = !fin
  }

  private checkClose(payload: Buffer): void {
    this.closed = true
    if (payload.length === 0) return
    if (payload.length === 1) refuse('half a close code (5.5.1)')
    const code = payload.readUInt16BE(0)
    const given = (code >= 1000 && code <= 1014) || (code >= 3000 && code <= 4999)
    if (!given || (code >= 1004 && code <= 1006)) refuse(`close code ${code} (7.4)`)
    strictText(payload.subarray(2))
  }
}

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text of UTF-8 bytes; throws where they are not (8.1). */
export function strictText(bytes: Uint8Array): string {
  return DECODER.decode(bytes)
}

function lengthField(size: number): number[] {
  if (size < 126) return [size]
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(size))
  return size < 65_536 ? [126, ...bytes.subarray(6)] : [127, ...bytes]
}

function refuse(sentence: string): never {
  throw new Error(`not WebSocket: ${sentence}`)
}
