/**
 * What the host is told of time: nextTimeout, nextDeadline and SET_TIMEOUT (C20, C21, C22).
 *
 * That each deadline fires at its limit is in 26.deadlines.
 */
import assert from 'node:assert/strict'
import {
  createContext,
  contextDestroy,
  defineProtocol,
  hangup,
  nextDeadline,
  nextTimeout,
  rxFlowControl,
  serviceFd,
  stopListening,
  TEXT,
  write,
} from '../src/index.js'
import { fakePoller } from '../integrations/fake-poller.js'
import { scene, type SceneOptions } from './support/scene.js'
import { bytes, client } from './support/wire-bytes.js'

interface Told {
  readonly timeoutMs: number
  readonly deadlineMs: number | null
}

/** A scene that writes down every SET_TIMEOUT; silence counts as in production. */
function listening(
  context: SceneOptions['context'] = {},
): ReturnType<typeof scene> & { timeouts: Told[] } {
  const timeouts: Told[] = []
  const made = scene({
    context: {
      pingIntervalMs: 30_000,
      idleTimeoutMs: 120_000,
      on: { SET_TIMEOUT: (timeoutMs, deadlineMs) => void timeouts.push({ timeoutMs, deadlineMs }) },
      ...context,
    },
  })
  return { ...made, timeouts }
}

describe('26 timeout', () => {
  describe('C21: SET_TIMEOUT', () => {
    it('nothing to wait for, nothing told', () => {
      const { h, timeouts } = listening()
      assert.deepEqual([timeouts, nextTimeout(h.ctx), nextDeadline(h.ctx)], [[], -1, null])
    })

    it('a deadline where there was none is told, with both numbers', () => {
      const { h, timeouts } = listening()
      h.connect()
      h.run()
      assert.deepEqual(timeouts, [{ timeoutMs: 10_000, deadlineMs: 11_000 }])
    })

    it('a later one is not', () => {
      const { h, timeouts } = listening()
      for (let i = 0; i < 10; i++) {
        h.connect()
        h.run()
        h.poller.clock.advance(100)
      }
      assert.equal(timeouts.length, 1)
    })

    it('an earlier one is', () => {
      const { h, timeouts, wsis } = listening({ writeStallTimeoutMs: 500 })
      const peer = h.open()
      timeouts.length = 0
      peer.windowBytes = 0
      write(wsis[0]!, 'x', TEXT)
      assert.deepEqual(timeouts, [{ timeoutMs: 500, deadlineMs: 1500 }])
    })

    it('the next one once the last has passed', () => {
      const { h, timeouts } = listening()
      h.connect()
      h.run()
      h.poller.clock.advance(5000)
      h.connect()
      h.run()
      h.poller.clock.advance(5000)
      h.run()
      assert.deepEqual(
        timeouts.map(({ deadlineMs }) => deadlineMs),
        [11_000, 13_000],
      )
      assert.equal(nextDeadline(h.ctx), 13_000)
    })

    it('null once the last has vanished', () => {
      const { h, timeouts } = listening({ pingIntervalMs: 0, idleTimeoutMs: 0 })
      const peer = h.connect()
      h.run()
      peer.end()
      h.run()
      assert.deepEqual(timeouts.at(-1), { timeoutMs: -1, deadlineMs: null })
      assert.equal(nextTimeout(h.ctx), -1)
    })

    it('comes after the masks, at the exit (C7)', () => {
      const order: string[] = []
      const { h, wsis } = listening({
        writeStallTimeoutMs: 500,
        on: {
          SET_MODE: () => void order.push('SET'),
          CLEAR_MODE: () => void order.push('CLEAR'),
          SET_TIMEOUT: () => void order.push('TIMEOUT'),
        },
      })
      const peer = h.open()
      order.length = 0
      peer.windowBytes = 0
      write(wsis[0]!, 'x', TEXT)
      assert.deepEqual(order, ['SET', 'TIMEOUT'])
    })

    it('a thousand messages move nothing: idle and ping deadlines are lazy', () => {
      const { h, timeouts, log } = listening()
      const peer = h.open()
      timeouts.length = 0
      const deadlineMs = nextDeadline(h.ctx)
      for (let i = 0; i < 1000; i++) {
        h.poller.clock.advance(5)
        peer.send(client.text(`${i}`))
        h.run()
      }
      assert.deepEqual([log.length, timeouts, nextDeadline(h.ctx)], [1000, [], deadlineMs])
    })

    it('and when the old one comes up, it is put back once', () => {
      const { h, timeouts } = listening()
      const peer = h.open()
      h.poller.runFor(h.ctx, 25_000)
      peer.send(client.text('x'))
      h.run()
      timeouts.length = 0
      h.poller.runFor(h.ctx, 15_000)
      const [once, ...more] = timeouts
      assert.deepEqual(more, [])
      assert.ok(once !== undefined && (once.deadlineMs ?? 0) > 50_000, JSON.stringify(once))
      assert.equal(peer.take().length, 0, 'and it was no ping')
    })

    it('pending work is told as 0, and what comes after it too', () => {
      const { h, timeouts, wsis } = listening()
      const peer = h.open()
      rxFlowControl(wsis[0]!, 0)
      peer.send(client.text('x'))
      h.run()
      rxFlowControl(wsis[0]!, 1)
      h.run()
      const { deadlineMs } = timeouts.at(-1)!
      assert.equal(deadlineMs, nextDeadline(h.ctx))
    })

    it('reaches the keeper of the poll array too', () => {
      const told: Told[] = []
      const poller = fakePoller()
      const { pollSet } = poller.host
      const keeper = {
        add: pollSet!.add.bind(pollSet),
        del: pollSet!.del.bind(pollSet),
        set: pollSet!.set.bind(pollSet),
        clear: pollSet!.clear.bind(pollSet),
        timeout: (timeoutMs: number, deadlineMs: number | null) =>
          void told.push({ timeoutMs, deadlineMs }),
      }
      const protocols = [defineProtocol({ handlers: {} })]
      const ctx = createContext({ host: { ...poller.host, pollSet: keeper }, port: 0, protocols })
      poller.connectTo(ctx)
      poller.run(ctx)
      assert.deepEqual(told, [{ timeoutMs: 10_000, deadlineMs: 11_000 }])
      contextDestroy(ctx)
    })
  })

  describe('C21: nextTimeout', () => {
    it('reads the clock afresh and rounds up, to 0 only when it is due', () => {
      const { h } = listening()
      h.connect()
      h.run()
      const rows = [
        [0, 10_000],
        [0.001, 10_000],
        [0.999, 10_000],
        [1, 9999],
        [9999, 1],
        [9999.5, 1],
        [10_000, 0],
        [20_000, 0],
      ] as const
      for (const [ms, expected] of rows) {
        h.poller.clock.advanceTo(1000 + ms)
        assert.equal(nextTimeout(h.ctx), expected, `after ${ms}`)
      }
      assert.equal(nextDeadline(h.ctx), 11_000)
    })

    it('never beyond what poll(2) takes', () => {
      const { h } = listening({ handshakeTimeoutMs: 2 ** 31 - 1 })
      h.connect()
      h.run()
      assert.equal(nextTimeout(h.ctx), 2 ** 31 - 1)
    })

    it('-1 after a destroy (C27)', () => {
      const { h } = listening()
      h.open()
      contextDestroy(h.ctx)
      assert.deepEqual(
        [nextTimeout(h.ctx), nextDeadline(h.ctx), serviceFd(h.ctx, null)],
        [-1, null, 'handled'],
      )
    })

    it('a connection that ended leaves no deadline behind', () => {
      const { h, wsis } = listening()
      h.open()
      hangup(wsis[0]!)
      assert.deepEqual([nextTimeout(h.ctx), stopListening(h.ctx)], [-1, true])
    })
  })

  describe("C22: after serviceFd(ctx, null), nextTimeout is not 0 unless 'more'", () => {
    const settle = (h: ReturnType<typeof scene>['h'], maxCalls: number): number => {
      let calls = 1
      while (serviceFd(h.ctx, null) === 'more') {
        assert.equal(nextTimeout(h.ctx), 0, "'more' and no timeout of 0")
        assert.ok(++calls <= maxCalls, `${calls} calls`)
      }
      assert.notEqual(nextTimeout(h.ctx), 0)
      return calls
    }

    it('one handshake that timed out', () => {
      const { h } = listening()
      h.connect()
      h.run()
      h.poller.clock.advance(10_000)
      assert.equal(settle(h, 1), 1)
    })

    it('three hundred that lingered to the end', () => {
      const { h } = listening({ endBudget: 1000, deadlineBudget: 1000 })
      for (let i = 0; i < 300; i++) h.connect().send('x\r\n\r\n')
      h.run()
      h.poller.clock.advance(2000)
      assert.equal(settle(h, 1), 1)
      assert.deepEqual(h.poller.openFds.length, 1)
    })

    it('a thousand messages that waited behind a pause, 256 a call', () => {
      const { h, wsis, log } = listening()
      const peer = h.open()
      const texts = Array.from({ length: 1001 }, (_, i) => client.text(`${i}`))
      peer.send(bytes(texts[0]!))
      h.run()
      rxFlowControl(wsis[0]!, 0)
      peer.send(bytes(...texts.slice(1)))
      h.run()
      rxFlowControl(wsis[0]!, 1)
      h.run()
      assert.deepEqual(
        log,
        Array.from({ length: 1001 }, (_, i) => `text ${i}`),
      )
    })

    it('first in, first out (C14)', () => {
      const seen: string[] = []
      const made = scene({
        handlers: {
          RECEIVE(wsi, data) {
            seen.push(data.toString())
            if (data.length === 1) rxFlowControl(wsi, 0)
          },
        },
      })
      const { h, wsis } = made
      const peers = Array.from({ length: 5 }, () => h.open())
      for (const [i, peer] of peers.entries())
        peer.send(bytes(client.text('.'), client.text(`held ${i}`)))
      h.run()
      seen.length = 0
      for (const index of [2, 0, 4, 1, 3]) rxFlowControl(wsis[index]!, 1)
      assert.equal(serviceFd(h.ctx, null), 'handled')
      assert.deepEqual(seen, ['held 2', 'held 0', 'held 4', 'held 1', 'held 3'])
    })

    it('a clock that stands still spins nothing', () => {
      const { h } = listening({ idleTimeoutMs: 100, pingIntervalMs: 50, pongTimeoutMs: 10 })
      for (let i = 0; i < 20; i++) h.open()
      for (let i = 0; i < 60; i++) {
        h.poller.clock.advance(5)
        settle(h, 2)
      }
    })
  })

  it('C20: the clock is read at most once a call, and not at all where no time is needed', () => {
    let reads = 0
    const poller = fakePoller()
    const host = {
      ...poller.host,
      now: () => {
        reads++
        return poller.clock.now
      },
    }
    const protocols = [
      defineProtocol({ handlers: { RECEIVE: (wsi, data) => void write(wsi, data, TEXT) } }),
    ]
    const ctx = createContext({ host, port: 0, protocols })
    const peer = poller.connectTo(ctx).upgrade()
    poller.run(ctx)
    for (let i = 0; i < 100; i++) {
      peer.send(bytes(client.text('a'), client.text('b'), client.ping('c')))
      const [pollfd] = poller.poll(ctx)
      reads = 0
      serviceFd(ctx, pollfd!)
      assert.ok(reads <= 1, `${reads} reads in one call`)
    }
    contextDestroy(ctx)
  })
})
