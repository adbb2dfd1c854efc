/**
 * The fake poller on its own: descriptors, readiness, scripts, time. What a test may rely on.
 *
 * The seams are called here as the library calls them; what a context does with it is tested
 * everywhere else.
 */
import assert from 'node:assert/strict'
import {
  MisuseError,
  ServerFrameDecoder,
  encodeClientFrame,
  fakePoller,
} from '../integrations/fake-poller.js'
import type { FakePoller, FakePollerOptions, WsPeer } from '../integrations/fake-poller.js'
import { Errno, POLLERR, POLLHUP, POLLIN, POLLOUT, WOULD_BLOCK } from '../src/index.js'
import { TEXT, contextDestroy, createContext, defineProtocol, nextDeadline } from '../src/index.js'
import { nextTimeout, pollFds, serviceFd, write } from '../src/index.js'
import type { IoBuffer, PollChange } from '../src/index.js'
import { harness } from './support/harness.js'

const owner = {}
let seq = 0

function change(op: PollChange['op'], fd: number, bits: number, gen = 1): PollChange {
  seq += 1
  return { op, fd, gen, bits, prev: 0, next: bits, seq, context: owner }
}

/** A poller whose seams the test calls, one listener, and one accepted connection that is watched. */
class Bench {
  readonly poller: FakePoller
  readonly listenFd: number
  readonly buffer: IoBuffer

  constructor(options: FakePollerOptions = {}) {
    this.poller = fakePoller(options)
    this.buffer = this.poller.host.io.createBuffer(64)
    this.listenFd = this.io.listen({ address: '127.0.0.1', port: 0, backlog: 4 })
  }

  get io() {
    return this.poller.host.io
  }

  connect(mask = POLLIN): { peer: WsPeer; fd: number } {
    const peer = this.poller.connectTo({ fd: this.listenFd })
    const fd = this.io.accept(this.listenFd)
    this.poller.host.pollSet?.add(fd, mask, change('ADD', fd, mask))
    return { peer, fd }
  }

  recv(fd: number, length = 64): string | number {
    const result = this.io.recv(fd, this.buffer, 0, length)
    return result > 0 ? this.buffer.bytes.toString('latin1', 0, result) : result
  }

  send(fd: number, text: string): number {
    this.buffer.bytes.write(text, 'latin1')
    return this.io.send(fd, this.buffer, 0, text.length)
  }

  /** What a wait of no length answers: fd and revents. */
  ready(): number[][] {
    return this.poller.poll().map(({ fd, revents }) => [fd, revents])
  }
}

describe('51 the fake poller', () => {
  describe('descriptors', () => {
    it('are numbered from 3, the lowest free one at once again', () => {
      const bench = new Bench()
      assert.equal(bench.listenFd, 3)
      const fds = [bench.connect().fd, bench.connect().fd, bench.connect().fd]
      assert.deepEqual(fds, [4, 5, 6])
      for (const fd of [6, 4]) {
        bench.poller.host.pollSet?.del(fd, POLLIN, change('DEL', fd, POLLIN))
        assert.equal(bench.io.close(fd, false), 0)
      }
      assert.deepEqual([bench.connect().fd, bench.connect().fd, bench.connect().fd], [4, 6, 7])
      assert.deepEqual(bench.poller.openFds, [3, 4, 5, 6, 7])
    })

    it('end at fdLimit: accept answers EMFILE and the connection waits on', () => {
      const bench = new Bench({ fdLimit: 4 })
      bench.poller.connectTo({ fd: 3 })
      assert.equal(bench.io.accept(3), -Errno.EMFILE)
      assert.equal(bench.poller.probe(3), POLLIN)
    })

    it('listen on free addresses only', () => {
      const { io, poller } = new Bench()
      const at = (port: number) => io.listen({ address: '127.0.0.1', port, backlog: 1 })
      assert.equal(at(8080), 4)
      assert.equal(at(8080), -Errno.EADDRINUSE)
      assert.equal(io.listen({ address: '', port: 0, path: '/run/a', backlog: 1 }), 5)
      assert.equal(io.listen({ address: '', port: 0, path: '/run/a', backlog: 1 }), -Errno.EADDRINUSE)
      assert.equal(io.close(4, false), 0)
      assert.equal(at(8080), 4)
      assert.equal(io.localAddress(5).name, '/run/a')
      assert.equal(poller.connectTo({ path: '/run/a' }).closed, undefined)
      assert.equal(poller.connectTo({ port: 8080 }).fd, -1)
      assert.throws(() => poller.connectTo({ port: 9999 }), /nothing listens/)
    })

    it('queue connections up to the backlog, and lose them with their listener', () => {
      const { poller, io, listenFd } = new Bench()
      const peers = [1, 2, 3, 4].map(() => poller.connectTo({ fd: listenFd }))
      assert.throws(() => poller.connectTo({ fd: listenFd }), /4 connections wait/)
      io.accept(listenFd)
      io.close(listenFd, false)
      assert.deepEqual(
        peers.map((peer) => peer.wasReset),
        [false, true, true, true],
      )
    })

    it('connect to a listener here, or to a test that answers', () => {
      const { poller, io, listenFd, recv, send } = bind(new Bench())
      const near = io.connect(io.localAddress(listenFd))
      const far = io.accept(listenFd)
      assert.equal(send(near, 'hello'), 5)
      assert.equal(recv(far), 'hello')
      const there = { name: '', address: '192.0.2.1', port: 80, family: 'IPv4' } as const
      const fds = [io.connect(there), io.connect(there)]
      const [first, second] = poller.dialled()
      assert.equal(poller.probe(fds[0] ?? -1), 0)
      first?.establish()
      second?.refuse()
      assert.equal(poller.probe(fds[0] ?? -1), POLLOUT)
      assert.equal(io.socketError(fds[0] ?? -1), 0)
      assert.equal(poller.probe(fds[1] ?? -1) & (POLLERR | POLLHUP), POLLERR | POLLHUP)
      assert.equal(io.socketError(fds[1] ?? -1), Errno.ECONNREFUSED)
      assert.deepEqual(poller.dialled(), [])
    })
  })

  describe('bytes', () => {
    it('arrive in order, as many as asked for', () => {
      const bench = new Bench()
      const { peer, fd } = bench.connect()
      assert.equal(bench.recv(fd), WOULD_BLOCK)
      peer.send('abc')
      peer.send(Uint8Array.of(0x64))
      assert.equal(bench.recv(fd, 2), 'ab')
      assert.equal(peer.unreadBytes, 2)
      assert.equal(bench.recv(fd), 'cd')
      assert.equal(bench.recv(fd), WOULD_BLOCK)
    })

    it('keep the borders of sendPieces, one recv each', () => {
      const bench = new Bench()
      const { peer, fd } = bench.connect()
      peer.sendPieces(['ab', 'c', '', 'def'])
      peer.send('g')
      const reads = [1, 2, 3, 4, 5].map(() => bench.recv(fd))
      assert.deepEqual(reads, ['ab', 'c', 'def', 'g', WOULD_BLOCK])
    })

    it('end with 0 after end(), and go on in the other direction', () => {
      const bench = new Bench()
      const { peer, fd } = bench.connect()
      peer.send('x')
      peer.end()
      assert.equal(peer.send('y'), false)
      assert.deepEqual([bench.recv(fd), bench.recv(fd), bench.recv(fd)], ['x', 0, 0])
      assert.equal(bench.send(fd, 'ok'), 2)
      assert.equal(peer.received().toString(), 'ok')
    })

    it('are read to the end after reset(), then ECONNRESET once', () => {
      const bench = new Bench()
      const { peer, fd } = bench.connect()
      peer.send('last')
      peer.reset()
      assert.equal(bench.poller.probe(fd), POLLIN | POLLOUT | POLLERR | POLLHUP)
      assert.deepEqual([bench.recv(fd), bench.recv(fd), bench.recv(fd)], ['last', -Errno.ECONNRESET, 0])
      assert.equal(bench.send(fd, 'x'), -Errno.EPIPE)
      assert.equal(bench.poller.probe(fd), POLLIN | POLLOUT | POLLHUP)
    })

    it('fill the window; taking them opens it again', () => {
      const bench = new Bench({ windowBytes: 4 })
      const { peer, fd } = bench.connect(POLLOUT)
      assert.equal(bench.send(fd, 'abc'), 3)
      assert.equal(bench.io.sendv(fd, [Buffer.from('d'), Buffer.from('ef')]), 1)
      assert.equal(bench.send(fd, 'ef'), WOULD_BLOCK)
      assert.deepEqual(bench.ready(), [])
      assert.equal(peer.take().toString(), 'abcd')
      assert.deepEqual(bench.ready(), [[fd, POLLOUT]])
      peer.windowBytes = 0
      assert.equal(bench.send(fd, 'e'), WOULD_BLOCK)
    })

    it('show how the library closed', () => {
      const bench = new Bench()
      const [a, b, c] = [bench.connect(), bench.connect(), bench.connect()] as const
      for (const { fd } of [a, b, c]) bench.poller.host.pollSet?.del(fd, POLLIN, change('DEL', fd, 0))
      bench.io.shutdown(a.fd)
      assert.deepEqual([a.peer.ended, a.peer.closed], [true, undefined])
      bench.io.close(a.fd, false)
      bench.io.close(b.fd, true)
      c.peer.send('unread')
      bench.io.close(c.fd, false)
      assert.deepEqual([a.peer.closed, a.peer.wasReset], ['close', false])
      assert.deepEqual([b.peer.closed, b.peer.wasReset], ['abort', true])
      // As Linux does it: what was not read comes back as a reset.
      assert.deepEqual([c.peer.closed, c.peer.wasReset], ['close', true])
      assert.equal(a.peer.send('too late'), false)
    })
  })

  describe('scripts', () => {
    it('limit or override the next results, one by one', () => {
      const bench = new Bench()
      const { peer, fd } = bench.connect()
      peer.send('abcdef')
      peer.script.recv.push(1, WOULD_BLOCK, 2, -Errno.ETIMEDOUT, 0)
      const reads = [1, 2, 3, 4, 5, 6].map(() => bench.recv(fd))
      assert.deepEqual(reads, ['a', WOULD_BLOCK, 'bc', -Errno.ETIMEDOUT, 0, 'def'])
      peer.script.send.push(2, WOULD_BLOCK, -Errno.EPIPE)
      const sends = [1, 2, 3, 4].map(() => bench.send(fd, 'xyz'))
      assert.deepEqual(sends, [2, WOULD_BLOCK, -Errno.EPIPE, 3])
      assert.equal(peer.script.send.left, 0)
    })

    it('fail accept, listen and connect', () => {
      const bench = new Bench()
      bench.poller.connectTo({ fd: 3 })
      bench.poller.script.accept.push(-Errno.EMFILE, -Errno.ECONNABORTED)
      bench.poller.script.listen.push(-Errno.EACCES)
      assert.deepEqual(
        [bench.io.accept(3), bench.io.accept(3), bench.io.accept(3), bench.io.accept(3)],
        [-Errno.EMFILE, -Errno.ECONNABORTED, 4, WOULD_BLOCK],
      )
      assert.equal(bench.io.listen({ address: '::1', port: 1, backlog: 1 }), -Errno.EACCES)
    })
  })

  describe('readiness', () => {
    it('is reported level-triggered until it is gone', () => {
      const bench = new Bench()
      const { peer, fd } = bench.connect(POLLIN | POLLOUT)
      assert.deepEqual(bench.ready(), [[fd, POLLOUT]])
      peer.send('x')
      assert.deepEqual(bench.ready(), [[fd, POLLIN | POLLOUT]])
      assert.deepEqual(bench.ready(), [[fd, POLLIN | POLLOUT]])
      bench.recv(fd)
      assert.deepEqual(bench.ready(), [[fd, POLLOUT]])
      bench.poller.host.pollSet?.clear(fd, POLLOUT, change('CLEAR', fd, POLLOUT))
      assert.deepEqual(bench.ready(), [])
      peer.end()
      assert.deepEqual(bench.ready(), [[fd, POLLIN]])
    })

    it('is reported once per activity when edge-triggered', () => {
      const bench = new Bench({ edge: true })
      const { peer, fd } = bench.connect()
      assert.deepEqual(bench.ready(), [])
      peer.send('ab')
      assert.deepEqual([bench.ready(), bench.ready()], [[[fd, POLLIN]], []])
      peer.send('c')
      assert.deepEqual([bench.ready(), bench.ready()], [[[fd, POLLIN]], []])
      // A mask that changes is looked at anew, as after EPOLL_CTL_MOD.
      bench.poller.host.pollSet?.set(fd, POLLOUT, change('SET', fd, POLLOUT))
      assert.deepEqual(bench.ready(), [[fd, POLLIN | POLLOUT]])
    })

    it('comes again, edge-triggered, after a scripted result that stopped short', () => {
      const bench = new Bench({ edge: true })
      const { peer, fd } = bench.connect()
      peer.send('abc')
      bench.ready()
      peer.script.recv.push(1, WOULD_BLOCK)
      bench.recv(fd)
      assert.deepEqual(bench.ready(), [[fd, POLLIN]])
      bench.recv(fd)
      assert.deepEqual(bench.ready(), [[fd, POLLIN]])
    })

    it('at mask 0 tells of an error once, and of nothing else (C4)', () => {
      for (const edge of [false, true]) {
        const bench = new Bench({ edge })
        const { peer, fd } = bench.connect(0)
        peer.send('x')
        assert.deepEqual(bench.ready(), [])
        peer.reset()
        assert.deepEqual([bench.ready(), bench.ready()], [[[fd, POLLERR | POLLHUP]], []])
        bench.poller.host.pollSet?.set(fd, POLLIN, change('SET', fd, POLLIN))
        assert.deepEqual(bench.ready(), [[fd, POLLIN | POLLERR | POLLHUP]])
      }
    })

    it('lets everybody have a turn: who was reported goes to the end', () => {
      const bench = new Bench()
      const { fd: a, peer: first } = bench.connect()
      const { fd: b, peer: second } = bench.connect()
      for (const peer of [first, second]) peer.send('x')
      assert.deepEqual(bench.ready(), [
        [a, POLLIN],
        [b, POLLIN],
      ])
      bench.recv(a)
      first.send('y')
      assert.deepEqual(bench.ready(), [
        [a, POLLIN],
        [b, POLLIN],
      ])
    })
  })

  describe('misuse by the library', () => {
    const cases: Readonly<Record<string, (bench: Bench, fd: number) => unknown>> = {
      'recv on a closed descriptor': ({ io, buffer }) => io.recv(99, buffer, 0, 1),
      'recv on a listener': ({ io, buffer, listenFd }) => io.recv(listenFd, buffer, 0, 1),
      'accept on a connection': ({ io }, fd) => io.accept(fd),
      'close while it is polled (C3)': ({ io }, fd) => io.close(fd, false),
      'a range outside of the buffer': ({ io, buffer }, fd) => io.recv(fd, buffer, 60, 5),
      'nothing to send': ({ io, buffer }, fd) => io.send(fd, buffer, 0, 0),
      'a buffer of another seam': ({ io }, fd) =>
        io.recv(fd, { id: 1, bytes: Buffer.alloc(9) }, 0, 1),
      'a freed buffer': ({ io, buffer }, fd) => {
        io.freeBuffer(buffer)
        io.recv(fd, buffer, 0, 1)
      },
      'the same buffer freed twice': ({ io, buffer }) => {
        io.freeBuffer(buffer)
        io.freeBuffer(buffer)
      },
      'sendv of 65 pieces': ({ io }, fd) => io.sendv(fd, Array.from({ length: 65 }, () => one)),
      'sendv of nothing': ({ io }, fd) => io.sendv(fd, [Buffer.alloc(0)]),
    }
    for (const [name, act] of Object.entries(cases)) {
      it(`throws where it happens: ${name}`, () => {
        const bench = new Bench()
        const { fd } = bench.connect()
        assert.throws(() => act(bench, fd), MisuseError)
        assert.equal(bench.poller.misuses.length, 1)
      })
    }

    it('throws for a poll array that is not the contract (C1, C4)', () => {
      const bench = new Bench()
      const { fd } = bench.connect()
      const { pollSet } = bench.poller.host
      assert.throws(() => pollSet?.add(fd, POLLIN, change('ADD', fd, POLLIN)), /already waited for/)
      assert.throws(() => pollSet?.del(77, 0, change('DEL', 77, 0)), /not waited for/)
      assert.throws(() => pollSet?.set(fd, POLLHUP, change('SET', fd, POLLHUP)), /mask/)
      // A repeat is taken quietly (C2).
      pollSet?.set(fd, POLLIN, change('SET', fd, POLLIN))
    })
  })

  describe('as a host of contexts', () => {
    const echo = defineProtocol({
      name: 'echo',
      handlers: { RECEIVE: (wsi, data) => void write(wsi, data, TEXT) },
    })

    it('serves until idle, level- and edge-triggered, with and without generations', () => {
      for (const options of [{}, { edge: true }, { gens: false }, { edge: true, gens: false }]) {
        const { open, run, poller } = harness({ protocols: [echo], poller: options })
        const peers = [open(), open(), open()]
        for (const peer of peers) peer.sendMessage('one').sendMessage('two')
        run()
        for (const peer of peers) assert.deepEqual(peer.messages(), ['one', 'two'])
        assert.equal(poller.run([]), 0)
      }
    })

    it('shares its counter of generations and serves each context its own (C5)', () => {
      const poller = fakePoller()
      const a = createContext({ host: poller.host, port: 0, protocols: [echo] })
      const b = createContext({ host: poller.host, port: 0, protocols: [echo] })
      const peers = [a, b, a, b].map((ctx) => poller.connectTo(ctx).upgrade())
      poller.run(a)
      assert.deepEqual(
        peers.map((peer) => peer.response()?.status),
        [101, undefined, 101, undefined],
      )
      poller.run([a, b])
      const gens = [a, b].flatMap((ctx) => pollFds(ctx).map(({ gen }) => gen))
      assert.equal(new Set(gens).size, 6)
      const foreign = poller.connectTo(a)
      const pollfds = poller.poll(a)
      assert.deepEqual(
        pollfds.map((pollfd) => serviceFd(b, pollfd)),
        ['foreign'],
      )
      assert.equal(foreign.fd, -1)
      for (const ctx of [a, b]) contextDestroy(ctx)
      assert.deepEqual(poller.openFds, [])
    })

    it('drops what an earlier one of the batch ended', () => {
      const ended: string[] = []
      const { ctx, open, poller } = harness({
        protocols: [
          defineProtocol({
            name: 'once',
            handlers: {
              RECEIVE() {
                ended.push('received')
                contextDestroy(ctx)
              },
            },
          }),
        ],
      })
      const peers = [open(), open()]
      for (const peer of peers) peer.sendMessage('x')
      poller.service(ctx)
      assert.deepEqual(ended, ['received'])
      assert.deepEqual(poller.openFds, [])
    })

    it('jumps from deadline to deadline', () => {
      const { ctx, open, poller } = harness({ protocols: [echo], pingIntervalMs: 1000, idleTimeoutMs: 0 })
      const peer = open()
      const startMs = poller.clock.now
      poller.runFor(ctx, 900)
      assert.equal(poller.clock.now, startMs + 900)
      assert.deepEqual(peer.frames(), [])
      assert.equal(poller.announcedDeadlineMs, nextDeadline(ctx))
      poller.runFor(ctx, 600)
      assert.deepEqual(
        peer.frames().map(({ opcode }) => opcode),
        [9],
      )
      assert.equal(poller.clock.now, startMs + 1500)
      poller.clock.advance(0.5)
      assert.equal(poller.host.now(), startMs + 1500.5)
    })

    it('says what spins when it never becomes idle', () => {
      const { ctx, connect, poller } = harness({ protocols: [echo] })
      const peer = connect()
      poller.run(ctx)
      peer.send('GET')
      peer.script.recv.push(...Array.from({ length: 20 }, () => WOULD_BLOCK))
      assert.throws(() => poller.run(ctx, { maxSteps: 10 }), /busy after 10 rounds: fd 4 revents 1/)
      poller.run(ctx)
      assert.equal(nextTimeout(ctx) > 0, true)
    })

    it('gives the same entropy for the same seed', () => {
      const bytes = (seed: number) => {
        const into = new Uint8Array(16)
        fakePoller({ seed }).host.randomFill(into)
        return Buffer.from(into).toString('hex')
      }
      assert.equal(bytes(7), bytes(7))
      assert.notEqual(bytes(7), bytes(8))
    })
  })
})

const one = Buffer.of(1)

/** The bench with methods that may be taken apart. */
function bind(bench: Bench) {
  return {
    poller: bench.poller,
    io: bench.io,
    listenFd: bench.listenFd,
    recv: (fd: number) => bench.recv(fd),
    send: (fd: number, text: string) => bench.send(fd, text),
  }
}

describe('51 the peer speaks WebSocket, strictly', () => {
  const frame = (...bytes: number[]) => Buffer.from(bytes)

  it('encodes the examples of RFC 6455 5.7', () => {
    assert.equal(encodeClientFrame({ payload: 'Hello' }).toString('hex'), '818537fa213d7f9f4d5158')
    assert.equal(
      encodeClientFrame({ fin: false, payload: 'Hel', mask: false }).toString('hex'),
      '010348656c',
    )
    const length = (size: number) =>
      encodeClientFrame({ opcode: 2, payload: Buffer.alloc(size), mask: false })
    assert.equal(length(125).toString('hex', 0, 2), '827d')
    assert.equal(length(126).toString('hex', 0, 4), '827e007e')
    assert.equal(length(65_535).toString('hex', 0, 4), '827effff')
    assert.equal(length(65_536).toString('hex', 0, 10), '827f0000000000010000')
  })

  it('decodes at every border what was encoded', () => {
    const bytes = Buffer.concat([
      encodeClientFrame({ fin: false, payload: 'a', mask: false }),
      encodeClientFrame({ opcode: 9, payload: 'ping', mask: false }),
      encodeClientFrame({ opcode: 0, payload: 'x'.repeat(300), mask: false }),
    ])
    for (let border = 0; border <= bytes.length; border += 1) {
      const decoder = new ServerFrameDecoder()
      const frames = [
        ...decoder.decode(bytes.subarray(0, border)),
        ...decoder.decode(bytes.subarray(border)),
      ]
      assert.deepEqual(
        frames.map(({ fin, opcode, payload }) => [fin, opcode, payload.length]),
        [
          [false, 1, 1],
          [true, 9, 4],
          [true, 0, 300],
        ],
      )
      assert.equal(decoder.partialBytes, 0)
    }
  })

  const refused: Readonly<Record<string, Buffer>> = {
    'a masked frame': frame(0x81, 0x80, 0, 0, 0, 0),
    'a reserved bit': frame(0xc1, 0),
    'a reserved opcode': frame(0x83, 0),
    'a reserved control opcode': frame(0x8b, 0),
    'a length of 126 in two bytes': frame(0x82, 126, 0, 125),
    'a length of 65,535 in eight bytes': frame(0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff),
    'a fragmented ping': frame(0x09, 0),
    'a ping of 126 bytes': Buffer.concat([frame(0x89, 126, 0, 126), Buffer.alloc(126)]),
    'a continuation of nothing': frame(0x80, 0),
    'a message inside another': frame(0x01, 0, 0x81, 0),
    'half a close code': frame(0x88, 1, 3),
    'close code 1005': frame(0x88, 2, 0x03, 0xed),
    'close code 999': frame(0x88, 2, 0x03, 0xe7),
    'a close reason that is not UTF-8': frame(0x88, 3, 0x03, 0xe8, 0xff),
    'a frame after the close frame': frame(0x88, 0, 0x81, 0),
  }
  for (const [name, bytes] of Object.entries(refused)) {
    it(`refuses ${name}`, () => {
      assert.throws(() => new ServerFrameDecoder().decode(bytes))
    })
  }

  it('refuses a handshake that proves nothing', () => {
    const poller = fakePoller()
    const fd = poller.host.io.listen({ address: '127.0.0.1', port: 0, backlog: 1 })
    const peer = poller.connectTo({ fd })
    peer.upgrade({ path: '/chat', protocols: ['a', 'b'], headers: { Origin: 'http://x', Host: undefined } })
    const near = poller.host.io.accept(fd)
    const buffer = poller.host.io.createBuffer(512)
    const count = poller.host.io.recv(near, buffer, 0, 512)
    const request = buffer.bytes.toString('latin1', 0, count)
    assert.match(request, /^GET \/chat HTTP\/1\.1\r\n/)
    assert.match(request, /Sec-WebSocket-Protocol: a, b\r\nOrigin: http:\/\/x\r\n\r\n$/)
    assert.doesNotMatch(request, /Host:/)
    assert.equal(peer.response(), undefined)
    const answer = Buffer.from('HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: no\r\n\r\n')
    poller.host.io.sendv(near, [answer])
    assert.throws(() => peer.frames(), /Sec-WebSocket-Accept/)
  })

  it('joins fragments to messages, and leaves control frames where they are', () => {
    const poller = fakePoller()
    const fd = poller.host.io.listen({ address: '127.0.0.1', port: 0, backlog: 1 })
    const peer = poller.connectTo({ fd }).upgrade()
    const near = poller.host.io.accept(fd)
    const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    const head = Buffer.from(`HTTP/1.1 101 ok\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
    poller.host.io.sendv(near, [head, frame(0x01, 1, 0x61, 0x89, 0, 0x80, 1, 0x62, 0x82, 1, 7)])
    assert.deepEqual(peer.messages(), ['ab', Buffer.of(7)])
    assert.deepEqual(peer.frames(), [{ fin: true, opcode: 9, payload: Buffer.alloc(0) }])
  })
})
