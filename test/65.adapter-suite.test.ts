/**
 * One suite for every way of running: the same scenarios, the same peers, the same application.
 *
 * What the application was told must be the same on each, by its eventDigest (C25); the checker is
 * on; and nothing may be left in the poll array. The ways are rows of support/adapter-ways.ts,
 * which says how to add one; the application and its orders are in support/adapter-app.ts.
 */
import assert from 'node:assert/strict'
import { ServerFrameDecoder } from '../integrations/fake-poller.js'
import type { Plan, Report } from './support/adapter-app.js'
import {
  adaptersUnderTest,
  endWays,
  type AdapterUnderTest,
  type Running,
  type Transport,
} from './support/adapter-ways.js'
import { needsAddon } from './support/epoll-addon.js'
import { client, validRequest } from './support/wire-bytes.js'

/** How long something may take; a machine that stands still meanwhile does not count. */
const PATIENCE_MS = 5_000
const PATIENCE_TURNS = 300

/** A peer: what it sends, and what came. */
class Far {
  readonly transport: Transport
  readonly messages: string[] = []
  closeCode: number | undefined
  #decoder: ServerFrameDecoder | undefined
  #head = ''

  constructor(transport: Transport) {
    this.transport = transport
  }

  get upgraded(): boolean {
    this.look()
    return this.#decoder !== undefined
  }

  /** The head of an answer that was no upgrade. */
  get refusal(): string {
    this.look()
    return this.#head
  }

  get over(): boolean {
    this.look()
    return this.transport.over
  }

  send(bytes: Buffer): void {
    assert.ok(this.transport.send(bytes), 'the peer could not send all at once')
  }

  /** Gives it something to read that the application hears nothing of; it may be over already. */
  keepReady(): void {
    for (let pings = 0; pings < 5; pings++) this.transport.send(client.ping('ready'))
  }

  order(text: string): void {
    this.send(client.text(text))
  }

  look(): void {
    let bytes = this.transport.receive()
    if (this.#decoder === undefined) {
      this.#head += bytes.toString('latin1')
      const end = this.#head.indexOf('\r\n\r\n')
      if (end < 0 || !this.#head.startsWith('HTTP/1.1 101 ')) return
      bytes = Buffer.from(this.#head.slice(end + 4), 'latin1')
      this.#decoder = new ServerFrameDecoder()
    }
    for (const { opcode, payload } of this.#decoder.decode(bytes))
      if (opcode === 8) this.closeCode = payload.length < 2 ? 1005 : payload.readUInt16BE(0)
      else if (opcode !== 10) this.messages.push(payload.toString())
  }
}

/** The peers of one run, and its loop. */
class Stage {
  readonly #running: Running
  readonly #peers: Far[] = []

  constructor(running: Running) {
    this.#running = running
  }

  connect(): Far {
    const peer = new Far(this.#running.connect())
    this.#peers.push(peer)
    return peer
  }

  /** A peer that asked for `/name`, and was let in. */
  async open(name: string): Promise<Far> {
    const peer = this.connect()
    peer.send(Buffer.from(validRequest({}, `GET /${name} HTTP/1.1`)))
    await this.until(() => peer.upgraded, `${name} is let in`)
    return peer
  }

  async until(is: () => boolean, what: string): Promise<void> {
    const endMs = performance.now() + PATIENCE_MS
    for (let turns = 0; !is(); turns++) {
      const patient = turns < PATIENCE_TURNS || performance.now() < endMs
      assert.ok(patient, `not within ${PATIENCE_MS} ms and ${turns} turns: ${what}`)
      await this.#running.turn()
    }
  }

  /** Sends and waits for it to come back, behind nothing else. */
  async echo(peer: Far, text: string): Promise<void> {
    peer.send(client.binary(text))
    await this.untilHeard(peer, text)
  }

  /** Until these came, and nothing else did. */
  async untilHeard(peer: Far, ...texts: string[]): Promise<void> {
    const count = (): number => (peer.look(), peer.messages.length)
    await this.until(
      () => count() >= texts.length,
      `${texts.join()} comes; ${peer.messages.join()}`,
    )
    assert.deepEqual(peer.messages.splice(0), texts)
  }

  async untilOver(...peers: Far[]): Promise<void> {
    await this.until(() => peers.every(({ over }) => over), 'they are over')
  }

  pass(ms: number): Promise<void> {
    return this.#running.pass(ms)
  }

  /** Ends the run as every run is ended: by the control peer's order. */
  async finish(control: Far): Promise<Report> {
    control.order('destroy')
    await this.until(() => control.over, 'the context is destroyed')
    assert.equal(control.closeCode, 1001)
    for (const { transport } of this.#peers) transport.dispose()
    return this.#running.report()
  }
}

interface Scenario {
  readonly plan?: Plan
  /** @param control an open peer, which gives orders that concern others */
  readonly play: (stage: Stage, control: Far) => Promise<void>
  readonly judge?: (report: Report, adapter: AdapterUnderTest) => void
  /** It is about accepting: not for contexts into which others bring their sockets. */
  readonly accepts?: boolean
}

const LISTENS = 'SET POLLIN'
const PAUSES = 'CLEAR POLLIN'

const scenarios: Readonly<Record<string, Scenario>> = {
  'add, set, clear and delete, each repeated; repeats are taken quietly': {
    plan: { stutters: true },
    async play(stage, control) {
      for (let turn = 0; turn < 10; turn++) {
        const name = `p${turn}`
        const peer = await stage.open(name)
        for (let again = 0; again < 3; again++) {
          peer.order('writable')
          await stage.untilHeard(peer, 'writable')
          control.order(`pause ${name}`)
          await stage.echo(control, 'paused')
          peer.send(client.binary('held'))
          await stage.pass(4)
          assert.deepEqual((peer.look(), peer.messages), [])
          control.order(`resume ${name}`)
          await stage.untilHeard(peer, 'held')
        }
        peer.order('close')
        await stage.until(() => (peer.look(), peer.closeCode === 4000), 'it is closed')
        peer.send(client.close(4000))
        await stage.untilOver(peer)
      }
    },
    judge({ announced }) {
      const once = ['SET POLLOUT', 'CLEAR POLLOUT', PAUSES, LISTENS]
      for (let turn = 0; turn < 10; turn++)
        assert.equal(
          announced[`p${turn}`],
          ['ADD POLLIN', ...once, ...once, ...once, 'DEL'].join(', '),
        )
    },
  },

  'delete during a wait: by the loop itself, while the descriptor is ready': {
    async play(stage, control) {
      for (let turn = 0; turn < 10; turn++) {
        const peer = await stage.open(`p${turn}`)
        control.order(`later hangup p${turn}`)
        peer.keepReady()
        await stage.untilOver(peer)
        await stage.echo(control, 'and on')
      }
    },
  },

  'close during a callback: of itself, and of another that is ready': {
    async play(stage, control) {
      for (let turn = 0; turn < 10; turn++) {
        const [a, b, c] = [
          await stage.open(`a${turn}`),
          await stage.open(`b${turn}`),
          await stage.open(`c${turn}`),
        ]
        for (const peer of [a, b, c]) peer.keepReady()
        b.order(`hangup a${turn}`)
        await stage.untilOver(a)
        b.order(`hangup c${turn}`)
        b.order(`hangup b${turn}`)
        await stage.untilOver(b, c)
        await stage.echo(control, 'and on')
      }
    },
  },

  'descriptors are used again at once, and nobody gets what was meant for another': {
    async play(stage, control) {
      let last = await stage.open('p0')
      for (let turn = 1; turn < 20; turn++) {
        // The end of the one and the coming of the next may be in one batch.
        last.keepReady()
        if (turn % 2 === 0) last.transport.reset()
        else control.order(`hangup p${turn - 1}`)
        const next = stage.connect()
        next.send(Buffer.from(validRequest({}, `GET /p${turn} HTTP/1.1`)))
        next.send(client.binary(`mine ${turn}`))
        await stage.untilHeard(next, `mine ${turn}`)
        if (turn % 2 !== 0) await stage.untilOver(last)
        await stage.echo(control, 'and on')
        last = next
      }
    },
    judge({ members }, { reuses = true }) {
      const again = new Set(members.map(([fd]) => fd)).size < members.length
      assert.equal(again, reuses, again ? 'a number came again' : 'no number came again')
      assert.equal(new Set(members.map(([, gen]) => gen)).size, members.length)
    },
  },

  'level-triggered: what a budget left over is reported again': {
    plan: { limits: { messageBudget: 3, turnMessageBudget: 2, rxBudgetBytes: 1_024 } },
    async play(stage) {
      const peer = await stage.open('p')
      const texts = Array.from({ length: 200 }, (_none, index) => `message ${index}`)
      peer.send(Buffer.concat(texts.map((text) => client.binary(text))))
      await stage.untilHeard(peer, ...texts)
    },
  },

  'hang-up with unread bytes: they come first, the end after them (C17)': {
    plan: { limits: { messageBudget: 4, turnMessageBudget: 2, rxBudgetBytes: 1_024 } },
    async play(stage, control) {
      const peer = await stage.open('p')
      control.order('pause p')
      await stage.echo(control, 'paused')
      const texts = Array.from({ length: 100 }, (_none, index) => `message ${index}`)
      peer.send(Buffer.concat(texts.map((text) => client.binary(text))))
      peer.transport.end()
      await stage.pass(10)
      control.order('resume p')
      await stage.untilHeard(peer, ...texts)
      await stage.untilOver(peer)
    },
  },

  'pause with a reset peer: heard once, no spin, and it ends (C4)': {
    plan: { limits: { pausedErrorTimeoutMs: 150 } },
    async play(stage, control) {
      const [reset, ended] = [await stage.open('reset'), await stage.open('ended')]
      for (const name of ['reset', 'ended']) control.order(`pause ${name}`)
      await stage.echo(control, 'paused')
      reset.transport.reset()
      ended.transport.end()
      await stage.pass(80)
      await stage.echo(control, 'while they are paused')
      await stage.pass(120)
      control.order('resume ended')
      await stage.untilOver(ended)
    },
    judge({ serviced, announced }) {
      assert.ok(serviced['reset']! <= 10, `the reset one was serviced ${serviced['reset']} times`)
      assert.ok(serviced['ended']! <= 10, `the ended one was serviced ${serviced['ended']} times`)
      assert.equal(announced['reset'], `ADD POLLIN, ${PAUSES}, DEL`)
    },
  },

  'timeouts with no traffic: of a handshake, of silence, of a closing handshake': {
    plan: { limits: { handshakeTimeoutMs: 60, idleTimeoutMs: 250, closeTimeoutMs: 60 } },
    async play(stage, control) {
      // Only the control peer is never silent.
      const over = (peer: Far) => (): boolean => {
        control.keepReady()
        control.look()
        return peer.over || peer.closeCode === 1001
      }
      const mute = stage.connect()
      await stage.until(over(mute), 'who says nothing is not waited for')
      assert.match(mute.refusal, /^HTTP\/1\.1 408 /)
      const stubborn = await stage.open('stubborn')
      const idle = await stage.open('idle')
      stubborn.order('close')
      await stage.until(over(stubborn), 'who does not answer a close frame is cut off')
      await stage.echo(control, 'still here')
      await stage.until(over(idle), 'silence ends it')
      await stage.echo(control, 'still here')
    },
  },

  "destroy on a running loop: the loop's own timers go on before, during and after": {
    async play(stage, control) {
      const peers = [await stage.open('a'), await stage.open('b')]
      control.order('pause a')
      await stage.echo(control, 'paused')
      await stage.pass(40)
      for (const peer of peers) peer.keepReady()
    },
    judge({ ticks: [before, all] }) {
      assert.ok(before >= 1 && all >= before + 2, `${before} ticks before, ${all} in all`)
    },
  },

  'no descriptor left (EMFILE): those who are in are served, those who wait get in': {
    plan: { limits: { acceptRetryMs: 30 } },
    accepts: true,
    async play(stage, control) {
      control.order('full 3')
      await stage.echo(control, 'in')
      const waiting = stage.connect()
      waiting.send(Buffer.from(validRequest({}, 'GET /waiting HTTP/1.1')))
      await stage.echo(control, 'served')
      assert.equal(waiting.upgraded, false)
      await stage.until(() => waiting.upgraded, 'it gets in')
      await stage.echo(waiting, 'hello')
    },
  },
}

describe('65 the adapter suite', () => {
  after(endWays)

  for (const [title, { plan = {}, play, judge, accepts }] of Object.entries(scenarios)) {
    describe(title, function () {
      this.timeout(20_000)
      let expected: string | undefined
      for (const adapter of adaptersUnderTest) {
        if (accepts === true && adapter.accepts === false) continue
        describe(adapter.name, () => {
          if (adapter.needsAddon) needsAddon()

          it('is so, and tells the application the same as every other (C25)', async () => {
            const stage = new Stage(await adapter.start(plan))
            const control = await stage.open('control')
            await play(stage, control)
            const report = await stage.finish(control)
            assert.deepEqual(report.violations, [])
            assert.deepEqual(report.errors, [])
            assert.equal(report.left, 0)
            judge?.(report, adapter)
            expected ??= report.eventDigest
            assert.equal(report.eventDigest, expected)
          })
        })
      }
    })
  }
})
