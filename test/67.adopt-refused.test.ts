/** `adoptSocket` of descriptors on the epoll host: who is refused, and how that leaves a socket. */
import assert from 'node:assert/strict'
import { addon } from '../integrations/epoll-addon/binding.js'
import { epollHost, socketIo, type EpollHost } from '../integrations/epoll.js'
import { adoptSocket, contextDestroy, createContext, defineProtocol } from '../src/index.js'
import { detachSocket, pollFds, WOULD_BLOCK } from '../src/index.js'
import type { Context, ContextOptions, Host, Wsi } from '../src/index.js'
import { checkedEpoll, endHost } from './support/checked-epoll.js'
import { closePair, needsAddon, tcpPair, type SocketPair } from './support/epoll-addon.js'

type Refusal = (host: EpollHost, fd: number) => [Context, Wsi | null]

function adoptWith(host: Host, fd: number, options: Partial<ContextOptions>): ReturnType<Refusal> {
  const protocols = [defineProtocol({ name: '', handlers: {} })]
  const ctx = createContext({ host, protocols, ...options })
  return [ctx, adoptSocket(ctx, fd)]
}

const refusals: Record<string, Refusal> = {
  maxConnections(host, fd) {
    const other = tcpPair()
    const [ctx] = adoptWith(host, other.server, { maxConnections: 1 })
    const answer = adoptSocket(ctx, fd)
    socketIo.close(other.client, false)
    return [ctx, answer]
  },
  'the network filter': (host, fd) => {
    const handlers = { FILTER_NETWORK_CONNECTION: () => ({ status: 403 }) }
    return adoptWith(host, fd, { protocols: [defineProtocol({ name: '', handlers })] })
  },
  'a poll array that is full': (host, fd) => {
    const add = (): never => {
      throw new Error('full')
    }
    const pollSet = { ...host.pollSet, add }
    const ctx = createContext({
      host: { ...host, pollSet },
      protocols: [defineProtocol({ handlers: {} })],
    })
    assert.throws(() => adoptSocket(ctx, fd), /full/)
    return [ctx, null]
  },
}

for (const [name, refuse] of Object.entries(refusals))
  describe(`67 C28: a socket that is refused by ${name}`, () => {
    needsAddon()
    let host: EpollHost
    let pair: SocketPair
    beforeEach(() => {
      host = checkedEpoll('epoll')
      pair = tcpPair()
    })
    afterEach(() => closePair(pair))

    function refused(): void {
      const [ctx, answer] = refuse(host, pair.server)
      assert.equal(answer, null)
      assert.ok(pollFds(ctx).every(({ fd }) => fd !== pair.server))
      endHost(host, ctx)
    }

    it('still is its own loop’s to read, write and close', () => {
      refused()
      assert.equal(socketIo.sendv(pair.server, [Buffer.from('x')]), 1)
      assert.equal(socketIo.close(pair.server, false), 0)
    })

    it('is as others left it: blocking, inherited, with delay, and not ours', () => {
      const given = 7
      assert.equal(addon().release(pair.server, given), 0)
      refused()
      assert.equal(socketIo.close(pair.server, false), -9)
      assert.equal(addon().adopt(pair.server), given)
    })
  })

describe('67 C29: what a context has already, and what listens, is not adopted', () => {
  needsAddon()

  const misuse = { code: 'ERR_EXTPOLL_FD' }
  const options = { protocols: [defineProtocol({ name: '', handlers: {} })] }

  it('not twice by one context, nor by another one of the thread, on its set or not', () => {
    const hosts = [checkedEpoll('epoll'), checkedEpoll('poll')]
    const pair = tcpPair()
    const [ctx, wsi] = adoptWith(hosts[0]!, pair.server, options)
    const before = pollFds(ctx)
    assert.throws(() => adoptSocket(ctx, pair.server), misuse)
    const others = [...hosts, epollHost({ poller: hosts[0]!.poller })].map((host) =>
      createContext({ host, ...options }),
    )
    for (const other of others) assert.throws(() => adoptSocket(other, pair.server), misuse)
    assert.deepEqual(pollFds(ctx), before)
    assert.equal(hosts[0]!.poller.size, 1)
    assert.ok(hosts[0]!.poller.isLive({ ...before[0]!, revents: 0 }))
    // Once it is given back, it is anybody's.
    const { fd } = detachSocket(ctx, wsi!)!
    assert.ok(adoptSocket(others[1]!, fd))
    for (const one of [ctx, ...others]) contextDestroy(one)
    for (const host of hosts) endHost(host)
    socketIo.close(pair.client, false)
  })

  it('no listener: of a loop of one’s own, of a context, of others', () => {
    const host = checkedEpoll('epoll')
    const ctx = createContext({ host, port: 0, ...options })
    const listenFd = socketIo.listen({ address: '127.0.0.1', port: 0, backlog: 1 })
    for (const fd of [listenFd, pollFds(ctx)[0]!.fd])
      assert.throws(() => adoptSocket(ctx, fd), misuse)
    assert.equal(socketIo.accept(listenFd), WOULD_BLOCK)
    assert.equal(pollFds(ctx).length, 1)
    socketIo.close(listenFd, false)
    endHost(host, ctx)
  })
})
