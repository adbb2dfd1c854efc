/**
 * A client's frames, masked with keys of its own: fast, where frame-codec.ts is plain.
 *
 * Source: RFC 6455 sections 5.2, 5.3.
 */
const MAX_SHORT = 125

export class ClientFrames {
  /** What comes next is masked with zeros, or with the key of the frame before. */
  nextKey: 'fresh' | 'zero' | 'same' = 'fresh'
  private key: number

  /** @param seed the first masking key */
  constructor(seed: number) {
    this.key = seed | 0
  }

  /** @param rsv the three reserved bits, 0 to 7, RSV1 highest */
  encode(fin: boolean, opcode: number, payload: Uint8Array, rsv: number, masked: boolean): Buffer {
    const { length } = payload
    const lengthBytes = length <= MAX_SHORT ? 0 : length < 65_536 ? 2 : 8
    const start = 2 + lengthBytes + (masked ? 4 : 0)
    const frame = Buffer.allocUnsafe(start + length)
    frame[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode
    frame[1] = (masked ? 0x80 : 0) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127)
    if (lengthBytes === 2) frame.writeUInt16BE(length, 2)
    else if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(length), 2)
    if (!masked) {
      frame.set(payload, start)
      return frame
    }
    const key = this.takeKey()
    frame.writeInt32LE(key, start - 4)
    for (let i = 0; i < length; i += 1) frame[start + i] = payload[i]! ^ (key >>> ((i & 3) << 3))
    return frame
  }

  private takeKey(): number {
    const { nextKey } = this
    this.nextKey = 'fresh'
    if (nextKey === 'zero') return 0
    if (nextKey === 'fresh') this.key = (Math.imul(this.key, 1_664_525) + 1_013_904_223) | 0
    return this.key
  }
}
