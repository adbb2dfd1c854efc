/**
 * The body of a request: how long it is, and where it ends, strictly.
 *
 * What two readers could measure differently is refused: two lengths, a length beside chunks, a
 * size that is not plain, a line end that is not CRLF. Trailers are checked and dropped. Keeps no
 * bytes: what is not a whole line stays with the caller. Source: RFC 9112 6 and 7.1.
 */
import { type FaultName } from '../errors.js'
import { listMembers, type RequestHead } from './request-head.js'

const CR = 13
const LF = 10
/** A chunk's size and its extensions; nobody sends extensions. */
const MAX_SIZE_LINE_BYTES = 256
const SIZE_LINE = /^([0-9A-Fa-f]{1,12})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/
const TRAILER = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/

/** The limits that a body must keep. */
export interface BodyLimits {
  readonly maxBodyBytes: number
  readonly maxHeaderBytes: number
}

export class BodyReader {
  /** Bytes of payload at hand after `next`: `[start, start + length)`. */
  start = 0
  length = 0
  /** Nothing of the body is to come any more. */
  done = false
  fault: FaultName | null = null

  readonly #chunked: boolean
  readonly #limits: BodyLimits
  /** Of the whole body, or of the chunk in hand. */
  #left: number
  #total = 0
  #overheadBytes = 0
  #at: 'size' | 'data' | 'data end' | 'trailer'

  /** @param lengthBytes -1: in chunks */
  constructor(lengthBytes: number, limits: BodyLimits) {
    this.#chunked = lengthBytes === -1
    this.#left = Math.max(0, lengthBytes)
    this.#at = this.#chunked ? 'size' : 'data'
    this.#limits = limits
  }

  /** Bytes of payload that are still to come at least. */
  get leftBytes(): number {
    return this.#left
  }

  /**
   * Reads on in `bytes[at, end)` up to the next piece of payload.
   * @returns where it stopped: with `length` 0, neither `done` nor `fault`, it needs more bytes
   */
  next(bytes: Buffer, at: number, end: number): number {
    this.length = 0
    while (at < end) {
      if (this.#at === 'data') return this.#takeData(at, end)
      const lineEnd = this.#lineEnd(bytes, at, end)
      if (lineEnd === -1) return at
      const line = bytes.toString('latin1', at, lineEnd)
      at = lineEnd + 2
      this.#takeLine(line)
      if (this.done || this.fault !== null) return at
    }
    return at
  }

  #takeData(at: number, end: number): number {
    this.start = at
    this.length = Math.min(this.#left, end - at)
    this.#left -= this.length
    if (this.#left === 0) {
      if (this.#chunked) this.#at = 'data end'
      else this.done = true
    }
    return at + this.length
  }

  /** @returns where the line's CRLF begins; -1 where it is not whole, or wrong */
  #lineEnd(bytes: Buffer, at: number, end: number): number {
    const maxBytes =
      this.#at === 'data end'
        ? 0
        : this.#at === 'size'
          ? MAX_SIZE_LINE_BYTES
          : this.#limits.maxHeaderBytes
    const stop = Math.min(end, at + maxBytes + 1)
    for (let index = at; index < stop; index++) {
      const byte = bytes[index]!
      if (byte === LF) break
      if (byte !== CR) continue
      if (index + 1 === end) return -1
      if (bytes[index + 1] !== LF) break
      return this.#countOverhead(index - at) ? index : -1
    }
    // A bare LF or CR, or a line that is too long; else there is more to come.
    const whole = bytes.subarray(at, stop)
    if (whole.includes(LF) || whole.includes(CR) || stop - at > maxBytes)
      this.fault = 'REQUEST_CHUNK'
    return -1
  }

  /** Extensions and trailers cost us work and carry nothing. */
  #countOverhead(bytes: number): boolean {
    // The digits of an ordinary size are no overhead.
    this.#overheadBytes += this.#at === 'size' ? Math.max(0, bytes - 8) : bytes
    if (this.#overheadBytes <= this.#limits.maxHeaderBytes) return true
    this.fault = 'REQUEST_HEADER_TOO_LARGE'
    return false
  }

  #takeLine(line: string): void {
    switch (this.#at) {
      case 'data end':
        this.#at = 'size'
        break
      case 'size': {
        const match = SIZE_LINE.exec(line)
        if (match === null) this.fault = 'REQUEST_CHUNK'
        else this.#beginChunk(Number.parseInt(match[1]!, 16))
        break
      }
      case 'trailer':
        if (line === '') this.done = true
        else if (!TRAILER.test(line)) this.fault = 'REQUEST_CHUNK'
        break
      case 'data':
    }
  }

  #beginChunk(bytes: number): void {
    this.#total += bytes
    if (this.#total > this.#limits.maxBodyBytes) this.fault = 'BODY_TOO_BIG'
    this.#left = bytes
    this.#at = bytes === 0 ? 'trailer' : 'data'
  }
}

/**
 * The length of a request's body (RFC 9112 6.3).
 * @returns bytes, -1 for chunks, or the rule it breaks
 */
export function bodyLength(head: RequestHead, maxBodyBytes: number): number | FaultName {
  const { headers, repeated, minorVersion } = head
  const coding = headers.get('transfer-encoding')
  const length = headers.get('content-length')
  if (coding !== undefined) {
    if (length !== undefined || minorVersion === 0 || repeated.has('transfer-encoding'))
      return 'REQUEST_LENGTH'
    if (coding.toLowerCase() === 'chunked') return -1
    const codings = listMembers(coding.toLowerCase())
    return codings.indexOf('chunked') === codings.length - 1 && codings.length > 1
      ? 'REQUEST_CODING'
      : 'REQUEST_LENGTH'
  }
  if (length === undefined) return 0
  if (repeated.has('content-length') || !/^[0-9]{1,15}$/.test(length)) return 'REQUEST_LENGTH'
  const bytes = Number(length)
  return bytes > maxBodyBytes ? 'BODY_TOO_BIG' : bytes
}
