/**
 * The demo's feed alone, on a fake poller, with viewers so slow that every state is a short write.
 *
 * Imports what the demo imports, so that both have the same library in hand.
 */
import assert from 'node:assert/strict'
import { contextDestroy, createContext, type Context, type PollOp } from 'extpoll'
import { checked, fakePoller, type FakePoller, type WsPeer } from 'extpoll/fake-poller'
import type { PolledFd } from '../examples/nginx-like/event-actions.js'
import { PollSetFeed } from '../examples/nginx-like/poll-set-feed.js'

/** Room for the 101 answer, and for no state whole. */
const WINDOW_BYTES = 256
const MAX_ROUNDS = 5000

interface State {
  readonly rows: readonly { fd: number; what: string }[]
  readonly changes: readonly { seq: number }[]
  readonly missed: number
}

class FeedStage {
  readonly poller: FakePoller = fakePoller({ windowBytes: WINDOW_BYTES })
  readonly checker = checked(this.poller.host)
  readonly feed = new PollSetFeed()
  readonly polled = new Map<number, PolledFd>()
  readonly ctx: Context

  constructor() {
    this.feed.watch({ polled: this.polled } as unknown as Parameters<PollSetFeed['watch']>[0])
    const heard =
      (op: PollOp) =>
      (fd: number, bits: number, { gen, next }: { gen: number; next: number }): void => {
        const handler = (): void => {}
        if (op === 'ADD')
          this.polled.set(fd, { fd, gen, handler, sinceMs: 0, events: bits, what: 'new' })
        const entry = this.polled.get(fd)!
        if (op === 'DEL') this.polled.delete(fd)
        else entry.events = next
        this.feed.heard(op, entry, bits)
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

  open(): WsPeer {
    return this.poller.connectTo(this.ctx).upgrade({ protocols: ['pollset'] })
  }

  /** One round of the demo's loop. @returns whether there was anything to do */
  round(): boolean {
    const worked = this.poller.service(this.ctx)
    this.feed.publish(this.ctx)
    return worked
  }

  /** Rounds in which these viewers take what came, until nothing comes. */
  rest(viewers: ReadonlyMap<WsPeer, State[]>): void {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      let busy = this.round()
      for (const [viewer, states] of viewers) {
        busy ||= viewer.received().length > 0
        for (const message of viewer.messages()) states.push(JSON.parse(String(message)) as State)
      }
      if (!busy) return
    }
    assert.fail(`the feed still feeds itself after ${MAX_ROUNDS} rounds`)
  }

  end(): void {
    contextDestroy(this.ctx)
    this.checker.assertClean()
  }
}

describe("90 the demo's feed of the poll set", () => {
  it('comes to rest, though every state it sends changes masks', () => {
    const stage = new FeedStage()
    const viewers = new Map(Array.from({ length: 3 }, () => [stage.open(), []] as const))
    stage.rest(viewers as unknown as Map<WsPeer, State[]>)
    assert.ok(stage.feed.counts.SET > 0, 'no write was short: this test shows nothing')
    const sets = stage.feed.counts.SET
    for (let round = 0; round < 100; round++) stage.round()
    assert.equal(stage.feed.counts.SET, sets)
    stage.end()
  })

  it('keeps no queue of old states for a viewer that reads nothing', () => {
    const stage = new FeedStage()
    const states: State[] = []
    const viewer = stage.open()
    stage.rest(new Map([[viewer, states]]))
    const shown = states.length
    for (let churn = 0; churn < 1000; churn++) {
      const other = stage.poller.connectTo(stage.ctx)
      stage.round()
      other.end()
      stage.round()
    }
    stage.rest(new Map([[viewer, states]]))
    const late = states.slice(shown)
    assert.ok(late.length > 1 && late.length < 100, `${late.length} states waited for it`)
    const last = late.at(-1)!
    assert.deepEqual(
      last.rows.map(({ fd }) => fd),
      [...stage.polled.keys()],
    )
    const told = late.reduce((sum, { changes, missed }) => sum + changes.length + missed, 0)
    assert.ok(told >= 2000, `it was told of ${told} changes`)
    assert.ok(
      late.some(({ missed }) => missed > 0),
      'nothing was left out',
    )
    stage.end()
  })
})
