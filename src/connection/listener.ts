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

  constructor(io: SocketIo, fd: number, gen: number) {
    super(fd, gen)
    this.io = io
  }

  override interest(): number {
    return this.paused ? 0 : POLLIN
  }
}
