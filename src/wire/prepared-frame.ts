/** A whole message as the bytes a server sends, encoded once. Source: RFC 6455 5.2. */
import { frameHeaderBytes, writeFrameHeader } from './frame-writer.js'

/** A message encoded by `prepareFrame`, for any number of connections. */
export interface PreparedFrame {
  /** The frame as it is sent, header and payload. Read only. */
  readonly bytes: Buffer
}

export class EncodedFrame implements PreparedFrame {
  /** Header and payload. Never changed. */
  readonly bytes: Buffer
  /** Where the payload begins in them: a client masks it anew. */
  readonly payloadAt: number
  readonly #made = true
  /** Where the bytes already stand in a transmit arena, so that more connections may share them. */
  arena: object | null = null
  arenaEpoch = 0
  arenaAt = 0

  /** Whether it was made here: neither a Proxy of one, nor its heir. */
  static made(value: unknown): value is EncodedFrame {
    return typeof value === 'object' && value !== null && #made in value
  }

  /** @param payload copied */
  constructor(firstByte: number, payload: Uint8Array) {
    const headerBytes = frameHeaderBytes(payload.length)
    this.payloadAt = headerBytes
    this.bytes = Buffer.allocUnsafeSlow(headerBytes + payload.length)
    writeFrameHeader(this.bytes, 0, firstByte, payload.length)
    this.bytes.set(payload, headerBytes)
  }
}
