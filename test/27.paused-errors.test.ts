/**
 * An error that is told while nothing may be read: the host tells it once, so it is remembered
 * until somebody reads, and never held against who is read again (C4).
 */
import assert from 'node:assert/strict'
import {
  batch,
  httpRespond,
  nextTimeout,
  POLLERR,
  POLLHUP,
  POLLIN,
  rxFlowControl,
  serviceFd,
} from '../src/index.js'
import { GET, httpScene } from './support/http-scene.js'
import { openScene } from './support/scene.js'
import { client } from './support/wire-bytes.js'

const LIMIT_MS = 5000
const context = { pausedErrorTimeoutMs: LIMIT_MS }
const GONE = POLLERR | POLLHUP

describe('27 an error told during a pause', () => {
  for (const edge of [false, true])
    it(`is remembered through a pause that begins anew, ${edge ? 'edge' : 'level'}`, () => {
      const { h, wsi, peer, log } = openScene({ context: { ...context, poller: { edge } } })
      rxFlowControl(wsi, 0)
      peer.reset()
      h.run()
      batch(h.ctx, () => {
        rxFlowControl(wsi, 1)
        rxFlowControl(wsi, 0)
      })
      h.poller.runFor(h.ctx, LIMIT_MS + 1)
      assert.deepEqual(log, ['closed 1006 PAUSED_ERROR_TIMEOUT'])
    })

  it('is remembered where the call that was told of it reads, and a callback pauses again', () => {
    const { h, wsi, peer, log, mask } = openScene({
      context: { ...context, rxHighWaterBytes: 1024 },
      handlers: {
        RECEIVE(told, data) {
          log.push(data.toString('latin1', 0, 1))
          if (log.length !== 2) rxFlowControl(told, 0)
        },
      },
    })
    peer.send(client.text('a'))
    peer.send(client.text('b'.repeat(1100)))
    h.run()
    rxFlowControl(wsi, 1)
    peer.send(client.text('c'))
    assert.equal(mask(), 0, 'more is held than is read beside it')
    serviceFd(h.ctx, { fd: peer.fd, revents: GONE })
    assert.deepEqual([log, mask()], [['a', 'b', 'c'], 0])
    assert.equal(nextTimeout(h.ctx), LIMIT_MS)
  })

  it('that was none ends nobody who was read since, nor takes what it sent', () => {
    const { h, asked, log } = httpScene({}, context)
    const peer = h.connect()
    peer.send(GET)
    h.run()
    rxFlowControl(asked[0]!, 0)
    h.run()
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLHUP })
    httpRespond(asked[0]!, { status: 200 })
    h.poller.clock.advance(LIMIT_MS)
    peer.send(GET)
    serviceFd(h.ctx, null)
    assert.notEqual(nextTimeout(h.ctx), 0)
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN })
    assert.deepEqual(log, ['http /a', 'complete 200', 'http /a'])
  })

  it('and again in a later pause is given the whole of its time', () => {
    const { h, wsi, peer, log } = openScene({ context })
    rxFlowControl(wsi, 0)
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLHUP })
    rxFlowControl(wsi, 1)
    peer.send(client.text('well'))
    h.run()
    h.poller.runFor(h.ctx, LIMIT_MS - 1000)
    rxFlowControl(wsi, 0)
    peer.reset()
    h.poller.runFor(h.ctx, LIMIT_MS - 1)
    assert.deepEqual(log, ['text well'])
    h.poller.runFor(h.ctx, 2)
    assert.deepEqual(log, ['text well', 'closed 1006 PAUSED_ERROR_TIMEOUT'])
  })
})
