/**
 * The epoll host's loop over the real core: how its thread ends, and what it does when descriptors
 * come, go, break and come back under the same number.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { checked } from '../integrations/fake-poller.js'
import { epollHost, Poller, rawHost, recvText, sendText } from '../integrations/epoll.js'
import { service, socketIo, type EpollHost } from '../integrations/epoll.js'
import {
  BINARY,
  contextDestroy,
  createContext,
  defineProtocol,
  formatEvents,
} from '../src/index.js'
import {
  getSocketFd,
  hangupOnClient,
  pollFds,
  POLLIN,
  POLLOUT,
  rxFlowControl,
} from '../src/index.js'
import {
  serviceFd,
  write,
  type CloseInfo,
  type Context,
  type Pollfd,
  type Wsi,
} from '../src/index.js'
import { watchOver } from './support/clean-checkers.js'
import { closePair, needsAddon, startWorker, temporaryFolder } from './support/epoll-addon.js'
import { unixPair } from './support/epoll-addon.js'
import { LoopClient } from './support/loop-client.js'
import { Client, Program, projectRoot } from './support/programs.js'

const ENDING_MS = 500
const BACKENDS = ['epoll', 'poll'] as const

const echo = defineProtocol({
  handlers: { RECEIVE: (wsi: Wsi, data: Buffer) => void write(wsi, data, BINARY) },
})

/** An epoll host under the checker, which must be clean when the test ends. */
function checkedEpoll(backend: 'epoll' | 'poll'): EpollHost {
  const host = epollHost({ backend })
  const checker = checked(host)
  watchOver(checker)
  return Object.assign(checker, { poller: host.poller }) as EpollHost
}

/** Nothing of the test is left in the set. */
function end(host: EpollHost, ...contexts: Context[]): void {
  for (const ctx of contexts) contextDestroy(ctx)
  assert.equal(host.poller.size, 0)
  host.poller.close()
}

/** A client of a thread that is serving: it has just had an echo. */
async function clientOf(port: number | string): Promise<Client> {
  const client = await Client.open(`ws://127.0.0.1:${port}`)
  client.socket.send('alive?')
  assert.equal((await client.next()).data.toString(), 'alive?')
  return client
}

for (const loop of ['run', 'service'] as const) {
  describe(`63 a thread blocked in ${loop}() ends within ${ENDING_MS} ms`, () => {
    needsAddon()

    const child = async (): Promise<{ program: Program; client: Client }> => {
      const script = join(projectRoot, 'test/support/service-child.ts')
      const program = new Program(process.execPath, ['--import', 'tsx', script, loop])
      return { program, client: await clientOf(await program.firstLine()) }
    }

    it('by worker.terminate()', async () => {
      const worker = startWorker('./service-child.ts', [loop])
      const [port] = (await once(worker, 'message')) as [number]
      const client = await clientOf(port)
      const startMs = performance.now()
      await worker.terminate()
      assert.ok(performance.now() - startMs < ENDING_MS, `${performance.now() - startMs} ms`)
      await client.closed
    })

    it('by process.exit() in a callback of a worker', async () => {
      const worker = startWorker('./service-child.ts', [loop])
      const [port] = (await once(worker, 'message')) as [number]
      const client = await clientOf(port)
      const startMs = performance.now()
      client.socket.send('exit 3')
      const [status] = (await once(worker, 'exit')) as [number]
      assert.equal(status, 3)
      assert.ok(performance.now() - startMs < ENDING_MS, `${performance.now() - startMs} ms`)
      await client.closed
    })

    it('by process.exit() in a callback', async () => {
      const { program, client } = await child()
      const startMs = performance.now()
      client.socket.send('exit 7')
      const { status, signal } = await program.ended
      assert.deepEqual([status, signal, program.stderr], [7, null, ''])
      assert.ok(performance.now() - startMs < ENDING_MS, `${performance.now() - startMs} ms`)
    })

    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      it(`by ${signal}, which nobody watches`, async () => {
        const { program } = await child()
        const ended = await program.signal(signal)
        assert.deepEqual([ended.status, ended.signal], [null, signal])
        assert.ok(ended.endingMs < ENDING_MS, `${ended.endingMs} ms`)
      })
    }
  })
}

for (const backend of BACKENDS) {
  describe(`63 one poller for many, over ${backend}`, () => {
    needsAddon()

    it('two contexts and 50 foreign sockets all get their events, round after round', () => {
      const host = checkedEpoll(backend)
      const contexts = [1, 2].map(() => createContext({ host, port: 0, protocols: [echo] }))
      const round = (): void => void service(contexts[0]!, 1)
      const clients = contexts.map((ctx) => LoopClient.open(ctx, round))
      const folder = temporaryFolder()
      const path = join(folder.path, 'socket')
      const listenFd = socketIo.listen({ address: '', port: 0, path, backlog: 1 })
      const buffer = socketIo.createBuffer(64)
      const heard: string[] = []
      const pairs = Array.from({ length: 50 }, () => unixPair(listenFd, path))
      for (const [index, { server }] of pairs.entries()) {
        host.poller.add(server, POLLIN, undefined, ({ fd, revents }: Pollfd) => {
          assert.equal(formatEvents(revents), 'POLLIN')
          heard.push(`${index}: ${String(recvText(fd, buffer))}`)
        })
      }
      for (let turn = 0; turn < 20; turn++) {
        heard.length = 0
        for (const { client } of pairs) sendText(client, `turn ${turn}`)
        for (const client of clients) client.sendMessage(`turn ${turn}`)
        for (const client of clients) client.untilEchoed(round, `turn ${turn}`)
        for (let rounds = 0; rounds < 100 && heard.length < pairs.length; rounds++) round()
        const wanted = pairs.map((_pair, index) => `${index}: turn ${turn}`)
        assert.deepEqual(heard.toSorted(), wanted.toSorted())
      }
      for (const pair of pairs) {
        host.poller.remove(pair.server)
        closePair(pair)
      }
      for (const client of clients) client.reset()
      socketIo.close(listenFd, false)
      socketIo.freeBuffer(buffer)
      folder.remove()
      end(host, ...contexts)
    })
  })
}

describe('63 C4: a paused peer that resets', () => {
  needsAddon()

  interface Watched {
    readonly host: EpollHost
    readonly ctx: Context
    readonly closed: CloseInfo[]
    wsi: Wsi | undefined
    wakeUps: number
  }

  /** A context with one connection that is paused. */
  function paused(backend: 'epoll' | 'poll', pausedErrorTimeoutMs: number): [Watched, LoopClient] {
    const host = checkedEpoll(backend)
    const closed: CloseInfo[] = []
    const protocol = defineProtocol({
      handlers: {
        ESTABLISHED(wsi) {
          watched.wsi = wsi
        },
        CLOSED: (_wsi, info) => void closed.push(info),
      },
    })
    const ctx = createContext({ host, port: 0, protocols: [protocol], pausedErrorTimeoutMs })
    const watched: Watched = { host, ctx, closed, wsi: undefined, wakeUps: 0 }
    const client = LoopClient.open(ctx, () => service(ctx, 1))
    assert.equal(rxFlowControl(watched.wsi!, 0), true)
    const { fd, events } = pollFds(ctx)[1]!
    assert.deepEqual([fd, events], [getSocketFd(watched.wsi!), 0])
    return [watched, client]
  }

  it('costs at most 5 wake-ups in 5 s, with epoll and with poll', function () {
    this.timeout(15_000)
    const all = BACKENDS.map((backend) => {
      const [watched, client] = paused(backend, 60_000)
      // Data that nobody reads is no reason to wake up either.
      client.sendMessage('unread')
      client.reset()
      return watched
    })
    const endMs = performance.now() + 5000
    while (performance.now() < endMs)
      for (const watched of all) if (service(watched.ctx, 50) > 0) watched.wakeUps++
    for (const { wakeUps, closed, host, ctx } of all) {
      const { backend } = host.poller
      // poll(2) is not asked about a mask of 0 at all; epoll tells once.
      assert.ok(wakeUps >= (backend === 'epoll' ? 1 : 0), 'nothing was told')
      assert.ok(wakeUps <= 5, `${wakeUps} wake-ups over ${backend}`)
      assert.deepEqual(closed, [], 'it is the application that paused it')
      end(host, ctx)
    }
  })

  it('ends after pausedErrorTimeoutMs', () => {
    const [{ host, ctx, closed }, client] = paused('epoll', 100)
    client.reset()
    const startMs = performance.now()
    while (closed.length === 0 && performance.now() < startMs + 2000) service(ctx, 50)
    assert.deepEqual(
      closed.map(({ cause }) => cause),
      ['PAUSED_ERROR_TIMEOUT'],
    )
    assert.ok(performance.now() - startMs >= 99)
    end(host, ctx)
  })

  for (const backend of BACKENDS) {
    it(`ends once it is read again, over ${backend}`, () => {
      const [{ host, ctx, closed, wsi }, client] = paused(backend, 60_000)
      client.reset()
      service(ctx, 50)
      assert.deepEqual(closed, [])
      rxFlowControl(wsi!, 1)
      for (let rounds = 0; rounds < 20 && closed.length === 0; rounds++) service(ctx, 50)
      assert.deepEqual(
        closed.map(({ code, initiator }) => [code, initiator]),
        [[1006, 'peer']],
      )
      end(host, ctx)
    })
  }
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
    ['epoll', 20_000],
    ['poll', 2_000],
  ] as const) {
    it(`service(): the new connection lives, ${turns} times over ${backend}`, function () {
      this.timeout(60_000)
      const host = checkedEpoll(backend)
      const stage = new ReuseStage(
        (protocol) => createContext({ host, port: 0, protocols: [protocol] }),
        (ctx) => service(ctx, 1),
      )
      for (let turn = 0; turn < turns; turn++) stage.turn()
      assert.ok(stage.reused > turns / 2, `the number came back ${stage.reused} times only`)
      stage.end()
      end(host)
    })
  }

  for (const gens of [true, false]) {
    it(`a loop that passes everything on, ${gens ? 'with' : 'without'} gens`, function () {
      this.timeout(60_000)
      const turns = 15_000
      const poller = new Poller()
      const pollfds: Pollfd[] = []
      const answers = new Map<string, number>()
      const checker = checked(rawHost())
      if (gens) watchOver(checker)
      const round = (ctx: Context): void => {
        const count = poller.wait(pollfds, 1)
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
    for (const revents of [0x10, 0x08, 0x18, 0x1d, POLLOUT | 0x10, 0x3f, 0])
      assert.notEqual(serviceFd(ctx, { fd, revents }), 'closed')
    client.sendMessage('still here')
    client.untilEchoed(round, 'still here')
    client.reset()
    contextDestroy(ctx)
    poller.close()
  })
})
