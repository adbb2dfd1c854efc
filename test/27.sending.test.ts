/**
 * What the kernel does to a send: short counts, would-block, errors; the order of what was written
 * across the cork, the queue and bodies that leave at once (C7, C13, C15).
 */
import assert from 'node:assert/strict'
import {
  batch,
  BINARY,
  CLOSE,
  CONTINUATION,
  Errno,
  getBufferedBytes,
  nextTimeout,
  NO_FIN,
  PING,
  POLLIN,
  POLLOUT,
  PONG,
  rxFlowControl,
  serviceFd,
  TEXT,
  WOULD_BLOCK,
  WOULD_BLOCK_UNTIL_READABLE,
  write,
} from '../src/index.js'
import { openScene, scene, taken } from './support/scene.js'
import { bytes, client, server } from './support/wire-bytes.js'

const BOTH = POLLIN | POLLOUT
const filled = (count: number, byte = 0x61): Buffer => Buffer.alloc(count, byte)

describe('27 sending', () => {
  describe('short writes lose nothing', () => {
    const scripts: Readonly<Record<string, readonly number[]>> = {
      '1 byte': [1],
      '3 bytes': [3],
      'nothing at first': [WOULD_BLOCK],
      '1, 3, then nothing': [1, 3, WOULD_BLOCK],
      'nothing thrice': [WOULD_BLOCK, WOULD_BLOCK, WOULD_BLOCK],
      'a byte at a time': Array.from({ length: 400 }, () => 1),
      'bytes and nothing in turn': Array.from({ length: 200 }, (_, i) =>
        i % 2 === 0 ? 1 : WOULD_BLOCK,
      ),
    }
    const bodies: Readonly<Record<string, readonly Buffer[]>> = {
      'a small frame': [filled(20)],
      'three small frames': [filled(3), filled(0), filled(125)],
      'a frame beyond the cork': [filled(40_000)],
      'small, large, small': [filled(10, 1), filled(30_000, 2), filled(10, 3)],
    }
    for (const [how, script] of Object.entries(scripts))
      for (const [what, payloads] of Object.entries(bodies))
        it(`${what}, the kernel takes ${how}`, () => {
          const { h, wsi, peer, mask } = openScene()
          peer.script.send.push(...script)
          const answers = batch(h.ctx, () => payloads.map((payload) => write(wsi, payload, BINARY)))
          assert.ok(!answers.includes('full') && !answers.includes('closed'), answers.join())
          h.run()
          peer.script.send.clear()
          h.run()
          assert.deepEqual(
            peer.take(),
            bytes(...payloads.map((payload) => server.frame(2, payload))),
          )
          assert.deepEqual([getBufferedBytes(wsi), mask()], [0, POLLIN])
        })
  })

  it('C15: POLLOUT is on exactly while bytes are queued', () => {
    const { h, wsi, peer, mask, told } = openScene()
    peer.script.send.push(5)
    write(wsi, 'hello world', TEXT)
    assert.deepEqual([getBufferedBytes(wsi), mask(), taken(told)], [8, BOTH, [`SET ${POLLOUT}`]])
    h.poller.service(h.ctx)
    assert.deepEqual(
      [getBufferedBytes(wsi), mask(), taken(told)],
      [0, POLLIN, [`CLEAR ${POLLOUT}`]],
    )
    assert.deepEqual(peer.take(), server.frame(1, 'hello world'))
  })

  it('C15: a transport that must read first asks for POLLIN in place of POLLOUT', () => {
    const { h, wsi, peer, mask } = openScene()
    peer.script.send.push(WOULD_BLOCK_UNTIL_READABLE)
    write(wsi, 'hello', TEXT)
    assert.equal(mask(), POLLIN)
    peer.send(client.pong(''))
    h.run()
    assert.deepEqual([peer.take(), mask()], [server.frame(1, 'hello'), POLLIN])
  })

  describe('order is kept', () => {
    it('across cork, queue and large bodies, with pongs between', () => {
      const { h, wsi, peer } = openScene()
      const expected: Buffer[] = []
      const say = (payload: Buffer): void => {
        write(wsi, payload, BINARY)
        expected.push(server.frame(2, payload))
      }
      peer.script.send.push(7, WOULD_BLOCK, 1000)
      batch(h.ctx, () => {
        say(filled(10, 1))
        say(filled(20_000, 2))
        say(filled(10, 3))
      })
      say(filled(17_000, 4))
      peer.send(client.ping('between'))
      h.run()
      expected.push(server.pong('between'))
      say(filled(16_384, 5))
      say(filled(16_385, 6))
      say(filled(0))
      h.run()
      assert.deepEqual(peer.take(), bytes(...expected))
    })

    it('of two connections written to in turn within one call', () => {
      const { h, wsis } = scene()
      const peers = [h.open(), h.open(), h.open()]
      batch(h.ctx, () => {
        for (let i = 0; i < 50; i++) for (const wsi of wsis) write(wsi, `${i}`, TEXT)
      })
      const expected = bytes(...Array.from({ length: 50 }, (_, i) => server.frame(1, `${i}`)))
      for (const peer of peers) assert.deepEqual(peer.take(), expected)
    })

    it('where what one call writes is larger than the arena', () => {
      const { h, wsi, peer } = openScene({
        context: { txLowWaterBytes: 2 ** 22, txHighWaterBytes: 2 ** 22 },
      })
      const expected: Buffer[] = []
      batch(h.ctx, () => {
        for (let i = 0; i < 100; i++) {
          write(wsi, filled(10_000, i), BINARY)
          expected.push(server.frame(2, filled(10_000, i)))
        }
      })
      h.run()
      assert.deepEqual(peer.take(), bytes(...expected))
    })
  })

  describe('C13: a call writes txBudgetBytes at most, and the rest follows', () => {
    for (const size of [65_535, 65_536, 65_537, 300_000, 2_000_000])
      it(`a body of ${size} bytes`, () => {
        const { h, wsi, peer, mask } = openScene({ context: { txBudgetBytes: 65_536 } })
        const payload = filled(size)
        write(wsi, payload, BINARY)
        assert.ok(peer.received().length <= 65_536 + 10, `${peer.received().length} at once`)
        h.run()
        assert.deepEqual(peer.take(), server.frame(2, payload))
        assert.equal(mask(), POLLIN)
      })
  })

  describe('RFC 6455 5.4: fragments that the application sends', () => {
    it('NO_FIN sequences become fragments, with control frames between', () => {
      const { h, wsi, peer } = openScene()
      batch(h.ctx, () => {
        write(wsi, 'a', TEXT | NO_FIN)
        write(wsi, 'p', PING)
        write(wsi, 'b', CONTINUATION | NO_FIN)
        write(wsi, '', CONTINUATION | NO_FIN)
        write(wsi, 'q', PONG)
        write(wsi, 'c', CONTINUATION)
        write(wsi, 'whole', TEXT)
      })
      const expected = [
        server.frame(1, 'a', false),
        server.frame(9, 'p'),
        server.frame(0, 'b', false),
        server.frame(0, '', false),
        server.frame(10, 'q'),
        server.frame(0, 'c'),
        server.frame(1, 'whole'),
      ]
      assert.deepEqual(peer.take(), bytes(...expected))
    })

    it('a sequence against the order is a UsageError, and changes nothing', () => {
      const { wsi, peer } = openScene()
      const refused = { code: 'ERR_EXTPOLL_WRITE_FRAGMENT' }
      assert.throws(() => write(wsi, 'x', CONTINUATION), refused)
      write(wsi, 'a', BINARY | NO_FIN)
      assert.throws(() => write(wsi, 'x', TEXT), refused)
      assert.throws(() => write(wsi, 'x', BINARY | NO_FIN), refused)
      write(wsi, 'b', CONTINUATION)
      assert.throws(() => write(wsi, 'x', CONTINUATION), refused)
      assert.deepEqual(peer.take(), bytes(server.frame(2, 'a', false), server.frame(0, 'b')))
    })

    it('kinds and data that cannot be sent are UsageErrors', () => {
      const { wsi, peer } = openScene()
      for (const kind of [3, 7, 11, 15, 16, 0x40, 1.5, NaN, PING | NO_FIN, PONG | NO_FIN, -1])
        assert.throws(
          () => write(wsi, 'x', kind),
          { code: 'ERR_EXTPOLL_WRITE_KIND' },
          `kind ${kind}`,
        )
      assert.throws(() => write(wsi, filled(126), PING), { code: 'ERR_EXTPOLL_WRITE_DATA' })
      assert.throws(() => write(wsi, 5 as never, TEXT), { code: 'ERR_EXTPOLL_WRITE_DATA' })
      for (const payload of ['x', Buffer.from([3, 237]), Buffer.from([3, 232, 255])])
        assert.throws(() => write(wsi, payload, CLOSE), { code: 'ERR_EXTPOLL_WRITE_DATA' })
      assert.equal(peer.take().length, 0)
    })

    it('CLOSE begins the closing handshake with the payload given', () => {
      const { h, wsi, peer, log } = openScene()
      assert.equal(write(wsi, Buffer.from([3, 233, 98, 121, 101]), CLOSE), 'ok')
      assert.equal(write(wsi, 'x', TEXT), 'closed')
      assert.deepEqual(peer.take(), server.frame(8, Buffer.from([3, 233, 98, 121, 101])))
      peer.send(client.close(1001))
      h.run()
      assert.deepEqual(log, ['closed 1001 CLOSED_BY_APPLICATION'])
    })

    it('a full queue in mid-message leaves the sequence as it was', () => {
      const { h, wsi, peer } = openScene({
        context: { maxBufferedBytes: 1024 },
        protocol: { onFull: 'report' },
      })
      peer.windowBytes = 0
      write(wsi, filled(900), BINARY | NO_FIN)
      assert.equal(write(wsi, filled(900), CONTINUATION), 'full')
      peer.windowBytes = 5000
      h.run()
      assert.equal(write(wsi, 'end', CONTINUATION), 'ok')
      assert.deepEqual(
        peer.take(),
        bytes(server.frame(2, filled(900), false), server.frame(0, 'end')),
      )
    })
  })

  describe('RFC 6455 5.2: lengths that the server writes are minimal', () => {
    for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 65_537])
      it(`${size} bytes`, () => {
        const { h, wsi, peer } = openScene()
        write(wsi, filled(size), BINARY)
        write(wsi, 'x'.repeat(size), TEXT)
        h.run()
        const got = peer.take()
        assert.deepEqual(
          got,
          bytes(server.frame(2, filled(size)), server.frame(1, 'x'.repeat(size))),
        )
      })

    it('text beyond ASCII is counted in bytes', () => {
      const { wsi, peer } = openScene()
      const text = 'ä€😀'.repeat(14)
      write(wsi, text, TEXT)
      assert.deepEqual(peer.take(), server.frame(1, text))
    })
  })

  it('write never alters nor keeps the buffer of the caller', () => {
    const { h, wsi, peer } = openScene()
    peer.script.send.push(1, WOULD_BLOCK)
    for (const size of [10, 40_000]) {
      const mine = filled(size, 7)
      write(wsi, mine, BINARY)
      assert.deepEqual(mine, filled(size, 7))
      mine.fill(9)
    }
    h.run()
    assert.deepEqual(
      peer.take(),
      bytes(server.frame(2, filled(10, 7)), server.frame(2, filled(40_000, 7))),
    )
  })

  describe('C7: what one call writes to a connection leaves in one send', () => {
    it('in batch', () => {
      const { h, wsi, peer } = openScene()
      const before = { ...h.poller.counts }
      batch(h.ctx, () => {
        for (let i = 0; i < 100; i++) write(wsi, `${i}`, TEXT)
      })
      const { send, sendv } = h.poller.counts
      assert.equal(send + sendv - before.send - before.sendv, 1)
      assert.equal(peer.frames().length, 100)
    })

    it('in RECEIVE', () => {
      const { h, peer } = openScene({
        handlers: { RECEIVE: (self, data) => void write(self, data, TEXT) },
      })
      peer.send(bytes(...Array.from({ length: 100 }, (_, i) => client.text(`${i}`))))
      const before = { ...h.poller.counts }
      h.run()
      const { send, sendv } = h.poller.counts
      assert.equal(send + sendv - before.send - before.sendv, 1)
      assert.equal(peer.messages().length, 100)
    })

    it('a steady-state echo announces nothing', () => {
      const { h, peer, told } = openScene({
        handlers: { RECEIVE: (self, data) => void write(self, data, TEXT) },
      })
      for (let i = 0; i < 1000; i++) {
        peer.sendMessage(`${i}`)
        h.run()
        assert.deepEqual(peer.messages(), [`${i}`])
      }
      assert.deepEqual(told, [])
    })
  })

  describe('C29: an error of send ends that connection, and no other', () => {
    for (const errno of ['ECONNRESET', 'EPIPE', 'ENOBUFS', 'ENOMEM', 'ETIMEDOUT'] as const)
      for (const [where, size] of [
        ['in the cork', 10],
        ['in a large body', 40_000],
      ] as const)
        it(`${errno} ${where}`, () => {
          const { h, wsis, log } = scene()
          const [bad, good] = [h.open(), h.open()]
          bad.script.send.push(-Errno[errno])
          batch(h.ctx, () => {
            for (const wsi of wsis) write(wsi, filled(size), BINARY)
          })
          assert.equal(write(wsis[0]!, 'x', TEXT), 'closed')
          assert.equal(nextTimeout(h.ctx), 0, 'what it sent before may wait: that is looked at')
          serviceFd(h.ctx, null)
          assert.deepEqual(log, ['closed 1006 TRANSPORT_ERROR'])
          h.run()
          assert.deepEqual(good.take(), server.frame(2, filled(size)))
        })

    it('ECONNRESET in mid-send: what was queued is dropped, CLOSED comes once', () => {
      const { h, wsi, peer, log } = openScene()
      peer.script.send.push(5, -Errno.ECONNRESET)
      write(wsi, filled(100), BINARY)
      h.run()
      assert.deepEqual([log, getBufferedBytes(wsi)], [['closed 1006 TRANSPORT_ERROR'], 0])
    })

    it('C17: while echoing, what the peer sent before is delivered, and not answered', () => {
      const seen: string[] = []
      const answers: string[] = []
      const { h, peer, log } = openScene({
        handlers: {
          RECEIVE(self, data) {
            seen.push(data.toString())
            answers.push(write(self, filled(40_000), BINARY))
          },
        },
      })
      peer.script.send.push(-Errno.ECONNRESET)
      peer.script.recv.push(14)
      peer.send(bytes(client.text('a'), client.text('b'), client.text('c'), client.ping('d')))
      peer.reset()
      h.run()
      assert.deepEqual(seen, ['a', 'b', 'c'])
      assert.deepEqual(answers.slice(1), ['closed', 'closed'])
      assert.deepEqual([log, peer.take().length], [['closed 1006 TRANSPORT_ERROR'], 0])
    })

    it('C17: of a paused connection, what waits is delivered once it goes on', () => {
      const { h, wsi, peer, log } = openScene()
      rxFlowControl(wsi, 0)
      peer.send(client.text('waits'))
      peer.script.send.push(-Errno.EPIPE)
      write(wsi, 'x', TEXT)
      peer.reset()
      h.run()
      assert.deepEqual(log, [])
      assert.equal(write(wsi, 'x', TEXT), 'closed')
      rxFlowControl(wsi, 1)
      h.run()
      assert.deepEqual(log, ['text waits', 'closed 1006 TRANSPORT_ERROR'])
    })

    it('C18: of a paused connection that never goes on: pausedErrorTimeoutMs', () => {
      const { h, wsi, peer, log } = openScene()
      rxFlowControl(wsi, 0)
      peer.script.send.push(-Errno.EPIPE)
      write(wsi, 'x', TEXT)
      h.poller.runFor(h.ctx, 4999)
      assert.deepEqual(log, [])
      h.poller.runFor(h.ctx, 1)
      assert.equal(log.length, 1)
      assert.ok(peer.closed !== undefined)
    })
  })
})
