/**
 * The checker on what a call does and leaves behind: every way to break C10 to C22, C27 and C29.
 */
import type { Times } from '../integrations/simulation/checker-facts.js'
import { serviceRules } from '../integrations/simulation/checker-rules-service.js'
import { timeRules } from '../integrations/simulation/checker-rules-time.js'
import { Errno, POLLERR, POLLHUP, POLLIN, POLLOUT, Reason, WOULD_BLOCK } from '../src/index.js'
import {
  WOULD_BLOCK_UNTIL_READABLE as UNTIL_READABLE,
  WOULD_BLOCK_UNTIL_WRITABLE as UNTIL_WRITABLE,
} from '../src/index.js'
import { READABLE, accepting, during, eachIsReported } from './support/checker-faults.js'
import { fault, prepared, serving, times } from './support/checker-faults.js'
import type { Act, Fault } from './support/checker-faults.js'
import type { StandIn } from './support/stand-in.js'

const FOREIGN = { fd: 70, revents: POLLIN }
const blocked: Act = serving((s) => (s.send(4, WOULD_BLOCK), s.announce('SET', 4, POLLOUT)))
const writable = { ...READABLE, revents: POLLOUT }

const serviceFaults = [
  fault('C10', "'handled' for a foreign fd", (s) => s.service(FOREIGN)),
  fault('C10', "'foreign' for its own", (s) => s.service(READABLE, () => 'foreign')),
  fault('C10', 'a foreign fd is read', (s) => s.service(FOREIGN, () => (s.recv(70, 1), 'foreign'))),
  fault('C10', 'the pollfd is changed', (s) => {
    const pollfd = { ...READABLE }
    serving(() => (pollfd.revents = 0), pollfd)(s)
  }),
  fault('C11', 'recv again when it would block', serving(times(2, (s) => s.recv(4, WOULD_BLOCK)))),
  fault('C11', 'accept again', accepting(times(2, (s) => s.accept(3, WOULD_BLOCK)))),
  fault('C11', 'send again', (s) => {
    blocked(s)
    serving(
      times(2, () => s.send(4, WOULD_BLOCK)),
      writable,
    )(s)
  }),
  fault('C11', 'recv although POLLIN is off', (s) => {
    s.call('rxFlowControl', 4, () => s.announce('CLEAR', 4, POLLIN))
    serving(() => s.recv(4, 1))(s)
  }),
  fault('C16', 'RECEIVE while paused', (s) => {
    s.call('rxFlowControl', 4, () => s.announce('CLEAR', 4, POLLIN))
    during(() => s.callback(Reason.RECEIVE, 4))(s)
  }),
  fault(
    'C12',
    "'handled' after a full read",
    serving((s) => s.recv(4, 64, 64)),
  ),
  fault(
    'C12',
    "'handled' after one accept",
    accepting((s) => (s.accept(3, 5), s.add(5))),
  ),
  fault(
    'C12',
    "'handled' when the write budget cut the queue",
    (s) => (blocked(s), serving(() => s.send(4, 100, 100), writable)(s)),
    { txBudgetBytes: 100 },
  ),
  fault('C12', "'handled', and a writable callback is wanted again", (s) => {
    s.call('callbackOnWritable', 4, () => (s.announce('SET', 4, POLLOUT), true))
    serving(() => {
      s.callback(Reason.SERVER_WRITEABLE, 4)
      s.call('callbackOnWritable', 4, () => true)
    }, writable)(s)
  }),
  fault(
    'C13',
    'too much read',
    serving((s) => s.recv(4, 54)), // a header of 14 is free
    { rxBudgetBytes: 39 },
  ),
  fault(
    'C13',
    'too much written',
    serving((s) => s.send(4, 65, 65)),
    { txBudgetBytes: 64 },
  ),
  fault('C13', 'too many messages', serving(times(3, (s) => s.callback(Reason.RECEIVE, 4))), {
    messageBudget: 2,
  }),
  fault('C13', 'too many ends', (s) => (s.open(5), serving(() => (s.end(4), s.end(5)), null)(s)), {
    endBudget: 1,
  }),
  fault('C14', 'plaintext waits, and the timeout is not 0', (s) => {
    s.host.io.answer(100)
    serving(() => s.io.pending(4))(s)
  }),
  fault(
    'C15',
    'a short write and no POLLOUT',
    serving((s) => s.send(4, 10, 64)),
  ),
  fault(
    'C15',
    'a blocked write and no POLLOUT',
    serving((s) => s.send(4, WOULD_BLOCK)),
  ),
  fault(
    'C15',
    'POLLOUT for nothing',
    during((s) => s.announce('SET', 4, POLLOUT)),
  ),
  fault('C15', 'POLLOUT still on when all was sent', (s) => {
    blocked(s)
    serving(() => s.send(4, 64), writable)(s)
  }),
  fault('C15', 'a writable callback wanted and no POLLOUT', (s) =>
    s.call('callbackOnWritable', 4, () => true),
  ),
  fault('C15', 'a connect under way and no POLLOUT', (s) => {
    s.host.io.answer(6)
    s.call('clientConnect', undefined, () => (s.io.connect(s.io.peerAddress(3)), s.add(6), 6))
  }),
  fault(
    'C15',
    'TLS reads when writable, and no POLLOUT',
    serving((s) => s.recv(4, UNTIL_WRITABLE)),
  ),
  fault(
    'C15',
    'TLS writes when readable, and no POLLIN',
    serving((s) => (s.send(4, UNTIL_READABLE), s.announce('CLEAR', 4, POLLIN))),
  ),
  fault(
    'C16',
    'POLLIN after the end of file',
    serving((s) => s.recv(4, 0)),
  ),
  fault(
    'C16',
    'POLLIN on with too much queued',
    serving((s) => {
      s.call('write', 4, () => 'backpressure', Buffer.alloc(100))
      s.send(4, WOULD_BLOCK)
      s.announce('SET', 4, POLLOUT)
    }),
    { txHighWaterBytes: 100 },
  ),
  fault(
    'C16',
    'POLLIN on and never read',
    times(64, (s) => s.service(READABLE)),
  ),
  fault(
    'C17',
    'closed by POLLHUP before POLLIN was served',
    serving((s) => s.end(4), { ...READABLE, revents: POLLIN | POLLHUP }),
  ),
  fault('C17', 'recv after the end of file', serving(times(2, (s) => s.recv(4, 0)))),
  fault(
    'C17',
    'POLLHUP spins',
    times(
      64,
      serving(() => 0, { ...READABLE, revents: POLLHUP }),
    ),
  ),
  fault(
    'C17',
    'POLLERR spins, as the probe knows',
    times(
      8,
      serving(() => 0, { ...READABLE, revents: POLLERR }),
    ),
    { probe: () => POLLERR },
  ),
  fault(
    'C18',
    'waits for nothing',
    serving((s) => s.announce('CLEAR', 4, POLLIN)),
  ),
  fault(
    'C19',
    'ended without CLOSED',
    during((s) => (s.del(4), s.io.close(4, true))),
  ),
  fault(
    'C19',
    'CLOSED twice',
    during((s) => (s.end(4), s.callback(Reason.CLOSED, 4))),
  ),
  fault(
    'C19',
    'RECEIVE after CLOSED',
    during((s) => (s.end(4), s.callback(Reason.RECEIVE, 4))),
  ),
  fault(
    'C19',
    'RECEIVE before ESTABLISHED',
    accepting((s) => (s.accept(3, 5), s.add(5), s.callback(Reason.RECEIVE, 5))),
  ),
  fault(
    'C19',
    'ESTABLISHED twice',
    serving((s) => s.callback(Reason.ESTABLISHED, 4)),
  ),
  fault(
    'C19',
    'HTTP_CLOSED of an established one',
    during((s) => (s.del(4), s.io.close(4, false), s.callback(Reason.HTTP_CLOSED, 4))),
  ),
  fault('C19', "a write after the end that answers 'ok'", (s) => {
    during(() => s.end(4))(s)
    s.call('write', 4, () => 'ok')
  }),
  fault('C19', 'CLOSED without a word of how', (s) => {
    during(() => {
      s.del(4).io.close(4, false)
      s.callback(Reason.CLOSED, 4, { code: 1000 })
    })(s)
  }),
  fault('C14', 'sending failed, and nobody looks for what came before', (s) => {
    serving(() => s.send(4, -Errno.ENOBUFS))(s)
  }),
  fault(
    'C29',
    'EMFILE, and the listener goes on',
    accepting((s) => s.accept(3, -Errno.EMFILE)),
  ),
]

function timeout(s: StandIn, timeoutMs: number, deadlineMs: number): StandIn {
  s.deadlineMs = deadlineMs
  s.checker.pollSet?.timeout?.(timeoutMs, deadlineMs, s)
  return s
}

function endListener(s: StandIn): number {
  return s.del(3).io.close(3, false)
}

const destroying =
  (act: Act): Act =>
  (s) =>
    s.call('contextDestroy', undefined, () => void act(s))
const oneByOne: Act = (s) => (endListener(s), s.end(4))

/** Each with a deadline that is a millisecond too late for it. */
function notInTime(
  rows: readonly (readonly [name: string, times: Times, act: Act, fd: number])[],
): Fault[] {
  return rows.map(([name, times, act, fd]) =>
    fault(
      'C23',
      `${name} without its deadline`,
      (s) => {
        s.deadlineMs = 1011
        s.call('batch', fd, () => {
          s.checker.now()
          timeout(s, 11, 1011)
          act(s)
        })
      },
      { times },
    ),
  )
}

const timeFaults = [
  fault('C20', 'two readings of the clock', serving(times(2, (s) => s.checker.now()))),
  fault('C20', 'two readings of the wall clock', serving(times(2, (s) => s.checker.wallClock()))),
  fault(
    'C21',
    'SET_TIMEOUT twice the same',
    serving(
      times(2, (s) => timeout(s, 500, 1500)),
      null,
    ),
  ),
  fault(
    'C21',
    'a length that is not the deadline',
    serving((s) => (s.checker.now(), timeout(s, 900, 1500)), null),
  ),
  fault(
    'C21',
    'a nearer deadline and no word of it',
    serving((s) => (s.deadlineMs = 1500), null),
  ),
  fault('C21', 'a later deadline when the one told has passed, and no word of it', (s) => {
    s.deadlineMs = 1500
    serving((_) => (s.checker.now(), timeout(s, 500, 1500)), null)(s)
    s.host.nowMs = 1500
    serving(() => (s.checker.now(), (s.deadlineMs = 9000)), null)(s)
  }),
  fault('C21', 'a deadline that vanished, and no word of it', (s) => {
    s.deadlineMs = 1500
    serving((_) => (s.checker.now(), timeout(s, 500, 1500)), null)(s)
    serving(() => (s.deadlineMs = null), null)(s)
  }),
  ...notInTime([
    ['a handshake', { handshakeTimeoutMs: 10 }, (s) => (s.accept(3, 5), s.add(5)), 3],
    ['a close', { closeTimeoutMs: 10 }, (s) => s.call('close', 4, () => true), 4],
    ['a lingering end', { lingerTimeoutMs: 10 }, (s) => s.io.shutdown(4), 4],
    [
      'a peer that takes nothing',
      { writeStallTimeoutMs: 10 },
      (s) => (s.send(4, WOULD_BLOCK), s.announce('SET', 4, POLLOUT)),
      4,
    ],
    ['a silent peer', { quietMs: 10 }, (s) => s.recv(4, 7), 4],
  ]),
  fault(
    'C22',
    "'handled' for null, and the timeout is 0",
    serving((s) => (s.timeoutMs = 0), null),
  ),
  fault('C22', "'more' again and again, and nothing happens", (s) => {
    s.timeoutMs = 0
    times(40, () => s.service(null, () => 'more'))(s)
  }),
  fault('C27', 'a destroy that leaves an fd', destroying(endListener)),
  fault(
    'C27',
    'a destroy out of order',
    destroying((s) => (s.end(4), endListener(s))),
  ),
  fault(
    'C27',
    'a destroy that is not one by one',
    destroying((s) => (s.del(3), s.del(4), s.io.close(3, false), s.io.close(4, false))),
  ),
  fault(
    'C27',
    'a timeout after it',
    destroying((s) => (oneByOne(s), (s.timeoutMs = 10))),
  ),
  fault('C27', 'a callback after it', (s) => {
    destroying(oneByOne)(s)
    s.service(null, () => s.callback(Reason.BROADCAST, -1))
  }),
]

describe('50 the checker on a service', () => {
  eachIsReported(serviceFaults, serviceRules)

  it('C15 C16 C17 takes a blocked write, its rest, and an end of file with POLLHUP', () => {
    const standIn = prepared()
    blocked(standIn)
    serving((s) => (s.send(4, 64), s.announce('CLEAR', 4, POLLOUT)), writable)(standIn)
    const last = { ...READABLE, revents: POLLIN | POLLHUP }
    standIn.service(last, () => (standIn.recv(4, 0), standIn.end(4), 'closed'))
    standIn.checker.assertClean()
  })

  it('C15 takes POLLOUT for a writable callback, until it came', () => {
    const standIn = prepared()
    standIn.call('callbackOnWritable', 4, () => (standIn.announce('SET', 4, POLLOUT), true))
    const tell: Act = (s) => (
      s.callback(Reason.SERVER_WRITEABLE, 4),
      s.announce('CLEAR', 4, POLLOUT)
    )
    serving(tell, writable)(standIn)
    standIn.checker.assertClean()
  })

  it('C17 believes the probe: a POLLHUP that is none may come often', () => {
    const standIn = prepared({ probe: () => 0 })
    times(
      200,
      serving((s) => s.recv(4, WOULD_BLOCK), { ...READABLE, revents: POLLHUP }),
    )(standIn)
    standIn.checker.assertClean()
  })
})

describe('50 the checker on time and on the end', () => {
  eachIsReported(timeFaults, timeRules)

  it('C21 takes a nearer deadline, and a later one when that vanished', () => {
    const standIn = prepared()
    for (const deadlineMs of [5000, 1500, 9000]) {
      serving((s) => (s.checker.now(), timeout(s, deadlineMs - 1000, deadlineMs)), null)(standIn)
    }
    standIn.checker.assertClean()
  })

  it('C27 takes a destroy one by one in ADD order', () => {
    const standIn = prepared()
    destroying(oneByOne)(standIn)
    standIn.checker.assertClean()
  })
})
