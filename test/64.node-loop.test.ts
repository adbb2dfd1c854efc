/**
 * The epoll host under Node's own loop: `ws` clients, timers, promises and other I/O of this very
 * process beside it.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { addon } from '../integrations/epoll-addon/binding.js'
import { epollHost, Poller, run, service, type EpollHost } from '../integrations/epoll.js'
import { BINARY, clientConnect, close, contextDestroy } from '../src/index.js'
import { createContext, defineProtocol } from '../src/index.js'
import { getListenAddress, isBinary, POLLIN, rxFlowControl, TEXT, write } from '../src/index.js'
import type { Context, ContextOptions, Wsi } from '../src/index.js'
import { checkedNodeLoop, endHost } from './support/checked-epoll.js'
import { patience } from './support/effort.js'
import { needsAddon } from './support/epoll-addon.js'
import { Client } from './support/programs.js'

const echo = defineProtocol({
  handlers: {
    RECEIVE: (wsi: Wsi, data: Buffer) => void write(wsi, data, isBinary(wsi) ? BINARY : TEXT),
  },
})

const portOf = (ctx: Context): number => getListenAddress(ctx)!.port
const urlOf = (ctx: Context): string => `ws://127.0.0.1:${portOf(ctx)}`

function listen(host: EpollHost, options: Partial<ContextOptions> = {}): Context {
  return createContext({ host, port: 0, protocols: [echo], ...options })
}

async function assertEchoed(client: Client, data: Buffer | string): Promise<void> {
  client.socket.send(data)
  const echoed = await client.next()
  assert.equal(echoed.binary, typeof data !== 'string')
  assert.ok(echoed.data.equals(Buffer.from(data)), 'the echo differs')
}

describe("64 under Node's loop: what is served", () => {
  needsAddon()

  it('echoes, and nobody calls anything', async () => {
    const host = checkedNodeLoop()
    const ctx = listen(host)
    const clients = await Promise.all(Array.from({ length: 20 }, () => Client.open(urlOf(ctx))))
    await Promise.all(
      clients.map(async (client, index) => {
        await assertEchoed(client, `grüß Gott ${index}`)
        await assertEchoed(client, Buffer.alloc(index * 50_000, index))
      }),
    )
    clients[0]!.socket.close(3001)
    assert.equal((await clients[0]!.closed).code, 3001)
    endHost(host, ctx)
    for (const { closed } of clients.slice(1)) assert.equal((await closed).code, 1001)
  })

  it('promises and ticks of a handler run before anything else does', async () => {
    const heard: string[] = []
    const protocol = defineProtocol({
      handlers: {
        RECEIVE(wsi, data) {
          heard.push(`RECEIVE ${data.toString()}`)
          process.nextTick(() => heard.push('tick'))
          void Promise.resolve().then(() => heard.push('promise'))
          setImmediate(() => {
            heard.push('immediate')
            write(wsi, 'later', TEXT)
          })
        },
      },
    })
    const host = checkedNodeLoop()
    const ctx = listen(host, { protocols: [protocol] })
    const client = await Client.open(urlOf(ctx))
    client.socket.send('1')
    assert.equal((await client.next()).data.toString(), 'later')
    assert.deepEqual(heard, ['RECEIVE 1', 'tick', 'promise', 'immediate'])
    endHost(host, ctx)
  })

  it('timers, files and an http server of the application go on beside 20 busy peers', async () => {
    const host = checkedNodeLoop()
    const ctx = listen(host)
    const web = createServer((_request, response) => response.end('hello'))
    web.listen(0, '127.0.0.1')
    await once(web, 'listening')
    const { port } = web.address() as AddressInfo
    const clients = await Promise.all(Array.from({ length: 20 }, () => Client.open(urlOf(ctx))))
    let ticks = 0
    const interval = setInterval(() => ticks++, 1).unref()
    let over = false
    const busy = clients.map(async (client) => {
      while (!over) await assertEchoed(client, 'busy')
    })
    for (let i = 0; i < 20; i++) {
      const response = await fetch(`http://127.0.0.1:${port}/`)
      assert.equal(await response.text(), 'hello')
      assert.match(await readFile('package.json', 'utf8'), /"extpoll"/)
    }
    await sleep(50)
    over = true
    await Promise.all(busy)
    clearInterval(interval)
    assert.ok(ticks >= 10, `only ${ticks}`)
    web.closeAllConnections()
    web.close()
    endHost(host, ctx)
  })

  it('what is pending goes on without a new readiness, and paused peers cost nothing', async () => {
    let server: Wsi | undefined
    let received = 0
    const protocol = defineProtocol({
      handlers: {
        ESTABLISHED(wsi) {
          server = wsi
        },
        RECEIVE(wsi) {
          received++
          if (received === 10) rxFlowControl(wsi, 0)
        },
      },
    })
    const host = checkedNodeLoop()
    const ctx = listen(host, { protocols: [protocol] })
    const client = await Client.open(urlOf(ctx))
    for (let i = 0; i < 3000; i++) client.socket.send('x')
    while (received < 10) await sleep(1)
    await sleep(50)
    assert.equal(received, 10)
    const idle = performance.eventLoopUtilization()
    await sleep(300)
    const { active } = performance.eventLoopUtilization(idle)
    assert.ok(active < 150, `the loop was busy for ${active} of 300 ms`)
    rxFlowControl(server!, 1)
    while (received < 3000) await sleep(1)
    endHost(host, ctx)
  })

  it('several contexts and hosts, and foreign descriptors, share one poller', async () => {
    const host = checkedNodeLoop()
    const other = epollHost({ poller: host.poller })
    const contexts = [listen(host), listen(host), listen(other, { handshakeTimeoutMs: 100 })]
    for (const ctx of contexts) await assertEchoed(await Client.open(urlOf(ctx)), 'hello')
    const fd = addon().eventCreate()
    const read = new Promise<number>((resolve) => {
      host.poller.add(fd, POLLIN, undefined, () => resolve(addon().eventDrain(fd)))
    })
    addon().eventWrite(fd)
    assert.equal(await read, 1)
    host.poller.remove(fd)
    addon().eventClose(fd)
    // A deadline of the joined host, too.
    const silent = connect(portOf(contexts[2]!), '127.0.0.1')
    const [answer] = (await once(silent, 'data')) as [Buffer]
    assert.match(answer.toString(), /^HTTP\/1\.1 408 /)
    endHost(host, ...contexts)
  })
})

const request =
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

let lastWsi: Wsi | undefined
const keepsLast = defineProtocol({ handlers: { ESTABLISHED: (wsi) => void (lastWsi = wsi) } })

/** Clients of a Unix socket that is gone: it fails at once, and is told when it is due. */
function failingClients(): { causes: string[]; clientOf: (host: EpollHost) => Context } {
  const causes: string[] = []
  const protocol = defineProtocol({
    handlers: { CLIENT_CONNECTION_ERROR: (_wsi, { cause }) => void causes.push(cause) },
  })
  const clientOf = (host: EpollHost): Context => {
    const ctx = createContext({ host, protocols: [protocol] })
    clientConnect(ctx, { socketPath: '/nobody/listens', address: 'a' })
    return ctx
  }
  return { causes, clientOf }
}

async function until(done: () => boolean): Promise<void> {
  const endMs = performance.now() + patience(1000)
  while (!done() && performance.now() < endMs) await sleep(5)
  assert.ok(done(), 'it never came')
}

describe("64 under Node's loop: time", () => {
  needsAddon()

  it('a handshake timeout comes in time without traffic, also one that is nearer', async () => {
    const host = checkedNodeLoop()
    const slow = listen(host, { handshakeTimeoutMs: 600 })
    const quick = listen(host, { handshakeTimeoutMs: 200 })
    const answered = async (ctx: Context, wantedMs: number): Promise<void> => {
      const socket = connect(portOf(ctx), '127.0.0.1')
      await once(socket, 'connect')
      const startMs = performance.now()
      const [answer] = (await once(socket, 'data')) as [Buffer]
      const tookMs = performance.now() - startMs
      assert.match(answer.toString(), /^HTTP\/1\.1 408 /)
      assert.ok(
        tookMs > wantedMs - 50 && tookMs < wantedMs + patience(150),
        `${tookMs} for ${wantedMs} ms`,
      )
    }
    await Promise.all([answered(slow, 600), answered(quick, 200)])
    await answered(quick, 200)
    endHost(host, slow, quick)
  })

  type Hosts = (made: EpollHost) => EpollHost
  const hosts: [string, Hosts][] = [
    ["loop: 'node'", () => epollHost({ loop: 'node' })],
    ['serveByNode() before its context', (host) => (host.serveByNode(), host)],
    [
      'serveByNode() of the host it joined before',
      (host) => {
        const joined = epollHost({ poller: host.poller })
        host.serveByNode()
        return joined
      },
    ],
  ]

  for (const [name, prepare] of hosts)
    it(`what is due without a descriptor, and a deadline from a timer: ${name}`, async () => {
      const made = epollHost()
      const host = prepare(made)
      host.unref()
      const { causes, clientOf } = failingClients()
      const lonely = clientOf(host)
      await until(() => causes.length === 1)
      const ctx = listen(host, { closeTimeoutMs: 100, protocols: [keepsLast] })
      const socket = connect(portOf(ctx), '127.0.0.1').on('error', () => {})
      socket.write(request)
      await once(socket, 'data')
      await sleep(5)
      close(lastWsi!, 1000)
      await new Promise((resolve) => socket.once('close', resolve))
      endHost(host, lonely, ctx)
      made.poller.close()
    })

  it('a client without a descriptor connects again and again from its own callback', async () => {
    const host = checkedNodeLoop()
    let failures = 0
    const again = (): void => {
      clientConnect(ctx, { socketPath: '/nobody/listens', address: 'a' })
    }
    const protocol = defineProtocol({
      handlers: {
        CLIENT_CONNECTION_ERROR() {
          if (++failures < 5) again()
        },
      },
    })
    const ctx = createContext({ host, protocols: [protocol] })
    again()
    await until(() => failures === 5)
    endHost(host, ctx)
  })

  it('after unref() that client keeps nobody alive either', async () => {
    const timers = (): number =>
      process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const host = checkedNodeLoop()
    const before = timers()
    const { causes, clientOf } = failingClients()
    const ctx = clientOf(host)
    assert.equal(timers(), before)
    host.ref()
    assert.equal(timers(), before + 1)
    host.unref()
    assert.equal(timers(), before)
    await until(() => causes.length === 1)
    endHost(host, ctx)
  })

  it('what was due before serveByNode()', async () => {
    const host = epollHost()
    const { causes, clientOf } = failingClients()
    const lonely = clientOf(host)
    const busy = listen(host)
    host.serveByNode()
    host.unref()
    await until(() => causes.length === 1)
    endHost(host, lonely, busy)
  })

  it("the application's timers go on before, during and after a destroy", async () => {
    const host = checkedNodeLoop()
    const ticks: number[] = []
    let phase = 0
    const interval = setInterval(() => (ticks[phase] = (ticks[phase] ?? 0) + 1), 1).unref()
    const protocol = defineProtocol({
      handlers: {
        RECEIVE() {
          phase = 1
          contextDestroy(ctx)
        },
      },
    })
    const ctx = listen(host, { protocols: [protocol] })
    const clients = await Promise.all([1, 2, 3].map(() => Client.open(urlOf(ctx))))
    await sleep(20)
    clients[1]!.socket.send('destroy')
    for (const { closed } of clients) assert.equal((await closed).code, 1001)
    await sleep(20)
    phase = 2
    endHost(host, ctx)
    await sleep(20)
    clearInterval(interval)
    for (const at of [0, 1, 2]) assert.ok(ticks[at]! > 0, `none in phase ${at}`)
  })

  it('a context after the last one is served again', async () => {
    const host = checkedNodeLoop()
    for (let turn = 0; turn < 3; turn++) {
      const ctx = listen(host)
      await assertEchoed(await Client.open(urlOf(ctx)), `turn ${turn}`)
      contextDestroy(ctx)
      if (turn === 1) await sleep(5)
    }
    endHost(host)
  })
})

describe("64 under Node's loop: misuse", () => {
  needsAddon()

  it('service() and run() say who serves', () => {
    const host = checkedNodeLoop()
    const ctx = listen(host)
    const refused = { code: 'ERR_EXTPOLL_NODE_LOOP', message: /Node's own loop/ }
    assert.throws(() => service(ctx, 0), refused)
    assert.throws(() => run(ctx), refused)
    endHost(host, ctx)
  })

  it('options that do not go together are refused, and leave nothing open', () => {
    const poller = new Poller()
    for (const options of [
      { loop: 'node', poller },
      { loop: 'node', backend: 'poll' },
      { loop: 'libuv' },
      { loop: null },
      { loop: true },
    ] as never[])
      assert.throws(() => epollHost(options), { code: 'ERR_EXTPOLL_HOST_OPTION' })
    poller.close()
  })

  it('a poller that is closed too early costs nobody else anything', async () => {
    const host = epollHost({ loop: 'node' })
    const ctx = listen(host, { handshakeTimeoutMs: 100 })
    const socket = connect(portOf(ctx), '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    await sleep(20)
    host.poller.close()
    host.poller.close()
    host.ref()
    host.unref()
    await sleep(150)
    contextDestroy(ctx)
    socket.destroy()
  })

  it('a poller may be closed by what it serves', async () => {
    const host = epollHost({ loop: 'node' })
    const protocol = defineProtocol({
      handlers: {
        RECEIVE() {
          contextDestroy(ctx)
          host.poller.close()
        },
      },
    })
    const ctx = listen(host, { protocols: [protocol] })
    const client = await Client.open(urlOf(ctx))
    client.socket.send('close')
    assert.equal((await client.closed).code, 1001)
  })
})
