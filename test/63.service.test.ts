/**
 * The epoll host's loop over the real core: how its thread ends, who shares its poller, and what a
 * paused connection costs that broke.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { recvText, sendText, service, socketIo, type EpollHost } from '../integrations/epoll.js'
import { BINARY, createContext, defineProtocol, formatEvents, getSocketFd } from '../src/index.js'
import { pollFds, POLLIN, rxFlowControl, write } from '../src/index.js'
import type { CloseInfo, Context, Pollfd, Wsi } from '../src/index.js'
import { checkedEpoll, endHost } from './support/checked-epoll.js'
import { patience } from './support/effort.js'
import { closePair, needsAddon, startWorker, temporaryFolder } from './support/epoll-addon.js'
import { unixPair } from './support/epoll-addon.js'
import { LoopClient } from './support/loop-client.js'
import { Client, Program, projectRoot } from './support/programs.js'

const ENDING_MS = patience(500)
const BACKENDS = ['epoll', 'poll'] as const

const echo = defineProtocol({
  handlers: { RECEIVE: (wsi: Wsi, data: Buffer) => void write(wsi, data, BINARY) },
})

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
      endHost(host, ...contexts)
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
      endHost(host, ctx)
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
    endHost(host, ctx)
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
      endHost(host, ctx)
    })
  }
})
