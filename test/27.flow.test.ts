/**
 * Back-pressure in both directions: write's four answers, callbackOnWritable, rxFlowControl, and
 * the exact masks after each step (C14, C15, C16).
 *
 * What the kernel does to a send is in 27.sending.
 */
import assert from 'node:assert/strict'
import {
  batch,
  BINARY,
  callbackOnWritable,
  callbackOnWritableAllProtocol,
  close,
  getBufferedBytes,
  getProtocol,
  nextTimeout,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  rxFlowControl,
  serviceFd,
  TEXT,
  write,
  type Wsi,
} from '../src/index.js'
import { openScene, scene, taken, type OpenScene } from './support/scene.js'
import { bytes, client, server } from './support/wire-bytes.js'

const BOTH = POLLIN | POLLOUT
const filled = (count: number): Buffer => Buffer.alloc(count, 0x61)

/** A connection whose application pauses it inside its first RECEIVE. */
function pausing(context: Parameters<typeof openScene>[0] = {}): OpenScene {
  let paused = false
  const opened: OpenScene = openScene({
    ...context,
    handlers: {
      RECEIVE(wsi: Wsi, data: Buffer) {
        opened.log.push(data.toString())
        if (!paused) rxFlowControl(wsi, 0)
        paused = true
      },
    },
  })
  return opened
}

describe('27 flow', () => {
  describe("write's four answers", () => {
    const context = { txLowWaterBytes: 100, txHighWaterBytes: 200, maxBufferedBytes: 1024 }

    it('ok, backpressure, full, closed, with the mask after each (C15, C16)', () => {
      const { h, wsi, peer, mask, told, log } = openScene({
        context,
        protocol: { onFull: 'report' },
      })
      assert.deepEqual([write(wsi, filled(50), BINARY), mask()], ['ok', POLLIN])
      peer.take()
      peer.windowBytes = 0
      assert.deepEqual([write(wsi, filled(50), BINARY), mask()], ['ok', BOTH])
      assert.deepEqual([write(wsi, filled(50), BINARY), mask()], ['backpressure', BOTH])
      assert.deepEqual([write(wsi, filled(100), BINARY), mask()], ['backpressure', POLLOUT])
      assert.deepEqual([write(wsi, filled(900), BINARY), mask()], ['full', POLLOUT])
      assert.deepEqual(taken(told), [`SET ${POLLOUT}`, `CLEAR ${POLLIN}`])
      peer.windowBytes = 100
      h.run()
      assert.deepEqual([getBufferedBytes(wsi), mask()], [106, BOTH])
      peer.take()
      h.run()
      assert.deepEqual([getBufferedBytes(wsi), mask()], [6, BOTH])
      peer.take()
      h.run()
      assert.deepEqual([getBufferedBytes(wsi), mask()], [0, POLLIN])
      assert.deepEqual(taken(told), [`SET ${POLLIN}`, `CLEAR ${POLLOUT}`])
      peer.end()
      h.run()
      assert.deepEqual([write(wsi, 'x', TEXT), log], ['closed', ['closed 1006 END_OF_FILE']])
    })

    it('what was answered ok or backpressure arrives, what was answered full does not', () => {
      const { h, wsi, peer } = openScene({ context, protocol: { onFull: 'report' } })
      peer.windowBytes = 0
      const taken: Buffer[] = []
      for (let i = 0; i < 60; i++) {
        const payload = Buffer.alloc(40, i)
        if (write(wsi, payload, BINARY) !== 'full') taken.push(server.frame(2, payload))
      }
      assert.equal(taken.length, Math.floor(1024 / 42))
      peer.windowBytes = 10_000
      h.run()
      assert.deepEqual(peer.take(), bytes(...taken))
    })

    it('reads nothing from a peer that takes nothing, and goes on where it stopped', () => {
      const { h, wsi, peer, log, mask } = openScene({ context })
      peer.windowBytes = 0
      write(wsi, filled(300), BINARY)
      peer.send(bytes(client.text('a'), client.text('b')))
      h.run()
      assert.deepEqual([log, mask(), peer.unreadBytes], [[], POLLOUT, 14])
      peer.windowBytes = 1000
      h.run()
      assert.deepEqual([log, mask()], [['text a', 'text b'], POLLIN])
    })
  })

  describe('callbackOnWritable', () => {
    it('is one-shot, comes from a later serviceFd, and asks for POLLOUT meanwhile (C15)', () => {
      const { h, wsi, log, told, mask } = openScene()
      assert.equal(callbackOnWritable(h.ctx, wsi), true)
      callbackOnWritable(h.ctx, wsi)
      assert.deepEqual([taken(log), mask(), taken(told)], [[], BOTH, [`SET ${POLLOUT}`]])
      h.run()
      assert.deepEqual(
        [taken(log), mask(), taken(told)],
        [['writable'], POLLIN, [`CLEAR ${POLLOUT}`]],
      )
      h.run()
      assert.deepEqual([log, told], [[], []])
    })

    it('is deliverable only below the low-water mark', () => {
      const { h, wsi, peer, log, mask } = openScene({ context: { txLowWaterBytes: 100 } })
      peer.windowBytes = 0
      write(wsi, filled(300), BINARY)
      callbackOnWritable(h.ctx, wsi)
      peer.windowBytes = 150
      h.run()
      assert.deepEqual([log, getBufferedBytes(wsi)], [[], 154])
      peer.take()
      h.run()
      assert.deepEqual([log, getBufferedBytes(wsi), mask()], [['writable'], 4, BOTH])
      peer.take()
      h.run()
      assert.deepEqual([log, mask()], [['writable'], POLLIN])
    })

    it('asked again inside SERVER_WRITEABLE: a loop that sends as the peer takes', () => {
      let count = 0
      const { h, wsi, peer } = openScene({
        context: { txLowWaterBytes: 1000 },
        handlers: {
          SERVER_WRITEABLE(self) {
            write(self, Buffer.alloc(500, ++count), BINARY)
            if (count < 20) callbackOnWritable(h.ctx, self)
          },
        },
      })
      peer.windowBytes = 700
      callbackOnWritable(h.ctx, wsi)
      let got: Buffer = Buffer.alloc(0)
      for (let i = 0; i < 40; i++) {
        h.run()
        assert.ok(getBufferedBytes(wsi) < 1600)
        got = bytes(got, peer.take())
      }
      const all = Array.from({ length: 20 }, (_, i) => server.frame(2, Buffer.alloc(500, i + 1)))
      assert.deepEqual(got, bytes(...all))
    })

    it('is dropped by a close, and refused after it', () => {
      const { h, wsi, log, mask } = openScene()
      callbackOnWritable(h.ctx, wsi)
      close(wsi)
      assert.equal(callbackOnWritable(h.ctx, wsi), false)
      h.run()
      assert.deepEqual([log, mask()], [[], POLLIN])
    })

    it('for all of a protocol', () => {
      const { h, log, wsis } = scene()
      for (let i = 0; i < 5; i++) h.open()
      assert.equal(callbackOnWritableAllProtocol(getProtocol(wsis[0]!)!), 5)
      h.run()
      assert.deepEqual(
        log,
        Array.from({ length: 5 }, () => 'writable'),
      )
    })
  })

  describe('rxFlowControl, in every position', () => {
    it('outside of callbacks: CLEAR_MODE(POLLIN), nothing read, SET_MODE(POLLIN) (C4, C16)', () => {
      const { h, wsi, peer, log, told, mask } = openScene()
      rxFlowControl(wsi, 0)
      assert.deepEqual([mask(), taken(told)], [0, [`CLEAR ${POLLIN}`]])
      peer.send(client.text('a'))
      h.run()
      assert.deepEqual([log, peer.unreadBytes], [[], 7])
      rxFlowControl(wsi, 0)
      rxFlowControl(wsi, 1)
      assert.deepEqual([mask(), taken(told)], [POLLIN, [`SET ${POLLIN}`]])
      h.run()
      assert.deepEqual(log, ['text a'])
    })

    it('off and on within one call is no announcement (C7)', () => {
      const { h, wsi, told } = openScene()
      batch(h.ctx, () => {
        rxFlowControl(wsi, false)
        rxFlowControl(wsi, true)
      })
      h.run()
      assert.deepEqual(told, [])
    })

    it('between two frames of one recv: not one more, in order, without readiness (C14)', () => {
      const { h, wsi, peer, log, mask } = pausing()
      peer.send(bytes(client.text('a'), client.text('b'), client.ping('p'), client.text('c')))
      h.run()
      assert.deepEqual([log, mask(), peer.take().length], [['a'], 0, 0])
      assert.notEqual(nextTimeout(h.ctx), 0)
      rxFlowControl(wsi, 1)
      assert.equal(nextTimeout(h.ctx), 0)
      assert.equal(serviceFd(h.ctx, null), 'handled')
      assert.deepEqual([log, mask()], [['a', 'b', 'c'], POLLIN])
      assert.notEqual(nextTimeout(h.ctx), 0)
      assert.deepEqual(peer.take(), server.pong('p'))
    })

    it('in the middle of a fragment of the next message', () => {
      const { h, wsi, peer, log } = pausing()
      const next = bytes(client.text('bc', { fin: false }), client.more('defgh'))
      peer.send(bytes(client.text('a'), next.subarray(0, 16)))
      h.run()
      rxFlowControl(wsi, 1)
      h.run()
      assert.deepEqual(log, ['a'])
      peer.send(next.subarray(16))
      h.run()
      assert.deepEqual(log, ['a', 'bcdefgh'])
    })

    it('at every byte of what follows', () => {
      const stream = bytes(
        client.text('b', { fin: false }),
        client.pong(''),
        client.more('c'),
        client.text('d'),
      )
      for (let cut = 0; cut <= stream.length; cut++) {
        const { h, wsi, peer, log } = pausing()
        peer.send(bytes(client.text('a'), stream.subarray(0, cut)))
        h.run()
        peer.send(stream.subarray(cut))
        h.run()
        assert.deepEqual(log, ['a'], `cut at ${cut}`)
        rxFlowControl(wsi, 1)
        h.run()
        assert.deepEqual(log, ['a', 'bc', 'd'], `cut at ${cut}`)
      }
    })

    it('with more bytes read than the high-water mark: all come, and reading goes on', () => {
      const { h, wsi, peer, log, mask } = pausing({ context: { rxHighWaterBytes: 1024 } })
      const texts = Array.from({ length: 100 }, (_, i) => `${i}`.padStart(100, '.'))
      peer.send(bytes(client.text('a'), ...texts.map((text) => client.text(text))))
      h.run()
      assert.deepEqual(log, ['a'])
      rxFlowControl(wsi, 1)
      h.run()
      assert.deepEqual([log.length, log.slice(1), mask()], [101, texts, POLLIN])
    })

    it('paused and resumed in turn by every message', () => {
      const seen: string[] = []
      const { h, peer, wsi } = openScene({
        handlers: {
          RECEIVE(self, data) {
            seen.push(data.toString())
            rxFlowControl(self, 0)
          },
        },
      })
      const texts = Array.from({ length: 50 }, (_, i) => `${i}`)
      peer.send(bytes(...texts.map((text) => client.text(text))))
      for (let i = 1; i <= 50; i++) {
        h.run()
        assert.equal(seen.length, i)
        rxFlowControl(wsi, 1)
      }
      h.run()
      assert.deepEqual(seen, texts)
    })

    it('resumed inside of the same RECEIVE changes nothing', () => {
      const { h, peer, told, log } = openScene({
        handlers: {
          RECEIVE(self, data) {
            rxFlowControl(self, 0)
            rxFlowControl(self, 1)
            log.push(data.toString())
          },
        },
      })
      peer.send(bytes(client.text('a'), client.text('b')))
      h.run()
      assert.deepEqual([log, told], [['a', 'b'], []])
    })

    it('in ESTABLISHED holds the frames that were glued to the request', () => {
      const { h, log, wsis } = scene({
        handlers: {
          ESTABLISHED(wsi) {
            wsis.push(wsi)
            rxFlowControl(wsi, 0)
          },
        },
      })
      const peer = h.connect()
      peer.send(bytes(peer.upgradeRequest(), client.text('a'), client.text('b')))
      h.run()
      assert.deepEqual(log, [])
      rxFlowControl(wsis[0]!, 1)
      h.run()
      assert.deepEqual(log, ['text a', 'text b'])
    })

    it('an end of file waits until what was read is delivered (C17)', () => {
      const { h, wsi, peer, log } = pausing()
      peer.send(bytes(client.text('a'), client.text('b')))
      peer.end()
      h.run()
      assert.deepEqual(log, ['a'])
      rxFlowControl(wsi, 1)
      h.run()
      assert.deepEqual(log, ['a', 'b', 'closed 1006 END_OF_FILE'])
    })

    it('a reset of a paused peer is told once, and what was read comes first (C4)', () => {
      const { h, wsi, peer, log } = pausing()
      peer.send(bytes(client.text('a'), client.text('b')))
      h.run()
      peer.reset()
      h.run()
      assert.deepEqual(h.poller.poll(), [], 'at mask 0 an error is reported once')
      assert.deepEqual(log, ['a'])
      rxFlowControl(wsi, 1)
      h.run()
      assert.deepEqual(log, ['a', 'b', 'closed 1006 TRANSPORT_ERROR'])
    })

    it('a stale POLLHUP on a paused connection does not end it (C5)', () => {
      const { h, wsi, peer, log } = openScene()
      rxFlowControl(wsi, 0)
      serviceFd(h.ctx, { fd: peer.fd, revents: POLLHUP | POLLERR })
      peer.send(client.text('alive'))
      h.poller.runFor(h.ctx, 60_000)
      rxFlowControl(wsi, 1)
      h.run()
      assert.deepEqual(log, ['text alive'])
    })

    it('writing goes on while paused', () => {
      const { wsi, peer, mask } = openScene()
      rxFlowControl(wsi, 0)
      write(wsi, 'out', TEXT)
      assert.deepEqual([peer.take(), mask()], [server.frame(1, 'out'), 0])
    })

    it('is over with the last word: who ends while paused reads until the peer ended', () => {
      const { h, wsi, peer, log } = openScene({ context: { maxBufferedBytes: 1024 } })
      rxFlowControl(wsi, 0)
      peer.send(client.text('never delivered'))
      assert.equal(write(wsi, filled(2000), BINARY), 'full')
      h.run()
      assert.deepEqual([peer.unreadBytes, peer.ended, rxFlowControl(wsi, 0)], [0, true, false])
      peer.end()
      h.run()
      assert.deepEqual([peer.closed, log], ['close', ['closed 1013 SEND_QUEUE_FULL']])
    })

    it('on a dead connection answers false', () => {
      const { h, wsi, peer } = openScene()
      peer.reset()
      h.run()
      assert.deepEqual([rxFlowControl(wsi, 0), rxFlowControl(wsi, 1)], [false, false])
    })
  })
})
