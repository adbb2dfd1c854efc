/**
 * Frames of a client: masked with a key of their own, into a copy, never in the caller's memory.
 * Source: RFC 6455 5.3 and 10.3.
 */
import { frameHeaderBytes, MASKING_KEY_BYTES, writeMaskedHeader } from '../wire/frame-writer.js'
import { unmask } from '../wire/masking.js'
import { type Connection, type Core } from './connection.js'
import { flushCork, reserve } from './transmit.js'

/** What of a large payload is masked and sent at a time: a multiple of 4, so the key stays. */
const PIECE_BYTES = 65_536
/** Payloads from here up are masked by the seam, where it can. */
const NATIVE_MASK_MIN_BYTES = 1_024
/** Below this a byte loop is cheaper than a call of `set`. */
const LOOP_MAX_BYTES = 48

/** Whatever waits in a queue goes first: a cork joins it when it is flushed. */
export function transmitMasked(
  core: Core,
  connection: Connection,
  firstByte: number,
  payload: Uint8Array,
): void {
  const key = core.defeatsMask ? 0 : core.randomWord()
  const payloadBytes = payload.length
  const headerBytes = frameHeaderBytes(payloadBytes) + MASKING_KEY_BYTES
  const firstPiece = Math.min(payloadBytes, PIECE_BYTES)
  const at = reserve(core, connection, headerBytes + firstPiece)
  const start = writeMaskedHeader(core.arena.bytes, at, firstByte, payloadBytes, key)
  if (payloadBytes <= LOOP_MAX_BYTES) copyMasked(core, payload, start, key)
  else maskInto(core, payload, 0, firstPiece, start, key)
  for (let from = firstPiece; from < payloadBytes; from += PIECE_BYTES) {
    const until = Math.min(payloadBytes, from + PIECE_BYTES)
    maskInto(core, payload, from, until, reserve(core, connection, until - from), key)
  }
  flushWhenWell(core, connection)
}

/** Text that JavaScript holds as a string, masked where it will be sent from. */
export function transmitMaskedText(
  core: Core,
  connection: Connection,
  firstByte: number,
  text: string,
  payloadBytes: number,
): void {
  if (payloadBytes > PIECE_BYTES) {
    transmitMasked(core, connection, firstByte, Buffer.from(text, 'utf8'))
    return
  }
  const key = core.defeatsMask ? 0 : core.randomWord()
  const headerBytes = frameHeaderBytes(payloadBytes) + MASKING_KEY_BYTES
  const at = reserve(core, connection, headerBytes + payloadBytes)
  const start = writeMaskedHeader(core.arena.bytes, at, firstByte, payloadBytes, key)
  core.arena.bytes.write(text, start, payloadBytes, 'utf8')
  maskInPlace(core, start, start + payloadBytes, key)
  flushWhenWell(core, connection)
}

/** Four bytes a step, each with its own byte of the key: half the time of a loop that turns it. */
function copyMasked(core: Core, payload: Uint8Array, at: number, key: number): void {
  const { bytes } = core.arena
  const key1 = key >>> 8
  const key2 = key >>> 16
  const key3 = key >>> 24
  const { length } = payload
  let index = 0
  for (; index + 4 <= length; index += 4, at += 4) {
    bytes[at] = payload[index]! ^ key
    bytes[at + 1] = payload[index + 1]! ^ key1
    bytes[at + 2] = payload[index + 2]! ^ key2
    bytes[at + 3] = payload[index + 3]! ^ key3
  }
  if (index < length) bytes[at] = payload[index]! ^ key
  if (index + 1 < length) bytes[at + 1] = payload[index + 1]! ^ key1
  if (index + 2 < length) bytes[at + 2] = payload[index + 2]! ^ key2
}

function maskInto(
  core: Core,
  payload: Uint8Array,
  from: number,
  until: number,
  at: number,
  key: number,
): void {
  core.arena.bytes.set(
    from === 0 && until === payload.length ? payload : payload.subarray(from, until),
    at,
  )
  maskInPlace(core, at, at + until - from, key)
}

function maskInPlace(core: Core, start: number, end: number, key: number): void {
  if (end - start >= NATIVE_MASK_MIN_BYTES && core.nativeMask !== null)
    core.nativeMask(core.arena, start, end - start, key)
  else unmask(core.arena.bytes, core.arenaWords, start, end, key)
}

/** As for a server's frames; and what waits in a queue must be joined in order. */
function flushWhenWell(core: Core, connection: Connection): void {
  if (connection.queue !== null || connection.corkedBytes > core.limits.txLowWaterBytes)
    flushCork(core, connection)
}
