/**
 * The command `extpoll`, as it was built, in processes of its own, with `ws` as the client.
 */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, symlinkSync } from 'node:fs'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { limits } from '../src/index.js'
import { needsAddon, temporaryFolder } from './support/epoll-addon.js'
import { Client, Program, projectRoot, refusalOf, takePort } from './support/programs.js'

const bin = join(projectRoot, 'dist/integrations/cli/extpoll.js')
const ENDING_MS = 500

interface Server {
  readonly program: Program
  readonly url: string
  readonly port: number
}

/** The command by its own first line, `#!/usr/bin/env node`. */
const extpoll = (...args: string[]): Program => new Program(bin, args)

async function startEcho(...args: string[]): Promise<Server> {
  const program = extpoll('echo', '--port', '0', ...args)
  const line = await program.firstLine()
  const [, url, port] = /^listening on (ws:\/\/.+:(\d+))$/.exec(line) ?? assert.fail(line)
  return { program, url: url!, port: Number(port) }
}

async function assertEchoed(client: Client, data: Buffer | string): Promise<void> {
  client.socket.send(data)
  const echoed = await client.next()
  assert.equal(echoed.binary, typeof data !== 'string')
  assert.ok(echoed.data.equals(Buffer.from(data)), 'the echo differs')
}

/** Upgraded, and from now on silent: it never answers a close frame. */
async function silentPeer(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  const key = Buffer.alloc(16, 7).toString('base64')
  socket.write(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  )
  const [answer] = (await once(socket, 'data')) as [Buffer]
  assert.match(answer.toString(), /^HTTP\/1\.1 101 /)
  socket.on('error', () => {})
  return socket
}

/** It ended by itself, said nothing on stdout, and one line on stderr. */
async function assertRefused(program: Program, status: number, says: RegExp): Promise<void> {
  assert.equal((await program.ended).status, status)
  assert.equal(program.stdout, '')
  assert.match(program.stderr, /^[^\n]+\n$/)
  assert.match(program.stderr, says)
}

describe('80 extpoll echo: messages', () => {
  needsAddon()

  it('says where it listens in one line, and echoes text and binary', async () => {
    const { program, url } = await startEcho()
    assert.match(url, /^ws:\/\/127\.0\.0\.1:\d+$/)
    const client = await Client.open(url)
    await assertEchoed(client, 'grüß Gott, 世界 🌍')
    await assertEchoed(client, Buffer.from([0, 1, 2, 253, 254, 255]))
    await assertEchoed(client, '')
    await program.signal('SIGTERM')
    assert.equal(program.stdout, `listening on ${url}\n`)
    assert.equal(program.stderr, '')
  })

  it('echoes every form of length, up to 1 MiB', async () => {
    const { url } = await startEcho()
    const client = await Client.open(url)
    for (const length of [1, 125, 126, 65_535, 65_536, 2 ** 20]) {
      await assertEchoed(client, Buffer.alloc(length, length % 251))
      await assertEchoed(client, 'é'.repeat(length >> 1))
    }
  })

  it('puts fragments together', async () => {
    const { url } = await startEcho()
    const client = await Client.open(url)
    client.socket.send('frag', { fin: false })
    client.socket.ping('between')
    client.socket.send('', { fin: false })
    client.socket.send('ments')
    const { data, binary } = await client.next()
    assert.deepEqual([data.toString(), binary], ['fragments', false])
  })

  it('answers pings with their payload', async () => {
    const { url } = await startEcho()
    const { socket } = await Client.open(url)
    socket.ping('are you there?')
    const [payload] = (await once(socket, 'pong')) as [Buffer]
    assert.equal(payload.toString(), 'are you there?')
  })

  it('answers the closing handshake with the code of the peer', async () => {
    const { url } = await startEcho()
    const client = await Client.open(url)
    client.socket.close(3001, 'bye')
    assert.equal((await client.closed).code, 3001)
  })

  it('keeps many messages in flight in order', async () => {
    const { url } = await startEcho()
    const client = await Client.open(url)
    const count = 5000
    for (let i = 0; i < count; i++) client.socket.send(String(i))
    for (let i = 0; i < count; i++) assert.equal((await client.next()).data.toString(), String(i))
  })
})

describe('80 extpoll echo: the end', () => {
  needsAddon()

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`ends within ${ENDING_MS} ms of ${signal}: 1001 at each peer, status 0`, async () => {
      const { program, url } = await startEcho()
      const peers = await Promise.all([1, 2, 3].map(() => Client.open(url)))
      const end = await program.signal(signal)
      for (const { closed } of peers) assert.equal((await closed).code, 1001)
      assert.deepEqual([end.status, end.signal], [0, null])
      assert.ok(end.endingMs < ENDING_MS, `it took ${end.endingMs} ms`)
      assert.equal(program.stderr, '')
    })
  }

  it('waits for a silent peer, and not too long', async () => {
    const { program, port } = await startEcho()
    const peer = await silentPeer(port)
    const closed = new Promise((resolve) => peer.on('close', resolve))
    const end = await program.signal('SIGTERM')
    assert.equal(end.status, 0)
    assert.ok(end.endingMs > 200 && end.endingMs < ENDING_MS, `it took ${end.endingMs} ms`)
    await closed
  })

  it('ends at once at a second signal', async () => {
    const { program, port } = await startEcho()
    const peer = await silentPeer(port)
    void program.signal('SIGINT')
    await once(peer, 'data')
    const end = await program.signal('SIGINT')
    assert.equal(end.status, 0)
    assert.ok(end.endingMs < 200, `it took ${end.endingMs} ms`)
  })

  it('lives on where nobody reads its line', async () => {
    const { port, release } = await takePort()
    await release()
    const program = extpoll('echo', '--port', String(port))
    program.process.stdout!.destroy()
    let client: Client | undefined
    for (let tries = 0; client === undefined && tries < 100; tries++) {
      client = await Client.open(`ws://127.0.0.1:${port}`).catch(() => undefined)
      if (client === undefined) await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await assertEchoed(client!, 'still here')
    assert.equal((await program.signal('SIGTERM')).status, 0)
    assert.equal(program.stderr, '')
  })
})

describe('80 extpoll echo: options', () => {
  needsAddon()

  it('--protocol: the first of the client that is spoken here; others are refused', async () => {
    const { url } = await startEcho('--protocol', 'chat', '--protocol', 'echo.v2')
    for (const [offered, chosen] of [
      [['echo.v2', 'chat'], 'echo.v2'],
      [['other', 'chat'], 'chat'],
      [[], ''],
    ] as const) {
      const client = await Client.open(url, offered)
      assert.equal(client.socket.protocol, chosen)
      await assertEchoed(client, 'hello')
    }
    const { status, body } = await refusalOf(url, ['other'])
    assert.equal(status, 400)
    assert.match(body, /chat, echo\.v2/)
  })

  it('--path: 404 elsewhere, queries apart', async () => {
    const { url } = await startEcho('--path', '/ws')
    for (const target of ['/ws', '/ws?room=1'])
      await assertEchoed(await Client.open(url + target), 'hello')
    for (const target of ['/', '/ws/', '/ws2', '/WS']) {
      const { status, body } = await refusalOf(url + target)
      assert.deepEqual([target, status], [target, 404])
      assert.match(body, /\/ws/)
    }
  })

  it('--max-message: 1009 for one byte more, also above the default', async () => {
    for (const bytes of [1000, 6 * 2 ** 20]) {
      const { url } = await startEcho('--max-message', String(bytes))
      const client = await Client.open(url)
      await assertEchoed(client, Buffer.alloc(bytes))
      client.socket.send(Buffer.alloc(bytes + 1))
      assert.equal((await client.closed).code, 1009)
    }
  })

  it(`without --max-message the limit is ${limits.maxMessageBytes.default}`, async () => {
    const { url } = await startEcho()
    const client = await Client.open(url)
    client.socket.send(Buffer.alloc(limits.maxMessageBytes.default + 1))
    assert.equal((await client.closed).code, 1009)
  })

  it('lets pages of any origin in, and answers plain requests with 426', async () => {
    const { url } = await startEcho('--host', 'epoll')
    const client = await Client.open(url, [], { origin: 'https://elsewhere.example' })
    await assertEchoed(client, 'hello')
    assert.equal((await fetch(url.replace('ws:', 'http:'))).status, 426)
  })

  it('--address: an IPv6 address stands in brackets', async function () {
    const has = Object.values(networkInterfaces()).some((list) =>
      list?.some(({ address }) => address === '::1'),
    )
    if (!has) this.skip()
    const { url } = await startEcho('--address', '::1')
    assert.match(url, /^ws:\/\/\[::1\]:\d+$/)
    await assertEchoed(await Client.open(url), 'hello')
  })

  it('a port in use: one line, status 1', async () => {
    const { port, release } = await takePort()
    await assertRefused(extpoll('echo', '--port', String(port)), 1, /EADDRINUSE.*another port/)
    await release()
  })

  it('an address that this machine has not: one line, status 1', () =>
    assertRefused(extpoll('echo', '--address', '192.0.2.1'), 1, /192\.0\.2\.1/))
})

describe('80 extpoll: what it refuses and explains', () => {
  const refusals: readonly (readonly [args: string[], says: RegExp])[] = [
    [[], /there is echo, serve, connect, sim, shrink, and --help/],
    [['serve-me'], /no command serve-me; there is echo/],
    [['echo', '--colour', 'red'], /no option --colour; there is --host, --address, --port/],
    [['echo', '-p', '1'], /no option -p/],
    [['echo', '--toString', '1'], /no option --toString/],
    [['echo', 'loud'], /no place for loud/],
    [['echo', '--', 'loud'], /no place for/],
    [
      ['echo', '--host', 'windows'],
      /--host must be epoll or epoll-uv or node-streams or handover, not windows/,
    ],
    [['echo', '--port'], /--port must be a whole number from 0 to 65535/],
    [['echo', '--port', '65536'], /from 0 to 65535, not 65536/],
    [['echo', '--port', '-1'], /from 0 to 65535/],
    [['echo', '--port', '1e3'], /from 0 to 65535, not 1e3/],
    [['echo', '--port', '1\n2'], /from 0 to 65535, not 1 2/],
    [['echo', '--address', 'localhost'], /IPv4 or IPv6 address in text.*, not localhost/],
    [['echo', '--path', 'ws'], /begins with '\/'/],
    [['echo', '--protocol', 'a,b'], /without spaces or commas, not a,b/],
    [['echo', '--max-message', '0'], /from 1 to \d+, not 0/],
    [['echo', '--workers', '0'], /--workers must be a whole number from 1 to 256, not 0/],
    [
      ['echo', '--workers', '2', '--host', 'node-streams'],
      /--workers needs --host epoll or epoll-uv/,
    ],
    [['echo', '--workers', '257'], /from 1 to 256, not 257/],
    [['sim', '--faults', 'gremlins'], /--faults must be none, swarm, all, or a .*, not gremlins/],
    [['sim', '--scenario', 'm99'], /--scenario must be workload or mixed or .*, not m99/],
    [['shrink', '--scenario', 'm99'], /--scenario must be workload or mixed or .*, not m99/],
  ]
  for (const [args, says] of refusals) {
    it(`extpoll ${JSON.stringify(args.join(' '))}: status 2`, () =>
      assertRefused(extpoll(...args), 2, says))
  }

  it('--help: the command, and the subcommand with each option', async () => {
    const whole = extpoll('--help')
    assert.equal((await whole.ended).status, 0)
    assert.match(whole.stdout, /^Usage: extpoll COMMAND.*\n[^]*extpoll echo {3}\S/)
    for (const flag of ['--help', '-h']) {
      const program = extpoll('echo', '--port', '1', flag)
      assert.equal((await program.ended).status, 0)
      assert.match(program.stdout, /^Usage: extpoll echo /)
      assert.equal(program.stderr, '')
    }
    const echo = extpoll('echo', '--help')
    await echo.ended
    for (const option of 'host address port path protocol max-message workers payload help'.split(
      ' ',
    ))
      assert.match(echo.stdout, new RegExp(`^ {2}--${option}\\b`, 'm'))
  })

  it('without the compiled addon: one line that says how to get it, status 1', async () => {
    const folder = temporaryFolder()
    try {
      const there = join(folder.path, 'package')
      mkdirSync(there)
      for (const part of ['dist', 'package.json'])
        cpSync(join(projectRoot, part), join(there, part), { recursive: true })
      symlinkSync(join(projectRoot, 'node_modules'), join(there, 'node_modules'))
      const program = new Program(join(there, 'dist/integrations/cli/extpoll.js'), ['echo'])
      await assertRefused(program, 1, /no compiled addon.*to build it: node .*build\.mjs/)
    } finally {
      folder.remove()
    }
  })
})
