/** Mistakes in what a context does: the poll set, time, the exit order, destroy. */
import type { Mutant } from './mutant.js'

export const contextMutants: readonly Mutant[] = [
  {
    name: 'refused-stays',
    file: 'src/poll/interest-table.ts',
    find: `      this.entries.remove(entry)
      entry.live = false
      throw refusal`,
    replace: '      throw refusal',
    breaks: 'an fd whose ADD the host refused stays in the table',
    exhibit: 'M3',
  },
  {
    name: 'del-while-paused-unsaid',
    file: 'src/poll/interest-table.ts',
    find: "    this.#tell('DEL', entry, prev, prev, 0)",
    replace: "    if (prev !== 0) this.#tell('DEL', entry, prev, prev, 0)",
    breaks: 'a paused connection ends without its DEL',
    exhibit: 'M2',
  },
  {
    name: 'set-before-clear',
    file: 'src/poll/interest-table.ts',
    find: `    if (off !== 0) this.#change('CLEAR', entry, off, entry.mask & ~off)
    if (on !== 0) this.#change('SET', entry, on, entry.mask | on)`,
    replace: `    if (on !== 0) this.#change('SET', entry, on, entry.mask | on)
    if (off !== 0) this.#change('CLEAR', entry, off, entry.mask & ~off)`,
    breaks: 'an fd gets its SET before its CLEAR',
  },
  {
    name: 'heap-wrong-child',
    file: 'src/poll/deadline-heap.ts',
    find: 'right < deadlines.length && deadlines[right]! < deadlines[left]! ? right : ' + 'left',
    replace: 'right < deadlines.length && deadlines[right]! > deadlines[left]! ? right : ' + 'left',
    breaks: 'the earliest deadline is not always on top',
  },
  {
    name: 'timer-not-moved',
    file: 'src/poll/deadline-heap.ts',
    find: '    } else if (deadlineMs < this.#deadlines[index]!) {',
    replace: '    } else if (deadlineMs + 1e9 < this.#deadlines[index]!) {',
    breaks: 'a deadline that came nearer stays where it was, since one was armed',
    exhibit: 'M14',
  },
  {
    name: 'timeout-untold',
    file: 'src/context/timeout.ts',
    find: 'earliest >= told && told > core.now()',
    replace: 'earliest >= told',
    breaks: 'SET_TIMEOUT is not said anew when the deadline told before has passed',
  },
  {
    name: 'timeout-rounds-down',
    file: 'src/context/timeout.ts',
    find: 'Math.ceil(deadlineMs - nowMs)',
    replace: 'Math.floor(deadlineMs - nowMs)',
    breaks: 'the last fraction of a millisecond is spent spinning',
    exhibit: 'M15',
  },
  {
    name: 'no-entropy',
    file: 'src/context/entropy.ts',
    find: `    this.#host.randomFill(new Uint8Array(this.#words.buffer))
`,
    replace: '',
    breaks: 'chance is used before anybody gave any: all pings go out at the same moment',
    exhibit: 'M19',
  },
  {
    name: 'arena-epoch-kept',
    file: 'src/context/context-state.ts',
    find: `    this.arenaEpoch++
`,
    replace: '',
    breaks: 'a prepared frame is believed to lie in the arena where others lie by now',
  },
  {
    name: 'ends-twice',
    file: 'src/context/context-state.ts',
    find: `    if (connection.inEndList) return
`,
    replace: '',
    breaks: 'a connection is ended twice',
    exhibit: 'M5',
  },
  {
    name: 'pending-untold',
    file: 'src/context/context-state.ts',
    find: `      this.pending.size > 0 ||
`,
    replace: '',
    breaks: 'work that no readiness announces is not told by the timeout',
    exhibit: 'M10',
  },
  {
    name: 'broadcasts-untold',
    file: 'src/context/context-state.ts',
    find: `      this.broadcasts.length > 0
`,
    replace: `      false
`,
    breaks: 'broadcasts that a budget held up wait for the next readiness',
  },
  {
    name: 'ends-untold',
    file: 'src/context/context-state.ts',
    find: `      this.endList.length > 0 ||
`,
    replace: '',
    breaks: 'ends that a budget held up wait for the next readiness',
  },
  {
    name: 'ends-unbounded',
    file: 'src/context/exit-order.ts',
    find: `  if (over) core.budget.ends--
`,
    replace: '',
    breaks: 'one call ends any number of connections',
  },
  {
    name: 'broadcasts-unbounded',
    file: 'src/context/broadcast-run.ts',
    find: `      budget.broadcasts--
`,
    replace: '',
    breaks: 'one call tells any number of connections of a broadcast',
  },
  {
    name: 'broadcast-to-the-ended',
    file: 'src/context/broadcast-run.ts',
    find: '} else if (connection.state !== State.OPEN) {',
    replace: '} else if (core.destroyed) {',
    breaks: 'a connection hears a broadcast after its end',
    exhibit: 'M16',
  },
  {
    name: 'broadcast-merged',
    file: 'src/context/broadcast-run.ts',
    find: '      const data = run.protocol.copies ? Buffer.from(run.data) : run.data',
    replace: `      const next = core.broadcasts[1]
      const data = Buffer.concat(next === undefined ? [run.data] : [run.data, next.data])`,
    breaks: 'a broadcast carries the one behind it, too',
    exhibit: 'F12',
  },
  {
    name: 'listener-not-resumed',
    file: 'src/context/membership.ts',
    find: `  listener.paused = false
  core.deadlines.remove(listener)
  core.touch(listener)`,
    replace: `  listener.paused = false
  core.deadlines.remove(listener)`,
    breaks: 'a listener that was out of descriptors is not waited for again',
  },
  {
    name: 'destroy-reversed',
    file: 'src/context/destroy.ts',
    find: 'const entries = core.table.entries.list()',
    replace: 'const entries = core.table.entries.list().reverse()',
    breaks: 'destroy walks its table in another order than the table has',
    exhibit: 'F11',
  },
  {
    name: 'destroy-in-the-callback',
    file: 'src/context/create-context.ts',
    find: `  core.destroyWanted = true
  leave(core, 'contextDestroy', undefined)`,
    replace: `  core.destroyWanted = true
  core.destroyed = core.depth > 1
  leave(core, 'contextDestroy', undefined)`,
    breaks: 'a destroy inside a callback forgets everybody',
    exhibit: 'M16',
  },
]
