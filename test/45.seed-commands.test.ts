/**
 * The functions of the seed by name, second half: what an application tells its connections, and
 * what came beyond the seed. One compact check of each promise.
 */
import assert from 'node:assert/strict'
import {
  ACCEPT,
  answerHandshake,
  batch,
  BINARY,
  broadcast,
  CLOSE,
  close,
  closeAll,
  CONTINUATION,
  createContext,
  DEFER,
  defineProtocol,
  getListenAddress,
  getProtocol,
  hangup,
  hangupOnClient,
  httpRespond,
  isBinary,
  isFinalFragment,
  NO_FIN,
  PING,
  pollFds,
  PONG,
  prepareFrame,
  remainingPacketPayload,
  stopListening,
  TEXT,
  write,
  writePrepared,
  type Wsi,
} from '../src/index.js'
import { fakePoller } from '../integrations/fake-poller.js'
import { checkedHost, harness } from './support/harness.js'
import { openScene, scene, taken } from './support/scene.js'
import { bytes, client, server } from './support/wire-bytes.js'

describe('45 seed functions: write', () => {
  it('write: TEXT, BINARY, PING, PONG, and pieces with NO_FIN and CONTINUATION', () => {
    const { wsi, peer } = openScene()
    const kinds: readonly (readonly [string, number, Buffer])[] = [
      ['text', TEXT, server.frame(1, 'text')],
      ['bytes', BINARY, server.frame(2, 'bytes')],
      ['ping', PING, server.frame(9, 'ping')],
      ['pong', PONG, server.frame(10, 'pong')],
      ['fr', TEXT | NO_FIN, server.frame(1, 'fr', false)],
      ['ag', CONTINUATION | NO_FIN, server.frame(0, 'ag', false)],
      ['ment', CONTINUATION, server.frame(0, 'ment')],
    ]
    for (const [data, kind, frame] of kinds) {
      assert.equal(write(wsi, data, kind), 'ok')
      assert.deepEqual(peer.take(), frame)
    }
  })

  it('write: CLOSE begins the closing handshake, with a code and a reason or nothing', () => {
    for (const payload of [Buffer.alloc(0), Buffer.from('\x0b\xb9because', 'latin1')]) {
      const { h, wsi, peer, log } = openScene()
      for (const wrong of [Buffer.alloc(1), Buffer.of(3, 238), Buffer.alloc(126, 'x')])
        assert.throws(() => write(wsi, wrong, CLOSE), { code: 'ERR_EXTPOLL_WRITE_DATA' })
      assert.equal(write(wsi, payload, CLOSE), 'ok')
      assert.deepEqual(peer.take(), server.frame(8, payload))
      assert.equal(write(wsi, 'late', TEXT), 'closed')
      peer.send(client.frame(8, payload))
      h.run()
      const code = payload.length === 0 ? 1005 : 3001
      assert.deepEqual(log, [`closed ${code} CLOSED_BY_APPLICATION`])
    }
  })

  it("write: no padding; the caller's buffer is neither altered nor kept", () => {
    const { h, wsi, peer } = openScene()
    const whole = Buffer.from('guarded: hello :guarded')
    const data = whole.subarray(9, 14)
    peer.windowBytes = 0
    write(wsi, data, TEXT)
    const large = Buffer.alloc(40_000, 'a')
    write(wsi, large, BINARY)
    assert.equal(whole.toString(), 'guarded: hello :guarded')
    data.fill('x')
    large.fill('b')
    peer.windowBytes = 2 ** 20
    h.run()
    assert.deepEqual(peer.messages(), ['hello', Buffer.alloc(40_000, 'a')])
  })

  it('write: a short write is queued in order', () => {
    const { h, wsi, peer } = openScene()
    peer.script.send.push(1, 3)
    write(wsi, 'one', TEXT)
    write(wsi, Buffer.alloc(30_000), BINARY)
    write(wsi, 'three', TEXT)
    h.run()
    assert.deepEqual(peer.messages(), ['one', Buffer.alloc(30_000), 'three'])
  })

  it('write: answers ok, backpressure, full and closed', () => {
    const { h, wsi, peer } = openScene({
      context: { txLowWaterBytes: 100, maxBufferedBytes: 1024 },
      protocol: { onFull: 'report' },
    })
    peer.windowBytes = 0
    const answers = [50, 60, 2000].map((count) => write(wsi, Buffer.alloc(count), BINARY))
    peer.reset()
    h.run()
    answers.push(write(wsi, 'late', TEXT))
    assert.deepEqual(answers, ['ok', 'backpressure', 'full', 'closed'])
  })

  it('write: what one serviceFd wrote leaves together; large payloads at once, behind it', () => {
    const sends: number[] = []
    const { h, peer } = openScene({
      context: { corkMaxBytes: 1000 },
      handlers: {
        RECEIVE(wsi, data) {
          for (const count of data) write(wsi, Buffer.alloc(count * 10), BINARY)
          sends.push(h.poller.counts.send + h.poller.counts.sendv)
        },
      },
    })
    const count = (): number => h.poller.counts.send + h.poller.counts.sendv
    const before = count()
    peer.sendMessage(Buffer.of(1, 2, 3))
    h.run()
    assert.deepEqual([sends[0], count()], [before, before + 1])
    peer.sendMessage(Buffer.of(1, 200))
    h.run()
    assert.ok(sends[1]! > before + 1, 'the large one did not wait for the exit')
    const lengths = peer.messages().map((message) => message.length)
    assert.deepEqual(lengths, [10, 20, 30, 10, 2000])
  })

  it('batch: the same for writes made elsewhere', () => {
    const { h, wsi, peer } = openScene()
    const before = h.poller.counts.send
    const answer = batch(h.ctx, () => {
      for (const text of ['a', 'b', 'c']) write(wsi, text, TEXT)
      return peer.received().length
    })
    assert.deepEqual([answer, h.poller.counts.send - before], [0, 1])
    assert.deepEqual(peer.messages(), ['a', 'b', 'c'])
  })

  it('prepareFrame: encoded once, sent to many by writePrepared', () => {
    const { h, wsis } = scene()
    const peers = [h.open(), h.open()]
    const data = Buffer.from('to all')
    const frame = prepareFrame(data, TEXT)
    data.fill('x')
    for (const wsi of [...wsis, ...wsis]) assert.equal(writePrepared(wsi, frame), 'ok')
    for (const peer of peers) assert.deepEqual(peer.messages(), ['to all', 'to all'])
  })
})

describe('45 seed functions: broadcast', () => {
  it('broadcast: a copy for the established of the protocol, as they are now', () => {
    const log: string[] = []
    const named = (name: string) =>
      defineProtocol({
        name,
        createSession: () => `${name}${log.length}`,
        handlers: {
          FILTER_PROTOCOL_CONNECTION: (_wsi, { target }) => (target === '/' ? ACCEPT : DEFER),
          ESTABLISHED: (_wsi, _request, user) => void log.push(`open ${user}`),
          BROADCAST: (_wsi, data, user) => void log.push(`${user}: ${data.toString()}`),
        },
      })
    const h = harness({ protocols: [named('a'), named('b')] })
    for (const name of ['a', 'b', 'a']) h.open({ protocols: [name] })
    h.connect().upgrade({ protocols: ['a'], path: '/not-yet' })
    h.run()
    taken(log)
    const data = Buffer.from('news')
    batch(h.ctx, () => {
      assert.equal(broadcast(h.ctx.protocols[0]!, data), 2)
      data.fill('x')
      assert.deepEqual(log, [], 'at the exit of the outermost call')
    })
    assert.deepEqual(log, ['a0: news', 'a2: news'])
  })

  it('broadcast: who joins later or ended meanwhile is skipped; the callback writes', () => {
    const told: Wsi[] = []
    const made = scene({
      context: { broadcastBudget: 1 },
      handlers: {
        BROADCAST(wsi, data) {
          told.push(wsi)
          write(wsi, data, TEXT)
        },
      },
    })
    const { h, wsis } = made
    const peers = [h.open(), h.open(), h.open()]
    batch(h.ctx, () => {
      assert.equal(broadcast(getProtocol(wsis[0]!)!, 'one'), 3)
      assert.equal(broadcast(getProtocol(wsis[0]!)!, 'two'), 3)
      hangup(wsis[1]!)
    })
    assert.ok(told.length < 4, `${told.length} within one call, the budget being 1`)
    peers.push(h.open())
    h.run()
    const got = peers.map((peer) => peer.messages())
    assert.deepEqual(got, [['one', 'two'], [], ['one', 'two'], []])
  })
})

describe('45 seed functions: the frame in hand', () => {
  it('remainingPacketPayload: bytes to come of the frame, 0 where the RECEIVE ends it', () => {
    const { h, peer, log } = streaming()
    const frame = client.binary('abcdefgh')
    for (const part of [frame.subarray(0, 9), frame.subarray(9, 11), frame.subarray(11)]) {
      peer.send(part)
      h.run()
    }
    assert.deepEqual(log, ['abc 5 left', 'de 3 left', 'fgh 0 left final'].map(binary))
  })

  it('isFinalFragment: the RECEIVE in hand ends the message, not just its frame', () => {
    const { h, peer, log } = streaming()
    peer.send(bytes(client.text('ab', { fin: false }), client.more('cd')))
    h.run()
    assert.deepEqual(log, ['text ab 0 left', 'text cd 0 left final'])
  })

  it('isBinary: the message in hand is binary', () => {
    const { h, peer, log } = openScene()
    peer.send(bytes(client.text('a'), client.binary('b')))
    h.run()
    assert.deepEqual(log, ['text a', 'binary 62'])
  })
})

const binary = (line: string): string => `binary ${line}`

function streaming() {
  const opened = openScene({
    protocol: { delivery: 'stream' },
    handlers: {
      RECEIVE(wsi, data) {
        const kind = isBinary(wsi) ? 'binary' : 'text'
        const final = isFinalFragment(wsi) ? ' final' : ''
        opened.log.push(`${kind} ${data.toString()} ${remainingPacketPayload(wsi)} left${final}`)
      },
    },
  })
  return opened
}

describe('45 seed functions: ends', () => {
  it('hangupOnClient: one connection by fd, abortively; false for an unknown fd', () => {
    const { h, peer, log } = openScene()
    const listener = pollFds(h.ctx)[0]!.fd
    assert.deepEqual([hangupOnClient(h.ctx, 9999), hangupOnClient(h.ctx, listener)], [false, false])
    assert.equal(hangupOnClient(h.ctx, peer.fd), true)
    assert.deepEqual([peer.closed, peer.take().length], ['abort', 0])
    assert.deepEqual(log, ['closed 1006 HUNG_UP'])
  })

  it('close: the closing handshake; a reason above 123 bytes is an error, not cut', () => {
    const { h, wsi, peer, log } = openScene()
    assert.throws(() => close(wsi, 1000, 'é'.repeat(62)), { code: 'ERR_EXTPOLL_CLOSE_REASON' })
    assert.throws(() => close(wsi, 1006), { code: 'ERR_EXTPOLL_CLOSE_CODE' })
    assert.equal(close(wsi, 3000, 'é'.repeat(61)), true)
    assert.deepEqual(peer.take(), server.close(3000, 'é'.repeat(61)))
    assert.deepEqual(log, [], 'the peer has not answered')
    peer.send(client.close(3000))
    h.run()
    assert.deepEqual(log, ['closed 3000 CLOSED_BY_APPLICATION'])
  })

  it('close: 1000 and no reason where nothing is said', () => {
    const { wsi, peer } = openScene()
    close(wsi)
    assert.deepEqual(peer.take(), server.close(1000))
  })

  it('hangup: at once, what was not sent is thrown away', () => {
    const { wsi, peer, log } = openScene()
    peer.windowBytes = 0
    write(wsi, 'never', TEXT)
    assert.deepEqual([hangup(wsi), hangup(wsi)], [true, false])
    assert.deepEqual([peer.closed, log], ['abort', ['closed 1006 HUNG_UP']])
  })

  it('stopListening: the listener goes with DEL, connections stay', () => {
    const { h, peer, told, log } = openScene()
    assert.deepEqual([stopListening(h.ctx), stopListening(h.ctx)], [true, false])
    assert.deepEqual([getListenAddress(h.ctx), told], [null, ['DEL 1']])
    peer.sendMessage('still here')
    h.run()
    assert.deepEqual(log, ['text still here'])
  })

  it('closeAll: no listener, a closing handshake each, an answer finished, the rest cut', () => {
    const opened = openScene({ handlers: { HTTP: (wsi) => void asked.push(wsi) } })
    const asked: Wsi[] = []
    const { h, peer, log } = opened
    const stubborn = h.open()
    const http = h.connect()
    http.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    h.run()
    closeAll(h.ctx, 1012, 500)
    assert.equal(getListenAddress(h.ctx), null)
    assert.deepEqual([peer.take(), stubborn.take()], [server.close(1012), server.close(1012)])
    peer.send(client.close(1012))
    assert.equal(httpRespond(asked[0]!, { status: 200, body: 'done' }), true)
    h.run()
    assert.match(http.take().toString(), /^HTTP\/1\.1 200 [^]*done$/)
    assert.deepEqual(taken(log), ['closed 1012 CLOSED_BY_APPLICATION'])
    http.end()
    h.poller.runFor(h.ctx, 500)
    assert.deepEqual(log, ['closed 1006 CLOSE_TIMEOUT'])
    assert.deepEqual([pollFds(h.ctx), h.poller.openFds], [[], []])
  })
})

describe('45 seed functions: beyond the seed', () => {
  it('getListenAddress: where it listens, null where it does not', () => {
    const poller = fakePoller()
    const host = checkedHost(poller)
    const protocols = [defineProtocol({ handlers: {} })]
    const ctx = createContext({ host, port: 8080, address: '::1', protocols })
    assert.deepEqual(getListenAddress(ctx), {
      name: '',
      address: '::1',
      port: 8080,
      family: 'IPv6',
    })
    assert.equal(getListenAddress(createContext({ host, protocols })), null)
  })

  it('pollFds: the poll set as the host was told it, in ADD order', () => {
    const { h, wsis } = scene()
    const peers = [h.open(), h.open()]
    peers[0]!.windowBytes = 0
    write(wsis[0]!, 'waits', TEXT)
    const rows = pollFds(h.ctx)
    assert.deepEqual(
      rows.map(({ fd, events }) => [fd, events]),
      [h.poller.openFds[0]!, ...peers.map((peer) => peer.fd)].map((fd) => [
        fd,
        h.poller.maskOf(fd),
      ]),
    )
    assert.equal(new Set(rows.map(({ gen }) => gen)).size, 3)
  })

  it('httpRespond: answers the request of HTTP, now or later, once', () => {
    const asked: Wsi[] = []
    const { h } = scene({ handlers: { HTTP: (wsi) => void asked.push(wsi) } })
    const peer = h.connect()
    peer.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n')
    h.run()
    assert.equal(peer.received().length, 0)
    const answer = { status: 404, headers: { 'X-Why': 'test' }, body: 'not here' }
    assert.deepEqual(
      [httpRespond(asked[0]!, answer), httpRespond(asked[0]!, answer)],
      [true, false],
    )
    h.run()
    assert.match(
      peer.take().toString(),
      /^HTTP\/1\.1 404 [^]*\r\nX-Why: test\r\n[^]*\r\n\r\nnot here$/,
    )
  })

  it('answerHandshake: decides what a filter put off, within handshakeTimeoutMs', () => {
    const held: Wsi[] = []
    const { h, log } = scene({
      context: { handshakeTimeoutMs: 1000 },
      handlers: {
        FILTER_PROTOCOL_CONNECTION(wsi) {
          held.push(wsi)
          return DEFER
        },
      },
    })
    const peers = [h.connect(), h.connect(), h.connect()]
    for (const peer of peers) peer.upgrade().sendMessage('early')
    h.run()
    assert.deepEqual(
      [answerHandshake(held[0]!, ACCEPT), answerHandshake(held[0]!, ACCEPT)],
      [true, false],
    )
    answerHandshake(held[1]!, { status: 401 })
    h.poller.runFor(h.ctx, 1000)
    assert.deepEqual(
      peers.map((peer) => peer.response()?.status),
      [101, 401, 503],
    )
    assert.deepEqual(log, ['text early'])
  })
})
