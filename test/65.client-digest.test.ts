/**
 * The client role on every way of running: what its application is told is the same (C25).
 *
 * One context listens, another connects to it, both on the host at hand.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { checked, fakePoller } from '../integrations/fake-poller.js'
import { service } from '../integrations/epoll.js'
import { streamsHost } from '../integrations/node-streams.js'
import {
  BINARY,
  clientConnect,
  close,
  contextDestroy,
  CONTINUATION,
  createContext,
  defineProtocol,
  eventDigest,
  getListenAddress,
  hangup,
  NO_FIN,
  PING,
  TEXT,
  write,
  type Context,
  type Host,
  type Wsi,
} from '../src/index.js'
import { checkedEpoll, checkedNodeLoop } from './support/checked-epoll.js'
import { watchOver } from './support/clean-checkers.js'
import { needsAddon } from './support/epoll-addon.js'

/** A host that runs: `turn` lets its loop go round, with the contexts that are on it. */
interface Way {
  readonly host: Host
  readonly turn: (contexts: readonly Context[]) => unknown
  readonly end: () => void
}

const ways: Readonly<Record<string, () => Way>> = {
  'the fake poller'() {
    const poller = fakePoller()
    const host = checked(poller.host, { probe: (fd) => poller.probe(fd) })
    watchOver(host)
    const turn = (contexts: readonly Context[]) => poller.runFor(contexts, 1)
    return { host, turn, end: () => assert.deepEqual(poller.openFds, []) }
  },
  'streamsHost()'() {
    const inner = streamsHost()
    const host = checked(inner)
    watchOver(host)
    return { host, turn: () => sleep(1), end: () => assert.equal(inner.size, 0) }
  },
  'epollHost(), its own loop'() {
    const host = checkedEpoll('epoll')
    return { host, turn: ([ctx]) => service(ctx!, 5), end: () => host.poller.close() }
  },
  "epollHost({ loop: 'node' })"() {
    const host = checkedNodeLoop()
    host.ref()
    return { host, turn: () => sleep(1), end: () => host.poller.close() }
  },
}

const PATIENCE_MS = 5_000
const LARGE = Buffer.alloc(70_000, 'large ')

/** What the server does, by the target. */
const server = defineProtocol({
  name: 'chat',
  handlers: {
    FILTER_PROTOCOL_CONNECTION: (_wsi, { target }) =>
      target === '/refused' ? { status: 403, body: 'no' } : undefined,
    RECEIVE(wsi, data) {
      if (data.toString() === 'bye') close(wsi, 4001, 'as you wish')
      else write(wsi, data, BINARY)
    },
  },
})

/** Everything a client may be told, once each. */
function clients(word: string) {
  const ended: Wsi[] = []
  const begun: Readonly<Record<string, (wsi: Wsi) => void>> = {
    '/echoes'(wsi) {
      write(wsi, word, TEXT)
      write(wsi, LARGE, BINARY)
      write(wsi, 'a message ', TEXT | NO_FIN)
      write(wsi, 'in pieces', CONTINUATION)
      write(wsi, 'are you there?', PING)
      write(wsi, 'last', TEXT)
    },
    '/bye': (wsi) => void write(wsi, 'bye', TEXT),
    '/hangup': (wsi) => hangup(wsi),
  }
  const protocol = defineProtocol({
    name: 'chat',
    createSession: () => ({ target: '' }),
    handlers: {
      CLIENT_ESTABLISHED: (wsi, _answer, { target }) => begun[target]!(wsi),
      CLIENT_RECEIVE(wsi, data) {
        if (data.toString() === 'last') close(wsi, 1000, 'done')
      },
      CLIENT_CONNECTION_ERROR: (wsi) => void ended.push(wsi),
      CLOSED: (wsi) => void ended.push(wsi),
    },
  })
  return { protocol, ended, targets: [...Object.keys(begun), '/refused'] }
}

interface Told {
  readonly server: string
  readonly all: string
  readonly each: Readonly<Record<string, string>>
}

async function run(start: () => Way, word: string): Promise<Told> {
  const { host, turn, end } = start()
  const { protocol, ended, targets } = clients(word)
  const onError = (error: unknown): void => assert.fail(String(error))
  const common = { host, digest: true, onError }
  const listening = createContext({ ...common, port: 0, protocols: [server] })
  const connecting = createContext({ ...common, protocols: [protocol] })
  const endMs = performance.now() + PATIENCE_MS
  const { port } = getListenAddress(listening)!
  const begun = targets.map((target) => {
    const url = `ws://127.0.0.1:${port}${target}`
    return [target, clientConnect(connecting, { url, protocol: 'chat', user: { target } })] as const
  })
  while (ended.length < targets.length) {
    assert.ok(performance.now() < endMs, `${ended.length} of ${targets.length} ended`)
    await turn([listening, connecting])
  }
  for (let more = 0; more < 5; more++) await turn([listening, connecting])
  const told = {
    server: eventDigest(listening),
    all: eventDigest(connecting),
    each: Object.fromEntries(begun.map(([target, wsi]) => [target, eventDigest(connecting, wsi)])),
  }
  contextDestroy(connecting)
  contextDestroy(listening)
  end()
  return told
}

describe('65 the client role tells its application the same on every way (C25)', () => {
  let expected: Told | undefined
  for (const [name, start] of Object.entries(ways))
    describe(name, () => {
      if (name.startsWith('epoll')) needsAddon()

      it('echoes, pieces, pongs, ends of either side, a refusal', async () => {
        const told = await run(start, 'hello')
        expected ??= told
        assert.deepEqual(told, expected)
        assert.equal(new Set(Object.values(told.each)).size, Object.keys(told.each).length)
      })

      it('and another word is another digest', async () => {
        const told = await run(start, 'hallo')
        assert.notEqual(told.all, expected!.all)
        assert.notEqual(told.each['/echoes'], expected!.each['/echoes'])
        assert.equal(told.each['/bye'], expected!.each['/bye'])
      })
    })
})
