/**
 * Node's own loop with the epoll host in processes and threads of their own: how they end, what
 * becomes of exceptions, and what a flood and a lack of descriptors cost everybody else.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { patience, repeats } from './support/effort.js'
import { needsAddon, startWorker } from './support/epoll-addon.js'
import { readPage } from './support/pages.js'
import { Client, Program, projectRoot, takePort } from './support/programs.js'

const tsx = ['--expose-gc', '--import', 'tsx']
const script = join(projectRoot, 'test/support/node-loop-child.ts')

interface Child {
  readonly program: Program
  readonly port: number
  readonly url: string
}

async function start(mode: string, maxFds?: number, limits = '{}'): Promise<Child> {
  const args = [...tsx, script, mode, limits]
  const limited = ['-c', `ulimit -n ${maxFds ?? ''}; exec "$@"`, 'sh', process.execPath, ...args]
  const program =
    maxFds === undefined ? new Program(process.execPath, args) : new Program('sh', limited)
  const port = Number(await program.firstLine())
  return { program, port, url: `ws://127.0.0.1:${port}` }
}

async function assertEchoed(client: Client, text: string): Promise<void> {
  client.socket.send(text)
  assert.equal((await client.next()).data.toString(), text)
}

async function opened(url: string, order?: string): Promise<Client> {
  const client = await Client.open(url)
  await assertEchoed(client, 'alive?')
  if (order !== undefined) client.socket.send(order)
  return client
}

describe("64 under Node's loop: a process", () => {
  needsAddon()

  it('hears of an exception as an uncaughtException, and the server goes on', async () => {
    const { program, url } = await start('catches')
    for (let turn = 0; turn < 2; turn++)
      assert.equal((await (await opened(url, 'throw')).closed).code, 1011)
    await opened(url)
    while (program.stdout.split('\n').length < 4) await once(program.process.stdout!, 'data')
    assert.match(program.stdout, /^\d+\n(?:uncaught: thrown by a handler\n){2}$/)
  })

  it('that does not catch it ends with status 1, and shows it', async () => {
    const { program, url } = await start('')
    await (
      await opened(url, 'throw')
    ).closed
    assert.equal((await program.ended).status, 1)
    assert.match(program.stderr, /thrown by a handler\n.*at /)
  })

  it('lives while a context does, and ends by itself when that is destroyed', async () => {
    const { program, url } = await start('')
    const client = await opened(url)
    await sleep(100)
    assert.equal(program.process.exitCode, null)
    client.socket.send('destroy')
    assert.equal((await program.ended).status, 0, program.stderr)
  })

  it('ends at once after unref(), and not where ref() followed', async () => {
    assert.equal((await (await start('unref')).program.ended).status, 0)
    const { program, url } = await start('unref-ref')
    await opened(url, 'unref')
    assert.equal((await program.ended).status, 0)
  })

  it('ends by process.exit() in a handler', async () => {
    const { program, url } = await start('')
    await opened(url, 'exit')
    assert.equal((await program.ended).status, 7)
  })

  it('serves whatever was collected before its host had a context, and between two', async () => {
    const { program, url } = await start('collects')
    const client = await opened(url)
    client.socket.send('destroy')
    assert.equal((await program.ended).status, 0, program.stderr)
  })

  it('keeps no host that nobody holds', async () => {
    const { program } = await start('forgets')
    assert.equal((await program.ended).status, 0, program.stderr)
  })

  it('without descriptors left: those that are in are served, and then others again', async () => {
    const { url } = await start('', 80)
    const inside: Client[] = []
    for (;;) {
      const client = await opened(url).catch(() => undefined)
      if (client === undefined) break
      inside.push(client)
      assert.ok(inside.length < 80)
    }
    assert.ok(inside.length > 2)
    for (const client of inside) await assertEchoed(client, 'still here')
    inside[0]!.socket.close()
    await inside[0]!.closed
    let again: Client | undefined
    for (let tries = 0; again === undefined && tries < 20; tries++) {
      again = await opened(url).catch(() => undefined)
      if (again === undefined) await sleep(20)
    }
    await assertEchoed(again!, 'in')
  })
})

describe("64 under Node's loop: the recipe and the command", () => {
  needsAddon()

  it('the clock beside an http server is what integrations/README.md says', async () => {
    const { blocks } = readPage('integrations/README.md')
    const text = blocks.find(({ heading }) => heading === "Under Node's loop")!.text
    const ports = await Promise.all([takePort(), takePort()])
    await Promise.all(ports.map(({ release }) => release()))
    const [port, webPort] = ports.map((one) => String(one.port))
    const folder = join(projectRoot, 'test/.out/node-loop')
    mkdirSync(folder, { recursive: true })
    const file = join(folder, 'clock.ts')
    writeFileSync(file, text.replaceAll('9000', port!).replaceAll('9001', webPort!))
    const env = { EXTPOLL_LEAVES_OPEN: 'its poller, to the end of the process' }
    const program = new Program(process.execPath, [...tsx, file], env)
    let client: Client | undefined
    const endMs = performance.now() + patience(5_000)
    while (client === undefined && performance.now() < endMs) {
      client = await Client.open(`ws://127.0.0.1:${port}`, ['clock']).catch(() => undefined)
      if (client === undefined) await sleep(50)
    }
    assert.match((await client!.next()).data.toString(), /^20\d\d-\d\d-\d\dT/)
    const web = await fetch(`http://127.0.0.1:${webPort}/`, { headers: { connection: 'close' } })
    assert.match(await web.text(), /ws:/)
    const end = await program.signal('SIGTERM')
    assert.equal((await client!.closed).code, 1001)
    assert.equal(end.status, 0, program.stderr)
  })

  it('extpoll echo --host epoll-uv echoes, and ends by SIGTERM with 1001', async () => {
    const bin = join(projectRoot, 'dist/integrations/cli/extpoll.js')
    const program = new Program(bin, ['echo', '--host', 'epoll-uv', '--port', '0'])
    const client = await Client.open((await program.firstLine()).replace('listening on ', ''))
    await assertEchoed(client, 'hello')
    const end = await program.signal('SIGTERM')
    assert.equal((await client.closed).code, 1001)
    assert.deepEqual([end.status, program.stderr], [0, ''])
    assert.ok(end.endingMs < patience(500), `it took ${end.endingMs} ms`)
  })
})

describe("64 under Node's loop: workers", function () {
  needsAddon()
  this.timeout(15_000)

  const started: Worker[] = []
  afterEach(async () => {
    await Promise.all(started.splice(0).map((worker) => worker.terminate()))
  })

  const workers = async (): Promise<{ worker: Worker; url: string }[]> =>
    Promise.all(
      [1, 2, 3].map(async () => {
        const worker = startWorker('./node-loop-child.ts', [''])
        started.push(worker)
        const [port] = (await once(worker, 'message')) as [number]
        return { worker, url: `ws://127.0.0.1:${port}` }
      }),
    )

  it('three at once serve, and end by terminate() while they do', async () => {
    const all = await workers()
    let over = false
    const clients = await Promise.all(all.map(({ url }) => opened(url)))
    const busy = clients.map(async (client) => {
      for (let i = 0; i < 100 || !over; i++) await assertEchoed(client, 'busy')
    })
    const ended = busy.map((one) => one.catch(() => 'ended'))
    await sleep(200)
    const startMs = performance.now()
    await Promise.all(all.map(({ worker }) => worker.terminate()))
    assert.ok(performance.now() - startMs < patience(1000))
    over = true
    assert.deepEqual(await Promise.all(ended), ['ended', 'ended', 'ended'])
  })

  it('three at once end by a destroy, by process.exit(), and by an exception', async () => {
    const all = await workers()
    all[2]!.worker.on('error', () => {})
    const exits = all.map(
      ({ worker }) => new Promise<number>((resolve) => void worker.on('exit', resolve)),
    )
    for (const [index, order] of ['destroy', 'exit', 'throw'].entries())
      await opened(all[index]!.url, order)
    assert.deepEqual(await Promise.all(exits), [0, 7, 1])
  })
})

describe("64 under Node's loop: one at full speed beside 100 quiet ones", function () {
  needsAddon()
  this.timeout(30_000)

  interface Measured {
    /**
     * The 99th percentile of the quiet ones' waits: of the best of several windows, because what
     * else the machine does only adds to it.
     */
    readonly aloneMs: number
    readonly floodedMs: number
    /** How late the interval was, and how late by the doing of the server itself. */
    readonly latest: { readonly allMs: number; readonly ownMs: number }
    readonly messagesPerSecond: number
  }

  const WINDOWS = 4
  const WINDOW_MS = 300

  /** Ten of a hundred say something every 10 ms. @returns the 99th percentile of their waits */
  async function p99(peers: readonly Client[]): Promise<number> {
    const waits: number[] = []
    const asked: Promise<void>[] = []
    const endMs = performance.now() + WINDOW_MS
    for (let turn = 0; performance.now() < endMs; turn++) {
      for (const peer of peers.filter((_peer, index) => index % 10 === turn % 10)) {
        const startMs = performance.now()
        peer.socket.send('quiet')
        asked.push(peer.next().then(() => void waits.push(performance.now() - startMs)))
      }
      await sleep(10)
    }
    await Promise.all(asked)
    return waits.toSorted((a, b) => a - b)[Math.floor(waits.length * 0.99)]!
  }

  async function takeLatest(peer: Client): Promise<Measured['latest']> {
    peer.socket.send('late')
    return JSON.parse((await peer.next()).data.toString()) as Measured['latest']
  }

  /** Windows without the flood and with it in turn: what else the machine does is in both. */
  async function measure(limits: object): Promise<Measured> {
    const { program, port, url } = await start('late', undefined, JSON.stringify(limits))
    const peers = await Promise.all(Array.from({ length: 100 }, () => Client.open(url)))
    const flood = join(projectRoot, 'test/support/flooder.ts')
    const flooder = new Program(process.execPath, [...tsx, flood, String(port)])
    await flooder.firstLine()
    const [alone, flooded]: [number[], number[]] = [[], []]
    let latest = { allMs: 0, ownMs: 0 }
    let floodMs = 0
    let sinceMs = performance.now()
    await p99(peers)
    for (let window = 0; window < WINDOWS; window++) {
      flooder.process.kill('SIGSTOP')
      floodMs += performance.now() - sinceMs
      await sleep(30)
      alone.push(await p99(peers))
      await takeLatest(peers[0]!)
      flooder.process.kill('SIGCONT')
      sinceMs = performance.now()
      await sleep(30)
      flooded.push(await p99(peers))
      const { allMs, ownMs } = await takeLatest(peers[0]!)
      latest = { allMs: Math.max(latest.allMs, allMs), ownMs: Math.max(latest.ownMs, ownMs) }
    }
    floodMs += performance.now() - sinceMs
    await flooder.signal('SIGTERM')
    await program.signal('SIGTERM')
    const messages = Number(flooder.stdout.trim().split('\n')[1])
    const messagesPerSecond = Math.round((messages / floodMs) * 1000)
    return {
      aloneMs: Math.min(...alone),
      floodedMs: Math.min(...flooded),
      latest,
      messagesPerSecond,
    }
  }

  it('the quiet wait 3 times as long at most, a 10 ms interval is never 50 ms late', async () => {
    const { aloneMs, floodedMs, latest, messagesPerSecond } = await measure({})
    const [alone, flooded, all, own] = [aloneMs, floodedMs, latest.allMs, latest.ownMs].map((ms) =>
      ms.toFixed(1),
    )
    console.log(
      `      p99 ${alone} ms, beside a flood ${flooded} ms; interval late ${all} ms, ` +
        `${own} by itself; ${messagesPerSecond} messages a second`,
    )
    assert.ok(messagesPerSecond > repeats(20_000), 'that was no flood')
    assert.ok(latest.ownMs < patience(50), `the interval was ${own} ms late`)
    assert.ok(
      floodedMs <= patience(3 * aloneMs),
      `${flooded} ms beside a flood, ${alone} ms without`,
    )
  })
})
