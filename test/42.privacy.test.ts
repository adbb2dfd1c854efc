/**
 * What one peer sent is nobody else's: neither on another's wire, nor in what a callback kept, nor
 * in an answer, nor out of memory that was never written. On the fake poller, under the checker.
 *
 * Every peer's payloads are one byte over and over, its mark, so that a single byte that strayed is
 * seen. The same at random is in 42.privacy-random.
 */
import assert from 'node:assert/strict'
import {
  broadcast,
  close,
  defineProtocol,
  isFinalFragment,
  NO_FIN,
  rxFlowControl,
  TEXT,
  write,
} from '../src/index.js'
import { harness } from './support/harness.js'
import { openScene, scene } from './support/scene.js'
import { bytes, client, server, validRequest } from './support/wire-bytes.js'

const fin = false
const CANARY = 'canary7e3f'

describe('42 what a callback kept', () => {
  /** Everything that other peers may do to the memory that a callback was shown. */
  function disturb(h: ReturnType<typeof scene>['h']): void {
    for (let i = 0; i < 5; i++) {
      const other = h.open()
      other.send(client.binary(Buffer.alloc(60_000, 0x42)))
      other.send(
        bytes(client.binary(Buffer.alloc(3000, 0x42), { fin }), client.ping('B'.repeat(99))),
      )
      other.send(client.pong('B'.repeat(120)))
      h.run()
      other.send(client.close(1000, 'B'.repeat(100)))
      h.run()
    }
  }

  const pieces = {
    'a message in one frame': client.binary('A'.repeat(500)),
    'a message in fragments': bytes(
      client.binary('A'.repeat(200), { fin }),
      client.more('A'.repeat(300)),
    ),
    'a message of text': client.text('A'.repeat(500)),
    'a large message': client.binary('A'.repeat(200_000)),
  }

  for (const payload of ['copy', 'view'] as const) {
    for (const [what, sent] of Object.entries(pieces))
      it(`${what}, payload: '${payload}'`, () => {
        const kept: Buffer[] = []
        const { h, peer } = openScene({
          protocol: { payload },
          handlers: {
            RECEIVE(_wsi, data) {
              if (kept.length === 0) kept.push(data)
            },
          },
        })
        peer.send(sent)
        h.run()
        const [data] = kept
        assert.ok(data !== undefined && data.length >= 500)
        disturb(h)
        if (payload === 'copy') assert.ok(data.every((byte) => byte === 0x41))
        assert.ok(!data.includes(0x42), 'no byte of another peer')
      })
  }

  it('a view that was kept shows nobody, the one it was given for included', () => {
    const kept: Buffer[] = []
    const { h, peer } = openScene({
      protocol: { payload: 'view' },
      handlers: { RECEIVE: (_wsi, data) => void kept.push(data) },
    })
    peer.send(client.binary('A'.repeat(500)))
    h.run()
    assert.ok(kept[0] !== undefined && !kept[0].includes(0x41))
    const other = h.open()
    other.send(client.binary(Buffer.alloc(500, 0x42), { fin }))
    h.run()
    assert.ok(!kept[0].includes(0x42), 'a message that is not whole')
  })

  it('pongs, pieces of a stream, and broadcasts are copies, too', () => {
    const kept: Buffer[] = []
    const { h, peer, wsi } = openScene({
      protocol: { delivery: 'stream' },
      handlers: {
        RECEIVE(wsi, data) {
          kept.push(data)
          assert.equal(typeof isFinalFragment(wsi), 'boolean')
        },
        RECEIVE_PONG: (_wsi, data) => void kept.push(data),
        BROADCAST: (_wsi, data) => void kept.push(data),
      },
    })
    peer.send(bytes(client.pong('A'.repeat(50)), client.binary('A'.repeat(70), { fin })))
    h.run()
    peer.send(client.more('A'.repeat(80)))
    h.run()
    broadcast(h.ctx.protocols[0]!, 'A'.repeat(90))
    assert.deepEqual(
      kept.map((data) => data.toString()),
      [50, 70, 80, 90].map((count) => 'A'.repeat(count)),
    )
    peer.send(client.close())
    h.run()
    disturb(h)
    for (const data of kept.slice(0, 4)) assert.ok(data.every((byte) => byte === 0x41))
    assert.equal(write(wsi, 'x', TEXT), 'closed')
  })
})

describe('42 a descriptor that is used again', () => {
  /** What the first peer leaves behind, in every place that holds bytes. */
  const leavings: Readonly<Record<string, (made: ReturnType<typeof openScene>) => void>> = {
    'half a header': ({ peer }) => void peer.send(client.binary('A'.repeat(300)).subarray(0, 3)),
    'half a message': ({ peer }) =>
      void peer.send(client.binary('A'.repeat(3000)).subarray(0, 2000)),
    'half a control frame': ({ peer }) =>
      void peer.send(client.ping('A'.repeat(99)).subarray(0, 50)),
    'a message without its end': ({ peer }) => void peer.send(client.text('A'.repeat(99), { fin })),
    'what waits behind a pause': ({ peer, wsi }) => {
      rxFlowControl(wsi, 0)
      peer.send(client.text('A'.repeat(99)))
    },
    'a queue': ({ peer, wsi }) => {
      peer.windowBytes = 0
      write(wsi, 'A'.repeat(3000), TEXT)
    },
    'a queue of which a part has left': ({ peer, wsi }) => {
      peer.windowBytes = 100
      write(wsi, 'A'.repeat(3000), TEXT)
    },
    'a fragment written': ({ wsi }) => void write(wsi, 'A'.repeat(99), TEXT | NO_FIN),
    'a wish to write': ({ wsi, peer }) => {
      peer.windowBytes = 0
      write(wsi, 'A'.repeat(50_000), TEXT)
    },
    'an unanswered close': ({ wsi }) => void close(wsi, 1000, 'A'.repeat(50)),
  }

  for (const [what, leave] of Object.entries(leavings))
    it(`nothing of ${what}`, () => {
      const made = openScene()
      const { h, peer, log, wsis } = made
      const { fd } = peer
      leave(made)
      h.run()
      peer.reset()
      h.run()
      h.poller.runFor(h.ctx, 30_000)
      assert.equal(peer.closed !== undefined, true, 'it is gone')
      log.length = 0
      const next = h.open()
      assert.equal(next.fd, fd, 'the same descriptor')
      next.send(bytes(client.text('BBB'), client.ping('B')))
      h.run()
      write(wsis.at(-1)!, 'B', TEXT)
      assert.deepEqual(log, ['text BBB'])
      assert.deepEqual(next.take(), bytes(server.pong('B'), server.frame(1, 'B')))
    })

  it('nor of half a request', () => {
    const { h } = scene()
    const first = h.connect()
    first.send(`GET /${CANARY} HTTP/1.1\r\nHost: a\r\nX-A: b`)
    h.run()
    const { fd } = first
    first.reset()
    h.run()
    const next = h.connect()
    next.send(`c\r\n\r\n`)
    h.run()
    assert.equal(next.fd, fd)
    const answer = next.received().toString('latin1')
    assert.match(answer, /^HTTP\/1\.1 400 /)
    assert.ok(!answer.includes(CANARY))
  })
})

describe('42 answers tell nothing that the peer said', () => {
  const c = CANARY
  const requests: Readonly<Record<string, string>> = {
    'no request': `${c} ${c}\r\n\r\n`,
    'a method': validRequest({}, `${c.toUpperCase()} / HTTP/1.1`),
    'a target': `GET /${c} HTTP/1.1\r\nHost: ${c}\r\nX-${c}: ${c}\r\n\r\n`,
    'a version': `GET /${c} HTTP/9.${c}\r\nHost: a\r\n\r\n`,
    'an old version': `GET /${c} HTTP/1.0\r\nHost: ${c}\r\n\r\n`,
    'two hosts': `GET / HTTP/1.1\r\nHost: ${c}\r\nHost: ${c}\r\n\r\n`,
    'a host': validRequest({ Host: `${c} ${c}` }),
    'a header name': `GET / HTTP/1.1\r\nHost: a\r\n${c} : b\r\n\r\n`,
    'a header value': `GET / HTTP/1.1\r\nHost: a\r\nX: ${c}\0\r\n\r\n`,
    'a header too large': `GET /${c.repeat(200)} HTTP/1.1\r\nX: ${c.repeat(200)}`,
    'a body': validRequest({ 'Content-Length': '10' }) + c,
    'a WebSocket version': validRequest({ 'Sec-WebSocket-Version': c }),
    'a key': validRequest({ 'Sec-WebSocket-Key': c }),
    'a connection token': validRequest({ Connection: c }),
    'an origin': validRequest({ Origin: `http://${c}.example` }),
    'a subprotocol': validRequest({ 'Sec-WebSocket-Protocol': c }),
    'a path that a filter refuses': validRequest({ Cookie: c }, `GET /${c}?refuse HTTP/1.1`),
    'an upgrade that is accepted': validRequest(
      { Cookie: c, 'X-Forwarded-For': c, 'Sec-WebSocket-Extensions': c },
      `GET /${c} HTTP/1.1`,
    ),
  }

  for (const [what, request] of Object.entries(requests))
    it(what, () => {
      const strict = defineProtocol({
        handlers: {
          FILTER_PROTOCOL_CONNECTION: (_wsi, { target }) =>
            target.endsWith('refuse') ? { status: 403 } : undefined,
        },
      })
      const h = harness({ protocols: [strict], maxHeaderBytes: 2048 })
      const peer = h.connect()
      peer.send(request)
      h.run()
      const answer = peer.received().toString('latin1')
      assert.match(answer, /^HTTP\/1\.1 \d{3} /)
      const wanted = what === 'an upgrade that is accepted' ? '101' : answer.slice(9, 12)
      assert.equal(answer.slice(9, 12), wanted)
      assert.ok(!answer.toLowerCase().includes(c), answer)
    })

  const frames: Readonly<Record<string, Uint8Array>> = {
    'text that is no UTF-8': client.text(bytes(c, Buffer.of(0xff))),
    'a reserved opcode': client.frame(3, c),
    'a reserved bit': client.text(c, { rsv: 4 }),
    'a frame without a mask': client.text(c, { mask: false }),
    'a continuation of nothing': client.more(c),
    'a message within another': bytes(client.text(c, { fin }), client.text(c)),
    'a close code that must not be': client.close(1005, c),
    'a close reason that is no UTF-8': client.close(1000, bytes(c, Buffer.of(0xff))),
    'a close reason': client.close(3000, c),
    'a message too large': client.text(c.repeat(100)),
    'a message whose callback throws': client.text(`throw ${c}`),
  }

  for (const [what, frame] of Object.entries(frames))
    it(`${what}: a close frame`, () => {
      const { h, peer } = openScene({
        context: { maxMessageBytes: 500 },
        handlers: {
          RECEIVE(_wsi, data) {
            throw new Error(data.toString())
          },
        },
      })
      peer.send(frame)
      h.run()
      const answer = peer.take()
      assert.equal(answer[0], 0x88)
      assert.equal(answer.length, answer[1]! + 2)
      assert.ok(!answer.includes(c), answer.toString('latin1'))
    })
})
