/**
 * The fake poller as a host: rounds of service, several contexts, time that jumps.
 */
import assert from 'node:assert/strict'
import { fakePoller } from '../integrations/fake-poller.js'
import { TEXT, WOULD_BLOCK, contextDestroy, createContext, defineProtocol } from '../src/index.js'
import { nextDeadline, nextTimeout, pollFds, serviceFd, write } from '../src/index.js'
import { harness } from './support/harness.js'

describe('51 the fake poller as a host', () => {
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
    const { ctx, open, poller } = harness({
      protocols: [echo],
      pingIntervalMs: 1000,
      idleTimeoutMs: 0,
    })
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
