/**
 * The contract checker itself: what it tells, what it overwrites, how it is put around a host.
 *
 * That each rule can be broken is shown in the files beside this one: a stand-in does at the seams
 * what no library should (50.checker-*.test.ts), a host what no host should (50.wrong-hosts).
 */
import assert from 'node:assert/strict'
import { checked, formatViolation } from '../integrations/fake-poller.js'
import { POLLHUP, POLLIN, Reason } from '../src/index.js'
import type { PollChange } from '../src/index.js'
import { READABLE, during, prepared, serving, times } from './support/checker-faults.js'
import { IdleHost } from './support/stand-in.js'

describe('50 the checker', () => {
  it('is silent about a right life, from listen to destroy', () => {
    const standIn = prepared()
    serving((s) => {
      s.recv(4, 20)
      s.callback(Reason.RECEIVE, 4, undefined, () => s.call('write', 4, () => 'ok'))
      s.send(4, 30, 30)
    })(standIn)
    const last = { ...READABLE, revents: POLLIN | POLLHUP }
    standIn.service(last, () => (standIn.recv(4, 0), standIn.end(4), 'closed'))
    standIn.open(4)
    standIn.call('contextDestroy', undefined, () => {
      standIn.del(3)
      standIn.io.close(3, false)
      standIn.end(4)
    })
    standIn.checker.assertClean()
  })

  it('tells the rule, its sentence, what was seen and the last 20 calls', () => {
    const heard: string[] = []
    const standIn = prepared({ onViolation: ({ rule }) => heard.push(rule) })
    times(
      20,
      serving((s) => s.recv(4, 3)),
    )(standIn)
    during((s) => s.io.close(4, true))(standIn)
    const [violation] = standIn.checker.violations
    assert.deepEqual(heard.slice(0, 1), ['C3'])
    assert.equal(
      violation?.sentence,
      'DEL is announced while the descriptor is open, and only close follows it.',
    )
    assert.equal(violation.detail, 'close of fd 4, which is announced')
    assert.equal(violation.calls.length, 20)
    assert.deepEqual(violation.calls.slice(-4), [
      'serviceFd(4, 1)',
      'recv(4, 64) = 3',
      'end of serviceFd = handled',
      'hangup(4)',
    ])
    assert.match(
      formatViolation(violation),
      /^C3: DEL is announced.*\nseen: close of fd 4.*\nthe last calls:\n {2}/,
    )
  })

  it('overwrites views when their callback returned, and leaves copies alone', () => {
    const standIn = prepared()
    const view = standIn.buffer.bytes.fill(7).subarray(10, 14)
    const copy = Buffer.from(view)
    serving((s) => {
      s.callback(Reason.RECEIVE, 4, view, () => assert.equal(view[0], 7))
      s.callback(Reason.RECEIVE, 4, copy)
    })(standIn)
    assert.equal(view.toString('hex'), 'dbdbdbdb')
    assert.equal(copy.toString('hex'), '07070707')
    assert.deepEqual([standIn.buffer.bytes[9], standIn.buffer.bytes[14]], [7, 7])
    const quiet = prepared({ poison: false })
    serving((s) => s.callback(Reason.RECEIVE, 4, s.buffer.bytes.fill(7)))(quiet)
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
    const queries = { nextTimeout: () => -1, nextDeadline: () => null }
    const host = checked(Object.assign(new IdleHost(), { tap }), { queries })
    host.tap?.enter('write', 4, host)
    host.tap?.callback(Reason.CLOSED, 4, undefined, host, null)
    host.tap?.returned(Reason.CLOSED, 4, undefined, host, null)
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
    const change = { op: 'ADD', fd: 5, gen: 1, bits: 1, prev: 0, next: 1, seq: 1 } as const
    on.ADD_POLL_FD(5, POLLIN, { ...change, context: on } satisfies PollChange)
    assert.deepEqual(added, [5])
    assert.equal(host.violations[0]?.rule, 'C6')
  })
})
