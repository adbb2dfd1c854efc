/**
 * Our client on the hosts that Node's loop serves, against servers of other makers: `ws`, Python's
 * websockets, libwebsockets, and nginx between; and what an operating system says of addresses.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { exchange, stages } from './support/client-exchange.js'
import { withLibwebsockets, withNginx, withPython, withWs } from './support/echo-servers.js'
import { needsAddon, temporaryFolder } from './support/epoll-addon.js'

const payloads = ['hello', 'ä€😀', Buffer.alloc(70_000, 7), '', Buffer.of(0, 255)]

/** Leaves the test out where the machine lacks a program; in CI nothing is left out. */
function needs(test: Mocha.Context, what: string, ...command: [string, ...string[]]): void {
  try {
    execFileSync(command[0], command.slice(1), { stdio: 'ignore' })
  } catch {
    console.log(`      left out: ${what} is not installed`)
    test.skip()
  }
}

for (const stage of Object.keys(stages))
  describe(`66 client on ${stage}`, function () {
    if (stage.startsWith('epoll')) needsAddon()
    this.timeout(20_000)

    it('talks to ws', () =>
      withWs(async (port) => {
        const { came, end } = await exchange(stage, { url: `ws://127.0.0.1:${port}/a?b` }, payloads)
        assert.deepEqual(came, payloads)
        assert.deepEqual([end.code, end.initiator], [1000, 'application'])
      }))

    it('finds localhost, whichever family it listens on', () =>
      withWs(async (port) => {
        const { came } = await exchange(stage, { url: `ws://localhost:${port}/` }, ['x'])
        assert.deepEqual(came, ['x'])
      }))

    it('names a name that nobody knows', async () => {
      const { end } = await exchange(stage, { url: 'ws://nobody.invalid/' }, [])
      assert.equal(end.cause, 'NAME_UNKNOWN')
      assert.match(end.reason, /^resolving the name of ws:\/\/nobody\.invalid\/: .*IPv4: E/)
    })

    it('names who refuses', async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      server.close()
      await once(server, 'close')
      const { end } = await exchange(stage, { address: '127.0.0.1', port }, [])
      assert.equal(end.cause, 'CONNECT_FAILED')
      assert.match(end.reason, new RegExp(`tried 127\\.0\\.0\\.1:${port} ECONNREFUSED`))
    })

    it('connects to a Unix socket, and names one that is not there', async () => {
      const folder = temporaryFolder()
      const socketPath = join(folder.path, 's')
      try {
        const server = createServer((socket) => socket.resume().end('HTTP/1.1 503 Busy\r\n\r\n'))
        server.listen(socketPath)
        await once(server, 'listening')
        const answered = await exchange(stage, { socketPath }, [])
        server.close()
        assert.equal(answered.end.cause, 'ANSWER_STATUS')
        const missing = await exchange(stage, { socketPath: join(folder.path, 'none') }, [])
        assert.match(missing.end.reason, /none ENOENT/)
      } finally {
        folder.remove()
      }
    })

    it('talks to Python’s websockets', function () {
      needs(this, 'python3-websockets', '/usr/bin/python3', '-c', 'import websockets')
      return withPython(async (port) => {
        const options = { url: `ws://127.0.0.1:${port}/`, protocol: 'chat' }
        const { came, end } = await exchange(stage, options, payloads)
        assert.deepEqual(came, payloads)
        assert.equal(end.code, 1000)
      })
    })

    it('talks to libwebsockets', function () {
      needs(this, 'libwebsockets-test-server', 'which', 'libwebsockets-test-server')
      return withLibwebsockets(async (port) => {
        const options = { url: `ws://127.0.0.1:${port}/`, protocol: 'lws-mirror-protocol' }
        const lines = ['d #ff0000 1 2 3 4;', 'c #00ff00 5 6 7;']
        const { came, end } = await exchange(stage, options, lines)
        assert.deepEqual(came, lines)
        assert.equal(end.code, 1000)
      })
    })

    it('talks through nginx', function () {
      needs(this, 'nginx', 'test', '-x', '/usr/sbin/nginx')
      return withWs((behind) =>
        withNginx(behind, async (port) => {
          const { came, end } = await exchange(stage, { url: `ws://127.0.0.1:${port}/` }, payloads)
          assert.deepEqual(came, payloads)
          assert.equal(end.code, 1000)
        }),
      )
    })
  })
