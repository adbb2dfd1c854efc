/**
 * The Poller, on both backends: what it reports, what it must not report, and what it refuses.
 *
 * Raw sockets throughout, no context: C4 and C5 as the poll set alone can keep them.
 */
import assert from 'node:assert/strict'
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { addon } from '../integrations/epoll-addon/binding.js'
import { Poller, socketIo, wakeFd } from '../integrations/epoll.js'
import { POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, type Pollfd } from '../src/index.js'
import { repeats } from './support/effort.js'
import { closePair, needsAddon, runChildWell, tcpPair } from './support/epoll-addon.js'
import { temporaryFolder, unixPair, type SocketPair } from './support/epoll-addon.js'

/** Of fd reuse. poll(2) shares the JavaScript half, so it may have fewer. */
const ROUNDS = { epoll: repeats(50_000), poll: repeats(10_000) }

const codeOf = (code: string) => ({ code })

function send(fd: number, text: string): void {
  assert.equal(socketIo.sendv(fd, [Buffer.from(text)]), text.length)
}

/** Closes with a reset, and waits until it has arrived: SO_ERROR is left alone. */
function reset(pair: SocketPair): void {
  socketIo.close(pair.client, true)
  const poller = new Poller({ backend: 'poll' })
  const pollfds: Pollfd[] = []
  poller.add(pair.server, POLLIN)
  assert.equal(poller.wait(pollfds, 1000), 1)
  poller.close()
}

for (const backend of ['epoll', 'poll'] as const) {
  describe(`61 the poller over ${backend}`, () => {
    needsAddon()

    let poller: Poller
    let pair: SocketPair
    let pollfds: Pollfd[]

    const ready = (timeoutMs = 0): Pollfd[] => pollfds.slice(0, poller.wait(pollfds, timeoutMs))

    beforeEach(() => {
      poller = new Poller({ backend })
      pair = tcpPair()
      pollfds = []
    })

    afterEach(() => {
      poller.close()
      closePair(pair)
    })

    it('reports what is ready, with the generation it was given', () => {
      poller.add(pair.server, POLLIN, 7)
      assert.deepEqual(ready(), [])
      send(pair.client, 'x')
      assert.deepEqual(ready(1000), [{ fd: pair.server, revents: POLLIN, gen: 7 }])
    })

    it('keeps unsigned 32-bit generations whole', () => {
      poller.add(pair.server, POLLOUT, 2 ** 32 - 1)
      assert.deepEqual(ready(), [{ fd: pair.server, revents: POLLOUT, gen: 2 ** 32 - 1 }])
    })

    it('leaves out `gen` where none was given', () => {
      poller.add(pair.server, POLLOUT, 7)
      poller.wait(pollfds, 0)
      poller.add(pair.server, POLLOUT)
      assert.deepEqual(ready(), [{ fd: pair.server, revents: POLLOUT }])
      assert.equal('gen' in pollfds[0]!, false)
      assert.equal(poller.isLive(pollfds[0]!), true)
    })

    it('reports again what was not dealt with: level-triggered', () => {
      poller.add(pair.server, POLLIN, 7)
      send(pair.client, 'x')
      for (let round = 0; round < 5; round++) assert.equal(ready(1000).length, 1)
      const buffer = socketIo.createBuffer(10)
      socketIo.recv(pair.server, buffer, 0, 10)
      socketIo.freeBuffer(buffer)
      assert.deepEqual(ready(), [])
    })

    it('fills the same objects again', () => {
      poller.add(pair.server, POLLOUT, 1)
      poller.add(pair.client, POLLOUT, 2)
      assert.equal(poller.wait(pollfds, 0), 2)
      const objects = [...pollfds]
      assert.equal(poller.wait(pollfds, 0), 2)
      assert.equal(pollfds[0], objects[0])
      assert.equal(pollfds[1], objects[1])
    })

    it('changes the mask, and takes repeats quietly', () => {
      poller.add(pair.server, POLLIN, 7)
      poller.modify(pair.server, POLLIN | POLLOUT)
      poller.modify(pair.server, POLLIN | POLLOUT)
      assert.equal(ready()[0]?.revents, POLLOUT)
      poller.modify(pair.server, POLLIN)
      assert.deepEqual(ready(), [])
      poller.add(pair.server, POLLOUT, 8)
      assert.deepEqual(ready(), [{ fd: pair.server, revents: POLLOUT, gen: 8 }])
      assert.equal(poller.size, 1)
      poller.remove(pair.server)
      poller.remove(pair.server)
      assert.deepEqual(ready(), [])
      assert.equal(poller.size, 0)
    })

    it('C4: at mask 0, data and the end of file wake nobody, and wait for the re-arming', () => {
      poller.add(pair.server, POLLIN, 7)
      poller.modify(pair.server, 0)
      send(pair.client, 'x')
      socketIo.shutdown(pair.client)
      for (let round = 0; round < 5; round++) assert.deepEqual(ready(2), [])
      poller.modify(pair.server, POLLIN)
      assert.equal(ready(1000)[0]?.revents, POLLIN)
    })

    for (const how of ['modified', 'added'] as const) {
      it(`C4: a peer that resets wakes an fd ${how} to mask 0 at most once`, () => {
        poller.add(pair.server, how === 'added' ? 0 : POLLIN, 7)
        if (how === 'modified') poller.modify(pair.server, 0)
        reset(pair)
        let wakeUps = 0
        for (let round = 0; round < 50; round++) {
          for (const { revents } of ready(1)) {
            wakeUps++
            assert.equal(revents & ~(POLLERR | POLLHUP), 0)
          }
          poller.modify(pair.server, 0)
        }
        assert.ok(wakeUps <= 1, `${wakeUps} wake-ups`)
        poller.modify(pair.server, POLLIN)
        assert.ok(ready(1000)[0]!.revents & POLLHUP)
      })
    }

    it('C5: what was removed or replaced in the middle of a batch is not live', () => {
      poller.add(pair.server, POLLOUT, 1, 'server')
      poller.add(pair.client, POLLOUT, 2, 'client')
      assert.equal(poller.wait(pollfds, 0), 2)
      const [first, second] = pollfds as [Pollfd, Pollfd]
      assert.deepEqual([poller.ownerOf(first), poller.ownerOf(second)].sort(), ['client', 'server'])
      poller.remove(first.fd)
      assert.equal(poller.isLive(first), false)
      assert.equal(poller.ownerOf(first), undefined)
      assert.equal(poller.isLive(second), true)
      poller.remove(second.fd)
      poller.add(second.fd, POLLOUT, 3, 'new')
      assert.equal(poller.isLive(second), false)
      assert.equal(poller.ownerOf(second), undefined)
      assert.equal(poller.ownerOf({ fd: second.fd, revents: POLLOUT, gen: 3 }), 'new')
    })

    it('C5: so it is without generations', () => {
      poller.add(pair.server, POLLOUT, undefined, 'old')
      assert.equal(poller.wait(pollfds, 0), 1)
      assert.equal(poller.ownerOf(pollfds[0]!), 'old')
      poller.remove(pair.server)
      poller.add(pair.server, POLLOUT, undefined, 'new')
      assert.equal(poller.isLive(pollfds[0]!), false)
      assert.equal(poller.wait(pollfds, 0), 1)
      assert.equal(poller.ownerOf(pollfds[0]!), 'new')
    })

    it('holds foreign fds', () => {
      const eventFd = addon().eventCreate()
      poller.add(eventFd, POLLIN, undefined, 'foreign')
      assert.deepEqual(ready(), [])
      addon().eventWrite(eventFd)
      assert.deepEqual(ready(), [{ fd: eventFd, revents: POLLIN }])
      poller.remove(eventFd)
      addon().eventClose(eventFd)
    })

    it('survives an fd closed without being removed, and its number used again', () => {
      const eventFd = addon().eventCreate()
      poller.add(eventFd, POLLIN, 5)
      addon().eventClose(eventFd)
      const told = [...ready(), ...ready(), ...ready()]
      assert.ok(told.length <= 1)
      for (const { revents } of told) assert.equal(revents, POLLNVAL)
      const again = addon().eventCreate()
      assert.equal(again, eventFd)
      addon().eventWrite(again)
      poller.add(again, POLLIN, 6)
      assert.deepEqual(ready(), [{ fd: again, revents: POLLIN, gen: 6 }])
      addon().eventClose(again)
      assert.throws(() => {
        poller.modify(again, POLLOUT)
        if (backend === 'poll') poller.modify(pair.server, POLLOUT)
      }, codeOf('ERR_EXTPOLL_UNKNOWN_FD'))
      poller.remove(again)
    })

    it('reports more than maxEvents in turns, and starves nobody', () => {
      const small = new Poller({ backend, maxEvents: 4 })
      const pairs = Array.from({ length: 8 }, tcpPair)
      const fds = pairs.flatMap(({ client, server }) => [client, server])
      for (const fd of fds) small.add(fd, POLLOUT, fd)
      const seen = new Map<number, number>()
      for (let round = 0; round < 40; round++) {
        const count = small.wait(pollfds, 0)
        assert.ok(count <= 4)
        for (const { fd } of pollfds.slice(0, count)) seen.set(fd, (seen.get(fd) ?? 0) + 1)
      }
      assert.deepEqual([...seen.keys()].sort(), [...fds].sort())
      assert.ok(Math.min(...seen.values()) >= 5, JSON.stringify([...seen]))
      small.close()
      pairs.forEach(closePair)
    })

    it('waits as long as it is told, rounded up, never longer than maxWaitMs', () => {
      const patient = new Poller({ backend, maxWaitMs: 30 })
      const elapsed = (timeoutMs: number): number => {
        const startMs = performance.now()
        assert.equal(patient.wait(pollfds, timeoutMs), 0)
        return performance.now() - startMs
      }
      assert.ok(elapsed(0) < 25)
      assert.ok(elapsed(0.2) >= 0.9)
      assert.ok(elapsed(10) >= 9)
      for (const endless of [-1, Infinity, -Infinity, 1e9]) {
        const tookMs = elapsed(endless)
        assert.ok(tookMs >= 29 && tookMs < 1000, `${tookMs} ms`)
      }
      assert.throws(() => patient.wait(pollfds, NaN), codeOf('ERR_EXTPOLL_TIMEOUT'))
      patient.close()
    })

    it('is woken, before the wait as well as by number, and reports no event for it', () => {
      poller.wake()
      wakeFd(poller.wakeFd)
      assert.deepEqual(ready(-1), [])
      assert.equal(poller.woken, true)
      assert.deepEqual(ready(), [])
      assert.equal(poller.woken, false)
    })

    it('refuses misuse with a code, before anything changed', () => {
      const refuse = (call: () => unknown, code: string) => assert.throws(call, codeOf(code))
      refuse(() => poller.add(-1, POLLIN), 'ERR_EXTPOLL_FD')
      refuse(() => poller.add(1.5, POLLIN), 'ERR_EXTPOLL_FD')
      refuse(() => poller.add(999_999, POLLIN), 'ERR_EXTPOLL_FD')
      refuse(() => poller.add(pair.server, 64), 'ERR_EXTPOLL_EVENTS')
      refuse(() => poller.add(pair.server, POLLIN, 0), 'ERR_EXTPOLL_GEN')
      refuse(() => poller.add(pair.server, POLLIN, 2 ** 32), 'ERR_EXTPOLL_GEN')
      refuse(() => poller.modify(pair.server, POLLIN), 'ERR_EXTPOLL_UNKNOWN_FD')
      refuse(() => new Poller({ maxWaitMs: 0 }), 'ERR_EXTPOLL_POLLER_OPTION')
      refuse(() => new Poller({ maxWaitMs: Infinity }), 'ERR_EXTPOLL_POLLER_OPTION')
      refuse(() => new Poller({ maxEvents: 65_537 }), 'ERR_EXTPOLL_POLLER_OPTION')
      refuse(() => new Poller({ backend: 'kqueue' as never }), 'ERR_EXTPOLL_POLLER_OPTION')
      refuse(() => wakeFd(pair.server), 'ERR_EXTPOLL_FD')
      assert.throws(() => poller.add(poller.wakeFd, POLLIN), codeOf('EINVAL'))
      assert.equal(poller.size, 0)
    })

    it('is woken by its own number alone: an eventfd of somebody else is left alone', () => {
      const target = (fd: string): string => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`)
        } catch {
          return ''
        }
      }
      const eventFds = readdirSync('/proc/self/fd').filter((fd) => /eventfd/.test(target(fd)))
      // The first is of Node's own loop.
      const foreign = Math.min(...eventFds.map(Number))
      assert.ok(foreign < poller.wakeFd)
      assert.throws(() => wakeFd(foreign), codeOf('ERR_EXTPOLL_FD'))
    })

    it('refuses every call once closed, but remove and close', () => {
      poller.add(pair.server, POLLIN)
      const { wakeFd: number } = poller
      poller.close()
      poller.close()
      poller.remove(pair.server)
      const closed = codeOf('ERR_EXTPOLL_POLLER_CLOSED')
      assert.throws(() => poller.add(pair.server, POLLIN), closed)
      assert.throws(() => poller.modify(pair.server, POLLIN), closed)
      assert.throws(() => poller.wait(pollfds, 0), closed)
      assert.throws(() => poller.wake(), closed)
      assert.throws(() => wakeFd(number), codeOf('ERR_EXTPOLL_FD'))
    })

    it(`C5: in ${ROUNDS[backend]} rounds of fd reuse in a batch, the newcomer lives`, function () {
      this.timeout(20_000)
      const folder = temporaryFolder()
      const path = join(folder.path, 'listener')
      const listenFd = socketIo.listen({ address: '', port: 0, path, backlog: 16 })
      const buffer = socketIo.createBuffer(10)
      let stale = 0
      let [one, two] = [unixPair(listenFd, path), unixPair(listenFd, path)]
      for (let round = 0; round < ROUNDS[backend]; round++) {
        const gens = round % 2 === 0 ? [poller.nextGen(), poller.nextGen()] : []
        poller.add(one.server, POLLIN, gens[0])
        poller.add(two.server, POLLIN, gens[1])
        // Both peers hang up, so both are in one batch, with POLLIN | POLLHUP.
        socketIo.close(one.client, false)
        socketIo.close(two.client, false)
        assert.equal(poller.wait(pollfds, 1000), 2)
        // Whichever comes first: its callback closes the other, whose number a newcomer gets.
        const [first, second] = pollfds as [Pollfd, Pollfd]
        poller.remove(second.fd)
        socketIo.close(second.fd, false)
        const client = socketIo.connect({ name: path, address: '', port: 0, family: 'Unix' })
        const spare = client === second.fd ? undefined : client
        const newcomer = socketIo.accept(listenFd)
        const reused = spare === undefined ? client : newcomer
        poller.add(reused, POLLIN, gens.length > 0 ? poller.nextGen() : undefined)
        if (!poller.isLive(second)) stale++
        assert.equal(poller.isLive(first), true)
        poller.remove(first.fd)
        socketIo.close(first.fd, false)
        send(client, 'x')
        assert.equal(socketIo.recv(newcomer, buffer, 0, 10), 1)
        poller.remove(reused)
        one = { client, server: newcomer }
        two = unixPair(listenFd, path)
      }
      assert.equal(stale, ROUNDS[backend])
      closePair(one)
      closePair(two)
      socketIo.close(listenFd, false)
      socketIo.freeBuffer(buffer)
      folder.remove()
    })
  })
}

describe('61 the poller: the epoll descriptor, threads and limits', () => {
  needsAddon()

  it('is itself pollable', () => {
    const inner = new Poller()
    const outer = new Poller()
    const pair = tcpPair()
    const pollfds: Pollfd[] = []
    const withoutFd = new Poller({ backend: 'poll' })
    assert.equal(withoutFd.fd, -1)
    withoutFd.close()
    inner.add(pair.server, POLLIN)
    outer.add(inner.fd, POLLIN)
    assert.equal(outer.wait(pollfds, 0), 0)
    send(pair.client, 'x')
    assert.equal(outer.wait(pollfds, 1000), 1)
    assert.equal(pollfds[0]!.fd, inner.fd)
    assert.throws(() => inner.add(inner.fd, POLLIN), codeOf('EINVAL'))
    outer.close()
    inner.close()
    closePair(pair)
  })

  it('refuses a regular file on epoll, and is as it was', () => {
    const poller = new Poller()
    const file = openSync(new URL(import.meta.url), 'r')
    assert.throws(() => poller.add(file, POLLIN), codeOf('EPERM'))
    assert.equal(poller.size, 0)
    closeSync(file)
    poller.close()
  })

  it('counts generations from 1, never 0', () => {
    const poller = new Poller()
    assert.deepEqual([poller.nextGen(), poller.nextGen()], [1, 2])
    poller.close()
  })

  it('is woken from another thread while it waits', async () => {
    const { stdout } = await runChildWell('./epoll-child.ts', ['wake'])
    assert.ok(Number(stdout) < 1000, stdout)
  })

  it('takes the number of no standard stream, where one was closed', async () => {
    await runChildWell('./epoll-child.ts', ['no-stdin'])
  })

  it('makes room for 16,384 descriptors at once, or for as many as may be', async () => {
    for (const [maxFds, roomAfter] of [
      [20_000, 16_384],
      [1000, 1024],
    ] as const) {
      const { stdout } = await runChildWell('./epoll-child.ts', ['room'], { maxFds })
      const [before, after] = JSON.parse(stdout) as [number, number]
      assert.ok(before < 1024, `${before} before`)
      assert.equal(after, roomAfter)
    }
  })

  it('C29: says so when out of descriptors, and goes on once some are free', async () => {
    const args = ['out-of-descriptors']
    const { stdout } = await runChildWell('./epoll-child.ts', args, { maxFds: 128 })
    assert.equal(stdout, 'recovered\n')
  })
})
