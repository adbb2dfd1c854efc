/**
 * The command `extpoll echo` with clients that are not ours: ws, Python's websockets, the test
 * client of libwebsockets, Chromium. Each is left out, with a line, where the machine has none;
 * Node's own WebSocket is in 85.node-websocket.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import {
  assertDone,
  endEcho,
  needsPackage,
  startEcho,
  type EchoServer,
} from './interop/echo-command.js'
import { type Recording, RecordingProxy } from './interop/recording-proxy.js'
import { lacksChromium, launchChromium } from './support/chromium.js'
import { needsAddon } from './support/epoll-addon.js'
import { Client, Program, projectRoot } from './support/programs.js'

const OPCODE_TEXT = 1
const OPCODE_CLOSE = 8
const interop = (file: string): string => join(projectRoot, 'test/interop', file)

describe('85 ws, beyond what the tests of the command show', () => {
  needsAddon()

  it('offers compression by default, which is declined', async () => {
    const server = await startEcho()
    const client = await Client.open(server.url)
    assert.equal(client.socket.extensions, '')
    await endEcho(server)
  })

  it('gets every code back that it may close with', async () => {
    const server = await startEcho()
    for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4999]) {
      const client = await Client.open(server.url)
      client.socket.close(code, 'grüße')
      assert.equal((await client.closed).code, code)
    }
    const client = await Client.open(server.url)
    client.socket.close()
    assert.equal((await client.closed).code, 1005, 'no code is answered with none')
    await endEcho(server)
  })

  it('a message of 4,096 fragments, and one of 4,097', async () => {
    const server = await startEcho()
    const client = await Client.open(server.url)
    const send = (pieces: number): void => {
      for (let i = 1; i < pieces; i++) client.socket.send('x', { fin: false })
      client.socket.send('y')
    }
    send(4096)
    assert.equal((await client.next()).data.toString(), `${'x'.repeat(4095)}y`)
    send(4097)
    const { code, reason } = await client.closed
    assert.equal(code, 1008)
    assert.match(reason, /fragments/)
    await endEcho(server)
  })

  it('writes 64 MiB before it reads any', async () => {
    const server = await startEcho()
    const client = await Client.open(server.url)
    client.socket.pause()
    const data = Buffer.alloc(2 ** 20, 'echo')
    for (let i = 0; i < 64; i++) client.socket.send(data)
    await new Promise((resolve) => setTimeout(resolve, 300))
    client.socket.resume()
    for (let i = 0; i < 64; i++) assert.ok((await client.next()).data.equals(data), `message ${i}`)
    await endEcho(server)
  })
})

describe("85 Python's websockets", function () {
  this.timeout(70_000)
  needsAddon()
  needsPackage('python3-websockets', '/usr/bin/python3', '-c', 'import websockets')

  const python = (step: string, { url }: EchoServer): Program =>
    new Program('/usr/bin/python3', [interop('python-client.py'), step, url])

  const steps: Readonly<Record<string, string>> = {
    text: 'text of every kind, up to 1 MiB',
    binary: 'bytes in every form of length',
    fragments: 'messages in pieces',
    pings: 'pings, in the middle of a message too',
    in_flight: '5,000 messages on their way',
    crowd: '100 connections at once',
    compression: 'compression, offered and declined',
    subprotocol: 'the subprotocol that both speak',
    close_codes: 'closes with every code',
    closed_by_server: 'is told 1009 for a message too long',
  }
  for (const [step, what] of Object.entries(steps))
    it(what, async () => {
      const server = await startEcho(...(step === 'subprotocol' ? ['--protocol', 'chat'] : []))
      await assertDone(python(step, server))
      await endEcho(server)
    })

  it('gets 1001 at shutdown', async () => {
    const server = await startEcho()
    const client = python('shutdown', server)
    assert.equal(await client.firstLine(), 'open')
    await endEcho(server)
    await assertDone(client)
  })
})

describe("85 libwebsockets' test client", function () {
  this.timeout(30_000)
  needsAddon()
  needsPackage('libwebsockets-test-server', 'sh', '-c', 'command -v libwebsockets-test-client')

  const PROTOCOLS = ['dumb-increment-protocol', 'lws-mirror-protocol']
  let server: EchoServer
  let proxy: RecordingProxy

  beforeEach(async () => {
    server = await startEcho(...PROTOCOLS.flatMap((name) => ['--protocol', name]))
    proxy = await RecordingProxy.start(server.port)
  })
  afterEach(() => {
    proxy.stop()
  })

  const client = (...args: string[]): Program =>
    new Program('libwebsockets-test-client', ['-d', '7', ...args])
  const clientOfProxy = (...args: string[]): Program =>
    client(...args, `ws://127.0.0.1:${proxy.port}/some/path`)

  /** Texts of either side in order, and the last close code of either; undefined for none. */
  function saidIn(
    recording: Recording,
  ): Record<'client' | 'server', [string[], number | undefined]> {
    const said = (
      frames: ReturnType<Recording['serverFrames']>,
    ): [string[], number | undefined] => [
      frames.flatMap(({ opcode, payload }) => (opcode === OPCODE_TEXT ? [payload.toString()] : [])),
      frames.findLast(({ opcode }) => opcode === OPCODE_CLOSE)?.payload.readUInt16BE(0),
    ]
    return { client: said(recording.clientFrames()), server: said(recording.serverFrames()) }
  }

  it('its mirror: thousands of texts come back in order, and 1001 at shutdown', async () => {
    const mirror = clientOfProxy('-j', '-O')
    await proxy.until('100 kB', ([first]) => (first?.serverByteCount ?? 0) > 100_000)
    await endEcho(server)
    assert.equal((await mirror.ended).status, 0, mirror.stderr)
    assert.match(
      mirror.stderr,
      /mirror: LWS_CALLBACK_CLIENT_ESTABLISHED[^]*mirror: LWS_CALLBACK_CLOSED/,
    )
    assert.match(proxy.recordings[0]!.request, /^Sec-WebSocket-Extensions: permessage-deflate/m)
    assert.doesNotMatch(proxy.recordings[0]!.answer, /extensions/i)
    const { client: sent, server: echoed } = saidIn(proxy.recordings[0]!)
    assert.ok(echoed[0].length > 3000, `${echoed[0].length} texts`)
    assert.deepEqual(echoed[0], sent[0].slice(0, echoed[0].length))
    assert.equal(echoed[1], 1001)
  })

  it('its echo test sends noise as text: 1007, and it takes that for the end', async () => {
    const echo = clientOfProxy('--echo')
    assert.equal((await echo.ended).status, 0, echo.stderr)
    assert.match(echo.stderr, /mirror: LWS_CALLBACK_CLOSED/)
    const { client: sent, server: echoed } = saidIn(proxy.recordings[0]!)
    assert.ok(sent[0].length > 0)
    assert.deepEqual(echoed, [[], 1007])
    await endEcho(server)
  })

  it('three connections at once, all by the name of the protocol', async () => {
    const multi = clientOfProxy('-m')
    const answered = (recording: Recording): boolean => recording.answer.includes(PROTOCOLS[0]!)
    await proxy.until('three answers', (all) => all.filter(answered).length === 3)
    await endEcho(server)
    for (const recording of proxy.recordings.slice(0, 3)) {
      assert.match(recording.answer, /^HTTP\/1\.1 101 /)
      assert.equal(saidIn(recording).server[1], 1001)
    }
    await multi.signal('SIGINT')
  })

  for (const version of [8, 7])
    it(`the handshake of version ${version}`, async () => {
      const old = clientOfProxy('-v', String(version), '-n', '-j')
      await proxy.until('an answer', ([first]) => first !== undefined && first.answer !== '')
      const [{ request, answer }] = proxy.recordings as [Recording]
      assert.match(request, new RegExp(`^Sec-WebSocket-Version: ${version}$`, 'm'))
      assert.match(answer, /^HTTP\/1\.1 101 /)
      await endEcho(server)
      await old.signal('SIGINT')
      assert.match(old.stderr, /mirror: LWS_CALLBACK_CLIENT_ESTABLISHED/)
    })

  it('a plain request of HTTP is answered with 426', async () => {
    const plain = client(`http://127.0.0.1:${proxy.port}/`)
    await proxy.until('an answer', ([first]) => first !== undefined && first.answer !== '')
    assert.match(proxy.recordings[0]!.answer, /^HTTP\/1\.1 426 /)
    await plain.signal('SIGINT')
    assert.match(plain.stderr, /lws_http_client_http_response 426/)
    await endEcho(server)
  })
})

describe('85 Chromium', function () {
  this.timeout(60_000)
  needsAddon()

  const functions = readFileSync(interop('whatwg-client.mjs'), 'utf8').replaceAll(/^export /gm, '')
  const pages = createServer((_request, answer) => answer.end('<!doctype html><title>85</title>'))
  let browser: Browser
  let page: Page

  /** A page of another origin than the server's. */
  async function servePage(): Promise<string> {
    pages.listen(0, '127.0.0.1')
    await once(pages, 'listening')
    return `http://127.0.0.1:${(pages.address() as { port: number }).port}/`
  }

  before(async function () {
    const lack = lacksChromium()
    if (lack !== undefined) {
      console.log(`    ${lack}`)
      this.skip()
    }
    browser = await launchChromium()
    page = await browser.newPage()
    await page.goto(await servePage())
  })
  after(async () => {
    await browser?.close()
    pages.close()
  })

  const inPage = (call: string): Promise<unknown> => page.evaluate(`${functions}\n${call}`)

  const steps: Readonly<Record<string, string>> = {
    text: 'text of every kind, up to 1 MiB',
    binary: 'bytes in every form of length, and a blob',
    inFlight: '5,000 messages on their way',
    closeCodes: 'closes with every code it may',
    closedByServer: 'is told 1009 for a message too long',
  }
  for (const [step, what] of Object.entries(steps))
    it(what, async () => {
      const server = await startEcho()
      await inPage(`${step}('${server.url}')`)
      await endEcho(server)
    })

  it('the subprotocol that both speak, and an error where there is none', async () => {
    const server = await startEcho('--protocol', 'chat')
    await inPage(`subprotocol('${server.url}')`)
    await inPage(`refused('${server.url}')`)
    await endEcho(server)
  })

  it('gets 1001 at shutdown', async () => {
    const server = await startEcho()
    const opened = page.waitForFunction('globalThis.opened')
    const closed = inPage(`shutdown('${server.url}', () => { globalThis.opened = true })`)
    await opened
    await endEcho(server)
    await closed
  })
})
