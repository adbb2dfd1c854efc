/**
 * The client's role over sockets of the kernel: addresses that refuse, Unix sockets, names on
 * threads of their own; and our client with `ws`, Python's websockets and libwebsockets.
 */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { WebSocketServer } from 'ws'
import {
  clientConnect,
  type ClientOptions,
  close,
  type CloseInfo,
  type ConnectFailure,
  contextDestroy,
  createContext,
  defineProtocol,
  isBinary,
  BINARY,
  TEXT,
  write,
} from '../src/index.js'
import { checkedNodeLoop } from './support/checked-epoll.js'
import { projectRoot } from './support/programs.js'

const run = promisify(execFile)

/** Sends the messages, one after the other's echo; closes with 1000. */
async function exchange(
  options: ClientOptions,
  messages: readonly (string | Buffer)[],
): Promise<{ came: (string | Buffer)[]; end: CloseInfo | ConnectFailure }> {
  const host = checkedNodeLoop()
  host.ref()
  const came: (string | Buffer)[] = []
  try {
    const end = await new Promise<CloseInfo | ConnectFailure>((resolve, reject) => {
      const protocol = defineProtocol({
        name: options.protocol === undefined ? '' : String(options.protocol),
        handlers: {
          CLIENT_ESTABLISHED(wsi) {
            next(wsi)
          },
          CLIENT_RECEIVE(wsi, data) {
            came.push(isBinary(wsi) ? data : data.toString())
            next(wsi)
          },
          CLIENT_CONNECTION_ERROR: (_wsi, failure) => resolve(failure),
          CLOSED: (_wsi, info) => resolve(info),
        },
      })
      const next = (wsi: Parameters<typeof write>[0]): void => {
        const message = messages[came.length]
        if (message === undefined) close(wsi, 1000)
        else write(wsi, message, typeof message === 'string' ? TEXT : BINARY)
      }
      const ctx = createContext({ host, protocols: [protocol], onError: reject })
      clientConnect(ctx, options)
      ended.push(() => contextDestroy(ctx))
    })
    return { came, end }
  } finally {
    for (const end of ended.splice(0)) end()
    host.poller.close()
  }
}

const ended: (() => void)[] = []
const payloads = ['hello', 'ä€😀', Buffer.alloc(70_000, 7), '', Buffer.of(0, 255)]

async function withWs<T>(use: (port: number) => Promise<T>, options = {}): Promise<T> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options })
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer, binary) => socket.send(data, { binary }))
  })
  await once(server, 'listening')
  try {
    return await use((server.address() as AddressInfo).port)
  } finally {
    for (const socket of server.clients) socket.terminate()
    server.close()
  }
}

describe('66 client over the kernel', () => {
  it('talks to ws', () =>
    withWs(async (port) => {
      const { came, end } = await exchange({ url: `ws://127.0.0.1:${port}/a?b` }, payloads)
      assert.deepEqual(came, payloads)
      assert.deepEqual([end.code, end.initiator], [1000, 'application'])
    }))

  it('finds localhost, whichever family it listens on', () =>
    withWs(async (port) => {
      const { came } = await exchange({ url: `ws://localhost:${port}/` }, ['x'])
      assert.deepEqual(came, ['x'])
    }))

  it('names who refuses', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const { end } = await exchange({ address: '127.0.0.1', port }, [])
    assert.equal(end.cause, 'CONNECT_FAILED')
    assert.match(end.reason, new RegExp(`tried 127\\.0\\.0\\.1:${port} ECONNREFUSED`))
  })

  it('connects to a Unix socket, and names one that is not there', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'extpoll-'))
    const socketPath = join(folder, 's')
    try {
      const server = createServer((socket) => socket.end('HTTP/1.1 503 Busy\r\n\r\n'))
      server.listen(socketPath)
      await once(server, 'listening')
      const answered = await exchange({ socketPath }, [])
      server.close()
      assert.equal(answered.end.cause, 'ANSWER_STATUS')
      const missing = await exchange({ socketPath: join(folder, 'none') }, [])
      assert.match(missing.end.reason, /none ENOENT/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('talks to Python’s websockets', async function () {
    const script = [
      'import asyncio, websockets',
      'async def echo(ws, *_):',
      '    async for m in ws: await ws.send(m)',
      'async def main():',
      '    async with websockets.serve(echo, "127.0.0.1", 0, subprotocols=["chat"]) as s:',
      '        print(s.sockets[0].getsockname()[1], flush=True)',
      '        await asyncio.Future()',
      'asyncio.run(main())',
    ].join('\n')
    const child = execFile('/usr/bin/python3', ['-c', script])
    const started = await Promise.race([
      once(child.stdout!, 'data').then(([data]) => Number(data)),
      once(child, 'exit').then(() => 0),
    ])
    if (started === 0) {
      console.log('      skipped: python3-websockets is missing')
      this.skip()
    }
    try {
      const url = `ws://127.0.0.1:${started}/`
      const { came, end } = await exchange({ url, protocol: 'chat' }, payloads)
      assert.deepEqual(came, payloads)
      assert.equal(end.code, 1000)
    } finally {
      child.kill('SIGKILL')
    }
  })
})

describe('66 names that hang', function () {
  this.timeout(20_000)
  const folder = mkdtempSync(join(tmpdir(), 'extpoll-'))
  const preload = join(folder, 'names.so')

  before(() => {
    const source = join(projectRoot, 'test/support/names.c')
    execFileSync('gcc', ['-shared', '-fPIC', '-o', preload, source, '-ldl'])
  })
  after(() => rmSync(folder, { recursive: true }))

  const child = async (mode: string, port: number) => {
    const args = ['--import', 'tsx', 'test/support/client-child.ts', mode, String(port)]
    const env = { ...process.env, LD_PRELOAD: preload }
    const { stdout } = await run(process.execPath, args, { cwd: projectRoot, env })
    return JSON.parse(stdout) as { seen: string[]; latestMs: number }
  }

  for (const mode of ['loop', 'node'])
    it(`never delay a 10 ms timer by more than 50 ms: ${mode}`, () =>
      withWs(async (port) => {
        const { seen, latestMs } = await child(mode, port)
        assert.deepEqual(seen.sort(), ['NAME_TIMEOUT', 'NAME_TIMEOUT', 'hello'])
        assert.ok(latestMs <= 50, `${latestMs} ms late`)
      }))

  it('crash nothing where a worker ends meanwhile', async () => {
    assert.deepEqual(await child('terminate', 9), { seen: ['terminated'], latestMs: 0 })
  })
})
