/**
 * The epoll host over the real core, when a descriptor's number comes back within one batch.
 */
import assert from 'node:assert/strict'
import { checked } from '../integrations/fake-poller.js'
import { Poller, rawHost, service } from '../integrations/epoll.js'
import { BINARY, contextDestroy, createContext, defineProtocol } from '../src/index.js'
import { hangupOnClient, pollFds, POLLERR, POLLHUP, POLLIN, POLLOUT } from '../src/index.js'
import { serviceFd, write, type Context, type Pollfd, type Wsi } from '../src/index.js'
import { watchOver } from './support/clean-checkers.js'
import { checkedEpoll, endHost } from './support/checked-epoll.js'
import { campaign } from './support/effort.js'
import { needsAddon } from './support/epoll-addon.js'
import { LoopClient } from './support/loop-client.js'

const echo = defineProtocol({
  handlers: { RECEIVE: (wsi: Wsi, data: Buffer) => void write(wsi, data, BINARY) },
})

/**
 * In one batch: a message makes the application hang up on another connection that is ready too,
 * and the listener's next connection gets the number of that one, before its readiness is served.
 */
class ReuseStage {
  readonly ctx: Context
  readonly control: LoopClient
  readonly #round: () => void
  /** The connection that is hung up on next. */
  victim: LoopClient
  /** How often the new connection got the number of the old one. */
  reused = 0

  /** @param round one round of the loop that services the context */
  constructor(
    make: (protocol: ReturnType<typeof defineProtocol>) => Context,
    round: (ctx: Context) => unknown,
  ) {
    this.#round = () => void round(this.ctx)
    this.ctx = make(
      defineProtocol({
        handlers: {
          RECEIVE: () => {
            assert.equal(hangupOnClient(this.ctx, pollFds(this.ctx)[2]!.fd), true)
          },
        },
      }),
    )
    this.control = LoopClient.open(this.ctx, this.#round)
    this.victim = this.#connected()
  }

  #connected(): LoopClient {
    const client = new LoopClient(this.ctx)
    for (let tries = 0; tries < 100 && pollFds(this.ctx).length < 3; tries++) this.#round()
    return client
  }

  /** Readiness in this order: the message, the new connection, the one that is hung up on. */
  turn(): void {
    // Level-triggered sets remember the order of the last batch until a wait finds nothing.
    this.#round()
    const before = pollFds(this.ctx)[2]!
    const { victim } = this
    this.control.sendMessage('hang up on the other one')
    const newcomer = new LoopClient(this.ctx)
    victim.send(Buffer.from('GET / HT'))
    this.#round()
    for (let tries = 0; tries < 100 && pollFds(this.ctx)[2]?.gen === before.gen; tries++)
      this.#round()
    victim.reset()
    this.victim = newcomer
    if (pollFds(this.ctx).length < 3) this.#round()
    const [, , after] = pollFds(this.ctx)
    assert.ok(after !== undefined && after.gen !== before.gen, 'the new connection does not live')
    if (after.fd === before.fd) this.reused++
  }

  /** It lives so well that it takes a whole handshake. */
  end(): void {
    this.victim.send(Buffer.from('nonsense\r\n\r\n'))
    this.victim.until(this.#round, (bytes) => bytes.toString().startsWith('HTTP/1.1 400 '))
    this.victim.reset()
    this.control.reset()
    contextDestroy(this.ctx)
  }
}

describe('63 C5: a number that comes back within a batch', () => {
  needsAddon()

  for (const [backend, turns] of [
    ['epoll', campaign(50_000)],
    ['poll', campaign(2_000)],
  ] as const) {
    it(`service(): the new connection lives, ${turns} times over ${backend}`, function () {
      this.timeout(60_000)
      const host = checkedEpoll(backend)
      const stage = new ReuseStage(
        (protocol) => createContext({ host, port: 0, protocols: [protocol] }),
        (ctx) => service(ctx, 0),
      )
      for (let turn = 0; turn < turns; turn++) stage.turn()
      assert.ok(stage.reused > turns / 2, `the number came back ${stage.reused} times only`)
      stage.end()
      endHost(host)
    })
  }

  for (const gens of [true, false]) {
    it(`a loop that passes everything on, ${gens ? 'with' : 'without'} gens`, function () {
      this.timeout(60_000)
      const turns = campaign(15_000)
      const poller = new Poller()
      const pollfds: Pollfd[] = []
      const answers = new Map<string, number>()
      const checker = checked(rawHost())
      if (gens) watchOver(checker)
      const round = (ctx: Context): void => {
        const count = poller.wait(pollfds, 0)
        for (const pollfd of pollfds.slice(0, count)) {
          const answer = serviceFd(ctx, pollfd)
          answers.set(answer, (answers.get(answer) ?? 0) + 1)
        }
        serviceFd(ctx, null)
      }
      const stage = new ReuseStage(
        (protocol) =>
          createContext({
            host: checker,
            port: 0,
            protocols: [protocol],
            on: checker.on({
              ADD_POLL_FD: (fd, events, { gen }) => poller.add(fd, events, gens ? gen : undefined),
              DEL_POLL_FD: (fd) => poller.remove(fd),
              SET_MODE: (fd, _events, { next }) => poller.modify(fd, next),
              CLEAR_MODE: (fd, _events, { next }) => poller.modify(fd, next),
            }),
          }),
        round,
      )
      for (let turn = 0; turn < turns; turn++) stage.turn()
      assert.ok(stage.reused > turns / 2, `the number came back ${stage.reused} times only`)
      // With gens the core itself tells; without, the readiness is a hint that costs one recv.
      if (gens) assert.ok((answers.get('stale') ?? 0) > turns / 2, 'nothing was stale')
      else assert.equal(answers.get('stale'), undefined)
      stage.end()
      assert.equal(poller.size, 0)
      poller.close()
    })
  }

  it('a stale POLLHUP without a gen does not end the new connection', () => {
    const poller = new Poller()
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
    const pollfds: Pollfd[] = []
    const round = (): void => {
      const count = poller.wait(pollfds, 1)
      for (let at = 0; at < count; at++) serviceFd(ctx, pollfds[at]!)
    }
    const client = LoopClient.open(ctx, round)
    const { fd } = pollFds(ctx)[1]!
    for (const revents of [POLLHUP, POLLERR, POLLERR | POLLHUP, POLLIN | POLLOUT | POLLHUP, 0])
      assert.notEqual(serviceFd(ctx, { fd, revents }), 'closed')
    client.sendMessage('still here')
    client.untilEchoed(round, 'still here')
    client.reset()
    contextDestroy(ctx)
    poller.close()
  })
})
