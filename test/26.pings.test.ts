/**
 * Silence and pings: the interval with its jitter, what counts as an answer, who is never ended
 * (C23). That the limits are met to the millisecond is in 26.deadlines.
 */
import assert from 'node:assert/strict'
import { nextDeadline, rxFlowControl } from '../src/index.js'
import { scene } from './support/scene.js'
import { client } from './support/wire-bytes.js'

describe('26 pings', () => {
  it('leave within the last tenth of pingIntervalMs, each connection at its own time', () => {
    const { h } = scene({ context: { pingIntervalMs: 10_000 } })
    const peers = Array.from({ length: 100 }, () => h.open())
    const times = new Map<number, number>()
    for (let ms = 0; ms <= 10_000; ms += 10) {
      for (const [index, peer] of peers.entries())
        if (!times.has(index) && peer.received().length > 0) times.set(index, ms)
      h.poller.runFor(h.ctx, 10)
    }
    const all = [...times.values()]
    assert.equal(all.length, 100)
    assert.ok(
      Math.min(...all) >= 9000 && Math.max(...all) <= 10_000,
      `${Math.min(...all)} to ${Math.max(...all)}`,
    )
    assert.ok(new Set(all).size > 30, `${new Set(all).size} different times`)
  })

  it('the same entropy, the same jitter (C25)', () => {
    const timesOf = (seed: number): number[] => {
      const { h } = scene({ context: { pingIntervalMs: 10_000, poller: { seed } } })
      return Array.from({ length: 20 }, () => {
        h.open()
        return nextDeadline(h.ctx) ?? 0
      })
    }
    assert.deepEqual(timesOf(3), timesOf(3))
  })

  it('a peer that answers is pinged again and again, and never ended', () => {
    const { h, log } = scene({
      context: { pingIntervalMs: 1000, pongTimeoutMs: 500, idleTimeoutMs: 2000 },
    })
    const peer = h.open()
    let pings = 0
    for (let ms = 0; ms < 100_000; ms += 50) {
      h.poller.runFor(h.ctx, 50)
      for (const frame of peer.frames()) {
        assert.equal(frame.opcode, 9)
        pings++
        peer.send(client.pong(frame.payload))
      }
    }
    assert.ok(pings >= 90 && pings <= 112, `${pings} pings in 100 s`)
    assert.deepEqual(log, [])
  })

  it('at the interval also where an answer may take longer than that', () => {
    const { h } = scene({ context: { pingIntervalMs: 1000, pongTimeoutMs: 20_000 } })
    const peer = h.open()
    let pings = 0
    for (let ms = 0; ms < 20_000; ms += 50) {
      h.poller.runFor(h.ctx, 50)
      for (const frame of peer.frames()) {
        pings++
        peer.send(client.pong(frame.payload))
      }
    }
    assert.ok(pings >= 18 && pings <= 22, `${pings} pings in 20 s`)
  })

  it('any byte is an answer', () => {
    const { h, log } = scene({ context: { pingIntervalMs: 1000, pongTimeoutMs: 500 } })
    const peer = h.open()
    for (let i = 0; i < 40; i++) {
      h.poller.runFor(h.ctx, 400)
      peer.send(client.text('').subarray(i % 6, (i % 6) + 1))
    }
    assert.deepEqual(
      log.filter((line) => line.startsWith('closed')),
      [],
    )
  })

  it('a peer that talks is not pinged', () => {
    const { h } = scene({ context: { pingIntervalMs: 1000 } })
    const peer = h.open()
    for (let i = 0; i < 50; i++) {
      h.poller.runFor(h.ctx, 800)
      peer.send(client.text('x'))
      h.run()
    }
    assert.equal(peer.take().length, 0)
  })

  it('M13: keepalive is on by default', () => {
    const { h, ends } = scene({ context: { pingIntervalMs: 30_000, idleTimeoutMs: 120_000 } })
    h.open()
    h.poller.runFor(h.ctx, 52_100)
    assert.equal(ends.length, 1, 'gone after ping interval, pong wait and linger')
    assert.equal(ends[0]?.cause, 'PONG_TIMEOUT')
  })

  it('a paused peer that answers is not ended for its silence', () => {
    const made = scene({
      context: { pingIntervalMs: 1000, pongTimeoutMs: 500, idleTimeoutMs: 2000 },
    })
    const { h, log, wsis } = made
    const peer = made.h.open()
    rxFlowControl(wsis[0]!, 0)
    peer.send(client.text('early'))
    for (let i = 0; i < 100; i++) {
      h.poller.runFor(h.ctx, 100)
      for (const frame of peer.frames()) peer.send(client.pong(frame.payload))
    }
    assert.deepEqual(log, [])
    rxFlowControl(wsis[0]!, 1)
    h.run()
    assert.deepEqual(log, ['text early'])
  })
})
