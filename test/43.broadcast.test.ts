/**
 * One message to many: `broadcast`, `callbackOnWritableAllProtocol`. Encoding once is in
 * 43.prepared. On the fake poller, under the checker.
 */
import assert from 'node:assert/strict'
import {
  batch,
  BINARY,
  broadcast,
  callbackOnWritableAllProtocol,
  close,
  contextDestroy,
  defineProtocol,
  type Handlers,
  hangup,
  isDestroyed,
  nextTimeout,
  type Protocol,
  serviceFd,
  TEXT,
  write,
  type Wsi,
} from '../src/index.js'
import type { WsPeer } from '../integrations/fake-poller.js'
import { harness, type Harness, type HarnessOptions } from './support/harness.js'
import { client } from './support/wire-bytes.js'

interface Room {
  readonly h: Harness
  readonly protocol: Protocol
  readonly wsis: Wsi[]
  readonly peers: WsPeer[]
  /** `0 a`: connection 0 was told of `a`; `0 closed`. */
  readonly log: string[]
}

/** So many connections of a protocol whose BROADCAST writes down, and writes what it was told. */
function room(
  count: number,
  handlers: Handlers<undefined> = {},
  context: Partial<HarnessOptions> = {},
): Room {
  const log: string[] = []
  const wsis: Wsi[] = []
  const nameOf = (wsi: Wsi): number => wsis.indexOf(wsi)
  const protocol = defineProtocol({
    handlers: {
      ESTABLISHED: (wsi) => void wsis.push(wsi),
      BROADCAST(wsi, data) {
        log.push(`${nameOf(wsi)} ${data.toString()}`)
        write(wsi, data, TEXT)
      },
      SERVER_WRITEABLE: (wsi) => void log.push(`${nameOf(wsi)} writable`),
      CLOSED: (wsi) => void log.push(`${nameOf(wsi)} closed`),
      ...handlers,
    },
  })
  const h = harness({ pingIntervalMs: 0, idleTimeoutMs: 0, protocols: [protocol], ...context })
  const peers = Array.from({ length: count }, () => h.open())
  return { h, protocol: h.ctx.protocols[0]!, wsis, peers, log }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const told = (count: number, text: string): string[] => range(count).map((i) => `${i} ${text}`)

describe('43 broadcast', () => {
  it('tells every established connection, in order, and answers how many', () => {
    const { protocol, peers, log } = room(5)
    assert.equal(broadcast(protocol, 'hello €'), 5)
    assert.deepEqual(log, told(5, 'hello €'))
    for (const peer of peers) assert.deepEqual(peer.messages(), ['hello €'])
  })

  it('copies the data once: the caller may change it at once', () => {
    const { h, protocol, peers } = room(3)
    const data = Buffer.from('mine')
    batch(h.ctx, () => {
      broadcast(protocol, data)
      data.fill('x')
    })
    for (const peer of peers) assert.deepEqual(peer.messages(), ['mine'])
  })

  it('what one callback does to its data, no other sees', () => {
    const seen: string[] = []
    const { protocol } = room(3, {
      BROADCAST(_wsi, data) {
        seen.push(data.toString())
        data.fill('x')
      },
    })
    broadcast(protocol, 'clean')
    assert.deepEqual(seen, ['clean', 'clean', 'clean'])
  })

  it('runs when the outermost call unwinds, and leaves in one send for each', () => {
    const { h, protocol, peers, log } = room(4, {
      RECEIVE(wsi, data) {
        write(wsi, 'first', TEXT)
        broadcast(protocol, data)
        log.push('RECEIVE returned')
      },
    })
    const before = h.poller.counts.send
    peers[0]!.sendMessage('go')
    h.run()
    assert.deepEqual(log, ['RECEIVE returned', ...told(4, 'go')])
    assert.deepEqual(peers[0]!.messages(), ['first', 'go'])
    // The answer to RECEIVE left in the round before.
    assert.equal(h.poller.counts.send - before, 5)
  })

  it('only its own protocol, and only who is open', () => {
    const other = defineProtocol({ name: 'other', handlers: {} })
    const heard: Wsi[] = []
    const wsis: Wsi[] = []
    const mine = defineProtocol({
      name: 'mine',
      handlers: {
        ESTABLISHED: (wsi) => void wsis.push(wsi),
        BROADCAST: (wsi) => void heard.push(wsi),
      },
    })
    const h = harness({ pingIntervalMs: 0, idleTimeoutMs: 0, protocols: [other, mine] })
    for (const name of ['mine', 'other', 'mine', 'mine']) h.open({ protocols: [name] })
    h.connect()
    h.run()
    close(wsis[1]!)
    assert.equal(broadcast(h.ctx.protocols[1]!, 'x'), 2)
    assert.deepEqual(heard, [wsis[0], wsis[2]])
  })

  it('to nobody is nothing', () => {
    const { h, protocol } = room(0)
    assert.equal(broadcast(protocol, 'x'), 0)
    assert.notEqual(nextTimeout(h.ctx), 0)
  })

  it('refuses what is no Protocol, and what are no bytes', () => {
    const { h, protocol } = room(1)
    const definition = defineProtocol({ handlers: {} })
    for (const wrong of [definition, h.ctx, null, undefined, 'echo'])
      assert.throws(() => broadcast(wrong as never, 'x'), { code: 'ERR_EXTPOLL_NOT_A_PROTOCOL' })
    for (const wrong of [undefined, null, 5, {}, new ArrayBuffer(4)])
      assert.throws(() => broadcast(protocol, wrong as never), {
        code: 'ERR_EXTPOLL_WRITE_DATA',
      })
  })
})

describe('43 broadcastBudget', () => {
  const context = { broadcastBudget: 4 }

  it('C14 so many per call, the rest is pending work', () => {
    const { h, protocol, log } = room(10, {}, context)
    assert.equal(broadcast(protocol, 'a'), 10)
    assert.deepEqual(log, told(4, 'a'))
    assert.equal(nextTimeout(h.ctx), 0)
    assert.equal(serviceFd(h.ctx, null), 'more')
    assert.deepEqual(log, told(8, 'a'))
    assert.equal(serviceFd(h.ctx, null), 'handled')
    assert.deepEqual(log, told(10, 'a'))
    assert.notEqual(nextTimeout(h.ctx), 0)
  })

  it('C13 so many per call as it can send for: nothing waits in a queue', () => {
    const { h, protocol, peers, log } = room(50, {}, { txBudgetBytes: 65_536 })
    const set: number[] = []
    h.ctx.on('SET_MODE', (fd) => void set.push(fd))
    broadcast(protocol, Buffer.alloc(10_000, 'x'))
    assert.equal(log.length, 6)
    h.run()
    assert.deepEqual([log.length, set], [50, []])
    broadcast(protocol, Buffer.alloc(70_000, 'y'))
    assert.equal(log.length, 51, 'of what is more than that, one at least')
    h.run()
    for (const peer of peers) assert.equal(peer.messages().length, 2)
  })

  it('broadcasts keep their order', () => {
    const { h, protocol, peers, log } = room(6, {}, context)
    for (const text of ['a', 'b', 'c']) broadcast(protocol, text)
    h.run()
    assert.deepEqual(log, [...told(6, 'a'), ...told(6, 'b'), ...told(6, 'c')])
    for (const peer of peers) assert.deepEqual(peer.messages(), ['a', 'b', 'c'])
  })

  it('who came later is not told, who ended meanwhile is skipped', () => {
    const { h, protocol, wsis, peers, log } = room(10, {}, context)
    batch(h.ctx, () => {
      broadcast(protocol, 'a')
      hangup(wsis[5]!)
      close(wsis[6]!)
    })
    const late = h.poller.connectTo(h.ctx).upgrade()
    peers[7]!.end()
    h.run()
    const heard = log.filter((line) => line.endsWith(' a'))
    assert.deepEqual(heard, ['0 a', '1 a', '2 a', '3 a', '4 a', '7 a', '8 a', '9 a'])
    assert.deepEqual([late.response()?.status, late.messages()], [101, []])
  })

  it('one told may end another that was not yet', () => {
    const { protocol, log, wsis } = room(3, {
      BROADCAST(wsi) {
        log.push(`${wsis.indexOf(wsi)} told`)
        hangup(wsis[2]!)
      },
    })
    broadcast(protocol, 'x')
    assert.deepEqual(log, ['0 told', '1 told', '2 closed'])
  })
})

describe('43 broadcast from within', () => {
  it('BROADCAST: comes behind, and nothing recurses', () => {
    let inside = 0
    const { h, protocol, log, wsis } = room(3, {
      BROADCAST(wsi, data) {
        assert.equal(++inside, 1)
        log.push(`${wsis.indexOf(wsi)} ${data.toString()}`)
        if (data.toString() === 'a' && wsi === wsis[0]) broadcast(protocol, 'b')
        inside--
      },
    })
    broadcast(protocol, 'a')
    h.run()
    assert.deepEqual(log, [...told(3, 'a'), ...told(3, 'b')])
  })

  it('each BROADCAST asks for another: a call ends all the same', () => {
    let count = 0
    let endless = true
    const { h, protocol } = room(3, {
      BROADCAST() {
        count++
        // Without a budget it would never end: a test that hangs tells nothing.
        if (endless && count < 1000) broadcast(protocol, 'again')
      },
    })
    broadcast(protocol, 'first')
    assert.ok(count <= 256, `${count} in one call`)
    assert.equal(nextTimeout(h.ctx), 0)
    endless = false
    h.run()
    assert.notEqual(nextTimeout(h.ctx), 0)
  })

  it('an announcement: refused, and nothing changed', () => {
    const codes: unknown[] = []
    const { protocol, log, h } = room(2)
    h.ctx.on('SET_MODE', () => {
      try {
        broadcast(protocol, 'x')
      } catch (error) {
        codes.push((error as { code?: string }).code)
      }
    })
    callbackOnWritableAllProtocol(protocol)
    assert.deepEqual(codes, ['ERR_EXTPOLL_REENTRANT_CALL', 'ERR_EXTPOLL_REENTRANT_CALL'])
    h.run()
    assert.deepEqual(log.sort(), told(2, 'writable'))
  })

  it('a callback that throws costs its own connection', () => {
    const errors: unknown[] = []
    const { protocol, log, wsis, h, peers } = room(
      3,
      {
        BROADCAST(wsi) {
          if (wsi === wsis[1]) throw new Error('mine')
          log.push(`${wsis.indexOf(wsi)} told`)
        },
      },
      { onError: (error) => void errors.push((error as Error).message) },
    )
    assert.equal(broadcast(protocol, 'x'), 3)
    assert.deepEqual([errors, log], [['mine'], ['0 told', '2 told']])
    assert.equal(peers[1]!.frames()[0]!.payload.readUInt16BE(0), 1011)
    h.run()
  })

  it('destroy in the middle: each is told its end once, and nothing after it', () => {
    const { h, protocol, log, wsis } = room(
      6,
      {
        BROADCAST(wsi) {
          log.push(`${wsis.indexOf(wsi)} told`)
          if (wsi === wsis[1]) contextDestroy(h.ctx)
        },
      },
      { broadcastBudget: 3 },
    )
    broadcast(protocol, 'x')
    assert.ok(isDestroyed(h.ctx))
    const [heard, ends] = [log.slice(0, 3), log.slice(3)]
    assert.deepEqual([heard, ends], [told(3, 'told'), told(6, 'closed')])
    assert.equal(nextTimeout(h.ctx), -1)
    assert.equal(broadcast(protocol, 'x'), 0)
    assert.deepEqual(h.poller.openFds, [])
  })
})

describe('43 callbackOnWritableAllProtocol', () => {
  it('SERVER_WRITEABLE once for every connection of the protocol', () => {
    const { h, protocol, log } = room(4)
    assert.equal(callbackOnWritableAllProtocol(protocol), 4)
    assert.deepEqual(log, [], 'not from within')
    h.run()
    assert.deepEqual(log.sort(), told(4, 'writable'))
  })

  it('who is blocked comes when it is not', () => {
    const { h, protocol, log, wsis, peers } = room(3)
    peers[1]!.windowBytes = 0
    write(wsis[1]!, Buffer.alloc(20_000), BINARY)
    assert.equal(callbackOnWritableAllProtocol(protocol), 3)
    h.run()
    assert.deepEqual(log.toSorted(), ['0 writable', '2 writable'])
    peers[1]!.windowBytes = 100_000
    h.run()
    assert.deepEqual(log.slice(2), ['1 writable'])
  })

  it('not who is closing, nor one of another protocol, nor after the end', () => {
    const { h, protocol, log, wsis, peers } = room(3)
    close(wsis[0]!)
    peers[2]!.send(client.close(1000))
    h.run()
    assert.equal(callbackOnWritableAllProtocol(protocol), 1)
    h.run()
    assert.deepEqual(log, ['2 closed', '1 writable'])
    const other = room(1)
    assert.equal(callbackOnWritableAllProtocol(other.protocol), 1)
    contextDestroy(h.ctx)
    assert.equal(callbackOnWritableAllProtocol(protocol), 0)
  })

  it('refuses what is no Protocol', () => {
    for (const wrong of [null, undefined, {}, defineProtocol({ handlers: {} })])
      assert.throws(() => callbackOnWritableAllProtocol(wrong as never), {
        code: 'ERR_EXTPOLL_NOT_A_PROTOCOL',
      })
  })
})
