/** `extpoll connect`, as it was built, in a pipe and in a terminal, against `ws`. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type WebSocket, WebSocketServer } from 'ws'
import { Program, projectRoot } from './support/programs.js'
import { withWs } from './support/echo-servers.js'

const bin = join(projectRoot, 'dist/integrations/cli/extpoll.js')

/** Runs it over the lines of stdin. */
async function connect(input: string, ...args: string[]) {
  const program = new Program(bin, ['connect', ...args])
  program.process.stdin!.end(input)
  const { status } = await program.ended
  return { status, stdout: program.stdout, stderr: program.stderr }
}

/** A server that does to its one connection what the test says. */
async function withServer<T>(
  serve: (socket: WebSocket, headers: Record<string, unknown>) => void,
  use: (url: string) => Promise<T>,
): Promise<T> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  server.on('connection', (socket, { headers }) => serve(socket, headers))
  await once(server, 'listening')
  try {
    return await use(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  } finally {
    for (const socket of server.clients) socket.terminate()
    server.close()
  }
}

describe('80 extpoll connect', function () {
  this.timeout(20_000)

  it('in a pipe: lines in, messages out, nothing else, and status 0', () =>
    withWs(async (port) => {
      const { status, stdout, stderr } = await connect('one\nzwei ä\n', `ws://127.0.0.1:${port}/`)
      assert.deepEqual([status, stdout, stderr], [0, 'one\nzwei ä\n', ''])
    }))

  it('--binary sends bytes, and prints them as they are', () =>
    withWs(async (port) => {
      const { status, stdout } = await connect('one\ntwo\n', '--binary', `ws://127.0.0.1:${port}/`)
      assert.deepEqual([status, stdout], [0, 'onetwo'])
    }))

  it('a megabyte of lines comes back whole, in order', () =>
    withWs(async (port) => {
      const lines = Array.from({ length: 10_000 }, (_, at) => `${at} ${'x'.repeat(100)}\n`).join('')
      const { status, stdout } = await connect(lines, `ws://127.0.0.1:${port}/`)
      assert.equal(status, 0)
      assert.equal(stdout, lines)
    }))

  it('--header, --origin and --protocol are of the request; --close is the code', async () => {
    let code = 0
    await withServer(
      (socket, headers) => {
        const { cookie, origin } = headers
        socket.send(JSON.stringify([cookie, origin, headers['sec-websocket-protocol']]))
        socket.on('close', (closed) => (code = closed))
      },
      async (url) => {
        const args = ['--header', 'Cookie: a=b', '--origin', 'http://x.test', '--protocol', 'chat']
        const { status, stdout } = await connect('', ...args, '--close', '3001', url)
        assert.deepEqual([status, stdout], [0, '["a=b","http://x.test","chat"]\n'])
        assert.equal(code, 3001)
      },
    )
  })

  it('--ping keeps asking', () =>
    withServer(
      (socket) => {
        socket.on('ping', () => socket.close(1000))
      },
      async (url) => {
        const program = new Program(bin, ['connect', '--ping', '1', url])
        assert.equal((await program.ended).status, 0)
      },
    ))

  it('an end that nobody wanted is status 1, with its code and words', () =>
    withServer(
      (socket) => socket.close(4000, 'go\x1baway\x9b2J'),
      async (url) => {
        const program = new Program(bin, ['connect', url])
        assert.equal((await program.ended).status, 1)
        assert.equal(program.stderr, 'extpoll connect: closed: 4000 "go\\u001baway\\x9b2J"\n')
      },
    ))

  it('--color always paints, also where nobody looks', () =>
    withWs(async (port) => {
      const { stdout } = await connect('x\n', '--color', 'always', `ws://127.0.0.1:${port}/`)
      assert.equal(stdout, '\x1b[36mx\x1b[0m\n')
    }))

  it('in a terminal: what the peer sent cannot steer it', () =>
    withServer(
      (socket) => {
        socket.send('\x1b[2Jevil')
        socket.send(Buffer.of(1, 255))
        setTimeout(() => socket.close(1000), 300)
      },
      async (url) => {
        // script(1) is a terminal.
        const command = `${process.execPath} ${bin} connect ${url}`
        const program = new Program('script', ['-qec', command, '/dev/null'])
        assert.equal((await program.ended).status, 0, program.stdout)
        assert.ok(program.stdout.includes('\x1b[36m< \\x1b[2Jevil\x1b[0m'), program.stdout)
        assert.ok(program.stdout.includes('< (2 bytes) 01ff'), program.stdout)
        assert.ok(program.stdout.includes('> '), program.stdout)
      },
    ))

  it('SIGTERM closes in order', () =>
    withServer(
      (socket) => socket.send('here'),
      async (url) => {
        const program = new Program(bin, ['connect', url])
        await program.firstLine()
        await program.signal('SIGTERM')
        assert.equal((await program.ended).status, 0)
      },
    ))

  for (const [name, status, args, says] of [
    ['no URL', 2, [], /: give one URL, /],
    ['two URLs', 2, ['ws://a/', 'ws://b/'], /: give one URL, /],
    ['a header without a colon', 2, ['--header', 'x', 'ws://a/'], /--header must be a name, a c/],
    ['a header twice', 2, ['--header', 'A: 1', '--header', 'a: 2', 'ws://a/'], /--header a is giv/],
    ['a code that is reserved', 2, ['--close', '1006', 'ws://a/'], /--close must be 1000 or from/],
    ['a flag with a value', 2, ['--binary=1', 'ws://a/'], /--binary must be given without a value/],
    ['a URL that is none', 1, ['ws:/a b'], /clientConnect/],
    ['who refuses', 1, ['ws://127.0.0.1:1/'], /connecting to ws:.* 127\.0\.0\.1:1 ECONNREFUSED/],
  ] as const)
    it(`${name}: one line, status ${status}`, async () => {
      const ended = await connect('', ...args)
      assert.deepEqual([ended.status, ended.stdout], [status, ''])
      assert.match(ended.stderr, /^extpoll connect: [^\n]+\n$/)
      assert.match(ended.stderr, says)
    })
})
