/**
 * The demo's feed alone, on a fake poller and its clock, also with viewers so slow that every state
 * is a short write; and the meter whose seconds it tells.
 *
 * Imports what the demo imports, so that both have the same library in hand.
 */
import assert from 'node:assert/strict'
import { contextDestroy, createContext, POLLIN, POLLOUT } from 'extpoll'
import type { Context, PollOp } from 'extpoll'
import { checked, fakePoller, type FakePoller, type WsPeer } from 'extpoll/fake-poller'
import type { PolledFd } from '../examples/nginx-like/event-actions.js'
import { Meter } from '../examples/nginx-like/meter.js'
import { PollSetFeed } from '../examples/nginx-like/poll-set-feed.js'
import { PollSetMirror } from '../examples/nginx-like/poll-set-mirror.js'
import { Valves } from '../examples/nginx-like/valves.js'
import { ShownSet, type FeedMessage } from './support/shown-set.js'

/** Room for the 101 answer, and for no state whole. */
const NARROW_BYTES = 256
const WIDE_BYTES = 1 << 20
const MAX_ROUNDS = 5000
const PACE_MS = 100

/** Has every key, and knows which are closed. */
class EveryValve extends Valves {
  readonly closed = new Set<string>()

  override turn(key: string, open: boolean): boolean {
    if (open) this.closed.delete(key)
    else this.closed.add(key)
    return true
  }
}

class FeedStage {
  readonly poller: FakePoller
  readonly checker
  readonly mirror = new PollSetMirror()
  readonly valves = new EveryValve()
  readonly polled = new Map<number, PolledFd>()
  readonly meter: Meter
  readonly feed: PollSetFeed
  readonly ctx: Context

  constructor(windowBytes: number) {
    this.poller = fakePoller({ windowBytes })
    this.checker = checked(this.poller.host)
    const now = (): number => this.poller.clock.now
    const { mirror, valves } = this
    this.meter = new Meter(now)
    const filter = (): void => {}
    this.feed = new PollSetFeed({ mirror, meter: this.meter, valves, filter, now })
    const heard =
      (op: PollOp) =>
      (fd: number, bits: number, { gen, next }: { gen: number; next: number }): void => {
        const handler = (): void => {}
        if (op === 'ADD')
          this.polled.set(fd, { fd, gen, handler, sinceMs: 0, events: bits, what: 'new' })
        const entry = this.polled.get(fd)!
        if (op === 'DEL') this.polled.delete(fd)
        else entry.events = next
        mirror.heard(op, entry, bits)
      }
    this.ctx = createContext({
      host: this.checker,
      port: 0,
      protocols: [this.feed.protocol],
      on: {
        ADD_POLL_FD: heard('ADD'),
        DEL_POLL_FD: heard('DEL'),
        SET_MODE: heard('SET'),
        CLEAR_MODE: heard('CLEAR'),
      },
    })
  }

  open(): StageViewer {
    return new StageViewer(this.poller.connectTo(this.ctx).upgrade({ protocols: ['pollset'] }))
  }

  /** One round of the demo's loop. @returns whether there was anything to do */
  round(): boolean {
    const worked = this.poller.service(this.ctx)
    this.feed.publish(this.ctx)
    return worked
  }

  /** Somebody comes and goes. */
  churn(): void {
    const other = this.poller.connectTo(this.ctx)
    this.round()
    other.end()
    this.round()
  }

  /** Rounds in which these viewers take what came, until nothing comes, however long one waits. */
  rest(...viewers: StageViewer[]): void {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      let busy = this.round()
      for (const viewer of viewers) busy = viewer.take() || busy
      if (busy) continue
      const timeoutMs = this.feed.timeoutMs()
      if (timeoutMs < 0) return
      this.poller.clock.advance(Math.ceil(timeoutMs))
    }
    assert.fail(`the feed still feeds itself after ${MAX_ROUNDS} rounds`)
  }

  end(): void {
    contextDestroy(this.ctx)
    this.checker.assertClean()
  }
}

class StageViewer {
  readonly peer: WsPeer
  readonly shown = new ShownSet()
  readonly messages: FeedMessage[] = []

  constructor(peer: WsPeer) {
    this.peer = peer
  }

  /** @returns whether anything came */
  take(): boolean {
    const bytes = this.peer.received().length
    for (const text of this.peer.messages()) {
      const message = JSON.parse(String(text)) as FeedMessage
      if (message.type !== 'pollset') continue
      this.messages.push(message)
      this.shown.apply(message)
    }
    return bytes > 0
  }
}

describe("90 the demo's feed of the poll set", () => {
  it('comes to rest, though every state it sends changes masks; and shows none of that', () => {
    const stage = new FeedStage(NARROW_BYTES)
    const viewers = [stage.open(), stage.open(), stage.open()]
    stage.rest(...viewers)
    assert.ok(stage.mirror.counts.SET > 0, 'no write was short: this test shows nothing')
    for (const { shown } of viewers) {
      assert.deepEqual(shown.fds(), [...stage.polled.keys()])
      assert.ok(shown.rows().every(({ events }) => events === 'POLLIN'))
      assert.ok(!shown.changes.some(({ op }) => op === 'SET' || op === 'CLEAR'))
    }
    const sets = stage.mirror.counts.SET
    for (let round = 0; round < 100; round++) stage.round()
    assert.equal(stage.mirror.counts.SET, sets)
    assert.equal(stage.feed.timeoutMs(), -1)
    stage.end()
  })

  it('keeps no queue of old states for a viewer that reads nothing', () => {
    const stage = new FeedStage(NARROW_BYTES)
    const viewer = stage.open()
    stage.rest(viewer)
    viewer.messages.length = 0
    for (let churn = 0; churn < 1500; churn++) {
      stage.churn()
      // Not so long that it is taken for dead.
      if (churn % 20 === 0) stage.poller.clock.advance(PACE_MS)
    }
    stage.rest(viewer)
    const { messages, shown } = viewer
    assert.ok(messages.length < 10, `${messages.length} states waited for it`)
    assert.ok(
      messages.some(({ whole }) => whole),
      'more ended than is remembered',
    )
    assert.deepEqual(shown.fds(), [...stage.polled.keys()])
    const told = messages.reduce((sum, { changes, missed }) => sum + changes.length + missed, 0)
    assert.equal(told, 3000)
    assert.ok(
      messages.some(({ missed }) => missed > 0),
      'nothing was left out',
    )
    stage.end()
  })

  it('shows that a viewer left which waited to write, alone or as well', () => {
    for (const closing of [true, false]) {
      const stage = new FeedStage(NARROW_BYTES)
      const viewer = stage.open()
      stage.rest(viewer)
      const leaver = stage.open()
      stage.round()
      const [fd, entry] = [...stage.polled].at(-1)!
      // After a close frame nothing is read any more.
      if (closing) leaver.peer.sendFrame({ opcode: 8 })
      stage.round()
      assert.equal(entry.events, closing ? POLLOUT : POLLIN | POLLOUT)
      leaver.peer.reset()
      stage.rest(viewer)
      assert.ok(!stage.polled.has(fd))
      assert.deepEqual(viewer.shown.fds(), [...stage.polled.keys()])
      assert.equal(stage.mirror.rows().length, stage.polled.size)
      const ends = viewer.shown.changes.filter(({ op }) => op === 'DEL')
      assert.deepEqual(
        ends.map(({ bits }) => bits),
        [closing ? '0' : 'POLLIN'],
      )
      stage.end()
    }
  })

  it('keeps few valves closed for a viewer, the last ones, and none without it', () => {
    const stage = new FeedStage(WIDE_BYTES)
    const viewer = stage.open()
    const keys = Array.from({ length: 100 }, (_, at) => `key ${at}`)
    for (const pause of keys) viewer.peer.sendMessage(JSON.stringify({ pause }))
    stage.rest(viewer)
    assert.deepEqual([...stage.valves.closed], keys.slice(-8))
    viewer.peer.sendMessage(JSON.stringify({ resume: 'key 95' }))
    stage.rest(viewer)
    assert.equal(stage.valves.closed.size, 7)
    viewer.peer.end()
    stage.rest(viewer)
    assert.equal(stage.valves.closed.size, 0)
    stage.end()
  })

  it('tells of a storm ten times a second, and of what is left of it at the end', () => {
    const stage = new FeedStage(WIDE_BYTES)
    const viewer = stage.open()
    stage.rest(viewer)
    viewer.messages.length = 0
    for (let step = 0; step < 1000; step++) {
      stage.churn()
      stage.poller.clock.advance(1)
    }
    viewer.take()
    assert.ok(viewer.messages.length <= 11, `${viewer.messages.length} messages in a second`)
    stage.rest(viewer)
    assert.deepEqual(viewer.shown.fds(), [...stage.polled.keys()])
    assert.equal(viewer.messages.at(-1)!.counts.DEL, 1000)
    stage.end()
  })

  it('has nothing to do without a viewer, and wakes once for a second that is over', () => {
    const stage = new FeedStage(WIDE_BYTES)
    stage.churn()
    stage.meter.received()
    assert.equal(stage.feed.timeoutMs(), -1)
    const viewer = stage.open()
    stage.rest(viewer)
    viewer.messages.length = 0
    stage.meter.received()
    const timeoutMs = stage.feed.timeoutMs()
    assert.ok(timeoutMs > 0 && timeoutMs <= 1000, `it wakes in ${timeoutMs} ms`)
    stage.rest(viewer)
    assert.deepEqual(
      viewer.messages.map(({ seconds }) => seconds.map((second) => second.in)),
      [[1]],
    )
    stage.end()
  })
})

describe("90 the demo's meter", () => {
  it('tells percentiles to one part in six, and forgets after a minute', () => {
    let nowMs = 5_000
    const meter = new Meter(() => nowMs)
    assert.equal(meter.dueMs(), Infinity)
    for (let micros = 1; micros <= 200; micros++) meter.serviced(nowMs - micros / 1000)
    meter.received()
    meter.sent(3)
    assert.deepEqual([meter.since(0), meter.dueMs()], [[], 6_000])
    nowMs = 6_000
    const [second, ...others] = meter.since(5)
    assert.equal(others.length, 0)
    const { at, in: received, out, calls, p50, p99, max } = second!
    assert.deepEqual([at, received, out, calls], [5, 1, 3, 200])
    assert.ok(p50 >= 100 && p50 < 100 * 1.19, `p50 ${p50}`)
    assert.ok(p99 >= 198 && p99 <= max && max > 199.9 && max < 200.1, `p99 ${p99}, max ${max}`)
    assert.deepEqual(meter.since(6), [])
    meter.serviced(nowMs - 1)
    nowMs = 7_000
    const [alone] = meter.since(6)
    assert.ok(Math.abs(alone!.p50 - 1000) < 0.1, 'the second before is not in it')
    nowMs = 66_000
    assert.deepEqual(
      meter.since(0).map((known) => known.at),
      [6],
    )
  })

  it('knows the slowest of calls, however slow', () => {
    let nowMs = 100_000
    const meter = new Meter(() => nowMs)
    meter.serviced(0)
    nowMs += 1000
    const [second] = meter.since(0)
    assert.equal(second!.max, 1e8)
    assert.ok(second!.p99 > 1e7)
  })
})
