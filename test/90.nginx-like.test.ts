/**
 * The demo in the shape of nginx: its chat, its view of the poll set, its control socket, its end.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { Demo, demoProgram, type DemoStatus, type PolledRow } from './support/demo.js'
import { Crowd } from './support/demo-page.js'
import { needsAddon, temporaryFolder } from './support/epoll-addon.js'
import { Client, refusalOf, takePort } from './support/programs.js'
import { type FeedMessage, ShownSet } from './support/shown-set.js'

const ENDING_MS = 500
const OWN = ['control listener', 'signals']

const USAGE = 'usage: main.ts [--host NAME], a name or an address of this machine\n'
const NO_NAME = 'This server does not go by that name; start it with --host NAME to allow it.\n'

const isMember =
  (fd: number, mask: string) =>
  (row: PolledRow): boolean =>
    row.fd === fd && row.events === mask

class ChatClient {
  readonly client: Client
  fd = -1
  /** With it the connection can be paused. */
  key = ''

  private constructor(client: Client) {
    this.client = client
  }

  static async join(demo: Demo, name: string): Promise<ChatClient> {
    const query = new URLSearchParams({ name }).toString()
    const member = new ChatClient(await Client.open(`${demo.socketUrl}?${query}`, ['chat']))
    const me = await member.client.nextJson((message) =>
      message['type'] === 'you' ? (message as { fd: number; key: string }) : undefined,
    )
    member.fd = me.fd
    member.key = me.key
    return member
  }

  send(message: object): void {
    this.client.socket.send(JSON.stringify(message))
  }

  hear(text: string): Promise<unknown> {
    return this.client.nextJson((line) => (line['text'] === text ? line : undefined))
  }
}

/** The poll set as a viewer was shown it, with all changes so far. */
class Viewer {
  readonly client: Client
  readonly set = new ShownSet()

  private constructor(client: Client) {
    this.client = client
  }

  static async open(demo: Demo): Promise<Viewer> {
    return new Viewer(await Client.open(demo.socketUrl, ['pollset']))
  }

  /** Takes what comes until the set is as wanted. */
  shows(wanted: (set: ShownSet) => boolean): Promise<ShownSet> {
    return this.client.nextJson((message) => {
      if (message['type'] === 'pollset') this.set.apply(message as unknown as FeedMessage)
      return wanted(this.set) ? this.set : undefined
    })
  }
}

/** GET of the page with these Host headers, whatever name it is reached by. */
async function askAs(demo: Demo, ...hosts: string[]): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(demo.url)
  const socket = connect(Number(port), hostname)
  const fields = hosts.map((host) => `Host: ${host}\r\n`)
  socket.write(`GET / HTTP/1.1\r\nConnection: close\r\n${fields.join('')}\r\n`)
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return { status: Number(text.split(' ', 2)[1]), text }
}

describe('90 the demo: chat, poll set, control socket', () => {
  needsAddon()

  let demo: Demo
  beforeEach(async () => {
    demo = await Demo.start()
  })

  it('two members chat; the poll set shows both, and the DEL of the one that leaves', async () => {
    const viewer = await Viewer.open(demo)
    const ann = await ChatClient.join(demo, 'Ann')
    const bo = await ChatClient.join(demo, 'Bo')
    const both = await viewer.shows((set) =>
      ['chat: Ann', 'chat: Bo'].every((name) => set.rows().some(({ what }) => what === name)),
    )
    for (const { fd } of [ann, bo]) {
      const row = both.rows().find((one) => one.fd === fd)!
      assert.equal(row.events, 'POLLIN')
      assert.ok(both.changes.some((one) => one.op === 'ADD' && one.gen === row.gen))
    }
    ann.send({ say: 'hello, <b>Bo</b>' })
    await Promise.all([ann.hear('hello, <b>Bo</b>'), bo.hear('hello, <b>Bo</b>')])
    const { gen } = both.rows().find(({ fd }) => fd === bo.fd)!
    bo.client.socket.close()
    const after = await viewer.shows(({ changes }) =>
      changes.some((one) => one.op === 'DEL' && one.fd === bo.fd && one.gen === gen),
    )
    assert.ok(!after.rows().some((row) => row.gen === gen))
    assert.ok(after.fds().includes(ann.fd))
    await ann.client.nextJson(({ event, name }) => (event === 'left' && name === 'Bo') || undefined)
  })

  it('keeps a bounded history, and refuses what is no chat', async () => {
    const ann = await ChatClient.join(demo, 'Ann')
    for (let i = 1; i <= 60; i++) ann.send({ say: `line ${i}` })
    await ann.hear('line 60')
    const late = await Client.open(demo.socketUrl, ['chat'])
    const heard: unknown[] = []
    await late.nextJson(({ text, event }) => {
      if (text !== undefined) heard.push(text)
      return event === 'came' || undefined
    })
    assert.ok(heard.length < 50 && heard.length > 40, `it heard ${heard.length} lines`)
    assert.equal(heard.at(-1), 'line 60')
    for (const bad of ['nonsense', '{}', '{"say":""}', '{"say":7}', 'null']) {
      const client = await Client.open(demo.socketUrl, ['chat'])
      client.socket.send(bad)
      assert.deepEqual([bad, (await client.closed).code], [bad, 1008])
    }
    for (const request of [{ name: 'n'.repeat(25) }, { say: 's'.repeat(501) }]) {
      const member = await ChatClient.join(demo, 'Long')
      member.send(request)
      assert.equal((await member.client.closed).code, 1008)
    }
  })

  it('a paused connection waits for nothing, and loses nothing', async () => {
    const viewer = await Viewer.open(demo)
    const turn = (request: object): void => viewer.client.socket.send(JSON.stringify(request))
    const maskOf =
      (fd: number): ((set: ShownSet) => string | undefined) =>
      (set) =>
        set.rows().find((row) => row.fd === fd)?.events
    const ann = await ChatClient.join(demo, 'Ann')
    await viewer.shows((set) => maskOf(ann.fd)(set) === 'POLLIN')
    turn({ pause: 'no such key' })
    turn({ pause: ann.key })
    const paused = await viewer.shows((set) => maskOf(ann.fd)(set) === '0')
    assert.ok(paused.changes.some(({ op, fd }) => op === 'CLEAR' && fd === ann.fd))
    const ballast = Buffer.alloc(16_384)
    const { socket } = ann.client
    let sent = 0
    for (let quiet = 0; quiet < 5; quiet++) {
      const before = socket.bufferedAmount
      for (let piece = 0; piece < 64; piece++, sent += ballast.length) socket.send(ballast)
      await new Promise((resolve) => setTimeout(resolve, 20))
      // As long as the kernel takes some of it, there is no back-pressure yet.
      if (socket.bufferedAmount < before + 64 * ballast.length) quiet = -1
    }
    assert.ok(sent > socket.bufferedAmount, 'the kernel took nothing')
    ann.send({ say: 'at last' })
    turn({ resume: ann.key })
    const resumed = await viewer.shows((set) => maskOf(ann.fd)(set) === 'POLLIN')
    assert.ok(resumed.changes.some(({ op, fd }) => op === 'SET' && fd === ann.fd))
    await ann.client.nextJson(({ bytes }) => bytes === sent || undefined)
    await ann.hear('at last')
    turn({ pause: ann.key })
    await viewer.shows((set) => maskOf(ann.fd)(set) === '0')
    viewer.client.socket.close()
    await demo.statusWhen(({ pollSet }) => pollSet.some(isMember(ann.fd, 'POLLIN')))
    for (const bad of ['nonsense', '{}', '{"pause":7}', 'null']) {
      const other = await Viewer.open(demo)
      other.client.socket.send(bad)
      assert.deepEqual([bad, (await other.client.closed).code], [bad, 1008])
    }
  })

  it('tells who looks what the last minute was like, not counting the looking', async () => {
    const ann = await ChatClient.join(demo, 'Ann')
    for (let i = 1; i <= 20; i++) ann.send({ say: `line ${i}` })
    await ann.hear('line 20')
    const viewer = await Viewer.open(demo)
    const seconds: FeedMessage['seconds'][number][] = []
    await viewer.client.nextJson((message) => {
      seconds.push(...((message['seconds'] as typeof seconds | undefined) ?? []))
      return seconds.reduce((sum, second) => sum + second.in, 0) === 20 || undefined
    })
    assert.equal(
      seconds.reduce((sum, { out }) => sum + out, 0),
      21,
    )
  })

  it('answers to its own names only, whatever leads to it', async () => {
    const { port } = new URL(demo.url)
    for (const host of ['localhost', 'LocalHost', '127.0.0.1', '[::1]', 'localhost:1'])
      assert.equal((await askAs(demo, host)).status, 200, host)
    const evil = ['evil.example', `127.0.0.1.evil.example:${port}`, 'localhost.', '']
    for (const host of evil) {
      const { status, text } = await askAs(demo, host)
      assert.deepEqual([host, status], [host, 421])
      assert.ok(text.endsWith(NO_NAME) && !text.includes('<'), text)
    }
    for (const hosts of [['[::1'], ['a:b:c'], [], ['localhost', 'localhost']])
      assert.deepEqual([hosts, (await askAs(demo, ...hosts)).status], [hosts, 400])
    for (const protocol of ['chat', 'pollset']) {
      const headers = { host: `evil.example:${port}` }
      const options = { headers, origin: `http://evil.example:${port}` }
      const refusal = await refusalOf(demo.socketUrl, [protocol], options)
      assert.deepEqual(refusal, { status: 421, body: NO_NAME })
    }
  })

  it('lets pages of this server in, and no others', async () => {
    const { origin } = new URL(demo.url)
    const { socket } = await Client.open(demo.socketUrl, ['chat'], { origin })
    assert.equal(socket.protocol, 'chat')
    const stranger = new Client(demo.socketUrl, ['chat'], { origin: 'http://elsewhere.example' })
    const [, response] = (await once(stranger.socket, 'unexpected-response')) as [
      unknown,
      { statusCode: number },
    ]
    assert.equal(response.statusCode, 403)
  })

  it('serves the page and its parts under a strict policy, 404 and 405 else', async () => {
    const files = readdirSync(new URL('../examples/nginx-like/page/', import.meta.url))
    assert.ok(files.length > 5)
    for (const file of files) {
      const response = await fetch(demo.url + file.replace('page.html', ''))
      assert.equal(response.status, 200, file)
      const policy = response.headers.get('content-security-policy')!
      assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/)
      assert.doesNotMatch(policy, /unsafe|\*|data:/)
      assert.match(policy, /require-trusted-types-for 'script'; trusted-types 'none'$/)
      const body = await response.text()
      const parsed = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b/
      assert.doesNotMatch(body, parsed)
      assert.doesNotMatch(body, /<script>|<style>|\son\w+=|\sstyle=|https?:\/\/(?!www\.w3\.org\/)/)
    }
    for (const path of ['page.html', 'main.ts', '..%2fmain.ts', 'favicon.ico'])
      assert.equal((await fetch(demo.url + path)).status, 404)
    assert.equal((await fetch(demo.url, { method: 'POST' })).status, 405)
  })

  it('the control socket answers status, also to the slow, the curious and the crowd', async () => {
    const status = await demo.status()
    const own = status.pollSet.filter(({ gen }) => gen === null).map(({ what }) => what)
    assert.deepEqual(own.sort(), ['control client', ...OWN])
    assert.equal(status.pollSet.filter(({ what }) => what === 'listener').length, 1)
    assert.equal(status.pid, demo.program.process.pid)
    assert.ok(status.rounds > 0 && status.changes.ADD === 4)
    assert.equal(await demo.ask('statistics\n'), 'ask: status\n')
    assert.equal(await demo.ask('x'.repeat(64)), 'ask: status\n')
    const idle = Array.from({ length: 20 }, () => connect(demo.controlPath))
    for (const socket of idle) socket.on('error', () => {})
    await once(idle.at(-1)!, 'connect')
    assert.ok((await demo.status()).pollSet.length <= OWN.length + 1 + 8)
    const slow = connect(demo.controlPath)
    slow.write('sta')
    await demo.status()
    slow.write('tus\n')
    const [answer] = (await once(slow, 'data')) as [Buffer]
    assert.match(answer.toString(), /"pollSet"/)
    const modes = [demo.controlPath, dirname(demo.controlPath)].map((path) => statSync(path).mode)
    assert.equal(modes[1]! & 0o077, 0, 'only its owner may enter the folder')
  })
})

describe('90 the demo: rest, and the end', () => {
  needsAddon()

  it('comes to rest: a page that is open costs next to nothing', async () => {
    const demo = await Demo.start()
    const viewer = await Viewer.open(demo)
    const crowd = await Crowd.join(demo, 150)
    const members = (set: ShownSet): number =>
      set.rows().filter(({ what }) => what.startsWith('chat')).length
    await viewer.shows((set) => members(set) === 150)
    crowd.leave()
    await viewer.shows((set) => members(set) === 0)
    await ChatClient.join(demo, 'Ann')
    await new Promise((resolve) => setTimeout(resolve, 1100))
    const before = await demo.status()
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const after = await demo.status()
    // What asking itself causes: a client comes, waits for POLLOUT in place of POLLIN, and goes.
    const of = ({ changes }: DemoStatus): number => changes.SET + changes.DEL
    assert.equal(of(after) - of(before), 2)
    assert.ok(after.rounds - before.rounds <= 8, `${after.rounds - before.rounds} rounds in 1 s`)
  })

  it('keeps no descriptor of those who left', async () => {
    const demo = await Demo.start()
    await demo.status()
    const fds = demo.openFds()
    const viewer = await Viewer.open(demo)
    for (let i = 0; i < 20; i++) {
      const { client } = await ChatClient.join(demo, 'Ann')
      if (i % 2 === 0) client.socket.terminate()
      else client.socket.close()
    }
    await askAs(demo, 'localhost')
    viewer.client.socket.close()
    await demo.statusWhen(({ pollSet }) => pollSet.length === OWN.length + 2)
    assert.equal(demo.openFds(), fds)
  })

  it('goes by the name that --host gives it, as well, and says for whom', async () => {
    const one = await Demo.start(['--host', '127.2'])
    assert.match(one.url, /^http:\/\/127\.0\.0\.2:/)
    assert.match(one.program.stdout, /this machine only/)
    for (const host of ['127.0.0.2', '127.2', 'localhost'])
      assert.equal((await askAs(one, host)).status, 200, host)
    assert.equal((await askAs(one, '127.0.0.3')).status, 421)
    const every = await Demo.start(['--host', '0'])
    assert.match(every.url, /^http:\/\/0\.0\.0\.0:/)
    assert.doesNotMatch(every.program.stdout, /this machine only/)
    for (const host of ['0.0.0.0', hostname(), '127.0.0.1'])
      assert.equal((await askAs(every, host)).status, 200, host)
    assert.equal((await askAs(every, 'evil.example')).status, 421)
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`ends within ${ENDING_MS} ms of ${signal}, and takes its control socket along`, async () => {
      const demo = await Demo.start()
      const viewer = await Viewer.open(demo)
      const ann = await ChatClient.join(demo, 'Ann')
      const end = await demo.program.signal(signal)
      for (const { closed } of [viewer.client, ann.client]) assert.equal((await closed).code, 1001)
      assert.deepEqual([end.status, end.signal], [0, null])
      assert.ok(end.endingMs < ENDING_MS, `it took ${end.endingMs} ms`)
      assert.equal(demo.program.stderr, '')
      assert.equal(demo.program.stdout.split('\n').length, 2)
      assert.ok(!existsSync(dirname(demo.controlPath)))
    })
  }

  it('a folder too long for its control socket: one line, and nothing left', async () => {
    const folder = temporaryFolder()
    const long = join(folder.path, 'x'.repeat(90))
    mkdirSync(long)
    const program = demoProgram('0', [], { TMPDIR: long })
    const { status } = await program.ended
    const left = readdirSync(long).filter((name) => name.startsWith('extpoll'))
    folder.remove()
    assert.match(program.stderr, /^cannot listen on \S+\/control: ENAMETOOLONG; .*TMPDIR\b.*\n$/)
    assert.deepEqual([status, left], [1, []])
  })

  it('a port that is taken, or none: one line that says what to type', async () => {
    const { port, release } = await takePort()
    const taken = demoProgram(String(port))
    assert.equal((await taken.ended).status, 1)
    assert.match(taken.stderr, /^port \d+ is taken; .*PORT=9000 make demo\n$/)
    await release()
    const wrongs = [
      demoProgram('http'),
      demoProgram('0', ['--host']),
      demoProgram('0', ['host']),
      demoProgram('0', ['--host', '192.0.2.1']),
    ]
    const ends = await Promise.all(wrongs.map(({ ended }) => ended))
    assert.deepEqual(
      ends.map(({ status }) => status),
      [2, 2, 2, 1],
    )
    assert.deepEqual(
      wrongs.map(({ stderr }) => stderr),
      [
        'PORT must be a whole number from 0 to 65535, not http\n',
        USAGE,
        USAGE,
        '192.0.2.1 is no name of this machine; give --host one, or an address of it\n',
      ],
    )
  })
})
