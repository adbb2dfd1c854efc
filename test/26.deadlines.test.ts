/**
 * Every deadline, by the virtual clock: not a millisecond early, at most one late (C21, C22, C23).
 *
 * Each row begins a wait, names its length, and tells how the end is seen. What SET_TIMEOUT tells
 * the host is in 26.timeout.
 */
import assert from 'node:assert/strict'
import {
  answerHandshake,
  ACCEPT,
  close,
  DEFER,
  Errno,
  type Handlers,
  nextDeadline,
  nextTimeout,
  rxFlowControl,
  serviceFd,
  TEXT,
  write,
} from '../src/index.js'
import type { WsPeer } from '../integrations/fake-poller.js'
import { scene, type Scene, type SceneOptions } from './support/scene.js'
import { bytes, client, hex, validRequest } from './support/wire-bytes.js'

interface Wait {
  readonly options?: SceneOptions
  /** Brings about the wait. @returns the peer it concerns */
  begin(made: Scene): WsPeer
  /** Its length; from `begin` on. */
  readonly afterMs: number
  /** What is seen before and after. */
  over(peer: WsPeer, made: Scene): boolean
  /** What CLOSED tells, where it comes at once. */
  readonly closed?: string
  /** The status of the HTTP answer. */
  readonly status?: number
}

const opens = ({ h }: Scene): WsPeer => h.open()

/** An open connection whose application is paused. */
function opensPaused(made: Scene): WsPeer {
  const peer = made.h.open()
  rxFlowControl(made.wsis[0]!, 0)
  return peer
}

const gone = (peer: WsPeer): boolean => peer.closed !== undefined
const answered = (peer: WsPeer): boolean => peer.received().length > 0
const defers: Handlers<undefined> = { FILTER_PROTOCOL_CONNECTION: () => DEFER }

const waits: Readonly<Record<string, Wait>> = {
  'handshakeTimeoutMs, nothing sent: 408': {
    begin({ h }) {
      const peer = h.connect()
      h.run()
      return peer
    },
    afterMs: 10_000,
    over: answered,
    status: 408,
  },
  'handshakeTimeoutMs, half a head, and bytes that keep coming do not move it: 408': {
    begin({ h }) {
      const peer = h.connect()
      h.run()
      for (const byte of 'GET / HT') {
        peer.send(byte)
        h.poller.runFor(h.ctx, 1000)
      }
      return peer
    },
    afterMs: 2000,
    over: answered,
    status: 408,
  },
  'handshakeTimeoutMs, by option': {
    options: { context: { handshakeTimeoutMs: 77 } },
    begin({ h }) {
      const peer = h.connect()
      h.run()
      return peer
    },
    afterMs: 77,
    over: answered,
    status: 408,
  },
  'a deferred admission, counted from accept: 503': {
    options: { handlers: defers },
    begin({ h }) {
      const peer = h.connect()
      h.run()
      h.poller.runFor(h.ctx, 3000)
      peer.send(validRequest())
      h.run()
      return peer
    },
    afterMs: 7000,
    over: answered,
    status: 503,
  },
  'answerTimeoutMs: an HTTP request that nobody answers, 503': {
    options: { handlers: { HTTP() {} }, context: { answerTimeoutMs: 12_000 } },
    begin({ h }) {
      const peer = h.connect()
      peer.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      h.run()
      return peer
    },
    afterMs: 12_000,
    over: answered,
    status: 503,
  },
  'idleTimeoutMs: 1001': {
    options: { context: { idleTimeoutMs: 5000 } },
    begin: opens,
    afterMs: 5000,
    over: answered,
  },
  'idleTimeoutMs, counted from the last byte received': {
    options: { context: { idleTimeoutMs: 5000 } },
    begin(made) {
      const peer = made.h.open()
      for (let i = 0; i < 10; i++) {
        made.h.poller.runFor(made.h.ctx, 4000)
        peer.send(client.pong())
        made.h.run()
      }
      return peer
    },
    afterMs: 5000,
    over: answered,
  },
  'idleTimeoutMs: what we write does not count': {
    options: { context: { idleTimeoutMs: 5000 } },
    begin(made) {
      const peer = made.h.open()
      made.h.poller.runFor(made.h.ctx, 4000)
      write(made.wsis[0]!, 'x', TEXT)
      peer.take()
      return peer
    },
    afterMs: 1000,
    over: answered,
  },
  'pongTimeoutMs after a ping that nothing answers: 1001': {
    options: { context: { pingIntervalMs: 30_000, pongTimeoutMs: 4000 } },
    begin(made) {
      const peer = made.h.open()
      // The ping leaves at a jittered time: from deadline to deadline until it did.
      const { clock } = made.h.poller
      for (let i = 0; i < 10 && !answered(peer); i++) {
        clock.advanceTo(nextDeadline(made.h.ctx) ?? 0)
        made.h.run()
      }
      assert.deepEqual(peer.take(), hex('8900'))
      return peer
    },
    afterMs: 4000,
    over: answered,
  },
  'closeTimeoutMs after our close frame': {
    begin(made) {
      const peer = made.h.open()
      close(made.wsis[0]!)
      return peer
    },
    afterMs: 10_000,
    over: gone,
    closed: 'closed 1006 CLOSE_TIMEOUT',
  },
  'closeTimeoutMs is not moved by messages that cross': {
    begin(made) {
      const peer = made.h.open()
      close(made.wsis[0]!)
      for (let i = 0; i < 9; i++) {
        made.h.poller.runFor(made.h.ctx, 1000)
        peer.send(client.pong())
        made.h.run()
      }
      return peer
    },
    afterMs: 1000,
    over: gone,
    closed: 'closed 1006 CLOSE_TIMEOUT',
  },
  'writeStallTimeoutMs since the peer took the last byte': {
    begin(made) {
      const peer = made.h.open()
      peer.windowBytes = 10
      write(made.wsis[0]!, 'x'.repeat(100), TEXT)
      made.h.poller.runFor(made.h.ctx, 50_000)
      peer.take()
      made.h.run()
      return peer
    },
    afterMs: 60_000,
    over: gone,
    closed: 'closed 1006 WRITE_STALL_TIMEOUT',
  },
  'lingerTimeoutMs after a fault': {
    begin(made) {
      const peer = made.h.open()
      peer.send(client.frame(3))
      made.h.run()
      return peer
    },
    afterMs: 2000,
    over: gone,
    closed: 'closed 1002 FRAME_RESERVED_OPCODE',
  },
  'lingerTimeoutMs is not moved by bytes that keep coming': {
    begin(made) {
      const peer = made.h.open()
      peer.send(client.frame(3))
      for (let i = 0; i < 15; i++) {
        made.h.poller.runFor(made.h.ctx, 100)
        peer.send('more')
      }
      made.h.run()
      return peer
    },
    afterMs: 500,
    over: gone,
    closed: 'closed 1002 FRAME_RESERVED_OPCODE',
  },
  'lingerTimeoutMs after a refused handshake': {
    begin({ h }) {
      const peer = h.connect()
      peer.send('x\r\n\r\n')
      h.run()
      return peer
    },
    afterMs: 2000,
    over: gone,
  },
  'pausedErrorTimeoutMs after a reset of a paused peer': {
    begin(made) {
      const peer = opensPaused(made)
      peer.reset()
      made.h.run()
      return peer
    },
    afterMs: 5000,
    over: gone,
    closed: 'closed 1006 PAUSED_ERROR_TIMEOUT',
  },
  'acceptRetryMs after EMFILE': {
    begin({ h }) {
      h.poller.script.accept.push(-Errno.EMFILE)
      const peer = h.connect()
      h.run()
      return peer
    },
    afterMs: 100,
    over: (peer) => peer.fd > 0,
  },
}

describe('26 deadlines', () => {
  describe('C23: each fires exactly at its limit', () => {
    for (const [title, wait] of Object.entries(waits)) it(title, () => check(wait))
  })

  it('each can be switched off that says so, and nothing is pending then (C21)', () => {
    const { h } = scene()
    h.open()
    h.poller.runFor(h.ctx, 10_000)
    assert.deepEqual([nextTimeout(h.ctx), nextDeadline(h.ctx)], [-1, null])
  })

  it('C22: late fires once', () => {
    const { h, log } = scene({ context: { idleTimeoutMs: 1000 } })
    const peer = h.open()
    h.poller.clock.advance(1_000_000)
    h.run()
    assert.equal(peer.take().readUInt16BE(2), 1001)
    h.run()
    h.poller.clock.advance(1_000_000)
    h.run()
    assert.deepEqual(log, ['closed 1001 IDLE_TIMEOUT'])
  })

  it('C22: early is harmless, however often', () => {
    const { h, log, wsis } = scene({ context: { idleTimeoutMs: 1000 } })
    const peer = h.open()
    for (let i = 0; i < 50; i++) serviceFd(h.ctx, null)
    peer.send(bytes(client.text('x')))
    h.run()
    assert.deepEqual([log, peer.take().length], [['text x'], 0])
    assert.equal(answerHandshake(wsis[0]!, ACCEPT), false)
  })

  it('C13, C22: more deadlines than a budget holds are all met, with more in between', () => {
    const { h, log } = scene({
      context: { idleTimeoutMs: 1000, lingerTimeoutMs: 100, deadlineBudget: 10, endBudget: 7 },
    })
    for (let i = 0; i < 100; i++) h.open()
    for (const wait of [1000, 100]) {
      h.poller.clock.advance(wait)
      let calls = 1
      while (serviceFd(h.ctx, null) === 'more') assert.ok(++calls < 40, 'each call is a step')
      assert.ok(calls >= 10, `${calls} calls`)
    }
    assert.equal(log.length, 100)
  })
})

/** Begins the wait, looks one millisecond before its end, and at its end. */
function check(wait: Wait): void {
  const made = scene(wait.options)
  const { h, log } = made
  const peer = wait.begin(made)
  const { clock } = h.poller
  assert.equal(wait.over(peer, made), false, 'not at once')
  log.length = 0
  const endMs = clock.now + wait.afterMs
  h.poller.runFor(h.ctx, wait.afterMs - 1)
  assert.equal(wait.over(peer, made), false, 'not a millisecond early')
  assert.equal(nextTimeout(h.ctx), 1)
  clock.advance(0.25)
  assert.equal(nextTimeout(h.ctx), 1, 'rounded up')
  serviceFd(h.ctx, null)
  assert.equal(wait.over(peer, made), false, 'not a fraction of a millisecond early')
  clock.advanceTo(endMs)
  assert.equal(nextTimeout(h.ctx), 0)
  h.run()
  assert.equal(wait.over(peer, made), true, 'not late')
  if (wait.closed !== undefined) assert.deepEqual(log, [wait.closed])
  if (wait.status !== undefined)
    assert.equal(peer.take().toString('latin1', 9, 12), String(wait.status))
}
