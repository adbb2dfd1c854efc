/**
 * What holds whatever the application and the host do with the flow: nothing is lost, nothing comes
 * twice or out of order, nothing stands still while there is something to do (C12, C14, C16).
 *
 * The application pauses, resumes, echoes and asks for writability by chance; budgets and marks are
 * small; the peer takes what it gets by chance. Deterministic: EXTPOLL_SEED chooses another run.
 */
import assert from 'node:assert/strict'
import {
  callbackOnWritable,
  isBinary,
  NO_FIN,
  rxFlowControl,
  TEXT,
  write,
  type Wsi,
} from '../src/index.js'
import type { WsPeer } from '../integrations/fake-poller.js'
import { campaign } from './support/effort.js'
import { judge } from './support/reference-server.js'
import { openScene, type OpenScene } from './support/scene.js'
import { Dice, split, validStream } from './support/streams.js'

const SEED = Number(process.env['EXTPOLL_SEED'] ?? 6455)
const CASES = campaign(1500)
const GENEROUS = { maxMessageBytes: 2 ** 20, maxFrameBytes: 2 ** 20, maxFragments: 100 }

/** Limits at which every budget and every mark is met. */
function tightLimits(dice: Dice): Record<string, number> {
  return {
    rxBudgetBytes: dice.pick([1024, 2000, 65_536]),
    rxHighWaterBytes: dice.pick([1024, 3000, 65_536]),
    txBudgetBytes: dice.pick([1024, 5000, 262_144]),
    messageBudget: dice.pick([1, 2, 256]),
    txLowWaterBytes: dice.pick([1, 100, 2000]),
    txHighWaterBytes: dice.pick([2000, 65_536]),
    corkMaxBytes: dice.pick([0, 50, 16_384]),
  }
}

interface Run extends OpenScene {
  readonly events: string[]
  readonly echoed: string[]
  /** WRITEABLEs asked for and not come yet: 0 or 1. */
  asked: number
}

function begin(dice: Dice): Run {
  const events: string[] = []
  const echoed: string[] = []
  const made: Run = {
    ...openScene({
      context: { ...tightLimits(dice), poller: { edge: dice.roll(2) === 0 } },
      handlers: {
        RECEIVE(wsi, data) {
          events.push(isBinary(wsi) ? `binary ${data.toString('hex')}` : `text ${data.toString()}`)
          react(dice, made, wsi)
        },
        RECEIVE_PONG: (_wsi, data) => void events.push(`pong ${data.toString('hex')}`),
        SERVER_WRITEABLE() {
          assert.equal(made.asked, 1, 'asked for once, told once')
          made.asked = 0
        },
      },
    }),
    events,
    echoed,
    asked: 0,
  }
  return made
}

/** What an application may do when a message came. */
function react(dice: Dice, run: Run, wsi: Wsi): void {
  const text = `${run.events.length} ${'.'.repeat(dice.pick([0, 0, 30, 200, 1500]))}`
  if (dice.roll(3) === 0) rxFlowControl(wsi, 0)
  if (dice.roll(2) === 0) {
    const answer = write(wsi, text, TEXT)
    assert.ok(answer === 'ok' || answer === 'backpressure', answer)
    run.echoed.push(text)
  }
  if (dice.roll(5) === 0 && callbackOnWritable(run.h.ctx, wsi)) run.asked = 1
  if (dice.roll(6) === 0) rxFlowControl(wsi, 1)
}

/** What the peer and the host may do between two pieces. */
function between(dice: Dice, run: Run): void {
  const { h, peer, wsi } = run
  peer.windowBytes = dice.pick([0, 1, 100, 1000, 2 ** 20])
  if (dice.roll(2) === 0) rxFlowControl(wsi, dice.roll(2) === 0)
  if (dice.roll(3) === 0) h.poller.service(h.ctx)
  else h.run()
}

/** Everything flows again: it must all come, in a bounded number of rounds. */
function settle(run: Run, peer: WsPeer, wanted: number): void {
  peer.windowBytes = 2 ** 24
  for (let round = 0; round < 2 * wanted + 5; round++) {
    rxFlowControl(run.wsi, 1)
    run.h.run()
  }
}

describe('30 flow properties', function () {
  this.timeout(60_000)

  it(`nothing is lost, doubled, reordered or stuck, ${CASES} times`, () => {
    for (let number = 0; number < CASES; number++)
      try {
        checkOne(new Dice(Math.imul(SEED, 0x9e37_79b1) ^ number))
      } catch (error) {
        const { message } = error as Error
        throw new Error(`case ${number} of seed ${SEED}: ${message}`, { cause: error })
      }
  })
})

function checkOne(dice: Dice): void {
  const stream = validStream(dice, 4 + dice.roll(20), false).bytes
  const verdict = judge(stream, GENEROUS)
  const run = begin(dice)
  const { peer, h } = run
  const places = Array.from({ length: dice.roll(8) }, () => dice.roll(stream.length))
  for (const piece of split(stream, places)) {
    peer.send(piece)
    between(dice, run)
  }
  settle(run, peer, verdict.events.length)
  assert.deepEqual(run.events, verdict.events)
  assert.deepEqual(peer.messages(), run.echoed)
  const pongs = peer.frames().map((frame) => frame.payload)
  assert.deepEqual(pongs, verdict.pongs)
  assert.equal(run.asked, 0, 'a writable callback is never forgotten')
  peer.end()
  h.run()
  assert.deepEqual(run.log, ['closed 1006 END_OF_FILE'])
  assert.equal(write(run.wsi, '', TEXT | NO_FIN), 'closed')
}
