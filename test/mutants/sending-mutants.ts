/** Mistakes in what goes out: corks, queues, pongs, last words. */
import type { Mutant } from './mutant.js'

export const sendingMutants: readonly Mutant[] = [
  {
    name: 'del-after-close',
    file: 'src/connection/ending.ts',
    find: `  remove(connection)
  if (connection.fd >= 0) connection.io.close(connection.fd, connection.abortive)`,
    replace: `  if (connection.fd >= 0) connection.io.close(connection.fd, connection.abortive)
  remove(connection)`,
    breaks: 'DEL comes after close',
    exhibit: 'M1',
  },
  {
    name: 'flush-skipped',
    file: 'src/connection/ending.ts',
    find: `    if (connection.queue !== null) return false
`,
    replace: '',
    breaks: 'an end does not wait for what is queued',
    exhibit: 'F2',
  },
  {
    name: 'closed-untold',
    file: 'src/connection/ending.ts',
    find: `  const reason = connection.established ? Reason.CLOSED : Reason.HTTP_CLOSED
`,
    replace: `  const reason = connection.established ? Reason.CLOSED : Reason.HTTP_CLOSED
  if (closing?.initiator === 'peer' && closing.code !== 1006) return
`,
    breaks: 'CLOSED is not delivered when the peer closed first',
    exhibit: 'F4',
  },
  {
    name: 'close-answered-twice',
    file: 'src/connection/ending.ts',
    find: `  connection.closing = { ...began, code, reason }
  if (connection.state === State.OPEN)
`,
    replace: `  connection.closing = { ...began, code, reason }
`,
    breaks: 'a second close frame follows the first',
  },
  {
    name: 'close-wait-unarmed',
    file: 'src/connection/ending.ts',
    find: `  connection.wantsWritable = false
  connection.stateDeadlineMs = core.now() + core.limits.closeTimeoutMs
  armDeadline(core, connection)
  core.touch(connection)
}

/** The peer's close`,
    replace: `  connection.wantsWritable = false
  core.touch(connection)
}

/** The peer's close`,
    breaks: 'a peer that never answers our close frame is waited for without end',
    exhibit: 'M14',
  },
  {
    name: 'linger-without-end',
    file: 'src/connection/ending.ts',
    find: `  connection.stateDeadlineMs = core.now() + core.limits.lingerTimeoutMs
  armDeadline(core, connection)`,
    replace: '  connection.stateDeadlineMs = 0',
    breaks: 'after a refusal the end of the peer is waited for without end',
  },
  {
    name: 'writes-again-after-failure',
    file: 'src/connection/drop.ts',
    find: `  connection.move('send failed')
  dropQueue(core, connection)`,
    replace: "  connection.move('send failed')",
    breaks: 'bytes stay queued for a transport that failed',
    exhibit: 'M9',
  },
  {
    name: 'short-write-is-success',
    file: 'src/connection/transmit.ts',
    find: `  if (taken === corkEnd - corkStart) connection.pendingPongs = 0
  else enqueue`,
    replace: `  if (taken > 0 || corkEnd === corkStart) connection.pendingPongs = 0
  else enqueue`,
    breaks: 'a short write counts as all of it',
    exhibit: 'F5',
  },
  {
    name: 'short-large-write-lost',
    file: 'src/connection/transmit.ts',
    find: `    const start = Math.min(skip, part.length)
    skip -= start`,
    replace: `    const start = Math.min(skip, part.length)
    skip = 0`,
    breaks: 'what one piece of a large write took is sent again of the next',
  },
  {
    name: 'cork-parts-forgotten',
    file: 'src/connection/transmit.ts',
    find: `    ;(connection.corkParts ??= []).push(connection.corkStart, connection.corkEnd)
`,
    replace: `    connection.corkParts ??= []
`,
    breaks: 'of several pieces in the arena the earlier are lost',
  },
  {
    name: 'budget-unspent',
    file: 'src/connection/transmit.ts',
    find: `    core.budget.txBytes -= result
`,
    replace: '',
    breaks: 'one call writes without bound',
  },
  {
    name: 'stall-not-over',
    file: 'src/connection/transmit.ts',
    find: `      queue.stalledSinceMs = core.now()
`,
    replace: '',
    breaks: 'a slow peer counts as one that takes nothing',
    exhibit: 'M11',
  },
  {
    name: 'pollout-stays',
    file: 'src/connection/transmit.ts',
    find: `    if (taken < offered) break
  }
  core.touch(connection)
`,
    replace: `    if (taken < offered) break
  }
`,
    breaks: 'POLLOUT stays on with nothing to send',
    exhibit: 'M9',
  },
  {
    name: 'held-after-backpressure',
    file: 'src/connection/transmit.ts',
    find: `  resumeListening(core, connection)
  if (connection.held !== null) core.schedulePending(connection)
`,
    replace: `  resumeListening(core, connection)
`,
    breaks: 'what was held while the peer took nothing is never delivered',
    exhibit: 'M10',
  },
  {
    name: 'queue-chunk-overwritten',
    file: 'src/connection/send-queue.ts',
    find: `      this.#filled += taken
      start += taken`,
    replace: '      start += taken',
    breaks: 'bytes queued behind others overwrite them',
  },
  {
    name: 'prepared-over-the-cork',
    file: 'src/connection/transmit-frame.ts',
    find: `    frame.arenaEpoch === core.arenaEpoch &&
    isCorkEmpty(connection)
`,
    replace: `    frame.arenaEpoch === core.arenaEpoch
`,
    breaks: 'a prepared frame takes the place of what was written before it',
  },
  {
    name: 'pong-dropped',
    file: 'src/connection/control.ts',
    find: `  connection.pendingPongs++
`,
    replace: `  if (connection.queue !== null) return
  connection.pendingPongs++
`,
    breaks: 'a pong that would have to wait is never sent',
    exhibit: 'M12',
  },
  {
    name: 'cap-closes',
    file: 'src/connection/control.ts',
    find: `    flushCork(core, connection)
    if (connection.queue !== null) {
`,
    replace: `    {
`,
    breaks: 'many pings in one read end a connection that takes every pong',
    exhibit: 'M11',
  },
]
