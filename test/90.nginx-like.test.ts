/**
 * The demo in the shape of nginx: its chat, its view of the poll set, its control socket, its end.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { Demo, demoProgram, type PolledRow } from './support/demo.js'
import { needsAddon } from './support/epoll-addon.js'
import { Client, takePort } from './support/programs.js'

const ENDING_MS = 500
const OWN = ['control listener', 'signals']

interface Shown {
  readonly rows: readonly PolledRow[]
  readonly changes: readonly { op: string; fd: number; gen: number | null; what: string }[]
  readonly missed: number
  readonly you: number
}

/** The viewer's descriptor waits until it takes more. */
const isBehind = ({ what, events }: PolledRow): boolean =>
  what === 'poll set feed' && events.includes('POLLOUT')

class ChatClient {
  readonly client: Client
  fd = -1

  private constructor(client: Client) {
    this.client = client
  }

  static async join(demo: Demo, name: string): Promise<ChatClient> {
    const member = new ChatClient(await Client.open(demo.socketUrl, ['chat']))
    member.fd = await member.client.nextJson(({ type, fd }) =>
      type === 'you' ? (fd as number) : undefined,
    )
    member.send({ name })
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
  readonly changes: Shown['changes'][number][] = []
  /** Changes that it was told of only by their number. */
  missed = 0

  private constructor(client: Client) {
    this.client = client
  }

  static async open(demo: Demo): Promise<Viewer> {
    return new Viewer(await Client.open(demo.socketUrl, ['pollset']))
  }

  /** The first state from now on that is as wanted. */
  shows(wanted: (shown: Shown) => boolean): Promise<Shown> {
    return this.client.nextJson((message) => {
      const shown = message as unknown as Shown
      this.changes.push(...shown.changes)
      this.missed += shown.missed
      return wanted(shown) ? shown : undefined
    })
  }
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
    const both = await viewer.shows(({ rows }) =>
      ['chat: Ann', 'chat: Bo'].every((name) => rows.some(({ what }) => what === name)),
    )
    for (const { fd } of [ann, bo]) {
      const row = both.rows.find((one) => one.fd === fd)!
      assert.equal(row.events, 'POLLIN')
      assert.ok(viewer.changes.some((one) => one.op === 'ADD' && one.gen === row.gen))
    }
    ann.send({ say: 'hello, <b>Bo</b>' })
    await Promise.all([ann.hear('hello, <b>Bo</b>'), bo.hear('hello, <b>Bo</b>')])
    const { gen } = both.rows.find(({ fd }) => fd === bo.fd)!
    bo.client.socket.close()
    const after = await viewer.shows(({ changes }) =>
      changes.some((one) => one.op === 'DEL' && one.fd === bo.fd && one.gen === gen),
    )
    assert.ok(!after.rows.some((row) => row.gen === gen))
    assert.ok(after.rows.some(({ fd }) => fd === ann.fd))
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
    for (const path of ['', 'style.css', 'chat.js', 'poll-set.js', 'icon.svg']) {
      const response = await fetch(demo.url + path)
      assert.equal(response.status, 200)
      const policy = response.headers.get('content-security-policy')!
      assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/)
      assert.doesNotMatch(policy, /unsafe|\*|data:/)
      const body = await response.text()
      assert.doesNotMatch(body, /innerHTML|<script>|<style>|\son\w+=|\sstyle=/)
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

describe('90 the demo: slow viewers, and the end', () => {
  needsAddon()

  it('sends a slow viewer fewer and newer states, and comes to rest', async function () {
    this.timeout(30_000)
    const demo = await Demo.start()
    const slow = await Viewer.open(demo)
    slow.client.socket.pause()
    const idle = await Promise.all(
      Array.from({ length: 150 }, () => Client.open(demo.socketUrl, ['chat'])),
    )
    const comeAndGo = async (): Promise<void> => {
      const { socket } = await Client.open(demo.socketUrl, ['chat'])
      socket.close()
      await once(socket, 'close')
    }
    let behind = false
    for (let churn = 0; churn < 2000 && !behind; churn++) {
      await comeAndGo()
      if (churn % 20 === 0) behind = (await demo.status()).pollSet.some(isBehind)
    }
    assert.ok(behind, 'the viewer never became slow')
    for (let churn = 0; churn < 60; churn++) await comeAndGo()
    for (const { socket } of idle) socket.terminate()
    await demo.statusWhen(({ pollSet }) => !pollSet.some(({ what }) => what.startsWith('chat')))
    slow.client.socket.resume()
    const chats = ({ rows }: Shown): number =>
      rows.filter(({ what }) => what.startsWith('chat')).length
    await slow.shows((shown) => chats(shown) === idle.length)
    await slow.shows((shown) => chats(shown) === 0)
    assert.ok(slow.missed > 0, 'nothing was left out')
    await demo.statusWhen(({ pollSet }) => !pollSet.some(isBehind))
    await new Promise((resolve) => setTimeout(resolve, 100))
    const before = await demo.status()
    await new Promise((resolve) => setTimeout(resolve, 300))
    const after = await demo.status()
    // What asking itself causes: a client comes, waits for POLLOUT in place of POLLIN, and goes.
    assert.equal(after.changes.SET - before.changes.SET, 1)
    assert.equal(after.changes.DEL - before.changes.DEL, 1)
    assert.ok(after.rounds - before.rounds < 30, `${after.rounds - before.rounds} rounds in 0.3 s`)
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
    await fetch(demo.url)
    viewer.client.socket.close()
    await demo.statusWhen(({ pollSet }) => pollSet.length === OWN.length + 2)
    assert.equal(demo.openFds(), fds)
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

  it('a port that is taken, or none: one line that says what to type', async () => {
    const { port, release } = await takePort()
    const taken = demoProgram(String(port))
    assert.equal((await taken.ended).status, 1)
    assert.match(taken.stderr, /^port \d+ is taken; .*PORT=9000 make demo\n$/)
    await release()
    const wrong = demoProgram('http')
    assert.equal((await wrong.ended).status, 2)
    assert.match(wrong.stderr, /^PORT must be a whole number from 0 to 65535, not http\n$/)
  })
})
