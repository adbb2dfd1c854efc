/**
 * What the simulator's swarm found in the core, each as the shortest story that showed it.
 */
import assert from 'node:assert/strict'
import {
  Errno,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  rxFlowControl,
  serviceFd,
  TEXT,
  WOULD_BLOCK,
  WOULD_BLOCK_UNTIL_WRITABLE,
  write,
} from '../src/index.js'
import { openScene } from './support/scene.js'
import { bytes, client } from './support/wire-bytes.js'

describe('29 what the swarm found', () => {
  it("CLOSED has its data where a send fails and the peer's close frame is read after it", () => {
    const { h, wsi, peer, log } = openScene()
    peer.script.send.push(-Errno.EPIPE)
    peer.send(client.close(1000))
    write(wsi, 'into a broken pipe', TEXT)
    h.run()
    assert.deepEqual(log, ['closed 1000 CLOSED_BY_PEER'])
  })

  it('a paused connection whose send failed ends when it is read again, edge-triggered too', () => {
    for (const edge of [false, true]) {
      const { h, wsi, peer, log } = openScene({ context: { poller: { edge } } })
      rxFlowControl(wsi, 0)
      peer.script.send.push(-Errno.ENOBUFS)
      write(wsi, 'nobody has room for it', TEXT)
      h.run()
      assert.deepEqual(log, [])
      rxFlowControl(wsi, 1)
      h.run()
      assert.deepEqual(log, ['closed 1006 TRANSPORT_ERROR'], `edge: ${edge}`)
    }
  })

  it("C12: data and an end in one edge are 'more', since the end is not told again", () => {
    const { h, peer, log } = openScene({ context: { poller: { edge: true } } })
    peer.send(bytes(client.text('last words')))
    peer.reset()
    const answer = serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN | POLLERR | POLLHUP })
    assert.deepEqual([answer, log], ['more', ['text last words']])
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN })
    assert.deepEqual(log, ['text last words', 'closed 1006 TRANSPORT_ERROR'])
  })

  it('C23: a clock that begins below 0 pings all the same', () => {
    const { h, peer } = openScene({
      context: { poller: { startMs: -50_000 }, pingIntervalMs: 30_000 },
    })
    h.poller.runFor(h.ctx, 30_001)
    assert.deepEqual(
      peer.frames().map(({ opcode }) => opcode),
      [9],
    )
  })

  it('C13: what is looked for on paused connections counts against the bytes of a call', () => {
    const rxBudgetBytes = 1024
    const context = { rxBudgetBytes, checker: { rxBudgetBytes } }
    const { h, wsis } = openScene({ context })
    const peers = [h.open(), h.open()]
    for (const wsi of wsis) rxFlowControl(wsi, 0)
    for (const peer of peers) {
      peer.send(bytes(client.text('x'.repeat(800))))
      serviceFd(h.ctx, { fd: peer.fd, revents: POLLERR })
    }
    const told = [h.poller.counts.recv]
    h.poller.runFor(h.ctx, 5001)
    told.push(h.poller.counts.recv)
    h.poller.runFor(h.ctx, 5001)
    told.push(h.poller.counts.recv)
    assert.deepEqual(
      told.map((count) => count - told[0]!),
      [0, 2, 4],
    )
  })

  it('C12: a broken frame behind a failed send ends the connection', () => {
    const { h, wsi, peer, log } = openScene({ context: { poller: { edge: true } } })
    peer.send(client.text('well'))
    peer.send(client.frame(3))
    peer.send(client.text('x'.repeat(100_000)))
    peer.script.send.push(-Errno.ENOBUFS)
    write(wsi, 'nobody has room for it', TEXT)
    h.run()
    assert.deepEqual(log, ['text well', 'closed 1002 FRAME_RESERVED_OPCODE'])
    assert.equal(peer.closed, 'close')
  })

  it("C12: 'more' where an error's readiness made room, and messages wait", () => {
    const log: string[] = []
    const { h, peer } = openScene({
      context: { txHighWaterBytes: 1, txLowWaterBytes: 1 },
      handlers: {
        RECEIVE(wsi, data) {
          log.push(data.toString())
          write(wsi, data, TEXT)
          // Large enough to be sent at once.
          write(wsi, 'x'.repeat(20_000), TEXT)
        },
      },
    })
    peer.script.send.push(WOULD_BLOCK)
    peer.send(bytes(client.text('first'), client.text('second')))
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN })
    assert.deepEqual(log, ['first'])
    assert.equal(serviceFd(h.ctx, { fd: peer.fd, revents: POLLERR }), 'more')
    h.run()
    assert.deepEqual(log, ['first', 'second'])
  })

  it('C29: a callback that throws after a failed send is the last one', () => {
    const heard: string[] = []
    const { h, wsi, peer, log, errors } = openScene({
      handlers: {
        RECEIVE(_wsi, data) {
          heard.push(data.toString())
          throw new Error('in RECEIVE')
        },
      },
    })
    peer.send(bytes(client.text('a'), client.text('b')))
    peer.script.send.push(-Errno.EPIPE)
    write(wsi, 'into a broken pipe', TEXT)
    h.run()
    assert.deepEqual([heard, errors.length], [['a'], 1])
    assert.deepEqual(log, ['closed 1011 CALLBACK_THREW'])
  })

  it('pongs that left in pieces of a large write are not pending', () => {
    const { h, peer, log } = openScene({ context: { corkMaxBytes: 0, maxPendingPongs: 4 } })
    for (let count = 0; count < 6; count += 1) {
      peer.send(client.ping('x'))
      h.run()
    }
    peer.script.send.push(WOULD_BLOCK)
    peer.send(bytes(client.ping('y'), client.ping('z')))
    h.run()
    assert.deepEqual(log, [])
    assert.equal(peer.frames().filter(({ opcode }) => opcode === 10).length, 8)
  })

  it('C12: the last bytes of a peer and its FIN in one edge', () => {
    const { h, peer, log } = openScene({ context: { poller: { edge: true } } })
    peer.send(bytes(client.text('last words')))
    peer.end()
    h.run()
    assert.deepEqual(log, ['text last words', 'closed 1006 END_OF_FILE'])
  })

  it('C11: one send for a readiness, though what it led to met a full socket', () => {
    const context = { messageBudget: 1, txHighWaterBytes: 1, txLowWaterBytes: 1 }
    const { h, peer } = openScene({ context })
    peer.send(bytes(client.ping('a'), client.ping('b'), client.ping('c')))
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN })
    const { counts } = h.poller
    const before = counts.send + counts.sendv
    peer.script.send.push(WOULD_BLOCK)
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN | POLLHUP })
    assert.equal(counts.send + counts.sendv - before, 1)
    h.run()
    assert.deepEqual(
      peer.frames().map(({ payload }) => String(payload)),
      ['a', 'b', 'c'],
    )
  })

  it('C11: nothing is read where POLLIN is off, though what was held made room meanwhile', () => {
    const { h, peer, log } = openScene({ context: { messageBudget: 1, rxHighWaterBytes: 1024 } })
    peer.send(bytes(client.text('first'), client.frame(1, 'x'.repeat(2000), { fin: false })))
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN })
    assert.deepEqual([log, h.poller.maskOf(peer.fd)], [['text first'], 0])
    const before = h.poller.counts.recv
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN })
    assert.equal(h.poller.counts.recv, before)
    assert.equal(h.poller.maskOf(peer.fd), POLLIN)
  })

  it('C11: nor where the transport failed, and the rest is read of its own accord', () => {
    const context = { messageBudget: 1, rxHighWaterBytes: 1024 }
    const { h, wsi, peer, log } = openScene({ context })
    peer.script.send.push(-Errno.ENOBUFS)
    peer.send(bytes(client.text('first'), client.frame(1, 'x'.repeat(2000), { fin: false })))
    write(wsi, 'nobody has room for it', TEXT)
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN })
    assert.deepEqual([log, h.poller.maskOf(peer.fd)], [['text first'], 0])
    peer.send(client.frame(0, 'last'))
    const before = h.poller.counts.recv
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLOUT })
    assert.equal(h.poller.counts.recv, before)
    h.run()
    assert.deepEqual(log, [
      'text first',
      `text ${'x'.repeat(2000)}last`,
      'closed 1006 TRANSPORT_ERROR',
    ])
  })

  it('C16: a hang-up that was heard while the peer took nothing is forgotten once it does', () => {
    const { h, wsi, peer, log } = openScene({
      context: { txHighWaterBytes: 1, txLowWaterBytes: 1, pausedErrorTimeoutMs: 5000 },
    })
    peer.script.send.push(WOULD_BLOCK, WOULD_BLOCK)
    write(wsi, 'to be taken later', TEXT)
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN | POLLHUP })
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLOUT })
    const message = 'x'.repeat(100_000)
    peer.send(client.text(message))
    h.poller.clock.advance(5001)
    serviceFd(h.ctx, null)
    h.run()
    assert.deepEqual(log, [`text ${message}`])
  })

  it('C4: one whose transport failed is given up in time, though it was resumed meanwhile', () => {
    const { h, wsi, peer, log } = openScene({ context: { pausedErrorTimeoutMs: 5000 } })
    rxFlowControl(wsi, 0)
    peer.script.send.push(-Errno.ENOBUFS)
    write(wsi, 'nobody has room for it', TEXT)
    rxFlowControl(wsi, 1)
    rxFlowControl(wsi, 0)
    h.poller.runFor(h.ctx, 5001)
    assert.deepEqual(log, ['closed 1006 PAUSED_ERROR_TIMEOUT'])
  })

  it('C23: a peer is asked whether it lives, after a pause with more held than is read', () => {
    const { h, wsi, peer, log } = openScene({
      context: { rxHighWaterBytes: 1024, pingIntervalMs: 30_000 },
      handlers: {
        RECEIVE(wsi, data) {
          log.push(`${data.length}`)
          if (log.length === 1) rxFlowControl(wsi, 0)
        },
      },
    })
    peer.send(bytes(...Array.from({ length: 3 }, () => client.text('x'.repeat(800)))))
    h.poller.runFor(h.ctx, 100_000)
    rxFlowControl(wsi, 1)
    h.run()
    assert.deepEqual(log, ['800', '800', '800'])
    h.poller.runFor(h.ctx, 30_001)
    assert.deepEqual(
      peer.frames().map(({ opcode }) => opcode),
      [9],
    )
  })

  it('C15, C23: a read that waited for writability is timed again, and POLLOUT is off', () => {
    const { h, peer, log } = openScene({ context: { pingIntervalMs: 30_000 } })
    peer.script.recv.push(WOULD_BLOCK_UNTIL_WRITABLE)
    peer.send(client.text('well'))
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN })
    h.poller.clock.advance(100_000)
    serviceFd(h.ctx, null)
    h.run()
    assert.deepEqual(log, ['text well'])
    h.poller.runFor(h.ctx, 30_001)
    assert.deepEqual(
      peer.frames().map(({ opcode }) => opcode),
      [9],
    )
  })

  it("C14: an end comes with its last byte, though an error's readiness sent it", () => {
    const { h, peer, log } = openScene()
    peer.script.send.push(WOULD_BLOCK)
    peer.send(client.close(1000))
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN })
    assert.deepEqual(log, [])
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLERR })
    assert.deepEqual(log, ['closed 1000 CLOSED_BY_PEER'])
  })
})
