/**
 * C25: a run as one number. `digest` tells two runs apart by anything that went in or came out;
 * `eventDigest` by what the application was told, and by nothing else.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fakePoller } from '../integrations/fake-poller.js'
import {
  adoptSocket,
  BINARY,
  broadcast,
  callbackOnWritable,
  close,
  contextDestroy,
  createContext,
  defineProtocol,
  digest,
  eventDigest,
  FIRST_VIRTUAL_FD,
  getContext,
  getListenAddress,
  hostOf,
  nextTimeout,
  POLLIN,
  rxFlowControl,
  serviceFd,
  TEXT,
  write,
} from '../src/index.js'
import type { ContextOptions, Host, SocketIo, Wsi } from '../src/index.js'
import { ValueHash } from '../src/digest/value-hash.js'
import { type Harness, harness, type HarnessOptions } from './support/harness.js'
import { digestsOfScene } from './support/digest-scene.js'
import { projectRoot } from './support/programs.js'
import { bytes, client } from './support/wire-bytes.js'

interface Run {
  readonly h: Harness
  /** The connections, in the order they opened. */
  readonly wsis: Wsi[]
}
interface Digests {
  readonly all: string
  readonly events: string
}
type Options = Partial<HarnessOptions> & { readonly delivery?: 'stream' }

/** What the digests are after `drive`, the end of the context not counted. */
function digestsAfter(drive: (run: Run) => void, { delivery, ...options }: Options = {}): Digests {
  const wsis: Wsi[] = []
  const echo = defineProtocol({
    ...(delivery === undefined ? {} : { delivery }),
    handlers: {
      ESTABLISHED: (wsi) => void wsis.push(wsi),
      RECEIVE(wsi, data) {
        write(wsi, data, BINARY)
        callbackOnWritable(getContext(wsi), wsi)
      },
      RECEIVE_PONG() {},
      BROADCAST: (wsi, data) => void write(wsi, data, TEXT),
    },
  })
  const h = harness({ protocols: [echo], digest: true, ...options })
  drive({ h, wsis })
  const digests = { all: digest(h.ctx), events: eventDigest(h.ctx) }
  contextDestroy(h.ctx)
  return digests
}

/** One connection, and messages on it, each in a round of its own. */
const say =
  (...messages: (string | Uint8Array)[]) =>
  ({ h }: Run): void => {
    const peer = h.open()
    for (const message of messages) {
      peer.send(typeof message === 'string' ? client.text(message) : message)
      h.run()
    }
  }

const hello = client.text('hello')

/** A host with one socket to adopt, which has this to say. */
function guestThatReceives(text: string): Host {
  const { host } = fakePoller()
  const io: Partial<SocketIo> = {
    takesAnyBuffer: true,
    adopt: () => FIRST_VIRTUAL_FD,
    release: () => ({}),
    peerAddress: () => ({ name: '', address: '', port: 0, family: '' }),
    recv: (_fd, { bytes: into }, offset) => into.write(text, offset),
    send: (_fd, _from, _offset, length) => length,
    close: () => 0,
  }
  const pollSet = { add() {}, del() {}, set() {}, clear() {} }
  return { ...host, pollSet, io: { ...host.io, ...io } }
}

describe('31 digest (C25)', () => {
  const plain = digestsAfter(say('hello'))

  it('is 32 hexadecimal digits, and the same for the same run', () => {
    assert.match(`${plain.all} ${plain.events}`, /^[0-9a-f]{32} [0-9a-f]{32}$/)
    assert.deepEqual(digestsAfter(say('hello')), plain)
  })

  it('is the same in another process', () => {
    const args = ['--import', 'tsx', join(projectRoot, 'test/support/digest-scene.ts'), 'print']
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    assert.equal(stdout, digestsOfScene(), stderr)
  })

  it('is over values what it was when this was written: on every machine and Node', () => {
    const hash = new ValueHash(16)
    const values = [
      1,
      -0.5,
      'žluť',
      Buffer.from('ab'),
      null,
      undefined,
      true,
      [1],
      { a: new Map() },
    ]
    for (const value of values) hash.value(value)
    assert.equal(hash.digest(), '6e2d5f410bc3bc101cd6d0e2329026a3')
  })

  const differing: Readonly<Record<string, () => Digests>> = {
    'a byte received': () => digestsAfter(say('hellO')),
    'a border between two chunks': () => digestsAfter(say(hello.subarray(0, 7), hello.subarray(7))),
    'an option': () => digestsAfter(say('hello'), { unknownProtocol: 'accept' }),
    'a limit': () => digestsAfter(say('hello'), { maxFragments: 17 }),
    'the time': () => digestsAfter(say('hello'), { poller: { startMs: 1001 } }),
    entropy: () => digestsAfter(say('hello'), { poller: { seed: 2 } }),
    'a call of the application': () =>
      digestsAfter((run) => {
        say('hello')(run)
        rxFlowControl(run.wsis[0]!, 1)
      }),
    'what a call was given': () =>
      digestsAfter((run) => {
        say('hello')(run)
        rxFlowControl(run.wsis[0]!, true)
      }),
    'a call that nothing came of': () =>
      digestsAfter((run) => {
        say('hello')(run)
        serviceFd(run.h.ctx, { fd: 99, revents: POLLIN })
      }),
    'a short send': () =>
      digestsAfter((run) => {
        const peer = run.h.open()
        peer.script.send.push(3)
        peer.send(hello)
        run.h.run()
      }),
  }
  const found = new Map<string, string>([['nothing', plain.all]])
  for (const [what, differently] of Object.entries(differing))
    it(`tells ${what} apart`, () => {
      const { all } = differently()
      assert.ok(![...found.values()].includes(all), [...found.keys()].join(', '))
      found.set(what, all)
    })

  it('does not count what is asked, and may be asked at any time', () => {
    const asking = digestsAfter((run) => {
      const { ctx } = run.h
      const ask = (): unknown => [nextTimeout(ctx), getListenAddress(ctx), digest(ctx)]
      ask()
      say('hello')(run)
      run.h.poller.clock.advance(5)
      ask()
    })
    assert.equal(asking.all, plain.all)
  })

  it('is the same with the checker and without: each hears for itself', () => {
    const run = (checks: boolean): string => {
      const poller = fakePoller()
      const echo = defineProtocol({ handlers: { RECEIVE: (wsi, d) => void write(wsi, d, BINARY) } })
      const options: ContextOptions = {
        host: poller.host,
        protocols: [echo],
        port: 0,
        digest: true,
      }
      const ctx = checks ? harness({ ...options, poller }).ctx : createContext(options)
      const peer = poller.connectTo(ctx).upgrade()
      poller.run(ctx)
      peer.sendMessage('hello')
      poller.runFor(ctx, 100_000)
      contextDestroy(ctx)
      return digest(ctx)
    }
    assert.equal(run(true), run(false))
  })

  it('is the same whether the host sends for many at once or one by one', () => {
    const run = (atOnce: boolean): string => {
      const poller = fakePoller()
      const { io } = poller.host
      const single = new Proxy(io, {
        get(_io, name) {
          const own = (io as unknown as Record<PropertyKey, unknown>)[name]
          if (name === 'sendEach' || name === 'recvEach') return undefined
          return typeof own === 'function' ? (own.bind(io) as unknown) : own
        },
      })
      const all = defineProtocol({ handlers: { BROADCAST: (wsi, d) => void write(wsi, d, TEXT) } })
      const host = atOnce ? poller.host : { ...poller.host, io: single }
      const ctx = createContext({ host, protocols: [all], port: 0, digest: true })
      const peers = [1, 2, 3].map(() => poller.connectTo(ctx).upgrade())
      poller.run(ctx)
      broadcast(ctx.protocols[0]!, 'all')
      assert.deepEqual(peers[2]!.messages(), ['all'])
      return digest(ctx)
    }
    assert.equal(typeof fakePoller().host.io.sendEach, 'function')
    assert.equal(run(true), run(false))
  })

  it('lets the context be: hostOf is the host given, options are what they were', () => {
    const { host } = fakePoller()
    const ctx = createContext({ host, protocols: [defineProtocol({ handlers: {} })], digest: true })
    assert.equal(hostOf(ctx), host)
    contextDestroy(ctx)
    assert.equal(digest(ctx), digest(ctx))
  })

  it('hears the seam of a second host, and what came along with the socket', () => {
    const adopted = (text: string, head = 'GET '): string => {
      const guest = guestThatReceives(text)
      const { host } = fakePoller()
      const ctx = createContext({
        host,
        protocols: [defineProtocol({ handlers: {} })],
        digest: true,
      })
      adoptSocket(ctx, {}, { host: guest, head: Buffer.from(head) })
      // Half a request: no callback hears of it.
      serviceFd(ctx, { fd: FIRST_VIRTUAL_FD, revents: POLLIN })
      return digest(ctx)
    }
    const plain = adopted('/ HTTP')
    assert.equal(adopted('/ HTTP'), plain)
    assert.notEqual(adopted('/ HTTp'), plain)
    assert.notEqual(adopted('/ HTTP', 'GEt '), plain)
  })

  it('is kept only where it is asked for', () => {
    const { ctx } = harness({ protocols: [defineProtocol({ handlers: {} })] })
    for (const ask of [digest, eventDigest])
      assert.throws(() => ask(ctx), { code: 'ERR_EXTPOLL_NO_DIGEST' })
    const bad = { host: fakePoller().host, protocols: [], digest: 1 } as unknown as ContextOptions
    assert.throws(() => createContext(bad), { code: 'ERR_EXTPOLL_OPTIONS' })
  })
})

describe('31 eventDigest (C25)', () => {
  const events = (drive: (run: Run) => void, options?: Options): string =>
    digestsAfter(drive, options).events
  const plain = events(say('hello'))

  it('is the same whatever the fd, the time, the chunks, and when the socket takes a write', () => {
    const same: Readonly<Record<string, string>> = {
      split: events(say(hello.subarray(0, 7), hello.subarray(7))),
      'a byte at a time': events(say(...Array.from(hello, (_b, i) => hello.subarray(i, i + 1)))),
      'in fragments': events(say(bytes(client.text('hel', { fin: false }), client.more('lo')))),
      'another time and entropy': events(say('hello'), { poller: { startMs: 5000, seed: 9 } }),
      'edge-triggered, no generations': events(say('hello'), {
        poller: { edge: true, gens: false },
      }),
      'other budgets': events(say('hello'), { rxBudgetBytes: 1024, messageBudget: 1 }),
      'later, with pings': events((run) => {
        say('hello', client.pong(''))(run)
        run.h.poller.runFor(run.h.ctx, 1000)
      }),
    }
    for (const [how, found] of Object.entries(same)) assert.equal(found, plain, how)
  })

  it('of a context is the same in whatever order its connections came and spoke', () => {
    const two = (order: readonly ('a' | 'b')[]) => (run: Run) => {
      const peers = new Map(order.map((name) => [name, run.h.open()]))
      for (const name of order) peers.get(name)!.send(client.text(name))
      run.h.run()
    }
    assert.equal(events(two(['a', 'b'])), events(two(['b', 'a'])))
    assert.notEqual(events(two(['a', 'b'])), events(two(['a'])))
  })

  it('tells payloads, kinds, reasons, targets, their order and the end apart', () => {
    const all = [
      plain,
      events(say('hellO')),
      events(say(client.binary('hello'))),
      events(say(client.pong('hello'))),
      events(say('hel', 'lo')),
      events(say('lo', 'hel')),
      events(say('hello', client.close(1000))),
      events(say('hello', client.close(1001))),
      events(({ h }) => void h.open({ path: '/other' })),
      events((run) => {
        say('hello')(run)
        broadcast(run.h.ctx.protocols[0]!, 'all')
      }),
    ]
    assert.equal(new Set(all).size, all.length)
  })

  it('does not mind when a broadcast came between messages', () => {
    const at = (place: number) => (run: Run) => {
      const peer = run.h.open()
      for (const [index, text] of ['a', 'b', 'c'].entries()) {
        if (index === place) broadcast(run.h.ctx.protocols[0]!, 'all')
        peer.send(client.text(text))
        run.h.run()
      }
    }
    assert.equal(events(at(0)), events(at(2)))
  })

  it("delivery 'stream' counts messages, not pieces, and no message that never ended", () => {
    const stream = { delivery: 'stream' } as const
    const whole = events(say('hello'), stream)
    assert.equal(events(say(hello.subarray(0, 8), hello.subarray(8)), stream), whole)
    const cut = (at: number) => (run: Run) => {
      say('hello', hello.subarray(0, at))(run)
      close(run.wsis[0]!)
    }
    assert.equal(events(cut(8), stream), events(cut(9), stream))
    assert.notEqual(events(say('hellO'), stream), whole)
  })

  it('of one connection can be asked while it lives and when it is over, by its context', () => {
    digestsAfter((run) => {
      say('hello')(run)
      say('hello')(run)
      const { ctx } = run.h
      const [first, second] = run.wsis as [Wsi, Wsi]
      assert.equal(eventDigest(ctx, first), eventDigest(ctx, second))
      close(first)
      contextDestroy(ctx)
      assert.match(eventDigest(ctx, first), /^[0-9a-f]{32}$/)
      assert.notEqual(eventDigest(ctx, first), eventDigest(ctx, second))
      const other = harness({ protocols: [defineProtocol({ handlers: {} })], digest: true })
      assert.throws(() => eventDigest(other.ctx, first), { code: 'ERR_EXTPOLL_NOT_A_CONNECTION' })
      assert.throws(() => eventDigest(ctx, {} as Wsi), { code: 'ERR_EXTPOLL_NOT_A_CONNECTION' })
    })
  })
})
