/**
 * The twelve known faults of the library's ancestor of February 2011, each as a named regression.
 *
 * Where a fault lay in a part that is not there yet, the test holds the part that is.
 */
import assert from 'node:assert/strict'
import {
  batch,
  BINARY,
  broadcast,
  close,
  contextDestroy,
  Errno,
  getProtocol,
  limits,
  hangup,
  nextTimeout,
  pollFds,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  rxFlowControl,
  serviceFd,
  TEXT,
  WOULD_BLOCK,
  write,
} from '../src/index.js'
import { openScene, scene, taken } from './support/scene.js'
import { bytes, client, hex, server, validRequest } from './support/wire-bytes.js'

describe('25 faults of 2011', () => {
  it('1: POLLHUP was obeyed before POLLIN, so the last bytes of a peer were lost', () => {
    const { h, peer, log } = openScene()
    peer.send(bytes(client.text('last'), client.text('words')))
    peer.reset()
    const answer = serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN | POLLHUP | POLLERR })
    assert.deepEqual(taken(log).slice(0, 2), ['text last', 'text words'])
    if (answer !== 'closed') h.run()
    assert.ok(peer.closed !== undefined)
  })

  it('1: and with many more than one read takes', () => {
    const { h, peer, log } = openScene()
    const texts = Array.from({ length: 3000 }, (_, i) => `${i}`.padStart(60, '.'))
    peer.send(bytes(...texts.map((text) => client.text(text))))
    peer.reset()
    h.run()
    assert.deepEqual(
      log.slice(0, -1),
      texts.map((text) => `text ${text}`),
    )
    assert.equal(log.at(-1), 'closed 1006 TRANSPORT_ERROR')
  })

  it('2: a close frame was written after DEL_POLL_FD, and a short write had nowhere to go', () => {
    const { h, wsi, peer, log, told } = openScene()
    peer.script.send.push(1, WOULD_BLOCK, 1, WOULD_BLOCK, 1)
    peer.send(client.close(1000))
    for (let i = 0; i < 6; i++) {
      const before = peer.received().length
      h.poller.service(h.ctx)
      if (told.includes(`DEL ${POLLOUT}`) || told.includes('DEL 0')) assert.equal(before, 3)
    }
    h.run()
    assert.deepEqual(peer.take(), server.close(1000))
    assert.deepEqual([log, write(wsi, 'x', TEXT)], [['closed 1000 CLOSED_BY_PEER'], 'closed'])
  })

  it('3: flow control never told an external host', () => {
    const { wsi, told, mask } = openScene()
    rxFlowControl(wsi, 0)
    assert.deepEqual([taken(told), mask()], [[`CLEAR ${POLLIN}`], 0])
    rxFlowControl(wsi, 1)
    assert.deepEqual([taken(told), mask()], [[`SET ${POLLIN}`], POLLIN])
  })

  describe('4: CLOSED was not delivered when the peer closed first', () => {
    const ends: Readonly<
      Record<string, [(peer: ReturnType<typeof openScene>['peer']) => void, string]>
    > = {
      'by a close frame': [
        (peer) => void peer.send(client.close(1001)),
        'closed 1001 CLOSED_BY_PEER',
      ],
      'by an end of file': [(peer) => peer.end(), 'closed 1006 END_OF_FILE'],
      'by a reset': [(peer) => peer.reset(), 'closed 1006 TRANSPORT_ERROR'],
    }
    for (const [how, [end, line]] of Object.entries(ends))
      it(how, () => {
        const { h, peer, log } = openScene()
        end(peer)
        h.run()
        assert.deepEqual(log, [line])
      })
  })

  it('5: short writes were reported as success, and the rest was lost', () => {
    const { h, wsi, peer } = openScene({ context: { txLowWaterBytes: 50 } })
    peer.script.send.push(3)
    assert.equal(write(wsi, Buffer.alloc(200, 1), BINARY), 'backpressure')
    assert.equal(write(wsi, Buffer.alloc(10, 2), BINARY), 'backpressure')
    h.run()
    const expected = bytes(
      server.frame(2, Buffer.alloc(200, 1)),
      server.frame(2, Buffer.alloc(10, 2)),
    )
    assert.deepEqual(peer.take(), expected)
  })

  it("6: frame bytes glued to the handshake's end were lost", () => {
    const { h, log } = scene()
    const peer = h.connect()
    peer.send(bytes(validRequest(), client.text('glued'), client.text('and half').subarray(0, 9)))
    h.run()
    peer.send(client.text('and half').subarray(9))
    h.run()
    assert.deepEqual(log, ['text glued', 'text and half'])
  })

  it('7: 1 meant both "closed" and "not mine"', () => {
    const { h, peer } = openScene()
    const { fd } = peer
    assert.equal(serviceFd(h.ctx, { fd: 777, revents: POLLIN }), 'foreign')
    peer.reset()
    assert.equal(serviceFd(h.ctx, { fd, revents: POLLIN | POLLHUP }), 'closed')
    assert.equal(serviceFd(h.ctx, { fd, revents: POLLIN | POLLHUP }), 'foreign')
  })

  it('8: the listener accepted on any event, and only once per call', () => {
    const { h } = scene()
    const [listener] = pollFds(h.ctx)
    for (let i = 0; i < 20; i++) h.connect()
    serviceFd(h.ctx, { fd: listener!.fd, revents: POLLIN })
    assert.equal(pollFds(h.ctx).length, 21, 'all that waited, in one call')
    const before = h.poller.counts.accept
    serviceFd(h.ctx, { fd: listener!.fd, revents: POLLOUT })
    assert.ok(h.poller.counts.accept - before <= 1, 'spurious readiness costs one syscall at most')
    assert.equal(pollFds(h.ctx).length, 21)
  })

  it('8, without trying in vain more than once in a millisecond', () => {
    const { h } = scene()
    const [listener] = pollFds(h.ctx)
    const turn = (knocks: number): readonly [tries: number, result: string] => {
      for (let i = 0; i < knocks; i++) h.connect()
      const before = h.poller.counts.accept
      const result = serviceFd(h.ctx, { fd: listener!.fd, revents: POLLIN })
      return [h.poller.counts.accept - before, result]
    }
    assert.deepEqual(turn(40), [41, 'handled'], 'all who wait, and nobody')
    assert.deepEqual(turn(3), [1, 'more'], 'in the same millisecond one a turn')
    assert.deepEqual(turn(0), [1, 'more'])
    h.poller.clock.advance(1)
    assert.deepEqual(turn(1), [3, 'handled'], 'the others, and nobody')
    assert.deepEqual(turn(0), [1, 'handled'], 'there were none')
    assert.equal(pollFds(h.ctx).length, 45)
  })

  it('8, and waited for another turn to read what each had brought', () => {
    const { h, log } = scene()
    const [listener] = pollFds(h.ctx)
    const service = (): unknown => serviceFd(h.ctx, { fd: listener!.fd, revents: POLLIN })
    const eager = h.connect()
    eager.send(bytes(validRequest(), client.text('at once')))
    const silent = h.connect()
    service()
    assert.deepEqual([log, h.poller.counts.recv], [['text at once'], 2], 'one read each')
    assert.match(eager.received().toString('latin1'), /^HTTP\/1.1 101 /)
    silent.send(validRequest())
    h.run()
    assert.match(silent.received().toString('latin1'), /^HTTP\/1.1 101 /)
  })

  it('8, and of many that talk each has its part of the turn', () => {
    const { h, log } = scene()
    const [listener] = pollFds(h.ctx)
    const talk = Array.from({ length: 100 }, () => client.text('talk'))
    for (let peer = 0; peer < 8; peer++) h.connect().send(bytes(validRequest(), ...talk))
    serviceFd(h.ctx, { fd: listener!.fd, revents: POLLIN })
    const { turnMessageBudget } = limits
    assert.equal(log.length, 8 * (turnMessageBudget.default - 1), 'the handshake is one of them')
    h.run()
    assert.equal(log.length, 800)
  })

  it('9: a read error and "would block" were the same: a reset connection span', () => {
    const { h, peer, log, mask } = openScene()
    peer.script.recv.push(WOULD_BLOCK)
    serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN })
    assert.deepEqual([log, mask()], [[], POLLIN], 'would block: it waits')
    peer.script.recv.push(-Errno.ECONNRESET)
    assert.equal(serviceFd(h.ctx, { fd: peer.fd, revents: POLLIN }), 'closed')
    assert.deepEqual(log, ['closed 1006 TRANSPORT_ERROR'])
  })

  it('10: zero-length frames broke the parser', () => {
    const { h, peer, log } = openScene()
    const empty = [
      client.text(''),
      client.binary(''),
      client.ping(''),
      client.pong(''),
      client.text('', { fin: false }),
      client.more('', { fin: false }),
      client.more(''),
      client.text('after'),
    ]
    peer.send(bytes(...empty, ...empty))
    h.run()
    const once = ['text ', 'binary ', 'text ', 'text after']
    assert.deepEqual([log, peer.take()], [[...once, ...once], hex('8a008a00')])
  })

  describe('11: destroy walked a table while changing it', () => {
    it('from inside CLOSED, with connections that end others and write to others', () => {
      const made = scene({
        handlers: {
          CLOSED(wsi, info) {
            made.log.push(info.cause)
            contextDestroy(made.h.ctx)
            for (const other of made.wsis) {
              assert.equal(write(other, 'late', TEXT), 'closed')
              assert.equal(hangup(other), false)
              assert.equal(close(other), false)
            }
            assert.ok(made.wsis.includes(wsi))
          },
        },
      })
      const { h, log } = made
      for (let i = 0; i < 10; i++) h.open()
      contextDestroy(h.ctx)
      assert.equal(log.length, 10)
      assert.deepEqual([h.poller.openFds, pollFds(h.ctx), nextTimeout(h.ctx)], [[], [], -1])
    })

    it('from inside RECEIVE, with more messages behind it', () => {
      const made = scene({ handlers: { RECEIVE: () => contextDestroy(made.h.ctx) } })
      const { h, log } = made
      const peers = Array.from({ length: 5 }, () => h.open())
      for (const peer of peers) peer.send(bytes(client.text('a'), client.text('b')))
      const batchOfAll = h.poller.poll(h.ctx)
      for (const pollfd of batchOfAll) serviceFd(h.ctx, pollfd)
      assert.equal(log.length, 5)
      assert.deepEqual(h.poller.openFds, [])
    })

    it('everyone hanging up on everyone in one call', () => {
      const made = scene({
        handlers: {
          CLOSED() {
            made.log.push('closed')
            for (const other of made.wsis) hangup(other)
          },
        },
      })
      const { h, log, wsis } = made
      for (let i = 0; i < 20; i++) h.open()
      batch(h.ctx, () => hangup(wsis[7]!))
      h.run()
      assert.equal(log.length, 20)
    })
  })

  it('12: broadcast went through a loopback port of its own, and merged messages', () => {
    const made = scene({
      handlers: { BROADCAST: (wsi, data) => void write(wsi, data, TEXT) },
    })
    const { h, wsis } = made
    const peers = [h.open(), h.open()]
    assert.equal(h.poller.openFds.length, 3, 'the listener and the connections, nothing else')
    const texts = ['one', '', 'two', 'x'.repeat(5000), 'three']
    batch(h.ctx, () => {
      for (const text of texts) assert.equal(broadcast(getProtocol(wsis[0]!)!, text), 2)
    })
    h.run()
    for (const peer of peers) assert.deepEqual(peer.messages(), texts)
    assert.equal(h.poller.openFds.length, 3)
  })
})
