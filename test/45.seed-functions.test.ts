/**
 * The functions of the seed by name, first half: contexts, service, readiness. One compact check of
 * each promise; the details are in the tests of their layers, commands in 45.seed-commands.
 *
 * 46.seed-rows holds the list of rows against these titles.
 */
import assert from 'node:assert/strict'
import {
  callbackOnWritable,
  callbackOnWritableAllProtocol,
  canonicalHostname,
  contextDestroy,
  createContext,
  defineProtocol,
  getBufferedBytes,
  getListenAddress,
  getPeerAddresses,
  getProtocol,
  getSocketFd,
  nextTimeout,
  pollFds,
  POLLIN,
  POLLOUT,
  rxFlowControl,
  serviceFd,
  TEXT,
  write,
  type Context,
  type ContextOptions,
  type Wsi,
} from '../src/index.js'
import { fakePoller, type FakePoller } from '../integrations/fake-poller.js'
import { checkedHost, harness } from './support/harness.js'
import { openScene, scene, taken } from './support/scene.js'
import { bytes, client } from './support/wire-bytes.js'

/** A context on a fake poller, with whatever it is given, and nothing else. */
function make(options: Partial<ContextOptions> = {}, poller = fakePoller()) {
  const ctx = createContext({ host: checkedHost(poller), protocols: [echo], ...options })
  return { ctx, poller }
}

const echo = defineProtocol({
  handlers: { RECEIVE: (wsi, data) => void write(wsi, data, TEXT) },
})

const refusedWith = (code: string, call: () => unknown): void =>
  assert.throws(call, { name: 'UsageError', code })

/** Says hello as a client, and gets it back. */
function echoesOn(poller: FakePoller, ctx: Context): void {
  const peer = poller.connectTo(ctx).upgrade().sendMessage('hello')
  poller.run(ctx)
  assert.deepEqual(peer.messages(), ['hello'])
}

describe('45 seed functions: createContext', () => {
  it('createContext: neither port nor path is no listener', () => {
    const { ctx, poller } = make()
    assert.deepEqual([pollFds(ctx), getListenAddress(ctx), poller.openFds], [[], null, []])
  })

  it('createContext: port 0 is any free one, another is that one, or an error', () => {
    const { ctx, poller } = make({ port: 0 })
    const { ctx: other } = make({ port: 0 }, poller)
    const [port, second] = [ctx, other].map((made) => getListenAddress(made)?.port ?? 0)
    assert.ok(port! > 0 && second! > 0 && port !== second)
    assert.equal(getListenAddress(make({ port: 4567 }, poller).ctx)?.port, 4567)
    const open = poller.openFds
    refusedWith('EADDRINUSE', () => make({ port: 4567 }, poller))
    assert.deepEqual(poller.openFds, open, 'it leaves no descriptor')
    for (const port of [-1, 65_536, 1.5, '80' as unknown as number])
      refusedWith('ERR_EXTPOLL_LISTEN', () => make({ port }, poller))
  })

  it('createContext: address is 127.0.0.1 where none is given', () => {
    assert.equal(getListenAddress(make({ port: 0 }).ctx)?.address, '127.0.0.1')
    const { ctx } = make({ port: 0, address: '::1' })
    assert.deepEqual(getListenAddress(ctx)?.family, 'IPv6')
  })

  it('createContext: path is a Unix socket', () => {
    const { ctx, poller } = make({ path: '/run/echo' })
    const { name, family } = getListenAddress(ctx)!
    assert.deepEqual([name, family], ['/run/echo', 'Unix'])
    echoesOn(poller, ctx)
    refusedWith('ERR_EXTPOLL_LISTEN', () => make({ path: '/run/other', port: 0 }, poller))
  })

  it('createContext: protocols must not be empty', () => {
    refusedWith('ERR_EXTPOLL_PROTOCOLS', () => make({ protocols: [] }))
    refusedWith('ERR_EXTPOLL_PROTOCOLS', () => make({ protocols: [echo, echo] }))
  })

  it('createContext: gid and uid are changed once the listener is bound', () => {
    const calls: unknown[] = []
    const poller = fakePoller()
    const dropPrivileges = (ids: unknown): void => {
      calls.push([ids, poller.openFds.length])
    }
    const host = { ...checkedHost(poller), dropPrivileges }
    make({ host, port: 0, gid: 100, uid: 1000 }, poller)
    assert.deepEqual(calls, [[{ gid: 100, uid: 1000 }, 1]])
  })

  it('createContext: where they cannot be changed it throws, and leaves nothing', () => {
    const poller = fakePoller()
    const failing = (): never => {
      throw new Error('not permitted')
    }
    const host = { ...checkedHost(poller), dropPrivileges: failing }
    assert.throws(() => make({ host, port: 0, gid: 1, uid: 1 }, poller), /not permitted/)
    assert.deepEqual(poller.openFds, [])
    refusedWith('ERR_EXTPOLL_PRIVILEGES', () => make({ port: 0, gid: 1, uid: 1 }, poller))
  })

  it('createContext: on keeps the poll array where the host has none', () => {
    const poller = fakePoller()
    const { pollSet, ...host } = poller.host
    const on: ContextOptions['on'] & object = {
      ADD_POLL_FD: (...told) => pollSet!.add(...told),
      DEL_POLL_FD: (...told) => pollSet!.del(...told),
      SET_MODE: (...told) => pollSet!.set(...told),
      CLEAR_MODE: (...told) => pollSet!.clear(...told),
    }
    for (const missing of Object.keys(on))
      refusedWith('ERR_EXTPOLL_NO_POLL_SET', () =>
        createContext({ host, protocols: [echo], on: without(on, missing) }),
      )
    const ctx = createContext({ host, port: 0, protocols: [echo], on })
    echoesOn(poller, ctx)
  })

  it('createContext: an Origin must match Host, unless allowedOrigins says otherwise', () => {
    const rows: [ContextOptions['allowedOrigins'], string | undefined, number][] = [
      [undefined, undefined, 101],
      [undefined, 'http://localhost', 101],
      [undefined, 'http://elsewhere', 403],
      [['http://elsewhere'], 'http://elsewhere', 101],
      [['http://elsewhere'], 'http://localhost', 403],
      [(origin) => origin.endsWith('.test'), 'http://a.test', 101],
      [(origin) => origin.endsWith('.test'), 'http://localhost', 403],
      ['any', 'null', 101],
    ]
    for (const [allowedOrigins, origin, status] of rows) {
      const { ctx, poller } = make({
        port: 0,
        ...(allowedOrigins === undefined ? {} : { allowedOrigins }),
      })
      const peer = poller.connectTo(ctx).upgrade({ headers: { Origin: origin } })
      poller.run(ctx)
      assert.equal(peer.response()?.status, status, `${String(allowedOrigins)}: ${origin}`)
    }
  })

  it('createContext: never writes to what it is given: one definition serves several', () => {
    const poller = fakePoller()
    const protocols = [{ ...echo, name: '' }, defineProtocol({ name: 'b', handlers: {} })]
    const options = { protocols, port: 0, allowedOrigins: [], on: { ADD_POLL_FD() {} } }
    deepFreeze(options)
    const made = [make(options, poller), make(options, poller)]
    for (const { ctx } of made) echoesOn(poller, ctx)
    const [one, two] = made.map(({ ctx }) => ctx.protocols[0]!)
    assert.notEqual(one, two)
    assert.deepEqual([one!.owningContext, two!.owningContext], [made[0]!.ctx, made[1]!.ctx])
  })

  it('createContext: installs no handler, no global and no timer', () => {
    const traces = (): unknown => ({
      globals: Object.getOwnPropertyNames(globalThis),
      handlers: process.eventNames().map((name) => [name, process.listenerCount(name)]),
      resources: process.getActiveResourcesInfo(),
    })
    const before = traces()
    const { ctx, poller } = make({ port: 0, pingIntervalMs: 10 })
    echoesOn(poller, ctx)
    assert.deepEqual(traces(), before)
  })
})

function without<Table extends object>(table: Table, name: string): Partial<Table> {
  const rest = Object.entries(table).filter(([key]) => key !== name)
  return Object.fromEntries(rest) as Partial<Table>
}

function deepFreeze(value: unknown): void {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return
  if (Object.isFrozen(value)) return
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
}

describe('45 seed functions: contextDestroy', () => {
  it('contextDestroy: 1001, DEL, close and CLOSED for each, no timer left', () => {
    const { h, log, told } = scene()
    const peers = [h.open(), h.open(), h.open()]
    peers[1]!.reset()
    contextDestroy(h.ctx)
    assert.deepEqual([log.length, told.length], [3, 4], 'three connections, and the listener')
    assert.deepEqual([h.poller.openFds, pollFds(h.ctx), nextTimeout(h.ctx)], [[], [], -1])
    const [{ opcode, payload } = { opcode: 0, payload: Buffer.alloc(0) }] = peers[0]!.frames()
    assert.deepEqual([opcode, payload.readUInt16BE(0)], [8, 1001])
    contextDestroy(h.ctx)
    assert.deepEqual([log.length, told.length], [3, 4], 'a second one does nothing')
  })

  it('contextDestroy: inside a callback it runs when the outermost call unwinds', () => {
    const made = scene({
      handlers: {
        RECEIVE(wsi) {
          contextDestroy(made.h.ctx)
          made.log.push(`still ${getSocketFd(wsi) >= 0 ? 'there' : 'gone'}`)
        },
      },
    })
    made.h.open().sendMessage('die')
    made.h.run()
    assert.deepEqual(made.log, ['still there', 'closed 1001 CONTEXT_DESTROYED'])
  })

  it("contextDestroy: the host's loop serves the others", () => {
    const { ctx, poller } = make({ port: 0 })
    const { ctx: other } = make({ port: 0 }, poller)
    contextDestroy(ctx)
    echoesOn(poller, other)
  })
})

describe('45 seed functions: serviceFd', () => {
  it('serviceFd: handled, more, closed, foreign, stale', () => {
    const { h, peer } = openScene({ context: { rxBudgetBytes: 1024 } })
    const { fd } = peer
    const { gen } = pollFds(h.ctx).find((row) => row.fd === fd)!
    const ready = { fd, revents: POLLIN }
    assert.equal(serviceFd(h.ctx, { fd: 9999, revents: POLLIN }), 'foreign')
    assert.equal(serviceFd(h.ctx, { ...ready, gen: gen + 1 }), 'stale')
    peer.send(client.text('a'))
    assert.equal(serviceFd(h.ctx, { ...ready, gen }), 'handled')
    peer.send(bytes(...Array.from({ length: 40 }, () => client.text('x'.repeat(100)))))
    assert.equal(serviceFd(h.ctx, ready), 'more')
    h.run()
    peer.reset()
    assert.equal(serviceFd(h.ctx, ready), 'closed')
  })

  it('serviceFd: null does what is due without readiness', () => {
    const { h, wsi, peer, log } = openScene({
      context: { pingIntervalMs: 1000 },
      handlers: { RECEIVE: () => void log.push('one') },
    })
    peer.send(bytes(client.text('a'), client.text('b')))
    rxFlowControl(wsi, 0)
    rxFlowControl(wsi, 1)
    h.run()
    h.poller.clock.advance(1000)
    assert.equal(nextTimeout(h.ctx), 0)
    assert.equal(serviceFd(h.ctx, null), 'handled')
    assert.deepEqual([peer.frames()[0]?.opcode, log.length], [9, 2])
    assert.notEqual(nextTimeout(h.ctx), 0)
  })
})

describe('45 seed functions: readiness', () => {
  it('callbackOnWritable: one-shot, from a later serviceFd, when a write would not block', () => {
    const { h, wsi, peer, log, mask } = openScene({ context: { txLowWaterBytes: 100 } })
    peer.windowBytes = 0
    write(wsi, Buffer.alloc(300, 'x'), TEXT)
    assert.equal(callbackOnWritable(h.ctx, wsi), true)
    peer.windowBytes = 150
    h.run()
    assert.deepEqual([log, getBufferedBytes(wsi)], [[], 154], 'above the low-water mark')
    peer.windowBytes = 1000
    h.run()
    assert.deepEqual([taken(log), mask()], [['writable'], POLLIN])
    h.run()
    assert.deepEqual(log, [], 'asked once, told once')
    assert.equal(callbackOnWritable(h.ctx, wsi), true)
    assert.deepEqual([log, mask()], [[], POLLIN | POLLOUT], 'never within the call')
  })

  it('callbackOnWritableAllProtocol: every established connection of the protocol', () => {
    const log: string[] = []
    const named = (name: string) =>
      defineProtocol({
        name,
        handlers: { RECEIVE() {}, SERVER_WRITEABLE: () => void log.push(name) },
      })
    const h = harness({ protocols: [named('a'), named('b')] })
    for (const name of ['a', 'b', 'a']) h.open({ protocols: [name] })
    h.connect()
    h.run()
    assert.equal(callbackOnWritableAllProtocol(h.ctx.protocols[0]!), 2)
    h.run()
    assert.deepEqual(log, ['a', 'a'])
  })

  it('getSocketFd: the fd the host knows, -1 once it is over', () => {
    const { h, wsi, peer } = openScene()
    assert.equal(getSocketFd(wsi), peer.fd)
    assert.ok(pollFds(h.ctx).some(({ fd }) => fd === getSocketFd(wsi)))
    peer.reset()
    h.run()
    assert.equal(getSocketFd(wsi), -1)
  })

  it('rxFlowControl: after 0 not one more RECEIVE, and CLEAR_MODE(POLLIN)', () => {
    const opened = openScene({
      handlers: {
        RECEIVE(wsi, data) {
          opened.log.push(data.toString())
          rxFlowControl(wsi, 0)
        },
      },
    })
    const { h, wsi, peer, log, told, mask } = opened
    const texts = ['one', 'two', 'three']
    peer.send(bytes(...texts.map((text) => client.text(text))))
    h.run()
    assert.deepEqual([log, told, mask()], [['one'], [`CLEAR ${POLLIN}`], 0])
    peer.send(client.text('four'))
    for (const text of texts) {
      assert.equal(log.at(-1), text)
      rxFlowControl(wsi, 1)
      h.run()
    }
    assert.deepEqual(log, [...texts, 'four'], 'nothing is lost, and the order is kept')
  })

  it('rxFlowControl: after 1 what waited comes first, even without any readiness', () => {
    let first = true
    const opened = openScene({
      handlers: {
        RECEIVE(wsi, data) {
          opened.log.push(data.toString())
          if (first) rxFlowControl(wsi, 0)
          first = false
        },
      },
    })
    const { h, wsi, peer, log } = opened
    peer.send(bytes(client.text('one'), client.text('two')))
    h.run()
    rxFlowControl(wsi, 1)
    assert.equal(nextTimeout(h.ctx), 0)
    assert.equal(serviceFd(h.ctx, null), 'handled')
    assert.deepEqual(log, ['one', 'two'])
  })

  it('canonicalHostname: what the host says, and nobody else is asked', () => {
    const poller = fakePoller()
    const host = { ...checkedHost(poller), hostname: () => 'a.name.test' }
    assert.equal(canonicalHostname(make({ host }, poller).ctx), 'a.name.test')
  })

  it("getProtocol: the context's own Protocol object, to broadcast back to", () => {
    const { h, wsi } = openScene()
    assert.equal(getProtocol(wsi), h.ctx.protocols[0])
  })

  it('getPeerAddresses: IPv4, IPv6 and Unix; empty where unknown; until CLOSED returned', () => {
    for (const [listen, family] of [
      [{ port: 0 }, 'IPv4'],
      [{ port: 0, address: '::1' }, 'IPv6'],
      [{ path: '/run/a' }, 'Unix'],
    ] as const) {
      const seen: string[] = []
      const fds: number[] = []
      const look = (wsi: Wsi, fd = getSocketFd(wsi)): void => {
        fds.push(fd)
        seen.push(getPeerAddresses(ctx, fds[0]!).family)
      }
      const watched = defineProtocol({
        handlers: { RECEIVE() {}, ESTABLISHED: (wsi) => look(wsi), CLOSED: (wsi) => look(wsi) },
      })
      const { ctx, poller } = make({ protocols: [watched], ...listen })
      const peer = poller.connectTo(ctx).upgrade()
      poller.run(ctx)
      peer.reset()
      poller.run(ctx)
      assert.deepEqual(seen, [family, family])
      const unknown = { name: '', address: '', port: 0, family: '' }
      assert.deepEqual(getPeerAddresses(ctx, fds[0]!), unknown)
    }
  })
})
