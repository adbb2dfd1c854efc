/**
 * Many peers, each with a mark of its own, at random: split frames, short writes, closed windows,
 * small budgets, ends in the middle, descriptors used again. Not one byte strays.
 *
 * Memory that was asked for unwritten is filled with a mark as well: it must reach no wire. On the
 * fake poller, under the checker, which overwrites views.
 */
import assert from 'node:assert/strict'
import {
  BINARY,
  defineProtocol,
  getPeerAddresses,
  getSocketFd,
  hangup,
  isBinary,
  NO_FIN,
  CONTINUATION,
  TEXT,
  write,
  type Wsi,
} from '../src/index.js'
import { fakePoller, type FakePoller, type WsPeer } from '../integrations/fake-poller.js'
import { harness, type Harness } from './support/harness.js'
import { Dice, split } from './support/streams.js'
import { bytes, client } from './support/wire-bytes.js'

/** What memory looks like before anybody wrote to it. */
const UNWRITTEN = 0xa5
const ROUNDS = 60
const PEERS = 8

/** Runs with every allocation that is not zeroed filled with a mark. */
function withMarkedMemory(run: () => void): void {
  const originals = Object.entries(Object.getOwnPropertyDescriptors(Buffer)).filter(([name]) =>
    name.startsWith('allocUnsafe'),
  )
  assert.equal(originals.length, 2)
  let count = 0
  for (const [name] of originals) {
    const value = (size: number): Buffer => {
      count++
      return Buffer.alloc(size, UNWRITTEN)
    }
    Object.defineProperty(Buffer, name, { value, configurable: true, writable: true })
  }
  try {
    run()
  } finally {
    for (const [name, descriptor] of originals) Object.defineProperty(Buffer, name, descriptor)
  }
  assert.ok(count > 0, 'something was allocated')
}

/** The seam's memory, too: the receive buffer and the arena. */
function markedPoller(dice: Dice): FakePoller {
  const poller = fakePoller({ edge: dice.roll(2) === 0, gens: dice.roll(2) === 0 })
  const { io } = poller.host
  const createBuffer = io.createBuffer.bind(io)
  io.createBuffer = (byteLength) => {
    const buffer = createBuffer(byteLength)
    buffer.bytes.fill(UNWRITTEN)
    return buffer
  }
  return poller
}

/** One peer, and what it knows to be its own. */
interface Marked {
  readonly mark: number
  readonly peer: WsPeer
  /** Bytes of frames that it has yet to send. */
  readonly outbox: Buffer[]
  /** Payload bytes that came back. */
  received: number
}

class Crowd {
  readonly dice: Dice
  readonly h: Harness
  readonly peers: Marked[] = []
  /** Copies that callbacks kept, by the mark they must have. */
  readonly kept: { readonly mark: number; readonly data: Buffer }[] = []
  readonly marks = new Map<Wsi, number>()
  #nextMark = 1
  echoed = 0

  constructor(seed: number) {
    this.dice = new Dice(seed)
    const protocol = defineProtocol({
      payload: this.dice.pick(['copy', 'view']),
      delivery: this.dice.pick(['message', 'message', 'stream']),
      onFull: this.dice.pick(['report', 'close']),
      handlers: {
        ESTABLISHED: (wsi, { target }) => void this.marks.set(wsi, Number(target.slice(1))),
        RECEIVE: (wsi, data) => this.#receive(wsi, data),
        RECEIVE_PONG: (wsi, data) => this.#check(wsi, data),
      },
    })
    this.h = harness({
      poller: markedPoller(this.dice),
      protocols: [protocol],
      onError: (error) => assert.fail(String(error)),
      pingIntervalMs: 0,
      idleTimeoutMs: 0,
      rxBudgetBytes: this.dice.pick([1024, 65_536]),
      txBudgetBytes: this.dice.pick([1024, 262_144]),
      messageBudget: this.dice.pick([1, 3, 256]),
      corkMaxBytes: this.dice.pick([0, 100, 16_384]),
      txHighWaterBytes: this.dice.pick([2000, 65_536]),
      txLowWaterBytes: this.dice.pick([100, 1000]),
      maxBufferedBytes: this.dice.pick([20_000, 2 ** 22]),
    })
  }

  #check(wsi: Wsi, data: Buffer): void {
    const mark = this.marks.get(wsi)!
    assert.ok(
      data.every((byte) => byte === mark),
      `RECEIVE of ${mark}: ${data.toString('hex')}`,
    )
    assert.equal(getPeerAddresses(this.h.ctx, getSocketFd(wsi)).family, 'IPv4')
  }

  #receive(wsi: Wsi, data: Buffer): void {
    this.#check(wsi, data)
    const mark = this.marks.get(wsi)!
    if (this.dice.roll(4) === 0) this.kept.push({ mark, data: Buffer.from(data) })
    this.echoed++
    const kind = isBinary(wsi) ? BINARY : TEXT
    if (this.dice.roll(3) > 0) {
      write(wsi, data, kind)
      return
    }
    const at = this.dice.roll(data.length + 1)
    if (write(wsi, data.subarray(0, at), kind | NO_FIN) === 'full') return
    if (write(wsi, data.subarray(at), CONTINUATION) !== 'full') return
    // A message that cannot be ended may not be followed by another.
    hangup(wsi)
  }

  /** A new peer, with a mark that nobody had. */
  join(): void {
    const mark = this.#nextMark++
    const peer = this.h.connect()
    peer.upgrade({ path: `/${mark}` })
    this.h.run()
    if (peer.response()?.status !== 101) assert.fail('refused')
    this.peers.push({ mark, peer, outbox: this.#frames(mark), received: 0 })
  }

  #frames(mark: number): Buffer[] {
    const { dice } = this
    const frames = Array.from({ length: 3 + dice.roll(12) }, () => {
      const mask = dice.bytes(4)
      const payload = Buffer.alloc(dice.pick([0, 1, 7, 125, 126, 1000, 5000, 30_000]), mark)
      const control = client.frame(dice.pick([9, 10]), payload.subarray(0, 125), { mask })
      if (dice.roll(6) === 0) return control
      if (dice.roll(3) > 0) return client.frame(dice.pick([1, 2]), payload, { mask })
      const half = payload.length >> 1
      const first = client.frame(2, payload.subarray(0, half), { mask, fin: false })
      return bytes(first, control, client.frame(0, payload.subarray(half), { mask }))
    })
    const whole = bytes(...frames)
    return split(
      whole,
      Array.from({ length: 30 }, () => dice.roll(whole.length + 1)),
    )
  }

  /** One thing happens to one peer. */
  step(): void {
    const { dice } = this
    if (this.peers.length < PEERS) this.join()
    const one = dice.pick(this.peers)
    one.peer.windowBytes = dice.pick([0, 1, 10, 1000, 10_000_000])
    if (dice.roll(3) === 0) one.peer.script.send.push(1 + dice.roll(50))
    if (dice.roll(3) === 0) one.peer.script.recv.push(1 + dice.roll(50))
    for (let count = dice.roll(8); count > 0; count--) {
      const piece = one.outbox.shift()
      if (piece !== undefined && piece.length > 0) one.peer.send(piece)
    }
    if (dice.roll(2) === 0) this.h.run()
    else this.h.poller.service(this.h.ctx)
    this.look()
    if (dice.roll(10) === 0) this.leave(one)
  }

  leave(one: Marked): void {
    const choice = this.dice.roll(3)
    if (choice === 0) one.peer.reset()
    else if (choice === 1) one.peer.end()
    // Its frames are whole when it says goodbye; else it just stops.
    else if (one.outbox.length === 0) one.peer.send(client.close(1000))
    else one.peer.end()
    if (this.dice.roll(2) === 0) this.h.run()
    this.look()
    this.peers.splice(this.peers.indexOf(one), 1)
  }

  /** What came to each peer is strictly frames, and in them its own mark alone. */
  look(): void {
    for (const one of this.peers) {
      for (const { opcode, payload } of one.peer.frames()) {
        if (opcode === 8) continue
        const own = payload.every((byte) => byte === one.mark)
        assert.ok(own, `the peer of mark ${one.mark} got ${payload.toString('hex').slice(0, 80)}`)
        one.received += payload.length
      }
    }
  }
}

describe('42 no byte strays', function () {
  this.timeout(30_000)
  let total = 0

  for (let seed = 1; seed <= 60; seed++)
    it(`seed ${seed}`, () => {
      withMarkedMemory(() => {
        const crowd = new Crowd(seed)
        for (let round = 0; round < ROUNDS; round++) crowd.step()
        for (const { peer } of crowd.peers) peer.windowBytes = 10_000_000
        crowd.h.run()
        crowd.look()
        for (const { mark, data } of crowd.kept)
          assert.ok(
            data.every((byte) => byte === mark),
            'a copy that was kept',
          )
        total += crowd.echoed
      })
    })

  it('and there was something that could have', () => {
    assert.ok(total > 1000, `${total} messages were echoed`)
  })
})
