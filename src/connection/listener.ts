/**
 * A listener: the fd that becomes connections. Paused by limits, and by a want of descriptors (C16,
 * C29).
 */
import { POLLIN } from '../poll/pollfd.js'
import { type SocketIo } from '../socket/socket-io.js'
import { TimedEntry } from './timed-entry.js'

export class Listener extends TimedEntry {
  readonly io: SocketIo
  /**
   * Out of descriptors, or at a limit: looks again when a connection closed, or at the deadline.
   */
  paused = false
  /**
   * When accept last said that nobody waits. To hear it costs nearly what a connection does, and
   * those who are accepted one by one are served out of warm caches.
   */
  emptiedMs = NaN

  constructor(io: SocketIo, fd: number, gen: number) {
    super(fd, gen)
    this.io = io
  }

  override interest(): number {
    return this.paused ? 0 : POLLIN
  }
}
