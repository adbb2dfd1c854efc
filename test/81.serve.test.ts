/**
 * `extpoll serve`, as it was built: what it shows of a folder and what not, its log, its memory,
 * and that it holds no descriptor of a file longer than it sends it.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { truncateSync, writeFileSync, writeSync } from 'node:fs'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { needsAddon, temporaryFolder } from './support/epoll-addon.js'
import { lacksChromium, launchChromium } from './support/chromium.js'
import { Client, Program, projectRoot, refusalOf } from './support/programs.js'
import { dropKept, fetchFrom } from './support/served-folder.js'

const bin = join(projectRoot, 'dist/integrations/cli/extpoll.js')
const GIB = 2 ** 30

interface Server {
  readonly program: Program
  readonly port: number
  /** The lines of the log, once there are so many. */
  readonly log: (count: number) => Promise<string[]>
  readonly openFds: () => number
}

async function startServe(...args: string[]): Promise<Server> {
  const program = new Program(bin, ['serve', '--port', '0', ...args])
  const line = await program.firstLine()
  const port = Number(/^listening on http:\/\/127\.0\.0\.1:(\d+)$/.exec(line)?.[1])
  assert.ok(port > 0, line)
  const log = async (count: number): Promise<string[]> => {
    for (;;) {
      const lines = program.stdout.split('\n').slice(1, -1)
      if (lines.length >= count) return lines
      await sleep(10)
    }
  }
  const openFds = (): number => readdirSync(`/proc/${program.process.pid!}/fd`).length
  return { program, port, log, openFds }
}

/** Everything that the server sends to these bytes, until it or we end. */
async function exchange(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.end(bytes, 'latin1')
  let text = ''
  for await (const piece of socket) text += (piece as Buffer).toString('latin1')
  return text
}

/** A request whose answer nobody reads. */
async function asksAndStops(port: number, path: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await once(socket, 'readable')
  return socket
}

describe('81 extpoll serve', function () {
  this.timeout(20_000)
  needsAddon()

  let folder: ReturnType<typeof temporaryFolder>
  let root: string

  before(() => {
    folder = temporaryFolder()
    root = join(folder.path, 'www')
    mkdirSync(join(root, 'docs', 'deep'), { recursive: true })
    mkdirSync(join(root, 'names'))
    mkdirSync(join(root, '.git'))
    const put = (name: string, text = name): void => writeFileSync(join(root, name), text)
    for (const name of ['page.html', 'docs/index.html', '.env', '.git/config']) put(name)
    put('page.html.gz', 'packed')
    const names = ['<img src=x onerror=alert(1)>', `"onclick="alert(1)`, "it's & so", 'back\\slash']
    for (const name of [...names, 'a\nb', 'javascript:alert(1)', 'ä #?.txt']) put(`names/${name}`)
    writeFileSync(join(folder.path, 'secret'), 'secret')
    symlinkSync('../secret', join(root, 'outside'))
    symlinkSync('/', join(root, 'everything'))
    symlinkSync('/dev/zero', join(root, 'zero'))
    symlinkSync('page.html', join(root, 'inside'))
    execFileSync('mkfifo', [join(root, 'fifo')])
    // 5 GiB, of which 3 pages are there: around the borders of 32-bit numbers, and at the end.
    const big = openSync(join(root, 'big.bin'), 'w')
    for (const at of [2 * GIB - 2, 4 * GIB - 2, 5 * GIB - 4]) writeSync(big, 'mark', at)
    closeSync(big)
  })

  afterEach(dropKept)
  after(() => folder?.remove())

  it('gives files, an index for its folder, the compressed one, nothing with a dot', async () => {
    const { port, log } = await startServe(root)
    const got = await fetchFrom(port, '/page.html', { 'Accept-Encoding': 'gzip' })
    assert.deepEqual([got.status, got.body.toString()], [200, 'packed'])
    assert.equal(got.headers['x-content-type-options'], 'nosniff')
    assert.equal((await fetchFrom(port, '/docs/')).body.toString(), 'docs/index.html')
    assert.equal((await fetchFrom(port, '/docs')).headers['location'], '/docs/')
    assert.equal((await fetchFrom(port, '/inside')).body.toString(), 'page.html')
    for (const path of ['/.env', '/.git/', '/.git/config', '/absent', '/absent/'])
      assert.equal((await fetchFrom(port, path)).status, 404, path)
    assert.doesNotMatch((await fetchFrom(port, '/')).body.toString(), /\.env|\.git|secret/)
    assert.equal((await log(10)).length, 10)
  })

  it('gives what begins with a dot where it is told to', async () => {
    const { port } = await startServe(root, '--dot-files')
    assert.equal((await fetchFrom(port, '/.git/config')).body.toString(), '.git/config')
    assert.match((await fetchFrom(port, '/')).body.toString(), /href="\.env"/)
  })

  it('lists names as text, each with an address that leads to it', async () => {
    const { port } = await startServe(root)
    const { headers, body } = await fetchFrom(port, '/names/')
    const page = body.toString()
    assert.match(headers['content-security-policy']!, /default-src 'none'/)
    assert.doesNotMatch(page, /<img|onerror=alert\(1\)>|href="javascript:|'s/)
    const addresses = [...page.matchAll(/href="([^"]*)"/g)].map(([, at]) =>
      at!.replace('&#39;', "'"),
    )
    assert.equal(addresses.length, 7)
    for (const address of addresses.filter((at) => at !== '../')) {
      const { status, body } = await fetchFrom(port, `/names/${address}`)
      assert.deepEqual([status, body.toString()], [200, `names/${decodeURIComponent(address)}`])
    }
  })

  it('shows its lists in a browser, where no name is more than text', async function () {
    const lack = lacksChromium()
    if (lack !== undefined) {
      console.log(`    ${lack}`)
      this.skip()
    }
    const { port } = await startServe(root)
    const browser = await launchChromium()
    try {
      const page = await browser.newPage()
      const said: string[] = []
      page.on('dialog', (dialog) => void dialog.dismiss().then(() => said.push('dialog')))
      page.on('console', (message) => void said.push(message.location().url || message.text()))
      await page.goto(`http://127.0.0.1:${port}/names/`)
      assert.equal(await page.locator('tbody tr').count(), 8)
      assert.equal(await page.locator('img').count(), 0)
      await page.getByRole('link', { name: '../' }).click()
      await page.getByRole('link', { name: 'docs/' }).click()
      assert.equal(await page.locator('body').innerText(), 'docs/index.html')
      assert.deepEqual(
        said.filter((text) => !text.endsWith('/favicon.ico')),
        [],
      )
    } finally {
      await browser.close()
    }
  })

  it('echoes messages at /echo, to its own pages and to who is none', async () => {
    const { port, log } = await startServe(root)
    const client = await Client.open(`ws://127.0.0.1:${port}/echo`)
    client.socket.send('hello')
    assert.equal((await client.next()).data.toString(), 'hello')
    const url = `ws://127.0.0.1:${port}`
    assert.equal((await refusalOf(`${url}/other`)).status, 404)
    const origin = 'http://evil.example'
    assert.equal((await refusalOf(`${url}/echo`, [], { origin })).status, 403)
    const lines = await log(3)
    assert.match(lines[0]!, /"GET \/echo HTTP\/1\.1" 101 -/)
    for (const line of lines.slice(1)) assert.match(line, /"-" 40[34] - "-" "-"$/)
  })

  it('writes one line for each request, in which nothing acts', async () => {
    const { port, log, program } = await startServe(root)
    const agent = 'a"b\\c\x1b[31m\xff'.replace('\x1b', '\t')
    await exchange(port, `GET /page.html?"x HTTP/1.1\r\nHost: x\r\nUser-Agent: ${agent}\r\n\r\n`)
    await exchange(port, 'BAD\r\n\r\n')
    await exchange(port, 'GET / HTTP/1.1\r\nHost: x\r\n\x1b[31m: x\r\n\r\n')
    const gone = await asksAndStops(port, '/big.bin')
    gone.resetAndDestroy()
    const lines = await log(4)
    // Of whom nothing was understood, no more is known.
    const time = String.raw`\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0000`
    const head = String.raw`^(?:127\.0\.0\.1|-) - - \[${time}\] `
    const expected = [
      String.raw`"GET /page\.html\?\\x22x HTTP/1\.1" 200 9 "-" "a\\x22b\\x5Cc\\x09\[31m\\xFF"$`,
      '"-" 400 - "-" "-"$',
      '"-" 400 - "-" "-"$',
      '"GET /big.bin HTTP/1.1" 499 - "-" "-"$',
    ]
    expected.forEach((rest, at) => assert.match(lines[at]!, new RegExp(head + rest)))
    assert.equal(lines.length, 4)
    assert.match(program.stdout, /^[\x20-\x7e\n]*$/)
  })

  it('gives nothing from outside of the folder, and waits for nobody', async () => {
    const { port, openFds } = await startServe(root)
    const before = openFds()
    const rows: readonly (readonly [path: string, status: number])[] = [
      ['/outside', 403],
      ['/everything/etc/passwd', 403],
      ['/everything/', 403],
      ['/everything', 403],
      ['/zero', 403],
      ['/fifo', 403],
      ['/..%2fsecret', 400],
      ['/../secret', 400],
      ['/docs/../../secret', 400],
      ['/%2e%2e/secret', 400],
      ['/page.html%00', 400],
      ['//etc/passwd', 404],
      [`/${'a/'.repeat(3_000)}x`, 404],
    ]
    for (const [path, status] of rows) {
      const got = await fetchFrom(port, path)
      assert.equal(got.status, status, path)
      assert.doesNotMatch(got.body.toString(), /root:|^secret/)
    }
    dropKept()
    while (openFds() > before) await sleep(10)
  })

  it('refuses devices and sockets, and what is no file under /proc leads nowhere', async () => {
    const path = join(folder.path, 'www', 'socket')
    const socket = createServer().listen(path)
    await once(socket, 'listening')
    const [www, dev, proc] = await Promise.all([root, '/dev', '/proc'].map((at) => startServe(at)))
    const status = async (server: Server | undefined, path: string): Promise<number> =>
      (await fetchFrom(server!.port, path)).status
    assert.equal(await status(www, '/socket'), 403)
    assert.equal(await status(dev, '/zero'), 403)
    assert.equal(await status(dev, '/full'), 403)
    assert.equal(await status(proc, '/self/root/etc/passwd'), 403)
    assert.equal(await status(proc, '/self/cwd/package.json'), 403)
    assert.equal((await fetchFrom(proc!.port, '/self/environ')).body.length, 0)
    socket.close()
  })

  it('gives any range of 5 GiB, byte by byte, in less than 100 MiB of memory', async () => {
    const { port, program, openFds } = await startServe(root)
    const part = async (first: number, last: number): Promise<Buffer> => {
      const got = await fetchFrom(port, '/big.bin', { Range: `bytes=${first}-${last}` })
      assert.equal(got.status, 206)
      assert.equal(got.headers['content-range'], `bytes ${first}-${last}/${5 * GIB}`)
      return got.body
    }
    for (const at of [2 * GIB - 2, 4 * GIB - 2, 5 * GIB - 4]) {
      assert.equal((await part(at, at + 3)).toString(), 'mark')
      const long = await part(at - 3_000_000, at + 3)
      assert.equal(long.length, 3_000_004)
      assert.equal(long.indexOf('mark'), 3_000_000)
      assert.ok(long.subarray(0, 3_000_000).every((byte) => byte === 0))
    }
    const { headers } = await fetchFrom(port, '/big.bin', {}, 'HEAD')
    assert.equal(headers['content-length'], String(5 * GIB))
    const before = openFds()
    const many = await Promise.all(Array.from({ length: 20 }, () => asksAndStops(port, '/big.bin')))
    assert.equal(openFds(), before + 40, 'one for each connection, one for each file')
    for (const socket of many) socket.resetAndDestroy()
    while (openFds() > before) await sleep(10)
    const status = readFileSync(`/proc/${program.process.pid!}/status`, 'utf8')
    const peakKib = Number(/VmHWM:\s+(\d+)/.exec(status)![1])
    assert.ok(peakKib < 100 * 1024, `${peakKib} KiB at most`)
  })

  it('ends the connection of a file that becomes shorter while it is sent', async () => {
    const { port, openFds } = await startServe(root)
    const path = join(root, 'shrinks.bin')
    truncateSync(openedOnce(path), 64 * 2 ** 20)
    const before = openFds()
    const socket = await asksAndStops(port, '/shrinks.bin')
    assert.equal(openFds(), before + 2)
    truncateSync(path, 10)
    let bytes = 0
    socket.on('data', (piece: Buffer) => (bytes += piece.length))
    await new Promise((resolve) => socket.on('close', resolve))
    assert.ok(bytes < 64 * 2 ** 20, `${bytes} bytes came`)
    while (openFds() > before) await sleep(10)
  })

  it('says what it needs, in one line', async () => {
    const rows: readonly (readonly [args: string[], status: number, says: RegExp])[] = [
      [[], 2, /give one folder to serve: extpoll serve DIR/],
      [['/absent'], 2, /DIR must be a folder that can be read, not \/absent/],
      [['.', '--dot-files=yes'], 2, /--dot-files must be given without a value/],
      [['.', '--folder', '.'], 2, /there is no option --folder; there is --host/],
    ]
    await Promise.all(
      rows.map(async ([args, status, says]) => {
        const program = new Program(bin, ['serve', ...args])
        assert.equal((await program.ended).status, status, args.join(' '))
        assert.match(program.stderr, /^[^\n]+\n$/)
        assert.match(program.stderr, says)
      }),
    )
  })
})

/** An empty file there. @returns its path */
function openedOnce(path: string): string {
  writeFileSync(path, '')
  return path
}
