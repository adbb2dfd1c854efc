/**
 * A second opinion on RFC 6455's receiving side: what a server must make of a client's bytes.
 *
 * Sees all bytes at once, in the plainest way there is, and shares nothing with the library. Where
 * several rules are broken at once it says 1002 before 1009 before 1008, as the library does.
 * Source: RFC 6455 5.2 to 5.5, 7.4, 8.1.
 */
export interface ReferenceLimits {
  readonly maxMessageBytes: number
  readonly maxFrameBytes: number
  readonly maxFragments: number
}

export interface Verdict {
  /** Callbacks: `text ...`, `binary <hex>`, `pong <hex>`. */
  readonly events: string[]
  /** Payloads of the pongs that must be sent. */
  readonly pongs: Buffer[]
  /** The close code it ends with; 1006: the bytes ended first. */
  readonly code: number
  /** True: the code is the peer's own. */
  readonly byPeer: boolean
}

interface Header {
  readonly fin: boolean
  readonly opcode: number
  readonly start: number
  readonly size: bigint
}

interface Message {
  readonly text: boolean
  readonly pieces: Buffer[]
}

/** What comes of the whole stream. */
export function judge(stream: Buffer, limits: ReferenceLimits): Verdict {
  const verdict = { events: [] as string[], pongs: [] as Buffer[], code: 1006, byPeer: false }
  let message: Message | null = null
  let at = 0
  for (;;) {
    const header = readHeader(stream, at)
    if (header === null) return verdict
    const fault = typeof header === 'number' ? header : sequenceFault(header, message, limits)
    if (fault !== 0 || typeof header === 'number') return { ...verdict, code: fault }
    const { fin, opcode, start } = header
    const end = start + Number(header.size)
    if (opcode >= 8) {
      if (end > stream.length) return verdict
      const payload = unmasked(stream, start, end)
      if (opcode === 8) return { ...verdict, ...judgeClose(payload) }
      if (opcode === 9) verdict.pongs.push(payload)
      else verdict.events.push(`pong ${payload.toString('hex')}`)
    } else {
      message ??= { text: opcode === 1, pieces: [] }
      message.pieces.push(unmasked(stream, start, Math.min(end, stream.length)))
      const whole = Buffer.concat(message.pieces)
      const ends = fin && end <= stream.length
      if (message.text && !(ends ? isText(whole) : beginsText(whole)))
        return { ...verdict, code: 1007 }
      if (end > stream.length) return verdict
      if (fin) {
        verdict.events.push(
          message.text ? `text ${whole.toString()}` : `binary ${whole.toString('hex')}`,
        )
        message = null
      }
    }
    at = end
  }
}

/** @returns null: not whole yet; a number: the code it fails with */
function readHeader(stream: Buffer, at: number): Header | number | null {
  if (stream.length < at + 2) return null
  const [first = 0, second = 0] = stream.subarray(at, at + 2)
  const short = second & 127
  const masked = second >= 128
  const lengthEnd = at + 2 + (short === 126 ? 2 : short === 127 ? 8 : 0)
  const start = lengthEnd + (masked ? 4 : 0)
  if (stream.length < start) return null
  const size =
    short < 126 ? BigInt(short) : BigInt(`0x${stream.toString('hex', at + 2, lengthEnd)}`)
  const opcode = first & 15
  const fin = first >= 128
  const known = [0, 1, 2, 8, 9, 10].includes(opcode)
  const minimal = short < 126 || size > (short === 126 ? 125n : 65_535n)
  const control = opcode < 8 || (fin && size < 126n)
  const legal = (first & 0x70) === 0 && known && masked && size < 2n ** 63n && minimal && control
  return legal ? { fin, opcode, start, size } : 1002
}

function sequenceFault(
  { opcode, size }: Header,
  message: Message | null,
  limits: ReferenceLimits,
): number {
  if (opcode >= 8) return 0
  if ((opcode === 0) !== (message !== null)) return 1002
  let soFar = 0n
  for (const piece of message?.pieces ?? []) soFar += BigInt(piece.length)
  if (size > BigInt(limits.maxFrameBytes) || soFar + size > BigInt(limits.maxMessageBytes))
    return 1009
  return (message?.pieces.length ?? 0) >= limits.maxFragments ? 1008 : 0
}

function judgeClose(payload: Buffer): Pick<Verdict, 'code' | 'byPeer'> {
  if (payload.length === 0) return { code: 1005, byPeer: true }
  if (payload.length === 1) return { code: 1002, byPeer: false }
  const code = payload.readUInt16BE(0)
  const reserved =
    code < 1000 || (code > 1014 && code < 3000) || code > 4999 || (code > 1003 && code < 1007)
  if (reserved) return { code: 1002, byPeer: false }
  return isText(payload.subarray(2)) ? { code, byPeer: true } : { code: 1007, byPeer: false }
}

function unmasked(stream: Buffer, start: number, end: number): Buffer {
  const payload = Buffer.from(stream.subarray(start, end))
  for (let i = 0; i < payload.length; i++) payload[i]! ^= stream[start - 4 + (i % 4)]!
  return payload
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function isText(bytes: Buffer): boolean {
  try {
    decoder.decode(bytes)
    return true
  } catch {
    return false
  }
}

/** Ends of a character that may be missing: one of these completes any that has begun well. */
const COMPLETIONS = ['', '80', 'bf', '8080', 'bfbf', '808080', 'bfbfbf'].map((end) =>
  Buffer.from(end, 'hex'),
)

function beginsText(bytes: Buffer): boolean {
  return COMPLETIONS.some((end) => isText(Buffer.concat([bytes, end])))
}
