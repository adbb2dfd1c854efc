/**
 * The fake poller on its own: descriptors, readiness, scripts, time. What a test may rely on.
 *
 * The seams are called here as the library calls them; what a context does with it is tested
 * everywhere else.
 */
import assert from 'node:assert/strict'
import { MisuseError, fakePoller } from '../integrations/fake-poller.js'
import type { FakePoller, FakePollerOptions, WsPeer } from '../integrations/fake-poller.js'
import { Errno, POLLERR, POLLHUP, POLLIN, POLLOUT, WOULD_BLOCK } from '../src/index.js'
import type { IoBuffer, PollChange } from '../src/index.js'

const owner = {}
let seq = 0

function change(op: PollChange['op'], fd: number, bits: number, gen = 1): PollChange {
  seq += 1
  return { op, fd, gen, bits, prev: 0, next: bits, seq, context: owner }
}

/**
 * A poller whose seams the test calls, one listener, and one accepted connection that is watched.
 */
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
      assert.equal(
        io.listen({ address: '', port: 0, path: '/run/a', backlog: 1 }),
        -Errno.EADDRINUSE,
      )
      assert.equal(io.close(4, false), 0)
      assert.equal(at(8080), 4)
      assert.equal(io.localAddress(5).name, '/run/a')
      assert.equal(poller.connectTo({ path: '/run/a' }).closed, undefined)
      assert.equal(poller.connectTo({ port: 8080 }).fd, -1)
      assert.throws(() => poller.connectTo({ port: 9999 }), /nothing listens/)
    })

    it('queue connections up to the backlog and one, and lose them with their listener', () => {
      const { poller, io, listenFd } = new Bench()
      const peers = [1, 2, 3, 4, 5].map(() => poller.connectTo({ fd: listenFd }))
      assert.throws(() => poller.connectTo({ fd: listenFd }), /5 connections wait/)
      io.accept(listenFd)
      io.close(listenFd, false)
      assert.deepEqual(
        peers.map((peer) => peer.wasReset),
        [false, true, true, true, true],
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
      assert.deepEqual(
        [bench.recv(fd), bench.recv(fd), bench.recv(fd)],
        ['last', -Errno.ECONNRESET, 0],
      )
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
      for (const { fd } of [a, b, c])
        bench.poller.host.pollSet?.del(fd, POLLIN, change('DEL', fd, 0))
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
      'sendv of 65 pieces': ({ io }, fd) =>
        io.sendv(
          fd,
          Array.from({ length: 65 }, () => one),
        ),
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
