/** Mistakes in service: whose descriptor, in which order, and what is answered. */
import type { Mutant } from './mutant.js'

export const serviceMutants: readonly Mutant[] = [
  {
    name: 'stale-now',
    file: 'src/service/service-fd.ts',
    find: 'core.depth > 0 ? core.now() : core.host.now()',
    replace: 'core.now()',
    breaks: 'the time of the last call is taken for the time',
    exhibit: 'M20',
  },
  {
    name: 'closed-said-foreign',
    file: 'src/service/service-fd.ts',
    find: "entry.connection.live ? 'handled' : 'closed'",
    replace: "entry.connection.live ? 'handled' : 'foreign'",
    breaks: 'an end and a stranger get the same answer',
    exhibit: 'F7',
  },
  {
    name: 'generation-ignored',
    file: 'src/service/service-fd.ts',
    find: 'if (pollfd.gen !== undefined && pollfd.gen !== entry.gen) return passOver',
    replace: 'if (pollfd.gen === 0) return passOver',
    breaks: 'readiness of an old descriptor goes to the new one of its number',
    exhibit: 'M4',
  },
  {
    name: 'write-cut-unsaid',
    file: 'src/service/service-fd.ts',
    find: `  if (connection.sends) return connection.core.budget.txBytes <= 0
`,
    replace: '',
    breaks: 'an edge-triggered host is not told that a budget cut the writing',
  },
  {
    name: 'writable-left-unsaid',
    file: 'src/service/service-fd.ts',
    find: '  return (revents & POLLOUT) !== 0 && connection.writableDeliverable',
    replace: '  return false',
    breaks: 'an edge-triggered host is not told that another writable callback is wanted',
  },
  {
    name: 'deadlines-done-too-soon',
    file: 'src/service/service-fd.ts',
    find: '  return earliest !== null && earliest <= core.now()',
    replace: '  return false',
    breaks: "deadlines that a budget held up are not answered 'more'",
  },
  {
    name: 'accept-once',
    file: 'src/service/service-listener.ts',
    find: `    if (fd >= 0) admit(core, listener, fd)
`,
    replace: `    if (fd >= 0) {
      admit(core, listener, fd)
      return false
    }
`,
    breaks: 'the listener accepts once per call, and answers that this was all',
    exhibit: 'F8',
  },
  {
    name: 'accept-retry-unarmed',
    file: 'src/service/service-listener.ts',
    find: `  core.deadlines.armBy(listener, core.now() + core.limits.acceptRetryMs)
`,
    replace: '',
    breaks: 'a listener that was out of descriptors never tries again by itself',
  },
  {
    name: 'accept-retry-untouched',
    file: 'src/service/service-listener.ts',
    find: `  listener.paused = false
  core.touch(listener)
}

function admit`,
    replace: `  listener.paused = false
}

function admit`,
    breaks: 'a listener whose pause is over is not waited for',
  },
  {
    name: 'refused-not-closed',
    file: 'src/service/service-listener.ts',
    find: `    // The keeper of the poll array refused it: this fd only (C9).
    io.close(fd, true)
`,
    replace: '',
    breaks: 'an fd whose ADD the host refused stays open',
  },
  {
    name: 'short-read-is-all',
    file: 'src/service/service-connection.ts',
    find: `  return result === asked || connection.isPending
`,
    replace: `  return connection.isPending
`,
    breaks: 'an edge-triggered host is not told that a read was cut by its budget',
  },
  {
    name: 'hup-before-in',
    file: 'src/service/service-connection.ts',
    find: '  const hasMore = readable && connection.reads &&',
    replace: '  const hasMore = readable && (!gone || writable) && connection.reads &&',
    breaks: 'POLLHUP is obeyed before POLLIN',
    exhibit: 'F1',
  },
  {
    name: 'end-in-the-edge-forgotten',
    file: 'src/service/service-connection.ts',
    find: 'if (connection.reads && !isPending) return true',
    replace: 'if (connection.reads && !isPending) return hasMore',
    breaks: 'data and an end in one edge: the end is never seen',
  },
  {
    name: 'end-cuts-held-bytes',
    file: 'src/service/service-connection.ts',
    find: '  if (held !== null && takesInput(connection) && (isPending || blocked)) {',
    replace: '  if (held !== null && takesInput(connection) && blocked) {',
    breaks: 'an end of file takes away what a budget left over',
    exhibit: 'F1',
  },
  {
    name: 'error-is-would-block',
    file: 'src/service/service-connection.ts',
    find: '  if (result === WOULD_BLOCK && connection.state !== State.DRAINING) return ' + 'false',
    replace: '  if (result < 0 && connection.state !== State.DRAINING) return false',
    breaks: 'a read error and would-block are the same',
    exhibit: 'F9',
  },
  {
    name: 'resumed-once',
    file: 'src/service/service-connection.ts',
    find: '    more = consumed || laidOut < left',
    replace: '    more = false',
    breaks: 'after a pause one portion of what waited is delivered, and no more',
    exhibit: 'M10',
  },
  {
    name: 'budget-cut-forgotten',
    file: 'src/service/service-connection.ts',
    find: `  if (core.budget.messages <= 0 && takesInput(connection) && !connection.blocked)
    core.schedulePending(connection)`,
    replace: '',
    breaks: 'what the message budget left over waits for the next readiness',
    exhibit: 'M10',
  },
  {
    name: 'end-after-pause-unseen',
    file: 'src/service/service-connection.ts',
    find: `  if (connection.eof) endIfDelivered(core, connection)
`,
    replace: '',
    breaks: 'an end of file behind what was held is forgotten',
  },
  {
    name: 'frames-with-the-head-lost',
    file: 'src/service/service-connection.ts',
    find: `    if (connection.state === state) break
  }
  keepUnconsumed(core, connection, laidOut, at, end)`,
    replace: `    if (connection.state === state) break
    if (state === State.REQUEST) at = end
  }
  keepUnconsumed(core, connection, laidOut, at, end)`,
    breaks: "frame bytes glued to the handshake's end are lost",
    exhibit: 'F6',
  },
  {
    name: 'drained-once',
    file: 'src/service/service-connection.ts',
    find: `  if (connection.state === State.DRAINING && connection.reads) core.schedulePending(connection)
`,
    replace: '',
    breaks: 'what a peer sent before our sending failed is never read',
  },
]
