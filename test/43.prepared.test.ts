/**
 * `prepareFrame` and `writePrepared`: encoded once, in the transmit arena once, and right on every
 * wire whatever else is written around it. On the fake poller, under the checker.
 */
import assert from 'node:assert/strict'
import {
  batch,
  BINARY,
  CONTINUATION,
  contextDestroy,
  createContext,
  defineProtocol,
  getBufferedBytes,
  NO_FIN,
  PING,
  prepareFrame,
  TEXT,
  write,
  writePrepared,
  type Wsi,
} from '../src/index.js'
import { fakePoller, type WsPeer } from '../integrations/fake-poller.js'
import { checkedHost, harness, type Harness, type HarnessOptions } from './support/harness.js'
import { Dice } from './support/streams.js'
import { bytes, server } from './support/wire-bytes.js'

interface Open {
  readonly h: Harness
  readonly wsis: Wsi[]
  readonly peers: WsPeer[]
}

function open(count: number, context: Partial<HarnessOptions> = {}): Open {
  const wsis: Wsi[] = []
  const protocol = defineProtocol({
    onFull: 'report',
    handlers: { ESTABLISHED: (wsi) => void wsis.push(wsi) },
  })
  const h = harness({ pingIntervalMs: 0, idleTimeoutMs: 0, protocols: [protocol], ...context })
  const peers = Array.from({ length: count }, () => h.open())
  // What answers the handshake is not counted below.
  for (const peer of peers) assert.deepEqual(peer.messages(), [])
  return { h, wsis, peers }
}

/** What the context's one transmit arena holds: not public, and the point of these frames. */
const arenaUsed = (h: Harness): number =>
  (h.ctx as unknown as { readonly arenaUsedBytes: number }).arenaUsedBytes

describe('43 prepareFrame', () => {
  it('is the frame that write would send', () => {
    for (const [data, kind] of [
      ['text €', TEXT],
      ['', TEXT],
      [Buffer.alloc(125, 1), BINARY],
      [Buffer.alloc(126, 2), BINARY],
      [Buffer.alloc(65_535, 3), BINARY],
      [Buffer.alloc(65_536, 4), BINARY],
    ] as const) {
      const { wsis, peers } = open(2)
      writePrepared(wsis[0]!, prepareFrame(data, kind))
      write(wsis[1]!, data, kind)
      assert.deepEqual(peers[0]!.take(), peers[1]!.take())
    }
  })

  it('copies: the caller may change the data', () => {
    const { wsis, peers } = open(1)
    const data = Buffer.from('mine')
    const frame = prepareFrame(data, BINARY)
    data.fill(0)
    writePrepared(wsis[0]!, frame)
    assert.deepEqual(peers[0]!.messages(), [Buffer.from('mine')])
  })

  it('refuses pieces, control frames, and what are no bytes', () => {
    for (const kind of [CONTINUATION, PING, TEXT | NO_FIN, -1, 3])
      assert.throws(() => prepareFrame('x', kind), { code: 'ERR_EXTPOLL_WRITE_KIND' })
    for (const data of [undefined, null, 5, {}, new ArrayBuffer(2)])
      assert.throws(() => prepareFrame(data as never, TEXT), { code: 'ERR_EXTPOLL_WRITE_DATA' })
  })
})

describe('43 write to many', () => {
  it('one payload stands in the arena once, for those who have nothing else to be sent', () => {
    const { h, wsis, peers } = open(50)
    const payload = Buffer.from('a'.repeat(1000))
    batch(h.ctx, () => {
      write(wsis[7]!, 'before', TEXT)
      for (const wsi of wsis) write(wsi, payload, TEXT)
      assert.equal(arenaUsed(h), 2 * 1004 + 8)
      write(wsis[3]!, 'after', TEXT)
    })
    for (const [index, peer] of peers.entries()) {
      const wanted = ['a'.repeat(1000)]
      if (index === 7) wanted.unshift('before')
      if (index === 3) wanted.push('after')
      assert.deepEqual(peer.messages(), wanted)
    }
  })

  it('is what the payload is then, and the kind that was asked for', () => {
    const { h, wsis, peers } = open(4)
    const payload = Buffer.alloc(100, 'a')
    batch(h.ctx, () => {
      write(wsis[0]!, payload, TEXT)
      payload[99] = 0x62
      write(wsis[1]!, payload, TEXT)
      write(wsis[2]!, payload, BINARY)
    })
    write(wsis[3]!, payload, TEXT)
    const changed = `${'a'.repeat(99)}b`
    assert.deepEqual(peers[0]!.messages(), ['a'.repeat(100)])
    assert.deepEqual([peers[1]!.messages(), peers[3]!.messages()], [[changed], [changed]])
    assert.deepEqual(peers[2]!.take(), server.frame(2, payload))
  })

  it('when the arena had to be emptied in between', () => {
    const { h, wsis, peers } = open(30)
    const [one, other] = [Buffer.alloc(8000, 'a'), Buffer.alloc(8000, 'b')]
    batch(h.ctx, () => {
      for (const wsi of wsis) for (const payload of [one, other, one]) write(wsi, payload, TEXT)
    })
    h.run()
    for (const peer of peers) assert.deepEqual(peer.messages(), [one, other, one].map(String))
  })
})

describe('43 writePrepared', () => {
  it('many connections in one call share one segment of the arena, a send each', () => {
    const { h, wsis, peers } = open(50)
    const frame = prepareFrame('a'.repeat(1000), TEXT)
    const before = h.poller.counts.send
    batch(h.ctx, () => {
      for (const wsi of wsis) assert.equal(writePrepared(wsi, frame), 'ok')
      assert.equal(arenaUsed(h), frame.bytes.length)
    })
    assert.equal(h.poller.counts.send - before, 50)
    assert.equal(arenaUsed(h), 0)
    for (const peer of peers) assert.deepEqual(peer.messages(), ['a'.repeat(1000)])
  })

  it('in a later call it stands in the arena anew: what was there before is gone', () => {
    const { h, wsis, peers } = open(3)
    const frame = prepareFrame('prepared', TEXT)
    for (let round = 0; round < 3; round++) {
      batch(h.ctx, () => {
        write(wsis[2]!, `something else ${round}`, TEXT)
        for (const wsi of wsis) writePrepared(wsi, frame)
      })
    }
    for (const peer of peers.slice(0, 2))
      assert.deepEqual(peer.messages(), ['prepared', 'prepared', 'prepared'])
    const texts = [0, 1, 2].flatMap((round) => [`something else ${round}`, 'prepared'])
    assert.deepEqual(peers[2]!.messages(), texts)
  })

  it('between writes before and after, on each connection in turn', () => {
    const { h, wsis, peers } = open(4)
    const frame = prepareFrame('P', TEXT)
    batch(h.ctx, () => {
      for (const [index, wsi] of wsis.entries()) if (index % 2 === 0) write(wsi, 'before', TEXT)
      for (const wsi of wsis) writePrepared(wsi, frame)
      for (const wsi of wsis.toReversed()) write(wsi, 'after', TEXT)
      for (const wsi of wsis) writePrepared(wsi, frame)
    })
    for (const [index, peer] of peers.entries()) {
      const texts = ['P', 'after', 'P']
      assert.deepEqual(peer.messages(), index % 2 === 0 ? ['before', ...texts] : texts)
    }
  })

  it('twice in a row, and one after the other', () => {
    const { h, wsis, peers } = open(2)
    const [first, second] = [prepareFrame('1', TEXT), prepareFrame('22', TEXT)]
    batch(h.ctx, () => {
      for (const wsi of wsis)
        for (const frame of [first, first, second, first]) writePrepared(wsi, frame)
    })
    for (const peer of peers) assert.deepEqual(peer.messages(), ['1', '1', '22', '1'])
  })

  it('when the arena had to be emptied in between', () => {
    const { h, wsis, peers } = open(30)
    const frame = prepareFrame(Buffer.alloc(8000, 0x70), BINARY)
    const filler = Buffer.alloc(16_000, 0x66)
    batch(h.ctx, () => {
      for (const wsi of wsis) {
        write(wsi, filler, BINARY)
        writePrepared(wsi, frame)
      }
    })
    h.run()
    for (const peer of peers) assert.deepEqual(peer.messages(), [filler, Buffer.alloc(8000, 0x70)])
  })

  it('a frame above corkMaxBytes leaves at once, behind what is corked', () => {
    const { h, wsis, peers } = open(3)
    const large = prepareFrame(Buffer.alloc(50_000, 0x6c), BINARY)
    batch(h.ctx, () => {
      for (const wsi of wsis) {
        write(wsi, 'small', TEXT)
        writePrepared(wsi, large)
      }
      assert.ok(peers[0]!.received().length > 50_000)
    })
    for (const peer of peers)
      assert.deepEqual(peer.messages(), ['small', Buffer.alloc(50_000, 0x6c)])
  })

  it('behind a queue, and what the kernel took a part of', () => {
    const { h, wsis, peers } = open(2)
    const frame = prepareFrame('prepared', TEXT)
    for (const peer of peers) peer.windowBytes = 3
    batch(h.ctx, () => {
      for (const wsi of wsis) writePrepared(wsi, frame)
    })
    assert.equal(getBufferedBytes(wsis[0]!), frame.bytes.length - 3)
    for (const wsi of wsis) writePrepared(wsi, frame)
    for (const peer of peers) peer.windowBytes = 1000
    h.run()
    const twice = bytes(server.frame(1, 'prepared'), server.frame(1, 'prepared'))
    for (const peer of peers) assert.deepEqual(peer.take(), twice)
  })

  it('one frame serves two contexts, in one round', () => {
    const poller = fakePoller()
    const host = checkedHost(poller)
    const wsis: Wsi[] = []
    const protocols = [defineProtocol({ handlers: { ESTABLISHED: (wsi) => void wsis.push(wsi) } })]
    const contexts = [0, 1].map(() =>
      createContext({ host, port: 0, protocols, pingIntervalMs: 0, idleTimeoutMs: 0 }),
    )
    const peers = contexts.map((ctx) => poller.connectTo(ctx).upgrade())
    poller.run(contexts)
    const frame = prepareFrame('both', TEXT)
    batch(contexts[0]!, () => {
      batch(contexts[1]!, () => {
        write(wsis[0]!, 'first', TEXT)
        for (const wsi of [wsis[0]!, wsis[1]!, wsis[0]!]) writePrepared(wsi, frame)
        write(wsis[1]!, 'last', TEXT)
      })
    })
    assert.deepEqual(peers[0]!.messages(), ['first', 'both', 'both'])
    assert.deepEqual(peers[1]!.messages(), ['both', 'last'])
    for (const ctx of contexts) contextDestroy(ctx)
  })

  it('answers as write does', () => {
    const context = { maxBufferedBytes: 1024, txLowWaterBytes: 100, txHighWaterBytes: 2000 }
    const { h, wsis, peers } = open(1, context)
    const [wsi, peer] = [wsis[0]!, peers[0]!]
    const frame = prepareFrame(Buffer.alloc(598), BINARY)
    assert.equal(writePrepared(wsi, frame), 'ok')
    peer.windowBytes = 0
    assert.equal(writePrepared(wsi, frame), 'backpressure')
    assert.equal(writePrepared(wsi, frame), 'full')
    assert.equal(getBufferedBytes(wsi), 602)
    peer.reset()
    h.run()
    assert.equal(writePrepared(wsi, frame), 'closed')
  })

  it('C15 tells the truth about the kernel for the second connection, too', () => {
    const { h, wsis, peers } = open(2, { txLowWaterBytes: 100 })
    for (const peer of peers) peer.windowBytes = 0
    const frame = prepareFrame(Buffer.alloc(600), BINARY)
    const answers: string[] = []
    batch(h.ctx, () => {
      for (const wsi of wsis) answers.push(writePrepared(wsi, frame))
    })
    assert.deepEqual(answers, ['backpressure', 'backpressure'])
  })

  it('not within a fragmented message, and only what prepareFrame made', () => {
    const { wsis } = open(1)
    const frame = prepareFrame('x', TEXT)
    write(wsis[0]!, 'a', TEXT | NO_FIN)
    assert.throws(() => writePrepared(wsis[0]!, frame), { code: 'ERR_EXTPOLL_WRITE_FRAGMENT' })
    write(wsis[0]!, 'b', CONTINUATION)
    assert.equal(writePrepared(wsis[0]!, frame), 'ok')
    for (const wrong of [null, {}, Buffer.from('x'), { bytes: Buffer.from('x') }])
      assert.throws(() => writePrepared(wsis[0]!, wrong as never), {
        code: 'ERR_EXTPOLL_WRITE_DATA',
      })
  })
})

describe('43 prepared frames among all other writes, at random', () => {
  const SIZES = [0, 1, 30, 125, 126, 2000, 9000, 16_000, 20_000, 70_000]
  const CONNECTIONS = 6

  /** One batch of writes to many, in any order; what each connection must get is kept. */
  function writeSome(dice: Dice, { h, wsis }: Open, frames: Frames, expected: Buffer[][]): void {
    batch(h.ctx, () => {
      for (let step = 0; step < 40; step++) {
        const to = dice.roll(CONNECTIONS)
        const choice = dice.roll(3)
        const data = choice === 0 ? dice.bytes(dice.pick([1, 20, 300])) : dice.pick(frames).data
        const answer =
          choice === 2
            ? writePrepared(wsis[to]!, frames.find((one) => one.data === data)!.frame)
            : write(wsis[to]!, data, BINARY)
        assert.notEqual(answer, 'closed')
        if (answer !== 'full') expected[to]!.push(data)
      }
    })
  }

  type Frames = { readonly data: Buffer; readonly frame: ReturnType<typeof prepareFrame> }[]

  for (let seed = 1; seed <= 40; seed++)
    it(`seed ${seed}`, () => {
      const dice = new Dice(seed)
      const limits = { maxBufferedBytes: 400_000, txBudgetBytes: dice.pick([2000, 262_144]) }
      const made = open(CONNECTIONS, limits)
      const frames = SIZES.map((size) => {
        const data = dice.bytes(size)
        return { data, frame: prepareFrame(data, BINARY) }
      })
      const expected = made.peers.map((): Buffer[] => [])
      const got = made.peers.map((): Buffer[] => [])
      const read = (): void => {
        for (const [index, peer] of made.peers.entries())
          got[index]!.push(...peer.messages().map((message) => Buffer.from(message)))
      }
      for (let round = 0; round < 6; round++) {
        for (const peer of made.peers) {
          peer.windowBytes = dice.pick([0, 1, 100, 50_000, 10_000_000])
          if (dice.roll(3) === 0) peer.script.send.push(dice.roll(2000))
        }
        writeSome(dice, made, frames, expected)
        if (dice.roll(2) === 0) made.h.run()
        read()
      }
      for (const peer of made.peers) peer.windowBytes = 100_000_000
      made.h.run()
      read()
      assert.deepEqual(got, expected)
    })
})
