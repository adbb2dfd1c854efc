/**
 * A context as one descriptor in a loop that is not ours (`getPollFd`): one in C over poll(2), and
 * an epoll around the host's. The loops run in processes of their own, with `ws` as the client.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { contextDestroy, createContext, defineProtocol, nextTimeout } from '../src/index.js'
import { epollHost, getPollFd, rawHost, service } from '../integrations/epoll.js'
import { compileAddon } from './support/c-addon.js'
import { needsAddon, temporaryFolder } from './support/epoll-addon.js'
import { Client, Program, projectRoot } from './support/programs.js'

const CHILD = join(projectRoot, 'test/support/foreign-loop-child.ts')

interface Counts {
  readonly wakeUps: number
  readonly served: number
  /** What the loop's own descriptor told: a timer each 20 ms, or a signal. */
  readonly own: number
}

describe('66 one descriptor under a foreign loop', function () {
  needsAddon()
  this.timeout(20_000)

  const folder = temporaryFolder()
  const compiled = join(folder.path, 'poll-loop.node')
  after(() => folder.remove())

  async function start(way: string): Promise<{ program: Program; port: number; url: string }> {
    const program = new Program(process.execPath, ['--import', 'tsx', CHILD, way, compiled])
    const port = Number(await program.firstLine())
    return { program, port, url: `ws://127.0.0.1:${port}` }
  }

  async function countsBy({ socket }: Client, next: () => Promise<{ data: Buffer }>) {
    socket.send('counts')
    const [wakeUps, served, own] = JSON.parse((await next()).data.toString()) as number[]
    return { wakeUps, served, own } as Counts
  }

  const ask = (client: Client): Promise<Counts> => countsBy(client, () => client.next())

  async function end(program: Program, client: Client): Promise<void> {
    client.socket.send('end')
    assert.equal((await client.closed).code, 1001)
    assert.equal((await program.ended).status, 0, program.stderr)
  }

  for (const [way, name] of [
    ['poll', 'a loop in C over poll(2)'],
    ['epoll', 'an epoll around it'],
  ] as const)
    describe(name, () => {
      before(function () {
        const lacking = way === 'poll' ? compileAddon('poll-loop.c', compiled) : undefined
        if (lacking === undefined) return
        console.log(`    left out: ${name} needs ${lacking}`)
        this.skip()
      })

      it('echoes for several at once, and hears its own descriptor', async () => {
        const { program, url } = await start(way)
        const clients = await Promise.all(Array.from({ length: 20 }, () => Client.open(url)))
        for (let round = 0; round < 10; round++) {
          for (const { socket } of clients) socket.send(`round ${round}`)
          for (const client of clients)
            assert.equal((await client.next()).data.toString(), `round ${round}`)
        }
        const long = 'x'.repeat(500_000)
        clients[0]!.socket.send(long)
        assert.equal((await clients[0]!.next()).data.toString(), long)
        const before = await ask(clients[0]!)
        if (way === 'epoll') program.process.kill('SIGUSR2')
        await delay(200)
        const { own } = await ask(clients[0]!)
        if (way === 'epoll') assert.equal(own, 1)
        else assert.ok(own - before.own >= 5, `${own - before.own} ticks in 200 ms`)
        await end(program, clients[0]!)
      })

      it('keeps deadlines: handshakes time out, idle peers are pinged', async () => {
        const { program, port, url } = await start(way)
        const client = await Client.open(url)
        const silent = connect(port, '127.0.0.1').on('error', () => {})
        const openedMs = performance.now()
        const pings: number[] = []
        client.socket.on('ping', () => pings.push(performance.now()))
        silent.resume()
        await once(silent, 'close')
        const livedMs = performance.now() - openedMs
        // Its request is awaited for 300 ms, and its end for a moment more.
        assert.ok(livedMs >= 290 && livedMs < 2500, `it lived ${livedMs} ms`)
        while (pings.length < 3) await delay(20)
        // Every 250 ms, with a jitter of its own.
        assert.ok(pings[2]! - pings[0]! >= 250, `${pings[2]! - pings[0]!} ms for two`)
        await end(program, client)
      })

      it('sleeps where nothing is ready or due, also beside a paused peer that reset', async () => {
        const { program, url } = await start(way)
        const [client, paused] = [await Client.open(url), await Client.open(url)]
        paused.socket.send('pause')
        await delay(50)
        paused.socket.send('nobody reads this')
        await delay(50)
        paused.socket.terminate()
        const before = await ask(client)
        await delay(1000)
        const after = await ask(client)
        // What is due in a second: pings and what a peer that is gone leaves behind; and own ticks.
        const others = after.wakeUps - before.wakeUps - (after.own - before.own)
        assert.ok(others <= 25, `${others} wake-ups in a second`)
        assert.ok(after.served - before.served <= 25, `${after.served - before.served} served`)
        await end(program, client)
      })
    })

  it('is readable until what is ready was served, level-triggered', () => {
    const outer = epollHost().poller
    const host = epollHost()
    const ctx = createContext({ host, port: 0, protocols: [defineProtocol({ handlers: {} })] })
    const fd = getPollFd(ctx)
    assert.equal(fd, host.poller.fd)
    outer.add(fd, 1)
    assert.equal(outer.wait([], 0), 0)
    host.poller.wake()
    for (let look = 0; look < 3; look++) assert.equal(outer.wait([], 0), 1, 'level-triggered')
    service(ctx, 0)
    assert.equal(outer.wait([], 0), 0)
    assert.equal(nextTimeout(ctx), -1)
    contextDestroy(ctx)
    outer.remove(fd)
    outer.close()
    host.poller.close()
  })

  it('is refused where there is none', () => {
    const protocols = [defineProtocol({ handlers: {} })]
    const on = { ADD_POLL_FD() {}, DEL_POLL_FD() {}, SET_MODE() {}, CLEAR_MODE() {} }
    for (const [options, code] of [
      [{ host: epollHost({ backend: 'poll' }) }, 'ERR_EXTPOLL_NOT_EPOLL'],
      [{ host: rawHost(), on }, 'ERR_EXTPOLL_NOT_EPOLL'],
      [{ host: epollHost({ loop: 'node' }) }, 'ERR_EXTPOLL_NODE_LOOP'],
    ] as const) {
      const ctx = createContext({ ...options, port: 0, protocols })
      assert.throws(() => getPollFd(ctx), { code })
      contextDestroy(ctx)
    }
  })
})
