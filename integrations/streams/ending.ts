/** The orderly end of a stream: what was written still leaves, and nobody waits for ever. */
import type { Duplex } from 'node:stream'

/** A peer that takes nothing for this long loses what was on its way to it. */
const LINGER_MS = 10_000
/** Looked at this often: an end may be late by as much. */
const SWEEP_MS = 2_500

const closing = new Map<Duplex, number>()
let sweeper: NodeJS.Timeout | undefined

/** Ends the sending side, and destroys the stream once all of it has left, or after LINGER_MS. */
export function finishThenDestroy(stream: Duplex): void {
  if (stream.destroyed) return
  if (stream.writableFinished) {
    stream.destroy()
    return
  }
  closing.set(stream, performance.now() + LINGER_MS)
  stream.once('finish', () => stream.destroy())
  stream.once('close', () => closing.delete(stream))
  if (!stream.writableEnded) stream.end()
  sweeper ??= setInterval(sweep, SWEEP_MS).unref()
}

function sweep(): void {
  const now = performance.now()
  for (const [stream, latestMs] of closing) if (now >= latestMs) stream.destroy()
  if (closing.size > 0) return
  clearInterval(sweeper)
  sweeper = undefined
}
