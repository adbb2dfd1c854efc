/**
 * The epoll host: contexts, foreign fds and deadlines in one wait.
 *
 * Clients are raw sockets that write bytes of RFC 6455 themselves, so that nothing but the host
 * runs a loop.
 */
import assert from 'node:assert/strict'
import { addon } from '../integrations/epoll-addon/binding.js'
import { Poller, epollHost, rawHost, run, service, socketIo } from '../integrations/epoll.js'
import { type EpollHost } from '../integrations/epoll.js'
import { BINARY, POLLIN, contextDestroy, createContext, defineProtocol } from '../src/index.js'
import { clientConnect } from '../src/index.js'
import {
  WOULD_BLOCK,
  getListenAddress,
  nextTimeout,
  pollFds,
  serviceFd,
  write,
} from '../src/index.js'
import { type Context, type ContextOptions, type Pollfd, type Wsi } from '../src/index.js'
import { needsAddon } from './support/epoll-addon.js'

const codeOf = (code: string) => ({ code })

const echo = defineProtocol({
  name: 'echo',
  handlers: { RECEIVE: (wsi: Wsi, data: Buffer) => void write(wsi, data, BINARY) },
})

function listen(host: EpollHost, options: Partial<ContextOptions> = {}): Context {
  return createContext({ host, port: 0, protocols: [echo], ...options })
}

const request = [
  'GET / HTTP/1.1',
  'Host: 127.0.0.1',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol: echo',
  '',
  '',
].join('\r\n')

/** A binary frame of one byte, masked with a key of zeros. */
const frame = (byte: number): Buffer => Buffer.from([0x82, 0x81, 0, 0, 0, 0, byte])

/** A WebSocket client without a loop: it asks its socket, and services the contexts meanwhile. */
class RawClient {
  readonly fd: number
  readonly #ctx: Context
  #received = Buffer.alloc(0)

  constructor(ctx: Context) {
    this.#ctx = ctx
    const address = getListenAddress(ctx)
    assert.ok(address)
    this.fd = socketIo.connect(address)
    this.send(Buffer.from(request))
    this.#serviceUntil(() => this.#received.includes('\r\n\r\n'))
    assert.match(this.#received.toString('latin1'), /^HTTP\/1\.1 101 /)
    this.#received = Buffer.alloc(0)
  }

  send(bytes: Buffer): void {
    for (let tries = 0; tries < 100; tries++) {
      const count = socketIo.sendv(this.fd, [bytes])
      if (count === bytes.length) return
      service(this.#ctx, 1)
    }
    assert.fail('the socket took nothing')
  }

  /** Services until `length` bytes have come, and takes them. */
  take(length: number): Buffer {
    this.#serviceUntil(() => this.#received.length >= length)
    const taken = this.#received.subarray(0, length)
    this.#received = this.#received.subarray(length)
    return taken
  }

  close(): void {
    socketIo.close(this.fd, true)
  }

  #serviceUntil(done: () => boolean): void {
    const buffer = socketIo.createBuffer(4096)
    for (let round = 0; round < 1000 && !done(); round++) {
      service(this.#ctx, 1)
      const count = socketIo.recv(this.fd, buffer, 0, 4096)
      if (count <= 0) continue
      this.#received = Buffer.concat([this.#received, buffer.bytes.subarray(0, count)])
    }
    socketIo.freeBuffer(buffer)
    assert.ok(done(), `received only ${this.#received.toString('latin1')}`)
  }
}

function thrownBy(call: () => unknown): Error & { errors?: unknown[] } {
  try {
    call()
  } catch (error) {
    assert.ok(error instanceof Error)
    return error
  }
  assert.fail('nothing was thrown')
}

/** An eventfd that is ready until it is read, as a foreign fd whose owner runs `act`. */
function foreign(poller: Poller, act: (pollfd: Pollfd) => void): number {
  const fd = addon().eventCreate()
  poller.add(fd, POLLIN, undefined, act)
  return fd
}

function endForeign(poller: Poller, fd: number): void {
  poller.remove(fd)
  addon().eventClose(fd)
}

for (const backend of ['epoll', 'poll'] as const) {
  describe(`63 the epoll host over ${backend}`, () => {
    needsAddon()

    let host: EpollHost
    let ctx: Context

    beforeEach(() => {
      host = epollHost({ backend })
      ctx = listen(host)
    })

    afterEach(() => {
      contextDestroy(ctx)
      assert.equal(host.poller.size, 0)
      host.poller.close()
    })

    it('echoes with service(ctx, 0) and service(ctx, -1)', () => {
      const client = new RawClient(ctx)
      client.send(frame(65))
      assert.equal(service(ctx, -1), 1)
      assert.deepEqual(client.take(3), Buffer.from([0x82, 1, 65]))
      assert.equal(service(ctx, 0), 0)
      client.close()
    })

    it('serves two contexts and 50 foreign fds in one wait', () => {
      const other = listen(epollHost({ poller: host.poller }))
      const clients = [new RawClient(ctx), new RawClient(other)]
      const heard: number[] = []
      const fds = Array.from({ length: 50 }, () =>
        foreign(host.poller, ({ fd }) => {
          addon().eventDrain(fd)
          heard.push(fd)
        }),
      )
      for (const fd of fds) addon().eventWrite(fd)
      for (const client of clients) client.send(frame(66))
      let serviced = 0
      for (let round = 0; round < 20 && serviced < 52; round++) serviced += service(ctx, 100)
      assert.equal(serviced, 52)
      assert.deepEqual(
        heard.sort((a, b) => a - b),
        fds.sort((a, b) => a - b),
      )
      for (const client of clients) assert.deepEqual(client.take(3), Buffer.from([0x82, 1, 66]))
      for (const fd of fds) endForeign(host.poller, fd)
      for (const client of clients) client.close()
      contextDestroy(other)
    })

    it('waits no longer than the nearest deadline of any context, and services it', () => {
      const patient = epollHost({ backend, maxWaitMs: 20_000 })
      const bystander = listen(patient)
      const timed = listen(patient, { handshakeTimeoutMs: 30 })
      const address = getListenAddress(timed)
      assert.ok(address)
      const fd = socketIo.connect(address)
      while (pollFds(timed).length < 2) service(bystander, -1)
      const buffer = socketIo.createBuffer(100)
      const startMs = performance.now()
      while (socketIo.recv(fd, buffer, 0, 100) === WOULD_BLOCK) service(bystander, -1)
      const tookMs = performance.now() - startMs
      assert.ok(tookMs > 10 && tookMs < 5000, `${tookMs} ms`)
      assert.match(buffer.bytes.toString('latin1'), /^HTTP\/1\.1 408 /)
      socketIo.freeBuffer(buffer)
      socketIo.close(fd, false)
      contextDestroy(timed)
      contextDestroy(bystander)
      patient.poller.close()
    })

    it('services a client that never had a descriptor, beside others, and once it was idle', () => {
      const causes: string[] = []
      const protocol = defineProtocol({
        handlers: { CLIENT_CONNECTION_ERROR: (_wsi, { cause }) => void causes.push(cause) },
      })
      const client = createContext({ host, protocols: [protocol] })
      for (let turn = 1; turn <= 2; turn++) {
        clientConnect(client, { socketPath: '/nobody/listens', address: 'a' })
        service(ctx, 1000)
        assert.equal(causes.length, turn)
        service(ctx, 0)
      }
      contextDestroy(client)
    })

    it('sleeps past no deadline that came in a long callback, or between two calls', () => {
      const patient = epollHost({ backend, maxWaitMs: 500 })
      const timed = listen(patient, { handshakeTimeoutMs: 600 })
      const fd = socketIo.connect(getListenAddress(timed)!)
      while (pollFds(timed).length < 2) service(timed, -1)
      const until = performance.now() + 600
      while (performance.now() < until);
      service(timed, -1)
      const tookMs = performance.now() - until
      assert.ok(tookMs < 250, `${tookMs} ms late`)
      assert.notEqual(nextTimeout(timed), 0)
      socketIo.close(fd, true)
      contextDestroy(timed)
      patient.poller.close()
    })

    it('loses nothing of a round in which callbacks throw', () => {
      const order: string[] = []
      const fds = ['a', 'b', 'c'].map((name) =>
        foreign(host.poller, ({ fd }) => {
          addon().eventDrain(fd)
          order.push(name)
          if (name !== 'b') throw new Error(name)
        }),
      )
      for (const fd of fds) addon().eventWrite(fd)
      const error = thrownBy(() => service(ctx, -1))
      assert.deepEqual(order.toSorted(), ['a', 'b', 'c'])
      const thrown = [error, ...(error.errors as Error[])].map(({ message }) => message)
      assert.deepEqual(
        thrown,
        order.filter((name) => name !== 'b'),
      )
      for (const fd of fds) endForeign(host.poller, fd)
    })

    it('C5: does not service an fd that a callback of the same round closed', () => {
      const fds: number[] = []
      let calls = 0
      const act = ({ fd }: Pollfd): void => {
        calls++
        for (const other of fds.filter((one) => one !== fd)) {
          endForeign(host.poller, other)
          const reused = foreign(host.poller, () => assert.fail('a stale event was serviced'))
          assert.equal(reused, other)
        }
        addon().eventDrain(fd)
      }
      fds.push(foreign(host.poller, act), foreign(host.poller, act))
      for (const fd of fds) addon().eventWrite(fd)
      assert.equal(service(ctx, -1), 1)
      assert.equal(calls, 1)
      for (const fd of fds) endForeign(host.poller, fd)
    })

    it('returns when woken, when destroyed, and in time', () => {
      host.poller.wake()
      assert.equal(service(ctx, -1), 0)
      const startMs = performance.now()
      assert.equal(service(ctx, 120), 0)
      const tookMs = performance.now() - startMs
      assert.ok(tookMs >= 119 && tookMs < 1000, `${tookMs} ms`)
      contextDestroy(ctx)
      assert.equal(service(ctx, -1), 0)
      assert.equal(service(ctx, 0), 0)
    })

    it('runs until the context is destroyed', () => {
      const fd = foreign(host.poller, () => {
        contextDestroy(ctx)
        addon().eventDrain(fd)
      })
      addon().eventWrite(fd)
      run(ctx)
      assert.equal(nextTimeout(ctx), -1)
      run(ctx)
      endForeign(host.poller, fd)
    })

    it('refuses misuse: no owner, a call within a callback, another host, bad options', () => {
      const fd = addon().eventCreate()
      addon().eventWrite(fd)
      host.poller.add(fd, POLLIN)
      assert.throws(() => service(ctx, 0), codeOf('ERR_EXTPOLL_NO_OWNER'))
      host.poller.add(fd, POLLIN, undefined, () => service(ctx, 0))
      assert.throws(() => service(ctx, 0), codeOf('ERR_EXTPOLL_REENTRANT_SERVICE'))
      endForeign(host.poller, fd)
      assert.throws(() => service(ctx, NaN), codeOf('ERR_EXTPOLL_TIMEOUT'))
      const { poller } = host
      const option = codeOf('ERR_EXTPOLL_HOST_OPTION')
      assert.throws(() => epollHost({ poller, maxWaitMs: 5 }), option)
      assert.throws(() => epollHost({ poller: {} as never }), option)
    })
  })
}

describe('63 the raw host', () => {
  needsAddon()

  it('serves in a poller of your own: four handlers, serviceFd, nextTimeout', () => {
    const poller = new Poller({ backend: 'poll' })
    const ctx = createContext({
      host: rawHost(),
      port: 0,
      protocols: [echo],
      on: {
        ADD_POLL_FD: (fd, events) => poller.add(fd, events),
        DEL_POLL_FD: (fd) => poller.remove(fd),
        SET_MODE: (fd, _events, { next }) => poller.modify(fd, next),
        CLEAR_MODE: (fd, _events, { next }) => poller.modify(fd, next),
      },
    })
    assert.throws(() => service(ctx, 0), codeOf('ERR_EXTPOLL_NOT_EPOLL'))
    const address = getListenAddress(ctx)
    assert.ok(address)
    const client = socketIo.connect(address)
    assert.equal(socketIo.sendv(client, [Buffer.from(request), frame(67)]), request.length + 7)
    const pollfds: Pollfd[] = []
    const buffer = socketIo.createBuffer(4096)
    let received = ''
    for (let round = 0; round < 100 && !received.endsWith('\x82\x01C'); round++) {
      const count = poller.wait(pollfds, Math.min(nextTimeout(ctx), 10))
      for (const pollfd of pollfds.slice(0, count)) {
        assert.notEqual(serviceFd(ctx, pollfd), 'stale')
      }
      serviceFd(ctx, null)
      const bytes = socketIo.recv(client, buffer, 0, 4096)
      if (bytes > 0) received += buffer.bytes.toString('latin1', 0, bytes)
    }
    assert.match(received, /^HTTP\/1\.1 101 [^]*\r\n\r\n\x82\x01C$/)
    socketIo.freeBuffer(buffer)
    socketIo.close(client, false)
    contextDestroy(ctx)
    assert.equal(poller.size, 0)
    poller.close()
  })

  it('C9: a poll set that refuses leaves no fd behind', () => {
    const host = epollHost()
    host.poller.close()
    assert.throws(() => listen(host), codeOf('ERR_EXTPOLL_POLLER_CLOSED'))
    const fd = socketIo.listen({ address: '127.0.0.1', port: 0, backlog: 1 })
    socketIo.close(fd, false)
    assert.throws(() => listen(host), codeOf('ERR_EXTPOLL_POLLER_CLOSED'))
    const next = socketIo.listen({ address: '127.0.0.1', port: 0, backlog: 1 })
    assert.equal(next, fd)
    socketIo.close(next, false)
  })

  it('tells the time, the name of the machine, and unpredictable bytes', () => {
    const host = rawHost()
    assert.ok(Math.abs(host.wallClock() - Date.now()) < 1000)
    const startMs = host.now()
    assert.ok(host.now() >= startMs)
    assert.ok(host.hostname().length > 0)
    const [a, b] = [new Uint8Array(32), new Uint8Array(32)]
    host.randomFill(a)
    host.randomFill(b)
    assert.notDeepEqual(a, b)
  })
})
