/**
 * Out of descriptors, out of room: the listener pauses and goes on, those who wait are told, and
 * nobody spins (C29).
 *
 * First a server whose system gives it 64 descriptors, with 500 who knock; then each rule alone, on
 * the fake poller.
 */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { close, defineProtocol, Errno, POLLIN, pollFds, type SocketAddress } from '../src/index.js'
import { peerKey } from '../src/context/membership.js'
import { fakePoller, type FakePoller, type WsPeer } from '../integrations/fake-poller.js'
import { needsAddon } from './support/epoll-addon.js'
import { HostileSocket } from './support/hostile-socket.js'
import { startServer, type Talker } from './support/hostile-stage.js'
import { harness, type Harness, type HarnessOptions } from './support/harness.js'
import { Knockers } from './support/knockers.js'
import { openScene } from './support/scene.js'
import { client, validRequest } from './support/wire-bytes.js'

const MAX_FDS = 64
/** Of those that the limit counts: one that was inherited may have a higher number. */
const openFds = (server: Talker): number =>
  readdirSync(`/proc/${server.pid}/fd`).filter((fd) => Number(fd) < MAX_FDS).length

async function until(wanted: () => boolean, patienceMs: number): Promise<number> {
  const startMs = performance.now()
  while (!wanted() && performance.now() - startMs < patienceMs) await pause(5)
  return performance.now() - startMs
}

describe('41 a server with 64 descriptors, and 500 who knock', function () {
  needsAddon()
  this.timeout(30_000)
  this.slow(15_000)

  it('rests, tells them, takes one as soon as it can, and is whole again', async () => {
    const { server, place } = await startServer({}, `ulimit -n ${MAX_FDS}`)
    const before = openFds(server)
    const holders: HostileSocket[] = []
    for (;;) {
      const holder = new HostileSocket(place)
      try {
        await holder.upgraded('holder')
        holders.push(holder)
      } catch {
        assert.equal(holder.status, 503)
        break
      }
    }
    assert.ok(holders.length > 20, `${holders.length} got in`)
    assert.equal(openFds(server), MAX_FDS)

    const knockers = new Knockers(place, 500)
    await pause(700)
    const [cpuMs, startMs] = [server.cpuMs, performance.now()]
    await pause(2500)
    const share = (server.cpuMs - cpuMs) / (performance.now() - startMs)
    console.log(
      `      ${(share * 100).toFixed(1)} % CPU, answers ${[...knockers.answers].join(' ')}`,
    )
    assert.ok(share < 0.05, `${share * 100} % CPU`)
    assert.ok(knockers.answered('503') >= 1000, 'each was told, again and again')
    assert.deepEqual([...knockers.answers.keys()], ['503'], 'and nothing else happened to them')

    holders.pop()!.socket.destroy()
    const tookMs = await until(() => knockers.inside.length > 0, 2000)
    assert.ok(tookMs < 1000, `${tookMs} ms until one got in`)
    await knockers.stop()

    const patient = new HostileSocket(place)
    const gotIn = patient.upgraded('patient').then(() => true)
    assert.ok(await Promise.race([gotIn, pause(1000, false)]), 'within a second, nobody else there')

    for (const { socket } of [...holders, patient]) socket.destroy()
    await until(() => openFds(server) === before, 3000)
    assert.equal(openFds(server), before, 'descriptors')
  })
})

/** A context with a listener, and the listener's fd. */
function listening(
  poller: FakePoller,
  options: Partial<HarnessOptions> = {},
): Harness & { fd: number } {
  const h = harness({
    poller,
    protocols: [defineProtocol({ handlers: {} })],
    pingIntervalMs: 0,
    idleTimeoutMs: 0,
    ...options,
  })
  return { ...h, fd: pollFds(h.ctx)[0]!.fd }
}

const ask = (peer: WsPeer): WsPeer => peer.upgrade()
const isIn = (peer: WsPeer): boolean => peer.response()?.status === 101

describe('41 C29 a listener out of descriptors', () => {
  for (const errno of ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'] as const) {
    it(`${errno}: mask 0, and again after acceptRetryMs`, () => {
      const poller = fakePoller()
      const h = listening(poller)
      const peer = ask(h.connect())
      poller.script.accept.push(-Errno[errno])
      h.run()
      assert.deepEqual([poller.maskOf(h.fd), peer.fd], [0, -1])
      poller.runFor(h.ctx, 99)
      assert.equal(poller.maskOf(h.fd), 0, 'not before its time')
      assert.equal(poller.counts.accept, 1, 'and without a try')
      poller.runFor(h.ctx, 1)
      assert.deepEqual([poller.maskOf(h.fd), isIn(peer)], [POLLIN, true])
    })
  }

  it('acceptRetryMs by option, again and again while it lasts', () => {
    const poller = fakePoller()
    const h = listening(poller, { acceptRetryMs: 7 })
    const peer = ask(h.connect())
    poller.script.accept.push(...Array.from({ length: 5 }, () => -Errno.EMFILE))
    poller.runFor(h.ctx, 34)
    assert.deepEqual([poller.counts.accept, isIn(peer)], [5, false])
    poller.runFor(h.ctx, 1)
    assert.ok(isIn(peer))
  })

  it('or as soon as a connection closed', () => {
    const poller = fakePoller({ fdLimit: 6 })
    const h = listening(poller)
    const [first, second] = [h.open(), h.open()]
    const third = ask(h.connect())
    h.run()
    assert.deepEqual([poller.maskOf(h.fd), isIn(third)], [0, false])
    first.send(client.close())
    h.run()
    assert.equal(isIn(third), true)
    // Linux says EMFILE before it sees that nobody waits any more: one rest for nothing.
    poller.runFor(h.ctx, 100)
    assert.equal(poller.maskOf(h.fd), POLLIN)
    assert.equal(second.closed, undefined)
    assert.equal(poller.openFds.length, 3)
  })

  it('a connection that broke before it was accepted costs nobody else', () => {
    const poller = fakePoller()
    const h = listening(poller)
    const peer = ask(h.connect())
    poller.script.accept.push(-Errno.ECONNABORTED, -Errno.EPROTO)
    h.run()
    assert.deepEqual([poller.maskOf(h.fd), isIn(peer)], [POLLIN, true])
  })

  it('EMFILE: those who wait are shed with a 503, as many as acceptBudget says', () => {
    const poller = fakePoller()
    const farewells: string[] = []
    let waiting = 100
    poller.host.io.shed = (_fd, farewell) => {
      if (waiting === 0) return -Errno.EAGAIN
      waiting--
      farewells.push(Buffer.from(farewell).toString('latin1'))
      return 0
    }
    const h = listening(poller, { acceptBudget: 10 })
    h.connect()
    poller.script.accept.push(-Errno.EMFILE)
    poller.service(h.ctx)
    assert.equal(farewells.length, 9, 'and one attempt to accept')
    assert.match(farewells[0]!, /^HTTP\/1\.1 503 [^]*\r\nConnection: close\r\n[^]*\r\n\r\n$/)
    assert.match(farewells[0]!, /\r\nRetry-After: \d+\r\n/)
    assert.match(farewells[0]!, /\r\nContent-Length: 0\r\n/)
  })
})

describe('41 maxConnections', () => {
  it('who comes beyond it waits, and is the next', () => {
    const poller = fakePoller()
    const h = listening(poller, { maxConnections: 3 })
    const inside = [h.open(), h.open(), h.open()]
    const waiting = ask(h.connect())
    h.run()
    assert.deepEqual([poller.maskOf(h.fd), waiting.fd], [0, -1])
    poller.runFor(h.ctx, 5000)
    assert.equal(isIn(waiting), false)
    inside[1]!.reset()
    h.run()
    assert.ok(isIn(waiting))
  })

  it('C22 the wait costs nothing', () => {
    const poller = fakePoller()
    const h = listening(poller, { maxConnections: 1 })
    h.open()
    for (let i = 0; i < 50; i++) h.connect()
    h.run()
    const { accept } = poller.counts
    const rounds = poller.run(h.ctx)
    poller.runFor(h.ctx, 1000)
    assert.deepEqual([poller.counts.accept, rounds], [accept, 0])
  })

  it('requests and handshakes under way count, too', () => {
    const h = listening(fakePoller(), { maxConnections: 2 })
    h.connect()
    h.connect().send(validRequest().slice(0, 20))
    const third = ask(h.connect())
    h.run()
    assert.equal(third.fd, -1)
  })
})

describe('41 maxConnectionsPerPeer', () => {
  /** A context whose next peers have these addresses, one after the other. */
  function from(addresses: readonly string[], options: Partial<HarnessOptions>): Harness {
    const poller = fakePoller()
    const { io } = poller.host
    const peerAddress = io.peerAddress.bind(io)
    const left = [...addresses]
    const known = new Map<number, SocketAddress>()
    io.peerAddress = (fd) => {
      const address = left.shift()
      if (address === undefined) return known.get(fd) ?? peerAddress(fd)
      const family = address.includes(':') ? 'IPv6' : 'IPv4'
      const row: SocketAddress = { name: '', address, port: 1000 + fd, family }
      known.set(fd, row)
      return row
    }
    return listening(poller, options)
  }

  function admitted(addresses: readonly string[], options: Partial<HarnessOptions>): boolean[] {
    const h = from(addresses, options)
    return addresses.map(() => {
      const peer = ask(h.connect())
      h.run()
      return isIn(peer)
    })
  }

  it('of one IPv4 address; others are not concerned', () => {
    const addresses = ['10.0.0.1', '10.0.0.1', '10.0.0.1', '10.0.0.2', '10.0.0.1']
    const answers = admitted(addresses, { maxConnectionsPerPeer: 2 })
    assert.deepEqual(answers, [true, true, false, true, false])
  })

  it('of one /64 of IPv6, however it is written', () => {
    const addresses = [
      '2001:db8::1',
      '2001:db8:0:0:ffff::2',
      '2001:db8:0:0:1:2:3:4',
      '2001:db8:0:1::1',
    ]
    const answers = admitted(addresses, { maxConnectionsPerPeer: 2 })
    assert.deepEqual(answers, [true, true, false, true])
  })

  it('0, the default: all may be one peer, as behind a proxy', () => {
    const same = Array.from({ length: 20 }, () => '10.0.0.1')
    assert.ok(admitted(same, {}).every((answer) => answer))
  })

  it('who is refused was never announced, and who left makes room', () => {
    const h = from(['10.0.0.1', '10.0.0.1', '10.0.0.1'], { maxConnectionsPerPeer: 1 })
    const first = h.open()
    const second = ask(h.connect())
    h.run()
    assert.deepEqual([second.closed, pollFds(h.ctx).length], ['abort', 2])
    first.send(client.close())
    h.run()
    assert.ok(h.open().fd > 0)
  })

  it('peers are told apart as one would expect', () => {
    const key = (address: string, family: SocketAddress['family'] = 'IPv6'): string =>
      peerKey({ name: '', address, port: 1, family })
    const same = [
      ['::1', '0:0:0:0:1:2:3:4'],
      ['2001:db8::', '2001:0db8:0000:0000:ffff:ffff:ffff:ffff'],
      ['fe80::1%eth0', 'fe80::2%eth0'],
      ['1:2:3:4::', '1:2:3:4:5:6:7:8'],
      ['1::4:5:6:7:8', '1:0:0:4::'],
    ] as const
    for (const [a, b] of same) assert.equal(key(a), key(b), `${a} and ${b}`)
    const different = [
      ['2001:db8::1', '2001:db8:0:1::1'],
      ['1:2:3:4::', '1:2:3:5::'],
      ['::ffff:10.0.0.1', '::ffff:10.0.0.2'],
      ['::ffff:10.0.0.1', '::1'],
    ] as const
    for (const [a, b] of different) assert.notEqual(key(a), key(b), `${a} and ${b}`)
    assert.equal(key('::ffff:10.0.0.1'), key('10.0.0.1', 'IPv4'), 'the same, on both kinds')
  })
})

describe('41 slow at closing: each is gone at its limit', () => {
  type Opened = ReturnType<typeof openScene>
  interface Slow {
    /** Begins the end. */
    readonly begin: (made: Opened) => void
    /** Every 100 ms. */
    readonly drip: (made: Opened, turn: number) => void
    readonly afterMs: number
    readonly cause: string
  }

  const frame = client.close(1000, 'slowly')
  /** The peer sends this, and the library acts on it. */
  const sends =
    (bytes: Uint8Array, windowBytes = 2 ** 20) =>
    ({ h, peer }: Opened): void => {
      peer.windowBytes = windowBytes
      peer.send(bytes)
      h.run()
    }
  const goesOn =
    (bytes: string | Uint8Array) =>
    ({ peer }: Opened): boolean =>
      peer.send(bytes)
  const reserved = client.frame(3, 'x')
  const slow: Readonly<Record<string, Slow>> = {
    'never answers our close, and sends on': {
      begin: sends(client.text('close')),
      drip: goesOn(client.text('still here')),
      afterMs: 10_000,
      cause: 'CLOSE_TIMEOUT',
    },
    'answers our close so slowly that it never does': {
      begin: sends(client.text('close')),
      drip: ({ peer }, turn) => {
        if (turn < frame.length - 1) peer.send(frame.subarray(turn, turn + 1))
      },
      afterMs: 10_000,
      cause: 'CLOSE_TIMEOUT',
    },
    'takes our last words a byte at a time': {
      begin: sends(reserved, 0),
      drip: ({ peer }, turn) => {
        if (turn % 20 === 0) peer.windowBytes += 1
      },
      afterMs: 10_000,
      cause: 'FRAME_RESERVED_OPCODE',
    },
    'does not end after our last words, and sends on': {
      begin: sends(reserved),
      drip: goesOn('x'.repeat(1000)),
      afterMs: 2000,
      cause: 'FRAME_RESERVED_OPCODE',
    },
    'closes, and does not take the answer': {
      begin: sends(frame, 0),
      drip: goesOn('x'),
      afterMs: 10_000,
      cause: 'CLOSED_BY_PEER',
    },
  }

  for (const [what, { begin, drip, afterMs, cause }] of Object.entries(slow))
    it(`${what}: ${afterMs} ms`, () => {
      const made = openScene({
        handlers: {
          RECEIVE(wsi, data) {
            if (data.toString() === 'close') close(wsi)
          },
        },
      })
      begin(made)
      const { h, peer, ends } = made
      for (let turn = 0; turn < afterMs / 100; turn++) {
        assert.equal(peer.closed, undefined, `gone after ${turn * 100} ms`)
        drip(made, turn)
        h.poller.runFor(h.ctx, 100)
      }
      h.poller.runFor(h.ctx, 1)
      assert.notEqual(peer.closed, undefined, 'gone')
      assert.deepEqual(
        ends.map((end) => end.cause),
        [cause],
      )
      assert.equal(h.poller.openFds.length, 1, 'the listener alone')
    })
})
