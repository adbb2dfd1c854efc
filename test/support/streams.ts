/**
 * Streams of client frames from a seed: valid ones, and the same with some bytes changed.
 */
import { bytes, client } from './wire-bytes.js'

/** Numbers that only look random: the same for the same seed, on every machine (mulberry32). */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A whole number from 0 to `below` - 1. */
  roll(below: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0
    let word = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return Math.floor((((word ^ (word >>> 14)) >>> 0) / 2 ** 32) * below)
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.roll(items.length)]!
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.roll(256)))
  }
}

const CHARACTERS = ['a', 'Z', ' ', '\0', '\x7f', 'é', '߿', '€', '\uffff', '😀', '\u{10ffff}']
const SIZES = [0, 1, 2, 5, 20, 60, 125, 126, 127, 300]

/** A stream, and where its frame headers lie. */
export interface Stream {
  readonly bytes: Buffer
  readonly headers: readonly number[]
}

/** `messages` whole messages, fragmented or not, with control frames anywhere between frames. */
export function validStream(dice: Dice, messages: number, closes: boolean): Stream {
  const frames: Buffer[] = []
  for (let i = 0; i < messages; i++) {
    const text = dice.roll(2) === 0
    const pieces = cut(dice, payload(dice, text), dice.roll(3) === 0 ? 1 + dice.roll(4) : 0)
    for (const [index, piece] of pieces.entries()) {
      const more = { fin: index === pieces.length - 1, mask: dice.bytes(4) }
      frames.push(client.frame(index > 0 ? 0 : text ? 1 : 2, piece, more))
      if (dice.roll(8) === 0) frames.push(control(dice))
    }
  }
  if (closes) frames.push(client.close(dice.pick([1000, 1001, 3000, 4999]), 'bye €'))
  const headers: number[] = []
  let at = 0
  for (const frame of frames) {
    headers.push(at)
    at += frame.length
  }
  return { bytes: bytes(...frames), headers }
}

function payload(dice: Dice, text: boolean): Buffer {
  const size = dice.pick(SIZES)
  if (!text) return dice.bytes(size)
  return Buffer.from(Array.from({ length: size >> 1 }, () => dice.pick(CHARACTERS)).join(''))
}

function control(dice: Dice): Buffer {
  return client.frame(dice.pick([9, 10]), dice.bytes(dice.pick([0, 1, 8, 125])), {
    mask: dice.bytes(4),
  })
}

/** A payload in `cuts` + 1 pieces, empty ones among them. */
function cut(dice: Dice, whole: Buffer, cuts: number): Buffer[] {
  const places = Array.from({ length: cuts }, () => dice.roll(whole.length + 1))
  return split(whole, places)
}

/** Bytes cut at these places. */
export function split(whole: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...places].sort((a, b) => a - b)
  const borders = [0, ...sorted, whole.length]
  return borders.slice(1).map((end, index) => whole.subarray(borders[index], end))
}

/** The stream with one to five bytes changed; every other change aims at a header. */
export function mutated(dice: Dice, { bytes: valid, headers }: Stream): Buffer {
  const changed = Buffer.from(valid)
  const count = 1 + dice.roll(5)
  for (let i = 0; i < count; i++) {
    const aimed = dice.pick(headers) + dice.roll(4)
    const at = Math.min(changed.length - 1, dice.roll(2) === 0 ? aimed : dice.roll(changed.length))
    changed[at] = mutatedByte(dice, changed[at]!)
  }
  return changed
}

function mutatedByte(dice: Dice, byte: number): number {
  const kind = dice.roll(4)
  if (kind === 0) return dice.roll(256)
  if (kind === 1) return byte ^ (1 << dice.roll(8))
  return kind === 2 ? (byte | 0x7f) - dice.roll(2) : (byte + 1) & 0xff
}
