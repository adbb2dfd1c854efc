/**
 * Bytes out: the cork in the transmit arena, the flush, the connection's own queue.
 *
 * Everything that one outermost call writes to a connection leaves in one send when it unwinds
 * (C7); what the kernel refuses moves to the connection's queue and waits for POLLOUT (C14, C15).
 * Knows bytes, not frames.
 */
import { WOULD_BLOCK, WOULD_BLOCK_UNTIL_READABLE } from '../socket/socket-io.js'
import { type Connection, type Core } from './connection.js'
import { armDeadline, resumeListening } from './deadline.js'
import { loseSending } from './drop.js'
import { SendQueue } from './send-queue.js'

/** Longer text is encoded apart: the arena is for what is short. */
const TEXT_MAX_BYTES = 16_384

/**
 * Makes room for `bytes` behind what the connection has corked.
 * @param bytes at most what the whole arena holds
 * @returns where in the arena to write them
 */
export function reserve(core: Core, connection: Connection, bytes: number): number {
  if (core.arenaUsedBytes + bytes > core.arena.bytes.length) core.flushAll()
  const at = core.arenaUsedBytes
  core.arenaUsedBytes = at + bytes
  if (connection.corkStart === connection.corkEnd) {
    connection.corkStart = at
    core.scheduleFlush(connection)
  } else if (connection.corkEnd !== at) {
    ;(connection.corkParts ??= []).push(connection.corkStart, connection.corkEnd)
    connection.corkStart = at
  }
  connection.corkEnd = at + bytes
  return at
}

/** Sends what is corked; the cork is empty afterwards, whatever the kernel said. */
export function flushCork(core: Core, connection: Connection): void {
  const { corkStart, corkEnd } = connection
  if (corkStart === corkEnd) return
  if (connection.corkParts !== null) {
    const whole = gatherCork(core, connection)
    sendOrQueue(core, connection, whole)
    return
  }
  connection.corkStart = connection.corkEnd = 0
  if (connection.isDeaf) return
  const length = Math.min(corkEnd - corkStart, core.budget.txBytes)
  const result =
    connection.queue === null && length > 0
      ? connection.io.send(connection.fd, core.arena, corkStart, length)
      : 0
  accountCork(core, connection, corkStart, corkEnd, result)
}

/** What `send` answered for a cork: what it did not take is queued. */
export function accountCork(
  core: Core,
  connection: Connection,
  corkStart: number,
  corkEnd: number,
  result: number,
): void {
  const taken = accountSend(core, connection, result)
  if (taken < 0) return
  if (taken === corkEnd - corkStart) connection.pendingPongs = 0
  else enqueue(core, connection, core.arena.bytes, corkStart + taken, corkEnd)
}

/** Sends what is corked with `body` right behind it, without copying more than an unsent tail. */
export function flushWithBody(core: Core, connection: Connection, body: Uint8Array): void {
  const parts = connection.corkStart === connection.corkEnd ? [] : [gatherCork(core, connection)]
  sendOrQueue(core, connection, ...parts, body)
}

/** Takes the cork out of the arena as one piece: a view where it is one already. */
function gatherCork(core: Core, connection: Connection): Buffer {
  const { corkStart, corkEnd, corkParts } = connection
  connection.corkStart = connection.corkEnd = 0
  connection.corkParts = null
  const { bytes } = core.arena
  const last = bytes.subarray(corkStart, corkEnd)
  if (corkParts === null) return last
  const pieces: Buffer[] = []
  for (let index = 0; index < corkParts.length; index += 2)
    pieces.push(bytes.subarray(corkParts[index], corkParts[index + 1]))
  return Buffer.concat([...pieces, last])
}

function sendOrQueue(core: Core, connection: Connection, ...parts: Uint8Array[]): void {
  if (connection.isDeaf) return
  let skip = 0
  if (connection.queue === null && core.budget.txBytes > 0) {
    const offered = withinBudget(parts, core.budget.txBytes)
    skip = accountSend(core, connection, connection.io.sendv(connection.fd, offered))
    if (skip < 0) return
  }
  for (const part of parts) {
    const start = Math.min(skip, part.length)
    skip -= start
    if (start < part.length) enqueue(core, connection, part, start, part.length)
  }
  if (connection.queue === null) connection.pendingPongs = 0
}

/** The front of the parts, as many bytes of it as may be written. */
function withinBudget(parts: readonly Uint8Array[], budgetBytes: number): readonly Uint8Array[] {
  let room = budgetBytes
  for (const part of parts) room -= part.length
  if (room >= 0) return parts
  room = budgetBytes
  const front: Uint8Array[] = []
  for (const part of parts) {
    if (room <= 0) break
    front.push(part.subarray(0, room))
    room -= part.length
  }
  return front
}

/** @returns bytes taken, or -1 when the transport is lost */
function accountSend(core: Core, connection: Connection, result: number): number {
  if (result >= 0) {
    core.budget.txBytes -= result
    return result
  }
  if (result === WOULD_BLOCK) return 0
  if (result === WOULD_BLOCK_UNTIL_READABLE) {
    connection.sendWaitsReadable = true
    return 0
  }
  loseSending(core, connection)
  return -1
}

/** Puts bytes behind what already waits for POLLOUT. */
export function enqueue(
  core: Core,
  connection: Connection,
  source: Uint8Array,
  start: number,
  end: number,
): void {
  if (connection.queue === null) {
    connection.queue = new SendQueue(core.now())
    armDeadline(core, connection)
    core.touch(connection)
  }
  const before = connection.queue.memoryBytes
  connection.queue.append(source, start, end)
  core.bufferedBytes += connection.queue.memoryBytes - before
  if (connection.queue.bytes >= core.limits.txHighWaterBytes) core.touch(connection)
}

/** Sends from the queue until it is empty, the kernel has enough, or the budget is spent. */
export function drainQueue(core: Core, connection: Connection): void {
  const { queue } = connection
  if (queue === null) return
  const wasBlocked = connection.blocked
  connection.sendWaitsReadable = false
  while (queue.bytes > 0 && core.budget.txBytes > 0) {
    const parts = queue.front(core.budget.txBytes)
    let offered = 0
    for (const part of parts) offered += part.length
    const taken = accountSend(core, connection, connection.io.sendv(connection.fd, parts))
    if (taken < 0) return
    if (taken > 0) {
      const before = queue.memoryBytes
      queue.advance(taken)
      core.bufferedBytes += queue.memoryBytes - before
      queue.stalledSinceMs = core.now()
    }
    if (taken < offered) break
  }
  core.touch(connection)
  if (queue.bytes === 0) {
    connection.queue = null
    connection.pendingPongs = 0
  }
  if (!wasBlocked || connection.blocked) return
  resumeListening(core, connection)
  if (connection.held !== null) core.schedulePending(connection)
}

/**
 * Must what is written now wait behind a queue? What is corked goes there first: making room in the
 * arena may have begun the queue after it was corked.
 */
export function joinsQueue(core: Core, connection: Connection): boolean {
  if (connection.queue === null) return false
  flushCork(core, connection)
  return true
}

/** Corks text of one byte a character, an answer's head, written where it will be sent from. */
export function transmitHead(core: Core, connection: Connection, head: string): void {
  transmitEncoded(core, connection, head, head.length, 'latin1')
}

/** @param bytes how many the text is in that encoding */
export function transmitEncoded(
  core: Core,
  connection: Connection,
  text: string,
  bytes: number,
  encoding: 'latin1' | 'utf8',
): void {
  if (bytes > TEXT_MAX_BYTES || joinsQueue(core, connection))
    transmitBytes(core, connection, Buffer.from(text, encoding))
  else core.arena.bytes.write(text, reserve(core, connection, bytes), encoding)
}

/** Corks bytes as they are. Large ones leave at once, and only what is not taken is copied. */
export function transmitBytes(core: Core, connection: Connection, bytes: Uint8Array): void {
  if (joinsQueue(core, connection)) enqueue(core, connection, bytes, 0, bytes.length)
  else if (bytes.length > core.limits.corkMaxBytes) flushWithBody(core, connection, bytes)
  else core.arena.bytes.set(bytes, reserve(core, connection, bytes.length))
}
