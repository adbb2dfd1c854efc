/**
 * Mistakes that show only where something goes wrong, or where a budget is narrow: what a test that
 * plays a connection's life from its beginning to its end does not meet.
 */
import type { Mutant } from './mutant.js'

export const faultMutants: readonly Mutant[] = [
  {
    name: 'close-again-after-eintr',
    file: 'src/connection/ending.ts',
    find: '  if (connection.fd >= 0) connection.io.close(connection.fd, connection.abortive)',
    replace: `  const { io, fd, abortive } = connection
  if (fd >= 0 && io.close(fd, abortive) === -4) io.close(fd, abortive)`,
    breaks: 'a close that a signal interrupted is called again: the number is free since the first',
  },
  {
    name: 'aborted-ends-accepting',
    file: 'src/service/service-listener.ts',
    find: '    else if (EXHAUSTED.has(-fd) || !PASSING.has(-fd)) {',
    replace: `    else if (PASSING.has(-fd)) return false
    else {`,
    breaks:
      'who waits behind a connection that went before it was accepted waits for the next edge',
  },
  {
    name: 'accept-budget-unsaid',
    file: 'src/service/service-listener.ts',
    find: `  }
  return true`,
    replace: `  }
  return false`,
    breaks: 'an edge-triggered host is not told that a budget cut the accepting',
  },
  {
    name: 'refusal-rethrown',
    file: 'src/service/service-listener.ts',
    find: `    io.close(fd, true)
    core.report(refusal)
    return`,
    replace: `    io.close(fd, true)
    throw refusal`,
    breaks: 'an fd whose ADD the host refused costs those behind it their turn',
  },
  {
    name: 'refused-counted',
    file: 'src/context/membership.ts',
    find: `  core.table.add(connection)
  core.connectionCount++`,
    replace: `  core.connectionCount++
  core.table.add(connection)`,
    breaks: 'whoever the host refuses counts as a connection for ever',
  },
  {
    name: 'lingers-after-failure',
    file: 'src/connection/ending.ts',
    find: 'lastWrite(core, connection, connection.state !== State.DRAINING)',
    replace: 'lastWrite(core, connection, true)',
    breaks: 'who cannot be told anything any more is waited for until it has read it',
  },
  {
    name: 'throw-after-failure-unheard',
    file: 'src/context/context-state.ts',
    find: "if (connection.delivers) failConnection(this, connection, 'CALLBACK_THREW')",
    replace: "if (connection.takesWrites) failConnection(this, connection, 'CALLBACK_THREW')",
    breaks: 'a callback that throws goes on being called where sending has failed before',
  },
  {
    name: 'pongs-of-queues-counted',
    file: 'src/connection/transmit.ts',
    find: `    connection.queue = null
    connection.pendingPongs = 0`,
    replace: '    connection.queue = null',
    breaks: 'pongs that left from a queue count as pending',
  },
  {
    name: 'flushes-untold',
    file: 'src/context/context-state.ts',
    find: `      this.flushCount > 0 ||
`,
    replace: '',
    breaks: 'what was written in the last round of an exit waits for the next call',
  },
  {
    name: 'second-look-forgotten',
    file: 'src/connection/due.ts',
    find: `    keepUnconsumed(core, connection, laidOut, 0, laidOut + result)
    connection.errorHeardMs = core.now()`,
    replace: '    keepUnconsumed(core, connection, laidOut, 0, laidOut + result)',
    breaks: 'the end behind the last bytes of a paused connection is not looked for',
  },
  {
    name: 'look-unbounded',
    file: 'src/connection/due.ts',
    find: 'const room = Math.min(core.limits.rxHighWaterBytes - laidOut, budget.rxBytes)',
    replace: 'const room = core.limits.rxHighWaterBytes - laidOut',
    breaks: 'a look at a paused connection reads more than a call may',
  },
  {
    name: 'failed-send-unscheduled',
    file: 'src/connection/drop.ts',
    find: `  if (!connection.paused) core.schedulePending(connection)
`,
    replace: '',
    breaks: 'what a peer said before our sending failed waits for a readiness that may not come',
  },
  {
    name: 'grouped-sends-unbounded',
    file: 'src/connection/flush-together.ts',
    find: 'this.#bytes + length > core.budget.txBytes',
    replace: 'length > core.budget.txBytes',
    breaks: 'many connections together are sent more than a call may write',
  },
  {
    name: 'high-water-unseen',
    file: 'src/connection/transmit.ts',
    find: `  if (connection.queue.bytes >= core.limits.txHighWaterBytes) core.touch(connection)
`,
    replace: '',
    breaks: 'a queue that grows above its mark while it is there does not stop reading',
  },
  {
    name: 'flushed-end-unscheduled',
    file: 'src/service/service-connection.ts',
    find: `  if (connection.state === State.FLUSHING && connection.queue === null) core.scheduleEnd(connection)
`,
    replace: '',
    breaks: 'an end that waited for its queue to leave does not come',
  },
  {
    name: 'would-block-tried-again',
    file: 'src/service/service-connection.ts',
    find: `  const result = connection.io.recv(connection.fd, core.rx, laidOut, asked)
`,
    replace: `  let result = connection.io.recv(connection.fd, core.rx, laidOut, asked)
  if (result === WOULD_BLOCK) result = connection.io.recv(connection.fd, core.rx, laidOut, asked)
`,
    breaks: 'a readiness that was none costs two calls of the kernel',
  },
  {
    name: 'queue-front-sent-again',
    file: 'src/connection/send-queue.ts',
    find: '    this.#sent = left\n',
    replace: '    this.#sent = this.#chunks.length > 1 ? 0 : left\n',
    breaks: 'of a queue of several pieces the front is sent again after a short write',
  },
  {
    name: 'empty-send',
    file: 'src/connection/transmit.ts',
    find: '    connection.queue === null && length > 0\n',
    replace: '    connection.queue === null\n',
    breaks: 'where the budget is spent, nothing is sent by a call of the kernel',
  },
  {
    name: 'large-write-unbounded',
    file: 'src/connection/transmit.ts',
    find: '  if (room >= 0) return parts\n',
    replace: '  if (room <= budgetBytes) return parts\n',
    breaks: 'a large write takes more than a call may write',
  },
  {
    name: 'drain-unbounded',
    file: 'src/connection/transmit.ts',
    find: 'const parts = queue.front(core.budget.txBytes)',
    replace: 'const parts = queue.front(core.limits.maxBufferedBytes)',
    breaks: 'a queue takes more than a call may write',
  },
  {
    name: 'full-read-misjudged',
    file: 'src/service/service-connection.ts',
    find: '  return result === asked || connection.isPending\n',
    replace: '  return result === core.rx.bytes.length || connection.isPending\n',
    breaks: 'a read that a budget or held bytes made shorter counts as all there is',
  },
]
