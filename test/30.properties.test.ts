/**
 * What holds for every stream: any split gives the same callbacks, no byte throws out of
 * serviceFd, no limit is exceeded, and an independent judge agrees about all of it.
 *
 * Deterministic: EXTPOLL_SEED chooses another run, EXTPOLL_CASES a longer one; a failure names both
 * the seed and the case.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  batch,
  BINARY,
  type CloseInfo,
  defineProtocol,
  isBinary,
  TEXT,
  WOULD_BLOCK,
  write,
  type Wsi,
} from '../src/index.js'
import { ServerFrameDecoder, type WsPeer } from '../integrations/fake-poller.js'
import { campaign } from './support/effort.js'
import { type Harness, harness } from './support/harness.js'
import { judge, type Verdict } from './support/reference-server.js'
import { scene } from './support/scene.js'
import { Dice, mutated, split, validStream } from './support/streams.js'
import { server, validRequest } from './support/wire-bytes.js'

const SEED = Number(process.env['EXTPOLL_SEED'] ?? 6455)
const CASES = Number(process.env['EXTPOLL_CASES'] ?? campaign(20_000))
const LIMITS = { maxMessageBytes: 700, maxFrameBytes: 5000, maxFragments: 6 }
const AT_LEAST = { 1002: 1000, 1007: 1000, 1009: 1000 } as const

interface Outcome {
  readonly events: string[]
  readonly sent: Buffer
  readonly info: CloseInfo
}

/** One context; each stream gets a connection of its own. */
class Bench {
  readonly #h: Harness
  #events: string[] = []
  #ends: CloseInfo[] = []

  constructor() {
    const recording = defineProtocol({
      payload: 'view',
      handlers: {
        RECEIVE: (wsi, data) => this.#hear(wsi, data),
        RECEIVE_PONG: (_wsi, data) => void this.#events.push(`pong ${data.toString('hex')}`),
        CLOSED: (_wsi, info) => void this.#ends.push(info),
      },
    })
    this.#h = harness({ pingIntervalMs: 0, idleTimeoutMs: 0, protocols: [recording], ...LIMITS })
  }

  /** Sends the pieces one after the other, then ends. */
  run(pieces: readonly Buffer[]): Outcome {
    const h = this.#h
    const peer = h.open()
    this.#events = []
    this.#ends = []
    for (const piece of pieces) {
      peer.send(piece)
      h.run()
    }
    peer.end()
    h.run()
    assert.equal(this.#ends.length, 1, 'CLOSED exactly once')
    assert.equal(h.poller.openFds.length, 1, 'every descriptor is closed')
    return { events: this.#events, sent: peer.take(), info: this.#ends[0]! }
  }

  #hear(wsi: Wsi, data: Buffer): void {
    assert.equal(this.#ends.length, 0, 'nothing after CLOSED')
    assert.ok(data.length <= LIMITS.maxMessageBytes, `a message of ${data.length} bytes`)
    this.#events.push(isBinary(wsi) ? `binary ${data.toString('hex')}` : `text ${data.toString()}`)
  }
}

/** Everything that the judge says, and nothing else, happened. */
function compare(outcome: Outcome, verdict: Verdict): void {
  assert.deepEqual(outcome.events, verdict.events)
  assert.equal(outcome.info.code, verdict.code)
  const initiator = verdict.byPeer || verdict.code === 1006 ? 'peer' : 'library'
  assert.equal(outcome.info.initiator, initiator)
  const frames = new ServerFrameDecoder().decode(outcome.sent)
  const closes = frames.filter((frame) => frame.opcode === 8)
  const pongs = frames.filter((frame) => frame.opcode === 10).map((frame) => frame.payload)
  assert.deepEqual(pongs, verdict.pongs)
  assert.equal(frames.length, pongs.length + closes.length)
  if (verdict.code === 1006) assert.equal(closes.length, 0)
  else
    assert.equal(
      closes[0]?.payload.length === 0 ? 1005 : closes[0]?.payload.readUInt16BE(0),
      verdict.code,
    )
}

/** Runs one case, and says which it was where it fails. */
function numbered(number: number, run: () => void): void {
  try {
    run()
  } catch (error) {
    throw new Error(`case ${number} of seed ${SEED}: ${(error as Error).message}`, { cause: error })
  }
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`
}

describe('30 properties', function () {
  this.timeout(60_000)

  it('any split of any valid stream gives the same callbacks', () => {
    const bench = new Bench()
    const streams = fc.record({
      seed: fc.nat(),
      messages: fc.integer({ min: 0, max: 8 }),
      closes: fc.boolean(),
      cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
    })
    const property = fc.property(streams, ({ seed, messages, closes, cuts }) => {
      const { bytes } = validStream(new Dice(seed), messages, closes)
      const verdict = judge(bytes, LIMITS)
      assert.ok(verdict.byPeer || verdict.code === 1006, 'the stream is valid')
      const whole = bench.run([bytes])
      compare(whole, verdict)
      const places = cuts.map((cut) => Math.floor(cut * bytes.length))
      assert.deepEqual(bench.run(split(bytes, places)), whole)
    })
    fc.assert(property, { seed: SEED, numRuns: 1500 })
  })

  it('and so does every stream a byte at a time', () => {
    const bench = new Bench()
    for (let number = 0; number < 60; number++)
      numbered(number, () => {
        const dice = new Dice(SEED + number)
        const { bytes } = validStream(dice, 5, dice.roll(2) === 0)
        const all = Array.from(bytes, (_, index) => index)
        compare(bench.run(split(bytes, all)), judge(bytes, LIMITS))
      })
  })

  it('a stream with one to five bytes changed: no throw, no limit exceeded, the right code', () => {
    const bench = new Bench()
    const reached = new Map<string, number>()
    let threeFirst = 0
    for (let number = 0; number < CASES; number++)
      numbered(number, () => {
        const dice = new Dice(Math.imul(SEED, 0x9e37_79b1) + number)
        const stream = mutated(dice, validStream(dice, 6 + dice.roll(7), dice.roll(4) === 0))
        const places = Array.from({ length: dice.roll(5) }, () => dice.roll(stream.length))
        const outcome = bench.run(split(stream, places))
        compare(outcome, judge(stream, LIMITS))
        const { code, cause, initiator } = outcome.info
        const key = initiator === 'peer' && code !== 1006 ? 'codes of the peer' : `${code} ${cause}`
        reached.set(key, (reached.get(key) ?? 0) + 1)
        if (outcome.events.filter((event) => !event.startsWith('pong')).length >= 3) threeFirst++
      })
    report(reached, threeFirst)
    for (const [code, atLeast] of Object.entries(AT_LEAST)) {
      const times = countOf(reached, code)
      assert.ok(times >= (atLeast * CASES) / 20_000, `${code} was reached ${times} times`)
    }
    assert.ok(threeFirst >= 0.3 * CASES, `three messages first in ${percent(threeFirst, CASES)}`)
  })

  it('a request with one to five bytes changed: 101, a refusal or a wait, and no throw', () => {
    const statuses = new Map<string, number>()
    const h = harness({
      protocols: [defineProtocol({ handlers: {} })],
      onError: (error) => assert.fail(String(error)),
    })
    const valid = Buffer.from(validRequest({ Origin: 'http://server.example.com', Cookie: 'a=b' }))
    for (let number = 0; number < 4000; number++)
      numbered(number, () => {
        const dice = new Dice(SEED ^ Math.imul(number, 0x85eb_ca6b))
        const status = statusOf(h, mutated(dice, { bytes: valid, headers: [0, 20, 50] }), dice)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      })
    console.log(
      `      ${[...statuses]
        .map(([status, times]) => `${status}: ${times}`)
        .sort()
        .join(', ')}`,
    )
    for (const status of ['101', '400', '403', '405', '426', 'none'])
      assert.ok((statuses.get(status) ?? 0) > 20, status)
  })

  it('whatever the kernel takes of a send, the peers get what was written, in order', () => {
    const property = fc.property(fc.array(sendStep, { maxLength: 12 }), sendHost, sendsInOrder)
    fc.assert(property, { seed: SEED, numRuns: 250 })
  })
})

const sendStep = fc.record({
  size: fc.oneof(fc.constantFrom(0, 1, 125, 126, 16_383, 16_384, 16_385, 70_000), fc.nat(3000)),
  text: fc.boolean(),
  batched: fc.integer({ min: 1, max: 4 }),
  script: fc.array(fc.constantFrom(1, 3, 100, 20_000, WOULD_BLOCK), { maxLength: 6 }),
})

const sendHost = fc.record({
  lowWater: fc.constantFrom(1, 4096, 2 ** 20),
  txBudgetBytes: fc.constantFrom(1024, 50_000, 262_144),
  corkMaxBytes: fc.constantFrom(0, 100, 16_384),
  edge: fc.boolean(),
})

type Generated<Arbitrary> = Arbitrary extends fc.Arbitrary<infer Value> ? Value : never

/** Two connections written to in turn; the first one's kernel is moody. */
function sendsInOrder(
  steps: readonly Generated<typeof sendStep>[],
  { lowWater, txBudgetBytes, corkMaxBytes, edge }: Generated<typeof sendHost>,
): void {
  const limits = { txLowWaterBytes: lowWater, txHighWaterBytes: 2 ** 21, maxBufferedBytes: 2 ** 24 }
  const context = { ...limits, txBudgetBytes, corkMaxBytes, poller: { edge } }
  const { h, wsis } = scene({ context })
  const peers = [h.open(), h.open()]
  const expected: Buffer[] = []
  for (const [index, { size, text, batched, script }] of steps.entries()) {
    peers[0]!.script.send.push(...script)
    batch(h.ctx, () => {
      for (let i = 0; i < batched; i++) {
        const data = Buffer.alloc(size, 0x30 + (index % 60))
        for (const wsi of wsis) write(wsi, text ? data.toString() : data, text ? TEXT : BINARY)
        expected.push(server.frame(text ? 1 : 2, data))
      }
    })
    if (index % 3 === 0) h.run()
  }
  peers[0]!.script.send.clear()
  h.run()
  for (const peer of peers)
    assert.ok(peer.take().equals(Buffer.concat(expected)), 'the bytes that were written')
}

function statusOf(h: Harness, request: Buffer, dice: Dice): string {
  const peer: WsPeer = h.connect()
  for (const piece of split(request, [dice.roll(request.length)])) {
    peer.send(piece)
    h.run()
  }
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(peer.take().toString('latin1'))?.[1] ?? 'none'
  peer.end()
  h.run()
  assert.ok(peer.closed !== undefined)
  return status
}

function countOf(reached: ReadonlyMap<string, number>, code: string): number {
  let times = 0
  for (const [key, count] of reached) if (key.startsWith(code)) times += count
  return times
}

function report(reached: ReadonlyMap<string, number>, threeFirst: number): void {
  const totals = Object.keys(AT_LEAST).map((code) => `${code}: ${countOf(reached, code)}`)
  console.log(`      seed ${SEED}, ${CASES} cases; ${totals.join(', ')}`)
  console.log(`      three messages first: ${percent(threeFirst, CASES)}`)
  for (const [key, times] of [...reached].sort()) console.log(`      ${key}: ${times}`)
}
