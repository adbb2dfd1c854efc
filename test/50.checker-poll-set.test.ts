/**
 * The checker on what a library announces: every way to break C1 to C9, each reported by its id.
 */
import assert from 'node:assert/strict'
import { pollSetRules } from '../integrations/simulation/checker-rules-poll-set.js'
import { POLLHUP, POLLIN, POLLOUT, Reason, WOULD_BLOCK } from '../src/index.js'
import { READABLE, accepting, during, eachIsReported } from './support/checker-faults.js'
import { fault, prepared, serving } from './support/checker-faults.js'
import { StandIn } from './support/stand-in.js'

const OUTSIDER = { fd: 5, revents: POLLIN, gen: 3 }

const faults = [
  fault(
    'C1',
    'ADD twice',
    during((s) => s.add(4)),
  ),
  fault(
    'C1',
    'SET of an fd never added',
    during((s) => s.announce('SET', 9, POLLIN)),
  ),
  fault(
    'C1',
    'DEL with another generation',
    during((s) => s.del(4, { gen: 77 })),
  ),
  fault(
    'C1',
    'DEL twice',
    during((s) => (s.del(4), s.announce('DEL', 4, 0))),
  ),
  fault(
    'C1',
    'an accepted fd never announced',
    accepting((s) => (s.accept(3, 5), s.accept(3, WOULD_BLOCK))),
  ),
  fault(
    'C2',
    'SET of a bit that is on',
    during((s) => s.announce('SET', 4, POLLIN)),
  ),
  fault(
    'C2',
    'CLEAR of a bit that is off',
    during((s) => s.announce('CLEAR', 4, POLLOUT)),
  ),
  fault(
    'C2',
    'prev not the last next',
    during((s) => s.announce('CLEAR', 4, 1, { prev: 5 })),
  ),
  fault(
    'C2',
    'next that does not follow',
    during((s) => s.announce('CLEAR', 4, 1, { next: 1 })),
  ),
  fault(
    'C3',
    'close before DEL',
    during((s) => s.io.close(4, false)),
  ),
  fault(
    'C3',
    'a send after DEL',
    during((s) => (s.del(4), s.send(4, 64))),
  ),
  fault(
    'C3',
    'DEL and no close',
    during((s) => s.del(4)),
  ),
  fault(
    'C3',
    'recv on a closed fd',
    during((s) => (s.end(4), s.recv(4, 1))),
  ),
  fault(
    'C3',
    'CLOSED before the close',
    during((s) => (s.del(4), s.callback(Reason.CLOSED, 4), s.io.close(4, false))),
  ),
  fault(
    'C3',
    'closed, and a part of the last send was not taken',
    during((s) => (s.send(4, 63), s.end(4))),
  ),
  fault(
    'C4',
    'POLLHUP in a mask',
    during((s) => s.announce('SET', 4, POLLHUP)),
  ),
  fault(
    'C5',
    'generation 0',
    during((s) => s.add(5, POLLIN, { gen: 0 })),
  ),
  fault(
    'C5',
    "another fd's generation",
    during((s) => s.add(5, POLLIN, { gen: 2 })),
  ),
  fault('C5', 'the generation of the life before', (s) => {
    during(() => s.end(4))(s)
    during(() => s.add(4, POLLIN, { gen: 2 }))(s)
  }),
  fault(
    'C5',
    'a generation not from the host',
    during((s) => s.add(5, POLLIN, { gen: 99 })),
  ),
  fault('C5', 'a stale pollfd that is serviced', (s) => s.service({ ...READABLE, gen: 1 })),
  fault('C5', "'stale' for a live one", (s) => s.service(READABLE, () => 'stale')),
  fault('C6', 'an announcement outside of any call', (s) => s.announce('CLEAR', 4, POLLIN)),
  fault('C6', 'SET_TIMEOUT outside of any call', (s) => s.checker.pollSet?.timeout?.(1, 1001, s)),
  fault(
    'C6',
    'a gap in seq',
    during((s) => s.announce('CLEAR', 4, POLLIN, { seq: 99 })),
  ),
  fault(
    'C7',
    'bytes before ADD',
    accepting((s) => (s.accept(3, 5), s.recv(5, 10), s.add(5))),
  ),
  fault(
    'C7',
    'a flush after CLEAR',
    during((s) => (s.announce('CLEAR', 4, POLLIN), s.send(4, 64))),
  ),
  fault(
    'C7',
    'a callback after CLEAR',
    during((s) => (s.announce('CLEAR', 4, POLLIN), s.callback(Reason.RECEIVE, 4))),
  ),
  fault(
    'C7',
    'an end after CLEAR',
    during((s) => (s.announce('CLEAR', 3, POLLIN), s.end(4))),
  ),
  fault(
    'C7',
    'SET of what was just cleared',
    during((s) => (s.announce('CLEAR', 4, POLLIN), s.announce('SET', 4, POLLIN))),
  ),
  fault(
    'C7',
    'CLEAR after SET',
    during((s) => (s.announce('SET', 4, POLLOUT), s.announce('CLEAR', 4, POLLIN))),
  ),
  fault('C7', 'a write that is never flushed', (s) => s.call('write', 4, () => 'ok')),
  fault(
    'C8',
    'serviceFd inside serviceFd',
    serving((s) => s.service({ ...READABLE, fd: 3, gen: 1 })),
  ),
  fault('C8', 'a write from inside an announcement', (s) => {
    s.host.pollSet.clear = () => s.call('write', 4, () => 'ok')
    s.call('rxFlowControl', 4, () => s.announce('CLEAR', 4, POLLIN))
  }),
  fault('C8', 'an announcement inside another', (s) => {
    s.host.pollSet.add = () => {
      s.host.pollSet.add = () => undefined
      s.add(6)
    }
    during(() => s.add(5))(s)
  }),
  fault('C9', 'a refused fd that stays open', (s) => {
    s.host.refusal = new Error('full')
    accepting(() => (s.accept(3, 5), refused(s), s.accept(3, WOULD_BLOCK)))(s)
  }),
  fault('C9', 'a context that outlives its refused listener', (s) => {
    const other = new StandIn()
    other.host.refusal = new Error('full')
    s.call('createContext', undefined, () => (s.host.refusal = other.host.refusal))
    s.call('createContext', undefined, () => (s.accept(3, 5), refused(s), s.io.close(5, true)))
    s.service(null)
  }),
]

function refused(s: StandIn): void {
  assert.throws(() => s.add(5), /full/)
}

describe('50 the checker on announcements', () => {
  eachIsReported(faults, pollSetRules)

  it('C8 takes a question from inside an announcement', () => {
    const standIn = prepared()
    standIn.host.pollSet.clear = () => standIn.call('getSocketFd', 4, () => 4)
    standIn.call('rxFlowControl', 4, () => standIn.announce('CLEAR', 4, POLLIN))
    standIn.checker.assertClean()
  })

  it('C9 takes a refused fd that is closed, and reports it when it is heard of again', () => {
    const acceptRefused = (s: StandIn, then: () => unknown) => {
      s.host.refusal = new Error('full')
      accepting(() => (s.accept(3, 5), refused(s), then(), s.accept(3, WOULD_BLOCK)))(s)
      return s.broken
    }
    const right = prepared()
    assert.deepEqual(
      acceptRefused(right, () => right.io.close(5, true)),
      [],
    )
    const heard = prepared()
    const again = () => (heard.announce('SET', 5, POLLOUT), heard.io.close(5, true))
    assert.ok(acceptRefused(heard, again).includes('C9'))
  })

  it('is silent about a stale pollfd that is answered so', () => {
    const standIn = prepared()
    standIn.service({ ...READABLE, gen: 1 }, () => 'stale')
    standIn.service(OUTSIDER, () => 'foreign')
    standIn.checker.assertClean()
  })
})
