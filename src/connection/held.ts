/**
 * Bytes received and not yet consumed, kept between calls: a partial header, what came behind a
 * pause, what a budget left over. Between calls they belong to the connection; to be consumed they
 * go to the front of the receive buffer, so that parsing sees one place only.
 */
import { type Connection, type Core } from './connection.js'

/**
 * Copies held bytes to the front of the receive buffer.
 * @param maxBytes no more than these: a short turn need not move what it cannot consume
 * @returns how many
 */
export function layOutHeld(core: Core, connection: Connection, maxBytes: number): number {
  const { held, heldAt } = connection
  if (held === null) return 0
  return held.copy(core.rx.bytes, 0, heldAt, Math.min(held.length, heldAt + maxBytes))
}

/**
 * Keeps what was not consumed.
 * @param laidOut bytes at the front that came from `held`
 * @param consumed bytes of the receive buffer that are done with
 * @param end where the bytes in the receive buffer end
 */
export function keepUnconsumed(
  core: Core,
  connection: Connection,
  laidOut: number,
  consumed: number,
  end: number,
): void {
  const { held } = connection
  if (held === null && consumed === end) return
  if (held !== null && end === laidOut && connection.heldAt + consumed < held.length) {
    // Nothing new came: the bytes are where they were.
    connection.heldAt += consumed
    core.bufferedBytes -= consumed
    return
  }
  dropHeld(core, connection)
  if (consumed === end) return
  connection.held = Buffer.allocUnsafeSlow(end - consumed)
  core.rx.bytes.copy(connection.held, 0, consumed, end)
  core.bufferedBytes += end - consumed
}

/** Keeps what was received while other bytes already wait: behind them, for a call of their own. */
export function holdBehind(core: Core, connection: Connection, start: number, end: number): void {
  const waiting = connection.held!.subarray(connection.heldAt)
  connection.held = Buffer.concat([waiting, core.rx.bytes.subarray(start, end)])
  connection.heldAt = 0
  core.bufferedBytes += end - start
  core.touch(connection)
  core.schedulePending(connection)
}

/** Forgets them. */
export function dropHeld(core: Core, connection: Connection): void {
  if (connection.held === null) return
  core.bufferedBytes -= connection.heldBytes
  connection.held = null
  connection.heldAt = 0
}
