/**
 * Nine hosts, each wrong in one way, and the right one: the checker reports H1 to H9 by id, and
 * nothing in a million calls (in CI).
 *
 * The library is the real one, on the fake poller; what is wrong is the loop of the test.
 */
import assert from 'node:assert/strict'
import {
  checked,
  encodeClientFrame,
  fakePoller,
  formatViolation,
} from '../integrations/fake-poller.js'
import type {
  CheckedHost,
  CheckerOptions,
  FakePoller,
  FakePollerOptions,
  WsPeer,
} from '../integrations/fake-poller.js'
import { hostRules } from '../integrations/simulation/checker-rules-host.js'
import { POLLERR, POLLHUP, POLLIN, POLLOUT, TEXT, createContext } from '../src/index.js'
import { clientConnect, contextDestroy } from '../src/index.js'
import { defineProtocol, nextTimeout, rxFlowControl, serviceFd, write } from '../src/index.js'
import type { Context, ContextOptions, Pollfd, Wsi } from '../src/index.js'
import { campaign } from './support/effort.js'
import { StandIn } from './support/stand-in.js'

/** A context whose host loop the test writes. */
class Loop {
  readonly poller: FakePoller
  readonly checker: CheckedHost
  readonly ctx: Context
  readonly connections: Wsi[] = []

  constructor(
    options: {
      poller?: FakePollerOptions
      checker?: CheckerOptions
      context?: Partial<ContextOptions>
    } = {},
  ) {
    this.poller = fakePoller(options.poller)
    this.checker = checked(this.poller.host, {
      edge: this.poller.edge,
      probe: (fd) => this.poller.probe(fd),
      ...options.checker,
    })
    const echo = defineProtocol({
      name: 'echo',
      payload: 'view',
      handlers: {
        ESTABLISHED: (wsi) => void this.connections.push(wsi),
        RECEIVE: (wsi, data) => void write(wsi, data, TEXT),
      },
    })
    this.ctx = createContext({
      host: this.checker,
      port: 0,
      protocols: [echo],
      ...options.context,
    })
  }

  /** A connection that is open, brought there by a right host. */
  open(): WsPeer {
    const peer = this.poller.connectTo(this.ctx).upgrade()
    this.poller.run(this.ctx)
    assert.equal(peer.response()?.status, 101)
    return peer
  }

  serve(pollfd: Pollfd): string {
    return serviceFd(this.ctx, pollfd)
  }

  /** The rules broken so far, each once. */
  get broken(): string[] {
    return [...new Set(this.checker.violations.map(({ rule }) => rule))]
  }
}

describe('50 a wrong host is reported by id', () => {
  it('H1 services a paused fd again and again', () => {
    const loop = new Loop()
    const peer = loop.open()
    for (const wsi of loop.connections) rxFlowControl(wsi, 0)
    const { fd } = peer
    peer.reset()
    const [pollfd] = loop.poller.poll()
    assert.deepEqual([pollfd?.fd, pollfd?.revents], [fd, POLLERR | POLLHUP])
    if (pollfd === undefined) return
    loop.serve(pollfd)
    assert.deepEqual(loop.broken, [])
    loop.serve(pollfd)
    assert.deepEqual(loop.broken, ['H1'])
  })

  it('H1 is no edge that was found before a pause and told again by it', () => {
    const loop = new Loop({ poller: { edge: true } })
    const peer = loop.open()
    loop.poller.onWait = (batch) => loop.checker.waited(batch)
    peer.reset()
    const [found] = loop.poller.poll()
    for (const wsi of loop.connections) rxFlowControl(wsi, 0)
    loop.serve(found!)
    const [told] = loop.poller.poll()
    assert.ok(told!.fd === peer.fd && told!.revents & POLLHUP)
    loop.serve(told!)
    assert.deepEqual(loop.broken, [])
    loop.poller.poll()
    loop.serve(told!)
    assert.deepEqual(loop.broken, ['H1'])
  })

  it('H2 sleeps past the timeout', () => {
    const loop = new Loop()
    const startMs = loop.poller.clock.now
    loop.open()
    loop.poller.clock.advance(nextTimeout(loop.ctx) + 999)
    loop.poller.run(loop.ctx)
    assert.deepEqual(loop.broken, [])
    loop.poller.clock.advance(nextTimeout(loop.ctx) + 1001)
    loop.poller.run(loop.ctx)
    assert.deepEqual(loop.broken, ['H2'])
    assert.equal(loop.poller.clock.now > startMs, true)
  })

  it("H3 ignores 'more' on an edge-triggered poller", () => {
    const context = { rxBudgetBytes: 1024 }
    const loop = new Loop({ poller: { edge: true }, checker: context, context })
    const peer = loop.open()
    loop.poller.onWait = (batch) => loop.checker.waited(batch)
    peer.sendMessage('x'.repeat(5000))
    for (let round = 0; round < 3; round += 1) {
      for (const pollfd of loop.poller.poll()) loop.serve(pollfd)
    }
    assert.deepEqual(loop.broken, ['H3'])
  })

  it('H3 is seen even where the host does not tell of its waits, after a while', () => {
    const context = { rxBudgetBytes: 1024 }
    const loop = new Loop({
      poller: { edge: true },
      checker: { ...context, starveCalls: 100 },
      context,
    })
    const [lost, busy] = [loop.open(), loop.open()]
    lost.sendMessage('x'.repeat(5000))
    for (let round = 0; round < 300; round += 1) {
      busy.sendMessage('y')
      for (const pollfd of loop.poller.poll()) loop.serve(pollfd)
    }
    assert.deepEqual(loop.broken, ['H3'])
  })

  it('H4 polls for POLLOUT although nobody asked for it', () => {
    const loop = new Loop()
    const { fd } = loop.open()
    for (let round = 0; round < 3; round += 1) {
      assert.deepEqual(loop.broken, [])
      loop.serve({ fd, revents: POLLOUT })
    }
    assert.deepEqual(loop.broken, ['H4'])
  })

  it('H5 starves a ready fd', () => {
    const loop = new Loop({ checker: { starveCalls: 100 } })
    const peers = [loop.open(), loop.open(), loop.open()]
    for (let round = 0; round < 200; round += 1) {
      for (const peer of peers) peer.sendMessage('x')
      const ready = loop.poller.poll().sort((a, b) => a.fd - b.fd)
      for (const pollfd of ready.slice(0, 2)) loop.serve(pollfd)
    }
    assert.deepEqual(loop.broken, ['H5'])
    assert.match(loop.checker.violations[0]?.detail ?? '', /^fd 6 was ready/)
  })

  it('H5 does not tell of an end that came in one edge with the last bytes', () => {
    const loop = new Loop({ poller: { edge: true }, checker: { starveCalls: 100 } })
    const [lost, busy] = [loop.open(), loop.open()]
    lost.sendMessage('last words').end()
    for (let round = 0; round < 200; round += 1) {
      busy.sendMessage('x')
      for (const { fd, revents } of loop.poller.poll())
        loop.serve({ fd, revents: fd === lost.fd ? revents & ~POLLHUP : revents })
    }
    assert.deepEqual(loop.broken, ['H5'])
  })

  describe('H6', () => {
    const rounds: Readonly<Record<string, (batch: Pollfd[]) => Pollfd[]>> = {
      'skips an entry': (batch) => batch.slice(1),
      'repeats an entry': (batch) => [...batch, ...batch.slice(0, 1)],
    }
    for (const [name, walk] of Object.entries(rounds)) {
      it(`H6 ${name} while iterating`, () => {
        const loop = new Loop()
        const peers = [loop.open(), loop.open()]
        loop.poller.onWait = (batch) => loop.checker.waited(batch)
        for (let round = 0; round < 2; round += 1) {
          for (const peer of peers) peer.sendMessage('x')
          for (const pollfd of walk(loop.poller.poll())) loop.serve(pollfd)
        }
        assert.deepEqual(loop.broken, ['H6'])
      })
    }

    it('H6 has an entry twice in one batch', () => {
      const loop = new Loop()
      const { fd } = loop.open()
      const pollfd = { fd, revents: POLLIN }
      loop.checker.waited([pollfd, pollfd])
      assert.deepEqual(loop.broken, ['H6'])
    })

    it('H6 but a round that an exception of the application ended is none', () => {
      const loop = new Loop()
      const peers = [loop.open(), loop.open()]
      loop.checker.waited(peers.map(({ fd }) => ({ fd, revents: POLLIN })))
      const { tap } = loop.checker
      tap?.enter('serviceFd', { fd: peers[0]?.fd, revents: POLLIN }, loop.ctx)
      tap?.leave('serviceFd', undefined, loop.ctx)
      loop.checker.waited([])
      assert.deepEqual(loop.broken, [])
    })
  })

  it('H7 hands in a clock that runs backwards', () => {
    for (const ms of [-1, Number.NaN]) {
      const loop = new Loop()
      loop.open()
      loop.poller.clock.advance(ms)
      loop.open()
      assert.equal(loop.broken[0], 'H7')
    }
  })

  it('H8 waits for an fd after its DEL', () => {
    const loop = new Loop()
    const peer = loop.open()
    loop.poller.onWait = (batch) => loop.checker.waited(batch)
    peer.sendMessage('x')
    const [pollfd] = loop.poller.poll()
    peer.sendFrame({ opcode: 8 })
    loop.poller.run(loop.ctx)
    assert.equal(peer.closed, 'close')
    if (pollfd !== undefined) loop.checker.waited([pollfd])
    assert.ok(loop.broken.includes('H8'))
  })

  it('H8 services an fd after its DEL, though a batch may still hold it once', () => {
    const standIn = new StandIn().listen().open(4)
    const gone = standIn.pollfd(4)
    standIn.call('hangup', 4, () => standIn.end(4))
    standIn.service(gone, () => 'foreign')
    assert.deepEqual(standIn.broken, [])
    standIn.service(gone, () => 'foreign')
    assert.deepEqual(standIn.broken, ['H8'])
    // The number has a new life, and the host still means the old one.
    const reborn = new StandIn().listen().open(4)
    const old = reborn.pollfd(4)
    reborn.call('hangup', 4, () => reborn.end(4))
    reborn.open(4)
    for (const answer of ['stale', 'stale']) reborn.service(old, () => answer)
    assert.deepEqual(reborn.broken, ['H8'])
  })

  it('H9 gives entropy that is none: a mask of zero is noticed', () => {
    for (const fill of [
      (bytes: Uint8Array): void => {
        bytes.fill(0)
      },
      (bytes: Uint8Array) => bytes.set(Array.from(bytes, (_, at) => at)),
    ]) {
      const poller = fakePoller()
      const host = checked({ ...poller.host, randomFill: fill })
      const protocol = defineProtocol({
        handlers: {
          CLIENT_ESTABLISHED(wsi) {
            for (let sent = 0; sent < 100; sent++) write(wsi, 'x', TEXT)
          },
        },
      })
      const ctx = createContext({ host, port: 1, protocols: [protocol] })
      clientConnect(ctx, { address: '127.0.0.1', port: 1 })
      poller.run(ctx)
      contextDestroy(ctx)
      assert.deepEqual([...new Set(host.violations.map(({ rule }) => rule))], ['H9'])
    }
  })

  it('knows nine of them', () => {
    const ids = hostRules.map(({ id }) => id)
    assert.deepEqual(ids, ['H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'H7', 'H8', 'H9'])
  })
})

const CALLS = campaign(1_000_000)

describe('50 the right host', () => {
  it(`has no report in ${CALLS} calls`, function () {
    this.timeout(120_000)
    const loop = new Loop()
    const { poller, checker, ctx } = loop
    poller.onWait = (batch) => checker.waited(batch)
    const peers = Array.from({ length: 100 }, () => loop.open())
    const texts = ['', 'x', 'twenty bytes of text', 'y'.repeat(200)]
    const frames = texts.map((payload) => encodeClientFrame({ payload }))
    let calls = 0
    for (let round = 0; calls < CALLS; round += 1) {
      const text = texts[round % texts.length] ?? ''
      const frame = frames[round % frames.length]
      if (frame !== undefined) for (const peer of peers) peer.send(frame)
      for (const pollfd of poller.poll()) {
        serviceFd(ctx, pollfd)
        calls += 1
      }
      poller.clock.advance(1)
      if (nextTimeout(ctx) === 0) serviceFd(ctx, null)
      if (round % 1000 > 0) for (const peer of peers) peer.take()
      else for (const peer of peers) assert.deepEqual(peer.messages(), [text])
    }
    const [first] = checker.violations
    assert.equal(first, undefined, first === undefined ? '' : formatViolation(first))
  })
})
