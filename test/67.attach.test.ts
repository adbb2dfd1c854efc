/**
 * Inside a server that is there already: whose a request is, and what it costs the others.
 *
 * Each test runs over streams and over sockets handed over to epoll; TLS stays on streams. Who may
 * connect is in 67.authorize.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as http from 'node:http'
import * as https from 'node:https'
import * as net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket, WebSocketServer } from 'ws'
import { attach, handleUpgrade } from '../integrations/node-streams.js'
import { type CloseInfo, contextDestroy, isDestroyed, pollFds, TEXT, write } from '../src/index.js'
import { certificate } from './support/certificate.js'
import {
  connected,
  echo,
  echoes,
  listening,
  refusal,
  setUp,
  talk,
} from './support/inside-server.js'
import { needsAddon } from './support/epoll-addon.js'
import { Program } from './support/programs.js'
import { client, validRequest } from './support/wire-bytes.js'

for (const kind of ['streams', 'hand-over'] as const) {
  describe(`67 attach, ${kind}`, () => {
    if (kind === 'hand-over') needsAddon()

    it('serves WebSockets at its path, and the server everything else', async () => {
      const { ctx, how } = setUp(kind)
      const server = http.createServer((request, response) => response.end(`page ${request.url}`))
      attach(server, ctx, { ...how, path: '/ws' })
      const port = await listening(server)
      await echoes(await connected(`ws://127.0.0.1:${port}/ws?room=1`), 'hello')
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/ws`)).text(), 'page /ws')
      // What Node does with an upgrade where nobody asked for one: it is a plain request.
      const page = await talk(port, validRequest({}, 'GET /else HTTP/1.1'), (text) =>
        text.includes('page /else'),
      )
      assert.match(page, /^HTTP\/1\.1 200 OK[^]*page \/else/)
      const h2c = { Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': '' }
      const other = await talk(port, validRequest(h2c, 'GET /ws HTTP/1.1'), (text) =>
        text.includes('page'),
      )
      assert.match(other, /^HTTP\/1\.1 200 OK[^]*page \/ws/)
    })

    it('leaves to other listeners what is not ours, by path and by subprotocol', async () => {
      const { ctx, how } = setUp(kind, { protocols: [echo({}, 'mine')] })
      const server = http.createServer()
      attach(server, ctx, { ...how, subprotocols: ['mine'] })
      const neighbour = new WebSocketServer({ noServer: true })
      server.on('upgrade', (request, socket, head) => {
        if (request.headers['sec-websocket-protocol'] !== 'vite-hmr') return
        neighbour.handleUpgrade(request, socket, head, (ws) => ws.send('theirs'))
      })
      const port = await listening(server)
      const theirs = new WebSocket(`ws://127.0.0.1:${port}/`, 'vite-hmr')
      const [data] = (await once(theirs, 'message')) as [Buffer]
      assert.equal(data.toString(), 'theirs')
      theirs.terminate()
      await echoes(await connected(`ws://127.0.0.1:${port}/`, ['mine']), 'ours')
    })

    it('two contexts share a server by path, and one path twice is refused', async () => {
      const first = setUp(kind)
      const second = setUp(kind, {
        protocols: [echo({ ESTABLISHED: (wsi) => void write(wsi, '2', TEXT) })],
      })
      const server = http.createServer()
      attach(server, first.ctx, { ...first.how, path: '/1' })
      attach(server, second.ctx, { ...second.how, path: '/2' })
      assert.throws(() => attach(server, second.ctx, { path: '/1' }), {
        code: 'ERR_EXTPOLL_ATTACHED',
      })
      const port = await listening(server)
      await echoes(await connected(`ws://127.0.0.1:${port}/1`), 'one')
      const socket = new WebSocket(`ws://127.0.0.1:${port}/2`)
      const [data] = (await once(socket, 'message')) as [Buffer]
      assert.equal(data.toString(), '2')
      socket.terminate()
    })

    it('over TLS: on streams, in the same context as plain ones', async () => {
      const { ctx, how } = setUp(kind)
      const plain = http.createServer()
      const secure = https.createServer(certificate(), (_request, response) => response.end('page'))
      attach(plain, ctx, { ...how, path: '/ws' })
      attach(secure, ctx, { ...how, path: '/ws' })
      const [port, securePort] = [await listening(plain), await listening(secure)]
      const ca = certificate().cert
      const one = await connected(`ws://127.0.0.1:${port}/ws`)
      const two = await connected(`wss://127.0.0.1:${securePort}/ws`, [], { ca })
      await echoes(one, 'plain')
      await echoes(two, 'x'.repeat(100_000))
      const virtual = pollFds(ctx).filter(({ fd }) => fd >= 2 ** 30).length
      assert.equal(virtual, kind === 'streams' ? 2 : 1)
    })

    it('a raw net server is a listener', async () => {
      const { ctx, how } = setUp(kind)
      const server = net.createServer()
      attach(server, ctx, how)
      const port = await listening(server)
      await echoes(await connected(`ws://127.0.0.1:${port}/`), 'raw')
      assert.match(await talk(port, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /)
    })

    it('handleUpgrade, ticks and 10 ms late: nothing is lost', async () => {
      const { ctx, how } = setUp(kind)
      const server = http.createServer()
      const delays = [0, 1, 10]
      server.on('upgrade', (request, socket, head) => {
        const delayMs = delays.shift() ?? 0
        setTimeout(() => handleUpgrade(ctx, request, socket, head, how), delayMs)
      })
      const port = await listening(server)
      while (delays.length > 0) {
        const socket = net.connect(port, '127.0.0.1').setNoDelay(true).setEncoding('latin1')
        let text = ''
        socket.on('data', (data: string) => (text += data))
        socket.write(Buffer.concat([Buffer.from(validRequest()), client.text('first')]))
        await sleep(2)
        socket.write(client.text('second'))
        while (!text.includes('second')) await sleep(1)
        assert.match(text, /\r\n\r\n\x81\x05first\x81\x06second$/)
        socket.destroy()
      }
    })

    it('limits answer 503, and the server goes on', async () => {
      const { ctx, how } = setUp(kind, { maxConnections: 1 })
      const server = http.createServer((_request, response) => response.end('page'))
      attach(server, ctx, how)
      const port = await listening(server)
      await connected(`ws://127.0.0.1:${port}/`)
      assert.equal(await refusal(`ws://127.0.0.1:${port}/`), 503)
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'page')
    })

    it('what an upgrade must have is asked of it here too', async () => {
      const { ctx, how } = setUp(kind)
      const server = http.createServer()
      attach(server, ctx, how)
      const port = await listening(server)
      const rows: [number, Parameters<typeof validRequest>[0]][] = [
        [400, { 'Sec-WebSocket-Key': 'short' }],
        [426, { 'Sec-WebSocket-Version': '99' }],
        [403, { Origin: 'http://elsewhere.example' }],
        [400, { 'Content-Length': '5' }],
      ]
      for (const [status, fields] of rows)
        assert.match(await talk(port, validRequest(fields)), new RegExp(`^HTTP/1\\.1 ${status} `))
    })

    it('the server’s close() ends the context, every peer is told 1001', async () => {
      const { ctx, how } = setUp(kind)
      const server = http.createServer()
      attach(server, ctx, how)
      const port = await listening(server)
      const socket = await connected(`ws://127.0.0.1:${port}/`)
      const told = once(socket, 'close')
      const closed = once(server, 'close')
      server.close()
      assert.equal(((await told) as [number])[0], 1001)
      await closed
      while (!isDestroyed(ctx)) await sleep(1)
      assert.equal(server.listenerCount('upgrade'), 0)
    })

    it('the context’s end closes the server, where that is wanted', async () => {
      const { ctx, how } = setUp(kind)
      const server = http.createServer()
      attach(server, ctx, { ...how, closeWith: 'context' })
      await listening(server)
      const closed = once(server, 'close')
      contextDestroy(ctx)
      await closed
    })

    it('a neighbour echoes 1,000 times while ours opens and closes 1,000 times', async function () {
      this.timeout(60_000)
      for (const throws of [false, true]) {
        const errors: unknown[] = []
        const ends: CloseInfo[] = []
        const fail = (): void => {
          if (throws) throw new Error('a handler threw')
        }
        const { ctx, how } = setUp(kind, {
          onError: (error) => errors.push(error),
          protocols: [echo({ ESTABLISHED: fail, CLOSED: (_wsi, info) => void ends.push(info) })],
        })
        const server = http.createServer()
        attach(server, ctx, { ...how, path: '/ws' })
        const neighbour = new WebSocketServer({ noServer: true })
        server.on('upgrade', (request, socket, head) => {
          if (request.url !== '/other') return
          neighbour.handleUpgrade(request, socket, head, (ws) =>
            ws.on('message', (data, binary) => ws.send(data, { binary })),
          )
        })
        const port = await listening(server)
        const other = await connected(`ws://127.0.0.1:${port}/other`)
        const talks = (async () => {
          for (let count = 0; count < 1_000; count++) await echoes(other, `message ${count}`)
        })()
        const opens = async (): Promise<void> => {
          for (let count = 0; count < 125; count++) {
            const bytes = Buffer.concat([
              Buffer.from(validRequest({}, 'GET /ws HTTP/1.1')),
              client.close(1000),
            ])
            const text = await talk(port, bytes)
            assert.match(text, /^HTTP\/1\.1 101 /)
          }
        }
        await Promise.all([talks, ...Array.from({ length: 8 }, opens)])
        while (pollFds(ctx).length > 0) await sleep(1)
        assert.equal(ends.length, 1_000)
        assert.equal(errors.length, throws ? 1_000 : 0)
        other.terminate()
      }
    })
  })
}

describe('67 hand-overs', function () {
  needsAddon()
  this.timeout(60_000)

  for (const how of ['', '--streams'])
    it(`by the hundred, early and late: no byte lost, nothing left ${how}`, async () => {
      const args = ['test/hand-overs.mjs', '--count', '600', ...(how === '' ? [] : [how])]
      const program = new Program(process.execPath, args)
      assert.equal((await program.ended).status, 0, program.stdout + program.stderr)
      assert.match(program.stdout, /^600 hand-overs in .* 600 taken/)
    })
})
