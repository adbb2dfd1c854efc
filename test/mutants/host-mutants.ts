/** Mistakes around the library: of a host, its poller, and the simulator itself. */
import type { Mutant } from './mutant.js'

export const hostMutants: readonly Mutant[] = [
  {
    name: 'host-forgets-more',
    file: 'integrations/simulation/wait-set.ts',
    find: `    this.owed.set(fd, revents)
`,
    replace: `    if (revents === 0) this.owed.set(fd, revents)
`,
    breaks: "an edge-triggered host forgets what answered 'more'",
  },
  {
    name: 'host-forgets-del',
    file: 'integrations/simulation/wait-set.ts',
    find: `    if (!this.watches.delete(fd)) throw new MisuseError(\`DEL_POLL_FD(\${fd}): not waited for (C1)\`)
`,
    replace: `    if (this.owed.has(fd) && !this.watches.delete(fd)) throw new MisuseError(\`DEL_POLL_FD(\${fd})\`)
`,
    breaks: 'the host waits for a descriptor that got its DEL',
  },
  {
    name: 'host-clears-nothing',
    file: 'integrations/simulation/wait-set.ts',
    find: `    this.modify(watch, watch.mask & ~events)
`,
    replace: `    this.modify(watch, watch.mask & ~(events & 1))
`,
    breaks: 'the host goes on waiting for POLLOUT after CLEAR',
  },
  {
    name: 'host-sets-the-bits-alone',
    file: 'integrations/simulation/wait-set.ts',
    find: `    this.modify(watch, watch.mask | events)
`,
    replace: `    this.modify(watch, events)
`,
    breaks: 'the host takes a SET for the whole mask',
  },
  {
    name: 'host-keeps-telling-at-zero',
    file: 'integrations/simulation/wait-set.ts',
    find: `        if (watch.reportedAtZero) continue
`,
    replace: `        this.ready.add(fd)
`,
    breaks: 'the host reports an error on a paused descriptor for ever',
  },
  {
    name: 'host-hides-the-end',
    file: 'integrations/simulation/edge-readiness.ts',
    find: 'kernel.socketAt(fd)?.finReceived === true ? POLLHUP : 0',
    replace: 'kernel.socketAt(fd)?.cut === true ? POLLHUP : 0',
    breaks: 'an edge-triggered host does not tell of an end beside the last bytes',
  },
  {
    name: 'host-skips-after-del',
    file: 'integrations/simulation/world/sim-host.ts',
    find: `      if (!this.world.faults.fires('entry-skipped')) continue
      at += 1
`,
    replace: `      at += 1
      if (!this.world.faults.fires('entry-skipped')) continue
`,
    breaks: 'the host passes over the entry behind one that was removed',
    exhibit: 'M6',
  },
  {
    name: 'host-starves-the-last',
    file: 'integrations/simulation/wait-set.ts',
    find: `    for (const fd of Array.from(this.ready)) {
`,
    replace: `    for (const fd of Array.from(this.ready).slice(0, 1)) {
      this.ready.delete(fd)
`,
    breaks: 'the host serves the first ready descriptor only',
  },
  {
    name: 'host-wakes-late',
    file: 'integrations/simulation/world/sim-host.ts',
    find: '    return deadlineMs === null ? Infinity : ' + 'this.clock.worldTimeOf(deadlineMs)',
    replace:
      '    return deadlineMs === null ? Infinity : ' + 'this.clock.worldTimeOf(deadlineMs) + 2000',
    breaks: 'the host sleeps past the timeout',
  },
  {
    name: 'gens-repeat',
    file: 'integrations/simulation/world/sim-host.ts',
    find: 'nextGen: () => (this.lastGen += 1),',
    replace: 'nextGen: () => (this.lastGen = (this.lastGen % 8) + 1),',
    breaks: 'generations come round while their first bearers live',
  },
  {
    name: 'fault-never-fires',
    file: 'integrations/simulation/faults/faulty-io.ts',
    find: "if (near.pipe !== null && faults.fires('send-buffer-shrinks'))",
    replace: "if (near.pipe === undefined && faults.fires('send-buffer-shrinks'))",
    breaks: 'a kind of fault never fires',
    exhibit: 'M18',
    gate: 'send-buffer-shrinks',
  },
  {
    name: 'fault-without-effect',
    file: 'integrations/simulation/faults/faulty-io.ts',
    find: `    if (faults.fires('send-no-buffers')) {
      this.world.harm(near, 'send-no-buffers')
      return -Errno.ENOBUFS
    }
`,
    replace: `    faults.fires('send-no-buffers')
`,
    breaks: 'a kind of fault fires, and nothing comes of it',
    exhibit: 'M18',
    gate: 'send-no-buffers',
  },
]
