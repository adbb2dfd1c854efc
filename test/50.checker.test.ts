/**
 * The contract checker: each rule about the library can be broken, and is reported by its id.
 *
 * A stand-in for a context does at the seams what no context should. Each row is one fault; the
 * stand-in's right behaviour is reported clean first. Wrong hosts are in 50.wrong-hosts.test.ts.
 */
import assert from 'node:assert/strict'
import { checked, formatViolation } from '../integrations/fake-poller.js'
import type { CheckerOptions } from '../integrations/fake-poller.js'
import { Errno, POLLERR, POLLHUP, POLLIN, POLLOUT, Reason, WOULD_BLOCK } from '../src/index.js'
import { IdleHost, StandIn } from './support/stand-in.js'

interface Fault {
  readonly rule: string
  readonly fault: string
  readonly act: (s: StandIn) => void
  readonly options?: CheckerOptions
}

/** A listener 3, and an established connection 4 that waits for POLLIN. */
function prepared(options?: CheckerOptions): StandIn {
  return new StandIn(options).listen().open(4)
}

const IN = { fd: 4, revents: POLLIN, gen: 2 }
const handled = (act: () => void) => () => {
  act()
  return 'handled'
}

const pollSetFaults: readonly Fault[] = [
  { rule: 'C1', fault: 'ADD twice', act: (s) => s.call('x', 4, () => s.add(4)) },
  { rule: 'C1', fault: 'SET of an fd never added', act: (s) => s.call('x', 9, () => s.announce('SET', 9, POLLIN)) },
  { rule: 'C1', fault: 'DEL with another generation', act: (s) => s.call('x', 4, () => s.del(4, { gen: 77 })) },
  {
    rule: 'C1',
    fault: 'DEL twice',
    act: (s) =>
      s.call('x', 4, () => {
        s.del(4)
        s.announce('DEL', 4, 0)
      }),
  },
  { rule: 'C1', fault: 'an accepted fd never announced', act: (s) => s.service(s.pollfd(3), handled(() => (s.accept(3, 5), s.accept(3, WOULD_BLOCK)))) },
  { rule: 'C2', fault: 'SET of a bit that is on', act: (s) => s.call('x', 4, () => s.announce('SET', 4, POLLIN)) },
  { rule: 'C2', fault: 'CLEAR of a bit that is off', act: (s) => s.call('x', 4, () => s.announce('CLEAR', 4, POLLOUT)) },
  { rule: 'C2', fault: 'prev that is not the last next', act: (s) => s.call('x', 4, () => s.announce('CLEAR', 4, POLLIN, { prev: 5 })) },
  { rule: 'C2', fault: 'next that does not follow', act: (s) => s.call('x', 4, () => s.announce('CLEAR', 4, POLLIN, { next: 1 })) },
  { rule: 'C3', fault: 'close before DEL', act: (s) => s.call('x', 4, () => s.io.close(4, false)) },
  {
    rule: 'C3',
    fault: 'a send after DEL',
    act: (s) =>
      s.call('x', 4, () => {
        s.del(4)
        s.send(4, 64)
      }),
  },
  { rule: 'C3', fault: 'DEL and no close', act: (s) => s.call('x', 4, () => s.del(4)) },
  {
    rule: 'C3',
    fault: 'recv on a closed fd',
    act: (s) => {
      s.call('x', 4, () => s.end(4))
      s.call('x', 4, () => s.recv(4, 1))
    },
  },
  {
    rule: 'C3',
    fault: 'CLOSED before the close',
    act: (s) =>
      s.call('x', 4, () => {
        s.del(4)
        s.callback(Reason.CLOSED, 4)
        s.io.close(4, false)
      }),
  },
  { rule: 'C4', fault: 'POLLHUP in a mask', act: (s) => s.call('x', 4, () => s.announce('SET', 4, POLLHUP)) },
  { rule: 'C5', fault: 'generation 0', act: (s) => s.call('x', 5, () => s.add(5, POLLIN, { gen: 0 })) },
  { rule: 'C5', fault: "another fd's generation", act: (s) => s.call('x', 5, () => s.add(5, POLLIN, { gen: 2 })) },
  { rule: 'C5', fault: 'a generation not from the host', act: (s) => s.call('x', 5, () => s.add(5, POLLIN, { gen: 99 })) },
  { rule: 'C5', fault: 'a stale pollfd that is serviced', act: (s) => s.service({ ...IN, gen: 1 }) },
  { rule: 'C5', fault: "'stale' for a live one", act: (s) => s.service(IN, () => 'stale') },
  { rule: 'C6', fault: 'an announcement outside of any call', act: (s) => s.announce('CLEAR', 4, POLLIN) },
  { rule: 'C6', fault: 'SET_TIMEOUT outside of any call', act: (s) => s.checker.pollSet?.timeout?.(1, 1001) },
  { rule: 'C6', fault: 'a gap in seq', act: (s) => s.call('x', 4, () => s.announce('CLEAR', 4, POLLIN, { seq: 99 })) },
  {
    rule: 'C7',
    fault: 'bytes before ADD',
    act: (s) =>
      s.service(
        s.pollfd(3),
        handled(() => {
          s.accept(3, 5)
          s.recv(5, 10)
          s.add(5)
        }),
      ),
  },
  {
    rule: 'C7',
    fault: 'a flush after a mask change',
    act: (s) =>
      s.call('x', 4, () => {
        s.announce('CLEAR', 4, POLLIN)
        s.send(4, 64)
      }),
  },
  {
    rule: 'C7',
    fault: 'a callback after a mask change',
    act: (s) =>
      s.call('x', 4, () => {
        s.announce('CLEAR', 4, POLLIN)
        s.callback(Reason.RECEIVE, 4)
      }),
  },
  {
    rule: 'C7',
    fault: 'an end after a mask change',
    act: (s) =>
      s.call('x', 4, () => {
        s.announce('CLEAR', 3, POLLIN)
        s.end(4)
      }),
  },
  {
    rule: 'C7',
    fault: 'SET of what was just cleared',
    act: (s) =>
      s.call('x', 4, () => {
        s.announce('CLEAR', 4, POLLIN)
        s.announce('SET', 4, POLLIN)
      }),
  },
  {
    rule: 'C7',
    fault: 'CLEAR after SET',
    act: (s) =>
      s.call('callbackOnWritable', 4, () => {
        s.announce('SET', 4, POLLOUT)
        s.announce('CLEAR', 4, POLLIN)
        return true
      }),
  },
  { rule: 'C7', fault: 'a write that is never flushed', act: (s) => s.call('write', 4, () => 'ok') },
  { rule: 'C8', fault: 'serviceFd inside serviceFd', act: (s) => s.service(IN, handled(() => s.service(s.pollfd(3)))) },
]

const serviceFaults: readonly Fault[] = [
  { rule: 'C10', fault: "'handled' for a foreign fd", act: (s) => s.service({ fd: 70, revents: POLLIN }) },
  { rule: 'C10', fault: "'foreign' for its own", act: (s) => s.service(IN, () => 'foreign') },
  {
    rule: 'C10',
    fault: 'a foreign fd is read',
    act: (s) =>
      s.service({ fd: 70, revents: POLLIN }, () => {
        s.recv(70, 1)
        return 'foreign'
      }),
  },
  {
    rule: 'C10',
    fault: 'the pollfd is changed',
    act: (s) => {
      const pollfd = { ...IN }
      s.service(pollfd, handled(() => (pollfd.revents = 0)))
    },
  },
  { rule: 'C11', fault: 'a second recv after one that would block', act: (s) => s.service(IN, handled(() => [1, 2].forEach(() => s.recv(4, WOULD_BLOCK)))) },
  { rule: 'C11', fault: 'a second accept after one that would block', act: (s) => s.service(s.pollfd(3), handled(() => [1, 2].forEach(() => s.accept(3, WOULD_BLOCK)))) },
  {
    rule: 'C11',
    fault: 'recv although POLLIN is off',
    act: (s) => {
      s.call('rxFlowControl', 4, () => s.announce('CLEAR', 4, POLLIN))
      s.service(IN, handled(() => s.recv(4, 1)))
    },
  },
  { rule: 'C12', fault: "'handled' after a full read", act: (s) => s.service(IN, handled(() => s.recv(4, 64, 64))) },
  { rule: 'C12', fault: "'handled' after one accept of many", act: (s) => s.service(s.pollfd(3), handled(() => (s.accept(3, 5), s.add(5)))) },
  {
    rule: 'C12',
    fault: "'handled' when the write budget cut the queue",
    options: { txBudgetBytes: 10 },
    act: (s) => s.service(IN, handled(() => (s.send(4, 10, 10), s.announce('SET', 4, POLLOUT)))),
  },
  { rule: 'C13', fault: 'too much read', options: { rxBudgetBytes: 30 }, act: (s) => s.service(IN, handled(() => s.recv(4, 40))) },
  { rule: 'C13', fault: 'too much written', options: { txBudgetBytes: 63 }, act: (s) => s.service(IN, handled(() => s.send(4, 64))) },
  { rule: 'C13', fault: 'too many messages', options: { messageBudget: 2 }, act: (s) => s.service(IN, handled(() => [1, 2, 3].forEach(() => s.callback(Reason.RECEIVE, 4)))) },
  {
    rule: 'C13',
    fault: 'too many ends',
    options: { endBudget: 1 },
    act: (s) => {
      s.open(5)
      s.service(null, handled(() => [4, 5].forEach((fd) => s.end(fd))))
    },
  },
  {
    rule: 'C14',
    fault: 'plaintext that waits, and a timeout that is not 0',
    act: (s) => {
      s.host.io.answer(100)
      s.service(IN, handled(() => s.io.pending(4)))
    },
  },
  { rule: 'C15', fault: 'a short write and no POLLOUT', act: (s) => s.service(IN, handled(() => s.send(4, 10, 64))) },
  { rule: 'C15', fault: 'a write that would block and no POLLOUT', act: (s) => s.service(IN, handled(() => s.send(4, WOULD_BLOCK))) },
  { rule: 'C15', fault: 'POLLOUT for nothing', act: (s) => s.call('x', 4, () => s.announce('SET', 4, POLLOUT)) },
  {
    rule: 'C15',
    fault: 'POLLOUT stays on when all was sent',
    act: (s) => {
      s.service(IN, handled(() => (s.send(4, WOULD_BLOCK), s.announce('SET', 4, POLLOUT))))
      s.service({ ...IN, revents: POLLOUT }, handled(() => s.send(4, 64)))
    },
  },
  { rule: 'C15', fault: 'a writable callback wanted and no POLLOUT', act: (s) => s.call('callbackOnWritable', 4, () => true) },
  { rule: 'C16', fault: 'POLLIN after the end of file', act: (s) => s.service(IN, handled(() => s.recv(4, 0))) },
  { rule: 'C16', fault: 'POLLIN on and never read', act: (s) => Array.from({ length: 8 }, () => s.service(IN)) },
  { rule: 'C17', fault: 'closed by POLLHUP before POLLIN was served', act: (s) => s.service({ ...IN, revents: POLLIN | POLLHUP }, handled(() => s.end(4))) },
  { rule: 'C17', fault: 'recv after the end of file', act: (s) => s.service(IN, handled(() => [1, 2].forEach(() => s.recv(4, 0)))) },
  { rule: 'C17', fault: 'POLLHUP alone spins', act: (s) => Array.from({ length: 64 }, () => s.service({ ...IN, revents: POLLHUP })) },
  { rule: 'C17', fault: 'POLLERR spins, as the probe knows', options: { probe: () => POLLERR }, act: (s) => Array.from({ length: 8 }, () => s.service({ ...IN, revents: POLLERR })) },
  { rule: 'C18', fault: 'waits for nothing', act: (s) => s.service(IN, handled(() => s.announce('CLEAR', 4, POLLIN))) },
  {
    rule: 'C19',
    fault: 'ended without CLOSED',
    act: (s) => s.call('hangup', 4, () => (s.del(4), s.io.close(4, true))),
  },
  { rule: 'C19', fault: 'CLOSED twice', act: (s) => s.call('hangup', 4, () => (s.end(4), s.callback(Reason.CLOSED, 4))) },
  { rule: 'C19', fault: 'a callback after CLOSED', act: (s) => s.call('hangup', 4, () => (s.end(4), s.callback(Reason.RECEIVE, 4))) },
  {
    rule: 'C19',
    fault: 'RECEIVE before ESTABLISHED',
    act: (s) =>
      s.service(
        s.pollfd(3),
        handled(() => {
          s.accept(3, 5)
          s.add(5)
          s.callback(Reason.RECEIVE, 5)
          s.accept(3, WOULD_BLOCK)
        }),
      ),
  },
  { rule: 'C19', fault: 'ESTABLISHED twice', act: (s) => s.service(IN, handled(() => s.callback(Reason.ESTABLISHED, 4))) },
  {
    rule: 'C19',
    fault: "a write after the end that answers 'ok'",
    act: (s) => {
      s.call('hangup', 4, () => s.end(4))
      s.call('write', 4, () => 'ok')
    },
  },
  { rule: 'C29', fault: 'EMFILE and the listener goes on', act: (s) => s.service(s.pollfd(3), handled(() => s.accept(3, -Errno.EMFILE))) },
]

const timeFaults: readonly Fault[] = [
  { rule: 'C20', fault: 'two readings of the clock', act: (s) => s.service(IN, handled(() => [1, 2].forEach(() => s.checker.now()))) },
  { rule: 'C20', fault: 'two readings of the wall clock', act: (s) => s.service(IN, handled(() => [1, 2].forEach(() => s.checker.wallClock()))) },
  {
    rule: 'C21',
    fault: 'SET_TIMEOUT twice the same',
    act: (s) =>
      s.service(
        null,
        handled(() => {
          s.checker.now()
          s.deadlineMs = 1500
          for (let i = 0; i < 2; i += 1) s.checker.pollSet?.timeout?.(500, 1500)
        }),
      ),
  },
  { rule: 'C21', fault: 'SET_TIMEOUT with a length that is not the deadline', act: (s) => s.service(null, handled(() => (s.checker.now(), (s.deadlineMs = 1500), s.checker.pollSet?.timeout?.(900, 1500)))) },
  { rule: 'C21', fault: 'a nearer deadline and no SET_TIMEOUT', act: (s) => s.service(null, handled(() => (s.deadlineMs = 1500))) },
  { rule: 'C22', fault: "'handled' for null, and the timeout is 0", act: (s) => s.service(null, handled(() => (s.timeoutMs = 0))) },
  {
    rule: 'C22',
    fault: "'more' again and again, and nothing happens",
    act: (s) => {
      s.timeoutMs = 0
      for (let i = 0; i < 40; i += 1) s.service(null, () => 'more')
    },
  },
  { rule: 'C27', fault: 'a destroy that leaves an fd', act: (s) => s.call('contextDestroy', undefined, () => (s.del(3), s.io.close(3, false))) },
  { rule: 'C27', fault: 'a destroy out of order', act: (s) => s.call('contextDestroy', undefined, () => (s.end(4), s.del(3), s.io.close(3, false))) },
  {
    rule: 'C27',
    fault: 'a destroy that is not one by one',
    act: (s) =>
      s.call('contextDestroy', undefined, () => {
        s.del(3)
        s.del(4)
        s.io.close(3, false)
        s.io.close(4, false)
        s.callback(Reason.CLOSED, 4)
      }),
  },
  {
    rule: 'C27',
    fault: 'a timeout after the destroy',
    act: (s) =>
      s.call('contextDestroy', undefined, () => {
        s.del(3)
        s.io.close(3, false)
        s.end(4)
        s.timeoutMs = 10
      }),
  },
]

function eachIsReported(faults: readonly Fault[]): void {
  for (const { rule, fault, act, options } of faults) {
    it(`${rule} ${fault}`, () => {
      const standIn = prepared(options)
      assert.deepEqual(standIn.broken, [])
      act(standIn)
      const [first] = standIn.checker.violations
      assert.equal(first?.rule, rule, first === undefined ? 'clean' : formatViolation(first))
      assert.throws(() => standIn.checker.assertClean(), new RegExp(`^Error: ${rule}: `))
    })
  }
}

describe('50 the checker reports by id', () => {
  describe('what is wrong with the poll set', () => eachIsReported(pollSetFaults))
  describe('what is wrong with a service', () => eachIsReported(serviceFaults))
  describe('what is wrong with time, and with the end', () => eachIsReported(timeFaults))

  it('C8 calls and announcements from inside an announcement', () => {
    const standIn = prepared()
    const { pollSet } = standIn.host
    pollSet.clear = () => standIn.call('write', 4, () => 'ok')
    standIn.call('rxFlowControl', 4, () => standIn.announce('CLEAR', 4, POLLIN))
    assert.equal(standIn.broken[0], 'C8')
    const other = prepared()
    other.host.pollSet.clear = () => other.callback(Reason.SERVER_WRITEABLE, 4)
    other.call('rxFlowControl', 4, () => other.announce('CLEAR', 4, POLLIN))
    assert.ok(other.broken.includes('C8'))
  })

  it('C8 but not a question from inside an announcement', () => {
    const standIn = prepared()
    standIn.host.pollSet.clear = () => standIn.call('getSocketFd', 4, () => 4)
    standIn.call('rxFlowControl', 4, () => standIn.announce('CLEAR', 4, POLLIN))
    assert.deepEqual(standIn.broken, [])
  })

  it('C9 an fd that was refused and stays open, or is heard of again', () => {
    const acceptRefused = (s: StandIn, then: () => void) => {
      s.host.refusal = new Error('the table is full')
      s.service(s.pollfd(3), () => {
        s.accept(3, 5)
        assert.throws(() => s.add(5), /table is full/)
        then()
        s.accept(3, WOULD_BLOCK)
        return 'handled'
      })
      return s.broken
    }
    const right = prepared()
    assert.deepEqual(acceptRefused(right, () => right.io.close(5, true)), [])
    assert.deepEqual(acceptRefused(prepared(), () => undefined), ['C9'])
    const heard = prepared()
    const again = () => {
      heard.announce('SET', 5, POLLOUT)
      heard.io.close(5, true)
    }
    assert.ok(acceptRefused(heard, again).includes('C9'))
  })

  it('C9 a context that lives on when its listener was refused', () => {
    const standIn = new StandIn()
    standIn.host.refusal = new Error('no')
    standIn.host.io.answer(3)
    standIn.io.listen({ address: '127.0.0.1', port: 0, backlog: 1 })
    standIn.call('createContext', undefined, () => {
      assert.throws(() => standIn.add(3), /no/)
      standIn.io.close(3, false)
    })
    assert.deepEqual(standIn.broken, [])
    standIn.service(null)
    assert.equal(standIn.broken[0], 'C9')
  })
})

describe('50 the checker', () => {
  it('is silent about a right life, from listen to destroy', () => {
    const standIn = prepared()
    standIn.service(
      IN,
      handled(() => {
        standIn.recv(4, 20)
        standIn.callback(Reason.RECEIVE, 4, undefined, () => standIn.call('write', 4, () => 'ok'))
        standIn.send(4, 10, 30)
        standIn.announce('SET', 4, POLLOUT)
      }),
    )
    standIn.service({ ...IN, revents: POLLOUT }, handled(() => (standIn.send(4, 20, 20), standIn.announce('CLEAR', 4, POLLOUT))))
    standIn.service({ ...IN, revents: POLLIN | POLLHUP }, () => (standIn.recv(4, 0), standIn.end(4), 'closed'))
    standIn.open(4)
    standIn.call('contextDestroy', undefined, () => (standIn.del(3), standIn.io.close(3, false), standIn.end(4)))
    standIn.checker.assertClean()
  })

  it('tells the rule, its sentence, what was seen and the last 20 calls', () => {
    const heard: string[] = []
    const standIn = prepared({ onViolation: ({ rule }) => heard.push(rule) })
    for (let i = 0; i < 20; i += 1) standIn.service(IN, handled(() => standIn.recv(4, 3)))
    standIn.call('hangup', 4, () => standIn.io.close(4, true))
    const [violation] = standIn.checker.violations
    assert.deepEqual(heard.slice(0, 1), ['C3'])
    assert.equal(violation?.sentence, 'DEL is announced while the descriptor is open, and only close follows it.')
    assert.equal(violation.detail, 'close of fd 4, which is announced')
    assert.equal(violation.calls.length, 20)
    assert.deepEqual(violation.calls.slice(-4), ['serviceFd(4, 1)', 'recv(4, 64) = 3', 'end of serviceFd = handled', 'hangup(4)'])
    assert.match(formatViolation(violation), /^C3: DEL is announced.*\nseen: close of fd 4.*\nthe last calls:\n {2}/)
  })

  it('overwrites views when their callback returned, and leaves copies alone', () => {
    const standIn = prepared()
    const view = standIn.buffer.bytes.fill(7).subarray(10, 14)
    const copy = Buffer.from(view)
    standIn.service(
      IN,
      handled(() => {
        standIn.callback(Reason.RECEIVE, 4, view, () => assert.equal(view[0], 7))
        standIn.callback(Reason.RECEIVE, 4, copy)
      }),
    )
    assert.equal(view.toString('hex'), 'dbdbdbdb')
    assert.equal(copy.toString('hex'), '07070707')
    assert.deepEqual([standIn.buffer.bytes[9], standIn.buffer.bytes[14]], [7, 7])
    const quiet = prepared({ poison: false })
    quiet.service(IN, handled(() => quiet.callback(Reason.RECEIVE, 4, quiet.buffer.bytes.fill(7))))
    assert.equal(quiet.buffer.bytes[0], 7)
  })

  it('passes on to a tap that was there before', () => {
    const heard: string[] = []
    const tap = {
      enter: (call: string) => heard.push(`enter ${call}`),
      leave: (call: string) => heard.push(`leave ${call}`),
      callback: (reason: number) => heard.push(`callback ${reason}`),
      returned: (reason: number) => heard.push(`returned ${reason}`),
    }
    const host = checked({ ...new IdleHost(), tap })
    host.tap?.enter('write', 4, host)
    host.tap?.callback(Reason.CLOSED, 4, undefined, host)
    host.tap?.returned(Reason.CLOSED, 4, undefined, host)
    host.tap?.leave('write', 'ok', host)
    assert.deepEqual(heard, ['enter write', 'callback 2', 'returned 2', 'leave write'])
  })

  it('watches the four handlers where the host has no pollSet', () => {
    const { io, now, wallClock, randomFill, hostname } = new IdleHost()
    const host = checked({ io, now, wallClock, randomFill, hostname })
    assert.equal(host.pollSet, undefined)
    const added: number[] = []
    const on = host.on({
      ADD_POLL_FD: (fd) => added.push(fd),
      DEL_POLL_FD: () => undefined,
      SET_MODE: () => undefined,
      CLEAR_MODE: () => undefined,
    })
    on.ADD_POLL_FD(5, POLLIN, { op: 'ADD', fd: 5, gen: 1, bits: POLLIN, prev: 0, next: POLLIN, seq: 1, context: {} })
    assert.deepEqual(added, [5])
    assert.equal(host.violations[0]?.rule, 'C6')
  })
})
