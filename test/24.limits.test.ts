/**
 * Sizes and counts that one peer may reach, each at its exact border (RFC 6455 10.4).
 *
 * The limits of a request head are in 20.request-head, deadlines in 26.
 */
import assert from 'node:assert/strict'
import {
  batch,
  BINARY,
  createContext,
  defineProtocol,
  getBufferedBytes,
  limits,
  remainingPacketPayload,
  TEXT,
  write,
} from '../src/index.js'
import { fakePoller } from '../integrations/fake-poller.js'
import { openScene, scene } from './support/scene.js'
import { wires, type Row } from './support/wire.js'
import { bytes, client, fails, hex, rawFrame, server, shown } from './support/wire-bytes.js'

const fin = false

function limited(
  context: Row['context'],
  rows: Readonly<Record<string, Row>>,
): Record<string, Row> {
  return Object.fromEntries(
    Object.entries(rows).map(([title, row]) => [title, { context, ...row }]),
  )
}

const filled = (count: number, byte = 0x61): Buffer => Buffer.alloc(count, byte)

describe('24 limits', () => {
  describe('maxMessageBytes: after reassembly, found out by the header that goes beyond it', () => {
    wires(
      limited(
        { maxMessageBytes: 300 },
        {
          'exactly, in one frame': {
            send: client.binary(filled(300)),
            expect: { events: [shown('binary', filled(300))] },
          },
          'one byte more, in one frame: before its payload came': {
            send: client.binary(filled(301)).subarray(0, 8),
            expect: fails(1009, 'MESSAGE_TOO_BIG', { answeredAfter: 8 }),
          },
          'exactly, in fragments': {
            send: bytes(
              client.binary(filled(100), { fin }),
              client.more(filled(199), { fin }),
              client.more(filled(1)),
            ),
            expect: { events: [shown('binary', filled(300))] },
          },
          'exactly, and an empty last fragment': {
            send: bytes(client.binary(filled(300), { fin }), client.more('')),
            expect: { events: [shown('binary', filled(300))] },
          },
          'one byte more, in fragments': {
            send: bytes(
              client.binary(filled(100), { fin }),
              client.more(filled(200), { fin }),
              client.more(filled(1)),
            ),
            expect: fails(1009, 'MESSAGE_TOO_BIG'),
          },
          'the count begins anew with each message': {
            send: bytes(client.text(filled(300)), client.text(filled(300)), client.text('x')),
            expect: {
              events: [`text "${'a'.repeat(300)}"`, `text "${'a'.repeat(300)}"`, 'text "x"'],
            },
          },
          'control frames in between do not count': {
            send: bytes(
              client.binary(filled(200), { fin }),
              client.ping(filled(125)),
              client.more(filled(100)),
            ),
            expect: { events: [shown('binary', filled(300))], sent: server.pong(filled(125)) },
          },
          'a length of 2^62': {
            send: rawFrame(0x82, 'ff 40 00 00 00 00 00 00 00'),
            expect: fails(1009, 'FRAME_TOO_BIG'),
          },
        },
      ),
    )

    it('1 byte is a limit too', () => {
      const { h, peer, log } = openScene({ context: { maxMessageBytes: 1 } })
      peer.send(bytes(client.text('a'), client.text(''), client.text('bc')))
      h.run()
      assert.deepEqual(log.slice(0, 2), ['text a', 'text '])
      assert.equal(peer.take()[3], 1009 & 0xff)
    })
  })

  describe('maxFrameBytes', () => {
    const stream = { delivery: 'stream' } as const
    wires({
      exactly: {
        send: client.binary(filled(125)),
        context: { maxFrameBytes: 125 },
        expect: { events: [`binary ${filled(125).toString('hex')}`] },
      },
      'one more': {
        send: client.binary(filled(126)).subarray(0, 8),
        context: { maxFrameBytes: 125 },
        expect: fails(1009, 'FRAME_TOO_BIG', { answeredAfter: 8 }),
      },
      'many of exactly that are a larger message': {
        send: bytes(client.binary(filled(125), { fin }), client.more(filled(125))),
        context: { maxFrameBytes: 125 },
        expect: { events: [shown('binary', filled(250))] },
      },
      'bounds a stream, where no message does': {
        send: client.binary(filled(126)).subarray(0, 8),
        protocol: stream,
        context: { maxFrameBytes: 125, maxMessageBytes: 1 },
        expect: fails(1009, 'FRAME_TOO_BIG'),
      },
    })

    it('a stream of frames may be longer than maxMessageBytes', () => {
      let total = 0
      const { h, peer } = openScene({
        context: { maxMessageBytes: 10 },
        protocol: stream,
        handlers: {
          RECEIVE(wsi, data) {
            total += data.length
            assert.ok(remainingPacketPayload(wsi) >= 0)
          },
        },
      })
      peer.send(bytes(client.binary(filled(1000), { fin }), client.more(filled(1000))))
      h.run()
      assert.deepEqual([total, peer.closed], [2000, undefined])
    })
  })

  describe('maxFragments', () => {
    const fragmented = (count: number): Buffer =>
      bytes(
        client.binary('', { fin: count === 1 }),
        ...Array.from({ length: count - 1 }, (_, index) =>
          client.more('', { fin: index === count - 2 }),
        ),
      )
    wires(
      limited(
        { maxFragments: 4 },
        {
          exactly: { send: fragmented(4), expect: { events: ['binary '] } },
          'one more': { send: fragmented(5), expect: fails(1008, 'TOO_MANY_FRAGMENTS') },
          'one more that is never the last': {
            send: bytes(
              client.text('', { fin }),
              ...Array.from({ length: 4 }, () => client.more('', { fin })),
            ),
            expect: fails(1008, 'TOO_MANY_FRAGMENTS'),
          },
          'the count begins anew with each message': {
            send: bytes(fragmented(4), fragmented(4), fragmented(1)),
            expect: { events: ['binary ', 'binary ', 'binary '] },
          },
          'control frames do not count': {
            send: bytes(
              client.text('', { fin }),
              client.pong(),
              client.pong(),
              client.more('', { fin }),
              client.pong(),
              client.more('x'),
            ),
            expect: { events: ['pong ', 'pong ', 'pong ', 'text "x"'] },
          },
        },
      ),
    )
  })

  describe('maxPendingPongs', () => {
    /** A peer whose window is closed, and which pings, one at a time. */
    function flood(pings: number): ReturnType<typeof openScene> {
      const opened = openScene({ context: { maxPendingPongs: 5 } })
      opened.peer.windowBytes = 0
      write(opened.wsi, 'queued', TEXT)
      for (let i = 0; i < pings; i++) {
        opened.peer.send(client.ping(Buffer.of(i)))
        opened.h.run()
      }
      return opened
    }

    it('exactly that many wait, and leave in order', () => {
      const { h, peer } = flood(5)
      peer.windowBytes = 1000
      h.run()
      const pongs = [0, 1, 2, 3, 4].map((i) => server.pong(Buffer.of(i)))
      assert.deepEqual(peer.take(), bytes(server.frame(1, 'queued'), ...pongs))
    })

    it('one more: 1008, behind the pongs', () => {
      const { h, peer, ends } = flood(6)
      peer.windowBytes = 1000
      h.run()
      assert.ok(
        peer.take().includes(server.close(1008, 'Pings come faster than their pongs are taken.')),
      )
      peer.end()
      h.run()
      assert.equal(ends[0]?.cause, 'TOO_MANY_PINGS')
    })

    it('a peer that reads may ping for ever', () => {
      const { h, peer } = openScene({ context: { maxPendingPongs: 1 } })
      for (let i = 0; i < 1000; i++) {
        peer.send(client.ping())
        if (i % 10 === 0) h.run()
      }
      h.run()
      assert.equal(peer.take().length, 2000)
    })
  })

  describe('maxBufferedBytes', () => {
    const context = { maxBufferedBytes: 1024, txLowWaterBytes: 100, txHighWaterBytes: 2000 }
    const blocked = (onFull: 'report' | 'close'): ReturnType<typeof openScene> => {
      const opened = openScene({ context, protocol: { onFull } })
      opened.peer.windowBytes = 0
      return opened
    }

    it('counts headers, and takes exactly that much', () => {
      const { h, wsi, peer, log } = blocked('report')
      assert.equal(write(wsi, filled(508), BINARY), 'backpressure')
      assert.equal(write(wsi, filled(509), BINARY), 'full')
      assert.equal(write(wsi, filled(508), BINARY), 'backpressure')
      assert.equal(getBufferedBytes(wsi), 1024)
      assert.equal(write(wsi, '', TEXT), 'full')
      assert.deepEqual([peer.take().length, log], [0, []])
      peer.windowBytes = 5000
      h.run()
      assert.equal(write(wsi, 'again', TEXT), 'ok')
      const two = server.frame(2, filled(508))
      assert.deepEqual(peer.take(), bytes(two, two, server.frame(1, 'again')))
    })

    it("onFull 'report': the connection lives on", () => {
      const { h, wsi, peer, log } = blocked('report')
      write(wsi, filled(1000), BINARY)
      for (let i = 0; i < 10; i++) assert.equal(write(wsi, filled(100), BINARY), 'full')
      peer.windowBytes = 5000
      h.run()
      assert.deepEqual([peer.take().length, log], [1004, []])
    })

    it("onFull 'close': 1013 behind what was taken", () => {
      const { h, wsi, peer, ends } = blocked('close')
      write(wsi, filled(1000), BINARY)
      assert.equal(write(wsi, filled(100), BINARY), 'full')
      assert.equal(write(wsi, 'x', TEXT), 'closed')
      peer.windowBytes = 5000
      h.run()
      const sentence = 'The peer takes data slower than it is made.'
      assert.deepEqual(
        peer.take(),
        bytes(server.frame(2, filled(1000)), server.close(1013, sentence)),
      )
      peer.end()
      h.run()
      const [end] = ends
      assert.deepEqual(end, {
        code: 1013,
        reason: sentence,
        initiator: 'library',
        cause: 'SEND_QUEUE_FULL',
      })
    })

    it('a single message larger than it is never taken', () => {
      const { wsi, peer } = openScene({ context, protocol: { onFull: 'report' } })
      assert.equal(write(wsi, filled(1021), BINARY), 'full')
      assert.equal(write(wsi, filled(1020), BINARY), 'ok')
      assert.equal(peer.take().length, 1024)
    })

    it('counts what is corked, also for connections written to in turn', () => {
      const { h, wsis } = scene({ context, protocol: { onFull: 'report' } })
      const peers = [h.open(), h.open()]
      for (const peer of peers) peer.windowBytes = 0
      const answers: string[] = []
      batch(h.ctx, () => {
        for (let i = 0; i < 20; i++)
          for (const wsi of wsis) answers.push(write(wsi, filled(98), BINARY))
      })
      assert.equal(answers.filter((answer) => answer === 'full').length, 20)
      assert.ok(wsis.every((wsi) => getBufferedBytes(wsi) <= 1024))
    })
  })

  describe('maxContextBufferedBytes', () => {
    it('many half messages together: 1013 for the one that goes beyond', () => {
      const { h, ends } = scene({ context: { maxContextBufferedBytes: 40_000 } })
      const peers = Array.from({ length: 10 }, () => h.open())
      for (const peer of peers) peer.send(client.binary(filled(5000), { fin }))
      h.run()
      const closing = peers.filter((peer) => peer.ended)
      assert.ok(closing.length > 0 && closing.length < 10, `${closing.length} of 10 were ended`)
      for (const peer of closing) assert.deepEqual(peer.take().subarray(2, 4), hex('03f5'))
      for (const peer of peers) peer.end()
      h.run()
      assert.equal(
        ends.filter((end) => end.cause === 'CONTEXT_BUFFERS_FULL').length,
        closing.length,
      )
    })

    it('many queues together: full for the write that goes beyond', () => {
      const { h, wsis } = scene({
        context: { maxContextBufferedBytes: 10_000 },
        protocol: { onFull: 'report' },
      })
      for (let i = 0; i < 10; i++) h.open().windowBytes = 0
      const answers = wsis.map((wsi) => write(wsi, filled(2000), BINARY))
      assert.ok(answers.includes('full') && answers.includes('ok'), answers.join())
    })
  })

  describe('each limit', () => {
    const host = fakePoller().host
    const protocols = [defineProtocol({ handlers: {} })]
    for (const [name, { min, max, why }] of Object.entries(limits))
      it(`${name} says why, and refuses what is out of ${min} to ${max}`, () => {
        assert.ok(why.length > 20)
        for (const value of [min - 1, max + 1, min + 0.5, NaN, Infinity, `${min}`])
          assert.throws(() => createContext({ host, protocols, [name]: value }), {
            code: 'ERR_EXTPOLL_LIMIT',
          })
      })
  })
})
