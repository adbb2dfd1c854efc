/** Mistakes in what comes in: bytes, frames, pauses, silence. */
import type { Mutant } from './mutant.js'

export const receivingMutants: readonly Mutant[] = [
  {
    name: 'pause-unheard',
    file: 'src/connection/receive.ts',
    find: 'budget.messages > 0 && connection.delivers && !connection.blocked) {',
    replace: 'budget.messages > 0 && connection.delivers) {',
    breaks: 'a pause from inside RECEIVE is heard at the next read only',
    exhibit: 'M17',
  },
  {
    name: 'end-unheard',
    file: 'src/connection/receive.ts',
    find: 'budget.messages > 0 && connection.delivers && !connection.blocked) {',
    replace: 'budget.messages > 0 && !connection.blocked) {',
    breaks: 'an end from inside RECEIVE is heard at the next read only',
    exhibit: 'M16',
  },
  {
    name: 'zero-length-waits',
    file: 'src/connection/receive.ts',
    find: `    if (headerBytes === 0) break
`,
    replace: `    const bare = header.payloadBytes === 0 && at + headerBytes === end
    if (headerBytes === 0 || bare) break
`,
    breaks: 'a frame without payload waits for bytes behind it',
    exhibit: 'F10',
  },
  {
    name: 'messages-uncounted',
    file: 'src/connection/receive.ts',
    find: `  if (frameEnds || connection.protocol!.streams) core.budget.messages--
`,
    replace: '',
    breaks: 'messages in pieces cost nothing of the budget',
  },
  {
    name: 'key-not-rotated',
    file: 'src/connection/receive.ts',
    find: `  assembly.frameKey = rotateMaskingKey(assembly.frameKey, length)
`,
    replace: '',
    breaks: 'the second part of a frame is unmasked from the start of the key',
  },
  {
    name: 'reads-while-paused',
    file: 'src/connection/connection.ts',
    find: `    if (this.recvWaitsWritable || this.blocked) return false
`,
    replace: `    if (this.recvWaitsWritable || (this.blocked && !this.paused)) return false
`,
    breaks: 'a paused connection is waited for',
    exhibit: 'M7',
  },
  {
    name: 'gone-heard-twice',
    file: 'src/connection/due.ts',
    find: `  connection.errorHeardMs = 0
  const { io, fd } = connection
`,
    replace: `  const { io, fd } = connection
`,
    breaks: 'a hint of an error on a paused connection is looked into for ever',
    exhibit: 'M15',
  },
  {
    name: 'held-thrown-away',
    file: 'src/connection/due.ts',
    find: `    keepUnconsumed(core, connection, laidOut, 0, laidOut + result)
`,
    replace: '',
    breaks: 'what is found on a paused connection is thrown away',
  },
  {
    name: 'pong-forgotten',
    file: 'src/connection/due.ts',
    find: `    connection.pingSentMs = 0
  if`,
    replace: `    connection.pingSentMs = -1
  if`,
    breaks: 'a ping that was answered counts as unanswered',
  },
  {
    name: 'keepalive-off-after-pause',
    file: 'src/connection/deadline.ts',
    find: `  connection.lastRxMs = core.now()
  armDeadline(core, connection)
`,
    replace: `  connection.lastRxMs = core.now()
`,
    breaks: 'after a pause nobody asks whether the peer lives',
    exhibit: 'M13',
  },
  {
    name: 'held-lost',
    file: 'src/connection/held.ts',
    find: `  core.rx.bytes.copy(connection.held, 0, consumed, end)
`,
    replace: `  core.rx.bytes.copy(connection.held, 0, consumed, laidOut === 0 ? end : laidOut)
`,
    breaks: 'of what came behind held bytes nothing is kept',
  },
  {
    name: 'held-moved-twice',
    file: 'src/connection/held.ts',
    find: `    connection.heldAt += consumed
    core`,
    replace: `    connection.heldAt += consumed > 0 ? consumed - 1 : 0
    core`,
    breaks: 'a byte that was consumed is consumed again',
  },
  {
    name: 'listener-deaf',
    file: 'src/connection/listener.ts',
    find: '    return this.paused ? 0 : POLLIN',
    replace: '    return POLLIN',
    breaks: 'a listener that is out of descriptors spins',
  },
  {
    name: 'resume-unscheduled',
    file: 'src/commands/flow.ts',
    find: `      if (held !== null || eof || isDeaf || http?.expectsContinue === true)
        core.schedulePending(connection)
`,
    replace: '',
    breaks: 'what waited through a pause waits for the next readiness',
    exhibit: 'M10',
  },
  {
    name: 'flow-control-untold',
    file: 'src/commands/flow.ts',
    find: `    connection.paused = !enable
    core.touch(connection)
`,
    replace: `    connection.paused = !enable
`,
    breaks: 'flow control never tells the host',
    exhibit: 'F3',
  },
  {
    name: 'paused-wakes',
    file: 'src/commands/flow.ts',
    find: `    connection.paused = !enable
    core.touch(connection)
`,
    replace: `    connection.paused = !enable
    if (enable || connection.held !== null) core.touch(connection)
`,
    breaks: 'a connection paused between messages is still waited for',
    exhibit: 'M8',
  },
  {
    name: 'split-character-refused',
    file: 'src/wire/utf8-validator.ts',
    find: `      this.#owed--
`,
    replace: `      this.#owed -= this.#owed > 1 ? 2 : 1
`,
    breaks: 'a character cut in the middle is refused',
  },
  {
    name: 'bound-by-one',
    file: 'src/wire/frame-parser.ts',
    find: `  if (available < headerBytes) return 0
`,
    replace: `  if (available < lengthEnd) return 0
`,
    breaks: 'a header whose masking key is still to come is read',
  },
]
