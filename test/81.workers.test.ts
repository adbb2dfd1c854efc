/**
 * One listener for several threads: `extpoll echo --workers N`, and `epollHost({ listenFd })`.
 *
 * Who has how many connections is asked of the kernel: what each epoll set of the process holds.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { setTimeout as delay } from 'node:timers/promises'
import { contextDestroy, createContext, defineProtocol, getListenAddress } from '../src/index.js'
import { epollHost, service, socketIo, tcpAddress } from '../integrations/epoll.js'
import { needsAddon, startWorker, tcpPair, closePair } from './support/epoll-addon.js'
import { Client, Program, projectRoot, takePort } from './support/programs.js'

const bin = join(projectRoot, 'dist/integrations/cli/extpoll.js')
const ENDING_MS = 500
const HOSTS = ['epoll', 'epoll-uv'] as const
/** What an epoll set of ours holds without a connection: its listener, and what wakes it. */
const OWN_FDS = 2

const echo = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Program =>
  new Program(bin, ['echo', '--port', '0', ...args], env)

async function urlOf(program: Program): Promise<string> {
  const line = await program.firstLine()
  return /^listening on (ws:\S+)$/.exec(line)?.[1] ?? assert.fail(line)
}

/** How many connections each set has, those without any left out, fewest first. */
function connectionsBySet({ process: { pid } }: Program): number[] {
  const folder = `/proc/${pid!}/fdinfo`
  return readdirSync(folder)
    .map((fd) => readFileSync(join(folder, fd), 'utf8').match(/^tfd:/gm)?.length ?? 0)
    .map((fds) => fds - OWN_FDS)
    .filter((connections) => connections > 1)
    .sort((a, b) => a - b)
}

/** CPU time of each thread in hundredths of a second, most first. */
function cpuByThread({ process: { pid } }: Program): number[] {
  const folder = `/proc/${pid!}/task`
  return readdirSync(folder)
    .map((thread) =>
      readFileSync(join(folder, thread, 'stat'), 'utf8')
        .split(') ')[1]!
        .split(' '),
    )
    .map((fields) => Number(fields[11]) + Number(fields[12]))
    .sort((a, b) => b - a)
}

/** Sends from each again as soon as its echo came, until told to stop. */
function keepBusy(clients: readonly Client[]): () => void {
  let busy = true
  for (const { socket } of clients) {
    socket.on('message', (data: Buffer) => {
      if (busy) socket.send(data)
    })
    socket.send('round and round')
  }
  return () => (busy = false)
}

/** Three workers have `least` connections each, or more. */
function assertSpread(program: Program, least: number): void {
  const connections = connectionsBySet(program)
  assert.equal(connections.length, 3, connections.join())
  assert.ok(connections[0]! >= least, connections.join())
}

describe('81 extpoll echo --workers: the spread', function () {
  needsAddon()
  this.timeout(20_000)

  for (const host of HOSTS) {
    it(`${host}: connections, one by one and at once, and the CPU they cost`, async () => {
      const program = echo(['--host', host, '--workers', '3'])
      const url = await urlOf(program)
      const clients: Client[] = []
      for (let number = 0; number < 15; number++) clients.push(await Client.open(url))
      clients.push(...(await Promise.all(Array.from({ length: 45 }, () => Client.open(url)))))
      assertSpread(program, 5)
      const before = cpuByThread(program)
      const stop = keepBusy(clients)
      let cpu: number[]
      do {
        await delay(50)
        cpu = cpuByThread(program).map((ticks, rank) => ticks - (rank < 3 ? 0 : before[rank]!))
      } while (cpu[2]! < 20 && cpu[0]! < 200)
      stop()
      assert.ok(cpu[2]! >= cpu[0]! / 4, `hundredths of a second by thread: ${cpu.join()}`)
    })
  }
})

describe('81 extpoll echo --workers: the end', function () {
  needsAddon()
  this.timeout(20_000)

  for (const [host, signal] of [
    ['epoll', 'SIGTERM'],
    ['epoll', 'SIGINT'],
    ['epoll-uv', 'SIGTERM'],
  ] as const)
    it(`${host}: within ${ENDING_MS} ms of ${signal}, 1001 at each peer, status 0`, async () => {
      const program = echo(['--host', host, '--workers', '3'])
      const url = await urlOf(program)
      const peers = await Promise.all(Array.from({ length: 9 }, () => Client.open(url)))
      peers[0]!.socket.send('hello')
      assert.equal((await peers[0]!.next()).data.toString(), 'hello')
      const end = await program.signal(signal)
      for (const { closed } of peers) assert.equal((await closed).code, 1001)
      assert.deepEqual([end.status, end.signal], [0, null])
      assert.ok(end.endingMs < ENDING_MS, `it took ${end.endingMs} ms`)
      assert.deepEqual([program.stdout, program.stderr], [`listening on ${url}\n`, ''])
    })

  it('a signal before it listens ends it as well', async () => {
    const program = echo(['--workers', '2'])
    await delay(400)
    const { status, signal } = await program.signal('SIGTERM')
    // Before it hears signals at all, Node's own answer to one ends it.
    assert.ok(status === 0 || signal === 'SIGTERM', `${status} ${signal}: ${program.stderr}`)
    assert.equal(program.stderr, '')
  })

  /** Runs in each thread of the command before anything else; `worker` numbers the workers. */
  const sabotage = (code: string): Record<string, string> => ({
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(
      `import { threadId } from 'node:worker_threads'; ${code}`,
    )}`,
  })

  it('a worker that cannot start: one line, status 1', async () => {
    const throws = "if (threadId === 2) throw new Error('no luck\\ntoday')"
    const program = echo(['--workers', '3'], sabotage(throws))
    assert.equal((await program.ended).status, 1)
    assert.equal(program.stdout, '')
    assert.match(
      program.stderr,
      /^extpoll echo: one of the 3 workers failed, and ended the others: no luck today\n$/,
    )
  })

  it('a thread that the system refuses: one line, status 1', async () => {
    // As at a limit on threads: the constructor throws.
    const refuses = `import { isMainThread } from 'node:worker_threads'
      import threads from 'node:worker_threads'
      import { syncBuiltinESMExports } from 'node:module'
      let left = 2
      class Refused extends threads.Worker {
        constructor(...args) {
          if (left-- === 0) throw new Error('Worker initialization failure: EAGAIN')
          super(...args)
        }
      }
      if (isMainThread) threads.Worker = Refused
      syncBuiltinESMExports()`
    const program = echo(['--workers', '256'], sabotage(refuses))
    assert.equal((await program.ended).status, 1)
    assert.equal(program.stdout, '')
    assert.match(
      program.stderr,
      /^extpoll echo: one of the 256 workers failed, and ended the others: [^\n]*EAGAIN\n$/,
    )
  })

  it('a worker that fails later: 1001 at the peers of the others, one line, status 1', async () => {
    const throws =
      'if (threadId === 2) ' + 'setTimeout(() => { throw new Error("bad luck") }, 1500)'
    const program = echo(['--host', 'epoll-uv', '--workers', '3'], sabotage(throws))
    const url = await urlOf(program)
    const peers = await Promise.all(Array.from({ length: 9 }, () => Client.open(url)))
    assert.equal((await program.ended).status, 1)
    const codes = await Promise.all(peers.map(async ({ closed }) => (await closed).code))
    assert.ok(codes.filter((code) => code === 1001).length >= 3, codes.join())
    assert.match(program.stderr, /^extpoll echo: one of the 3 workers failed, .*: bad luck\n$/)
  })

  it('a worker that ends without a word is one that failed', async () => {
    const ends = 'if (threadId === 2) setTimeout(() => process.exit(7), 1000)'
    const program = echo(['--host', 'epoll-uv', '--workers', '2'], sabotage(ends))
    assert.equal((await program.ended).status, 1)
    assert.match(program.stderr, /^extpoll echo: one of the 2 workers failed, .*status 7\n$/)
  })

  it('a port in use: one line, status 1', async () => {
    const { port, release } = await takePort()
    const program = new Program(bin, ['echo', '--port', String(port), '--workers', '2'])
    assert.equal((await program.ended).status, 1)
    assert.match(program.stderr, /^[^\n]*EADDRINUSE[^\n]*another port\n$/)
    await release()
  })
})

describe('81 epollHost({ listenFd })', function () {
  needsAddon()
  this.timeout(20_000)

  const protocols = [defineProtocol({ handlers: {} })]

  it('listens on a copy: same address, and the original stays open', () => {
    const listenFd = socketIo.listen({ address: '127.0.0.1', port: 0, backlog: 16 })
    const { port } = socketIo.localAddress(listenFd)
    const hosts = [1, 2].map(() => epollHost({ listenFd }))
    const contexts = hosts.map((host) => createContext({ host, port: 1, protocols }))
    for (const ctx of contexts) assert.equal(getListenAddress(ctx)!.port, port)
    for (const ctx of contexts) contextDestroy(ctx)
    for (const host of hosts) assert.equal(host.poller.size, 0)
    const client = socketIo.connect(tcpAddress('127.0.0.1', port))
    const server = socketIo.accept(listenFd)
    assert.ok(server > 2)
    closePair({ client, server })
    assert.equal(socketIo.close(listenFd, false), 0)
    for (const host of hosts) host.poller.close()
  })

  it('with poll(2) as well, and paused it is not polled', () => {
    for (const backend of ['epoll', 'poll'] as const) {
      const listenFd = socketIo.listen({ address: '127.0.0.1', port: 0, backlog: 16 })
      const host = epollHost({ listenFd, backend })
      const ctx = createContext({ host, port: 1, protocols, maxConnections: 1 })
      const clients = [1, 2].map(() => socketIo.connect(socketIo.localAddress(listenFd)))
      while (host.poller.size < 2) service(ctx, 10)
      service(ctx, 0) // finds the second, for whom there is no room
      assert.equal(service(ctx, 0), 0)
      socketIo.close(clients[0]!, true)
      while (host.poller.size === 2) service(ctx, 10) // the first is gone
      while (host.poller.size === 1) service(ctx, 10) // and the second has its place
      contextDestroy(ctx)
      for (const fd of [clients[1]!, listenFd]) socketIo.close(fd, false)
      host.poller.close()
    }
  })

  it('refuses what does not listen', () => {
    const pair = tcpPair()
    for (const listenFd of [pair.client, 2 ** 20, -1, 1.5, NaN])
      assert.throws(() => epollHost({ listenFd }), { code: 'ERR_EXTPOLL_FD', message: /listenFd/ })
    closePair(pair)
  })

  it('who is full, or ends, passes its turn on: nobody waits for the next to come', async () => {
    const listenFd = socketIo.listen({ address: '127.0.0.1', port: 0, backlog: 16 })
    const { port } = socketIo.localAddress(listenFd)
    const start = async (maxConnections: number): Promise<Worker> => {
      const args = [String(listenFd), String(maxConnections)]
      const worker = startWorker('./shared-listener-child.ts', args)
      await once(worker, 'message')
      return worker
    }
    const workers = await Promise.all([1, 1, 100, 100].map(start))
    const open = async (): Promise<void> => {
      const opened = Client.open(`ws://127.0.0.1:${port}`).then(() => true)
      assert.ok(await Promise.race([opened, delay(3000, false)]), 'nobody accepted it')
    }
    try {
      for (let number = 0; number < 10; number++) await open()
      await workers[3]!.terminate()
      for (let number = 0; number < 4; number++) await open()
    } finally {
      for (const worker of workers) await worker.terminate()
      socketIo.close(listenFd, false)
    }
  })
})
