/**
 * README is true: each of its programs runs as it stands and serves a client that is not ours, each
 * of its commands exists, each name in its tables is public.
 *
 * Programs run as a user's would, `extpoll` being what is built in dist/. All that is changed in
 * them is the port, 9000, which on the machine of a test may be anybody's.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { needsAddon } from './support/epoll-addon.js'
import { codeSpans, namesIn, readPage } from './support/pages.js'
import { Client, Program, projectRoot, refusalOf, takePort } from './support/programs.js'
import { publicSurface } from './support/public-surface.js'
import { typeCheck } from './support/type-check.js'

const outFolder = join(projectRoot, 'test/.out/readme')
const page = readPage('README.md')

/** Heading and place beneath it -> the name its program gets. Every program has a row. */
const programs = [
  ['extpoll', 0, 'first.ts'],
  ['Inside the server you have', 0, 'server.ts'],
  ['In a thread of its own', 0, 'thread.ts'],
  ['In a loop of your own', 0, 'echo.ts'],
  ['In a loop of your own', 1, 'loop.ts'],
  ['In your own poller', 0, 'poller.ts'],
  ['In a test without a socket', 0, 'socketless.ts'],
  ['In the form of C', 0, 'form-of-c.ts'],
  ['Files beside it', 0, 'files.ts'],
] as const

function programText(file: string): string {
  const row = programs.find(([, , name]) => name === file)
  const beneath = page.blocks.filter(
    ({ heading, language }) => language === 'ts' && heading === row?.[0],
  )
  return beneath[row?.[1] ?? 0]?.text ?? assert.fail(`README has no program for ${file}`)
}

/** Writes the programs where `extpoll` is this package. */
function writePrograms(changed: (text: string) => string): void {
  mkdirSync(outFolder, { recursive: true })
  for (const [, , file] of programs)
    writeFileSync(join(outFolder, file), changed(programText(file)))
}

/**
 * Starts a program of README.
 * @param from a text in it, for a test that needs another, `to`
 * @returns it, and the URL where it listens or will
 */
async function start(file: string, from = '', to = ''): Promise<{ program: Program; url: string }> {
  const { port, release } = await takePort()
  await release()
  assert.ok(programText(file).includes(from))
  writePrograms((text) => text.replace('port: 9000', `port: ${port}`).replace(from, to))
  const program = new Program(process.execPath, ['--import', 'tsx', join(outFolder, file)])
  return { program, url: `ws://127.0.0.1:${port}` }
}

/** Connects as soon as the program accepts. */
async function connected(
  { program, url }: { program: Program; url: string },
  protocols: readonly string[] = [],
): Promise<Client> {
  let over = false
  void program.ended.then(() => (over = true))
  for (;;) {
    try {
      return await Client.open(url, protocols)
    } catch {
      assert.ok(!over, `it ended: ${program.stderr}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

async function assertEchoes(client: Client): Promise<void> {
  for (const data of ['grüß Gott', Buffer.from([0, 1, 254, 255])]) {
    client.socket.send(data)
    const echoed = await client.next()
    assert.equal(echoed.binary, typeof data !== 'string')
    assert.ok(echoed.data.equals(Buffer.from(data)))
  }
}

describe('70 README: its programs', () => {
  it('are all run here', () => {
    const there = page.blocks.filter(({ language }) => language === 'ts')
    assert.equal(there.length, programs.length)
  })

  it('compile under strict settings', function () {
    this.timeout(60_000)
    writePrograms((text) => text)
    const files = programs.map(([, , file]) => join(outFolder, file))
    assert.deepEqual(typeCheck(files, { noUnusedParameters: false, types: ['node'] }), {})
  })

  it('in a test without a socket: it passes', async () => {
    const { program } = await start('socketless.ts')
    assert.equal((await program.ended).status, 0, program.stderr)
  })

  it('the poller form has fewer than 20 lines', () => {
    const lines = programText('poller.ts').trimEnd().split('\n')
    assert.ok(lines.length < 20, `it has ${lines.length}`)
  })
})

describe('70 README: its servers', function () {
  needsAddon()
  this.timeout(20_000)

  for (const file of ['first.ts', 'loop.ts', 'poller.ts', 'form-of-c.ts']) {
    it(`${file} echoes text and binary, with a subprotocol and without`, async () => {
      const server = await start(file)
      await assertEchoes(await connected(server))
      const second = await connected(server, ['echo'])
      assert.equal(second.socket.protocol, 'echo')
      await assertEchoes(second)
    })
  }

  it('server.ts echoes at its path, and serves its page', async () => {
    const server = await start('server.ts')
    const inside = { ...server, url: `${server.url}/ws` }
    await assertEchoes(await connected(inside, ['echo']))
    const page = await fetch(server.url.replace('ws:', 'http:'))
    assert.equal(await page.text(), 'WebSockets are at /ws\n')
    const token = { headers: { 'x-token': 'wrong' } }
    assert.equal((await refusalOf(inside.url, ['echo'], token)).status, 403)
  })

  it('form-of-c.ts tells who came and how they left', async () => {
    const server = await start('form-of-c.ts')
    const client = await connected(server)
    client.socket.close(3000)
    await client.closed
    while (!server.program.stdout.includes('closed'))
      await once(server.program.process.stdout!, 'data')
    assert.equal(server.program.stdout, 'opened /\nclosed 3000 CLOSED_BY_PEER\n')
  })

  it('files.ts gives files and greets, all in one place', async () => {
    const server = await start('files.ts')
    const client = await connected(server)
    client.socket.send('Ann')
    assert.equal((await client.next()).data.toString(), 'hello Ann')
    const page = await fetch(server.url.replace('ws:', 'http:'))
    assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
    const there = readFileSync(join(projectRoot, 'examples/nginx-like/page/page.html'), 'utf8')
    assert.equal(await page.text(), there)
  })

  it('loop.ts ends when its game does', async () => {
    // Until a file is there, not by the clock: a slow machine takes seconds for the start alone.
    const over = join(outFolder, 'over')
    rmSync(over, { force: true })
    const isOver = `process.getBuiltinModule('node:fs').existsSync(${JSON.stringify(over)})`
    const server = await start('loop.ts', 'performance.now() < 60_000', `!${isOver}`)
    const client = await connected(server)
    writeFileSync(over, '')
    assert.equal((await client.closed).code, 1001)
    assert.equal((await server.program.ended).status, 0, server.program.stderr)
  })

  it('thread.ts is a chat that ends in order', async () => {
    const { program, url } = await start('thread.ts')
    assert.match(await program.firstLine(), /^listening on port \d+$/)
    const [one, two] = await Promise.all([1, 2].map(() => Client.open(`${url}/chat`)))
    one!.socket.send('hello')
    for (const client of [one!, two!]) assert.equal((await client.next()).data.toString(), 'hello')
    assert.equal((await refusalOf(url)).status, 404)
    two!.socket.close()
    await two!.closed
    const end = await program.signal('SIGTERM')
    assert.equal((await one!.closed).code, 1001)
    assert.equal(end.status, 0, program.stderr)
    assert.match(program.stdout, /^1005 CLOSED_BY_PEER after 0 lines$/m)
    assert.match(program.stdout, /^1001 CLOSED_BY_APPLICATION after 1 lines$/m)
  })

  it('thread.ts keeps every line for a member that reads late', async () => {
    const server = await start('thread.ts')
    await server.program.firstLine()
    const [slow, quick] = await Promise.all([1, 2].map(() => Client.open(`${server.url}/chat`)))
    slow!.socket.pause()
    const text = 'x'.repeat(4000)
    for (let line = 0; line < 500; line++) {
      quick!.socket.send(text)
      assert.equal((await quick!.next()).data.length, text.length)
    }
    slow!.socket.resume()
    for (let line = 0; line < 500; line++)
      assert.equal((await slow!.next()).data.length, text.length)
    slow!.socket.send('I am back')
    assert.equal((await quick!.next()).data.toString(), 'I am back')
  })
})

describe('70 README: its commands', () => {
  const shell = page.blocks.filter(({ language }) => language === 'sh')
  const lines = shell.flatMap(({ text }) => text.trim().split('\n'))
  const spans = codeSpans(page.prose).filter((span) =>
    /^(?:\w+=\S+ )?(?:make|node|npm) /.test(span),
  )
  const commands = [...lines, ...spans].map((line) => line.replace(/\s+# .*$/, ''))

  it('are there', () => assert.ok(commands.length >= 8))

  it('each is one that this test can judge', () => {
    for (const command of commands)
      assert.match(command, /^(?:PORT=\d+ )?make |^node dist\/integrations\/cli\/extpoll\.js /)
  })

  it('each make target is in the Makefile', () => {
    const targets = [
      ...readFileSync(join(projectRoot, 'Makefile'), 'utf8').matchAll(/^([a-z-]+):/gm),
    ]
    const names = new Set(targets.map(([, name]) => name))
    for (const command of commands.filter((one) => !one.startsWith('node '))) {
      const [, ...words] = command
        .replace(/\w+='[^']*'|\b[A-Z]+=\S+/g, '')
        .trim()
        .split(/\s+/)
      for (const target of words) assert.ok(names.has(target), `${command}: no target ${target}`)
    }
  })

  for (const command of commands.filter((one) => one.includes('ARGS='))) {
    it(`the bench knows the options of: ${command}`, async () => {
      const options = /ARGS='?([^']*)'?/.exec(command)![1]!.trim().split(/\s+/)
      const script = ['test/bench/run.mjs', ...options, '--help']
      const program = new Program(process.execPath, script)
      assert.equal((await program.ended).status, 0, program.stderr)
    })
  }

  for (const command of new Set(commands.filter((one) => one.startsWith('node ')))) {
    it(`the command knows the options of: ${command}`, async () => {
      const [, ...args] = command.split(/\s+/)
      const program = new Program(process.execPath, [...args, '--help'])
      assert.equal((await program.ended).status, 0, program.stderr)
      assert.match(program.stdout, /^Usage: extpoll /)
    })
  }
})

/** Names of the tables that are the reader's, or Node's. */
const placeholders = new Set(
  'wsi ctx data request code reason user port protocols protocol kind enable fd pollfd fn'
    .split(' ')
    .concat('extpoll/epoll null true false req'.split(' ')),
)

describe('70 README: its names', function () {
  this.timeout(60_000)

  const isPublic = (name: string): boolean => {
    const { exports, members } = publicSurface()
    const exported = [...exports.values()].some((names) => names.has(name))
    return exported || [...members.values()].some((names) => names.has(name))
  }

  it('what the tables offer is public', () => {
    const tables = page.rows.filter(({ heading }) => heading.startsWith('Coming from'))
    assert.ok(tables.length >= 30)
    for (const { cells, line } of tables)
      for (const span of codeSpans(cells[1]!)) {
        if (/^extpoll\//.test(span)) continue
        for (const name of namesIn(span))
          assert.ok(placeholders.has(name) || isPublic(name), `${name} in: ${line}`)
      }
  })

  it('each table has about ten rows', () => {
    for (const heading of new Set(page.rows.map((row) => row.heading))) {
      const count = page.rows.filter((row) => row.heading === heading).length
      if (heading.startsWith('Coming from')) assert.ok(count >= 8 && count <= 15, heading)
    }
  })

  it('what the prose calls or spells in capitals is public', () => {
    const prose = page.prose.replace(/^\|.*$/gm, '')
    const called = codeSpans(prose).filter((span) => /^[a-z]\w*\(/.test(span))
    const reasons = prose.match(/\b[A-Z]{3,}(?:_[A-Z]+)+\b/g) ?? []
    for (const name of [...called.map((span) => span.replace(/\(.*/, '')), ...reasons])
      assert.ok(isPublic(name) || name === 'ERR_EXTPOLL', name)
  })
})
