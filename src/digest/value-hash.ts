/**
 * A hash over values in order: numbers, texts, bytes, and what is made of them.
 *
 * Every value is told with its kind and its length, so that no two sequences look alike. The same
 * for the same values in every process, on every machine, under every version of Node.
 */
import { FieldMap } from '../wire/field-map.js'
import { createHash } from 'node:crypto'

/** 128 bits of SHA-256, in hexadecimal. */
const DIGEST_CHARACTERS = 32

const KIND = {
  absent: 0,
  null: 1,
  false: 2,
  true: 3,
  number: 4,
  text: 5,
  bytes: 6,
  list: 7,
  record: 8,
  opaque: 9,
} as const

/** What is nested deeper is told by its kind alone. */
const MAX_DEPTH = 4

/** Room for a number or a length, with its kind. */
const NUMBER_BYTES = 9

export class ValueHash {
  readonly #hash = createHash('sha256')
  /** What the hash has not been given yet: calls to it cost more than bytes. */
  readonly #buffer: Buffer
  #used = 0

  constructor(bufferBytes: number) {
    this.#buffer = Buffer.alloc(Math.max(bufferBytes, NUMBER_BYTES))
  }

  number(value: number): void {
    this.#tagged(KIND.number, value)
  }

  text(value: string): void {
    this.#tagged(KIND.text, Buffer.byteLength(value))
    if (value.length * 3 > this.#buffer.length - this.#used) this.#take(Buffer.from(value))
    else this.#used += this.#buffer.write(value, this.#used)
  }

  bytes(value: Uint8Array): void {
    this.#tagged(KIND.bytes, value.length)
    this.#take(value)
  }

  /** The next bytes of something whose length nobody knows yet. */
  raw(value: Uint8Array): void {
    this.#take(value)
  }

  /** Any value. Objects of a class, functions and symbols count by their kind only. */
  value(value: unknown, depth = 0): void {
    if (typeof value === 'number') this.number(value)
    else if (typeof value === 'string') this.text(value)
    else if (ArrayBuffer.isView(value) && value instanceof Uint8Array) this.bytes(value)
    else if (value === undefined) this.#tagged(KIND.absent, 0)
    else if (value === null) this.#tagged(KIND.null, 0)
    else if (typeof value === 'boolean') this.#tagged(value ? KIND.true : KIND.false, 0)
    else if (typeof value !== 'object' || depth === MAX_DEPTH) this.#tagged(KIND.opaque, 0)
    else this.#composite(value, depth + 1)
  }

  /** The digest of all so far; more may follow. */
  digest(): string {
    this.#flush()
    return this.#hash.copy().digest('hex').slice(0, DIGEST_CHARACTERS)
  }

  #composite(value: object, depth: number): void {
    if (Array.isArray(value) || value instanceof Set) this.#list([...value], depth)
    else if (value instanceof Map || value instanceof FieldMap) this.#record([...value], depth)
    else if (isPlain(value)) this.#record(Object.entries(value), depth)
    else this.#tagged(KIND.opaque, 0)
  }

  #list(values: readonly unknown[], depth: number): void {
    this.#tagged(KIND.list, values.length)
    for (const value of values) this.value(value, depth)
  }

  #record(entries: readonly (readonly [unknown, unknown])[], depth: number): void {
    this.#tagged(KIND.record, entries.length)
    for (const [key, value] of entries) {
      this.value(key, depth)
      this.value(value, depth)
    }
  }

  #tagged(kind: number, value: number): void {
    if (this.#buffer.length - this.#used < NUMBER_BYTES) this.#flush()
    this.#used = this.#buffer.writeUInt8(kind, this.#used)
    this.#used = this.#buffer.writeDoubleLE(value, this.#used)
  }

  #take(value: Uint8Array): void {
    if (value.length > this.#buffer.length - this.#used) {
      this.#flush()
      if (value.length > this.#buffer.length) {
        this.#hash.update(value)
        return
      }
    }
    this.#buffer.set(value, this.#used)
    this.#used += value.length
  }

  #flush(): void {
    if (this.#used > 0) this.#hash.update(this.#buffer.subarray(0, this.#used))
    this.#used = 0
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
