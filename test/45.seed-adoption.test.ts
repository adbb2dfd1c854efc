/** `adoptSocket` and `detachSocket`: sockets that begin, or go on, outside of the library. */
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { checked, type CheckedHost } from '../integrations/fake-poller.js'
import { streamsHost } from '../integrations/node-streams.js'
import {
  ACCEPT,
  adoptSocket,
  answerHandshake,
  type CloseInfo,
  type Context,
  contextDestroy,
  type ContextOptions,
  createContext,
  DEFER,
  defineProtocol,
  detachSocket,
  eventDigest,
  getProtocol,
  getSocketFd,
  pollFds,
  rxFlowControl,
  TEXT,
  write,
  type Wsi,
} from '../src/index.js'
import { watchOver } from './support/clean-checkers.js'
import { streamPair } from './support/stream-pair.js'
import { bytes, client, server, switching, validRequest } from './support/wire-bytes.js'

interface Stage {
  readonly ctx: Context
  readonly checker: CheckedHost
  readonly log: string[]
  readonly wsis: Wsi[]
  readonly ends: CloseInfo[]
}

const contexts: Context[] = []
afterEach(() => {
  for (const ctx of contexts.splice(0)) contextDestroy(ctx)
})

function stage(options: Partial<ContextOptions> = {}): Stage {
  const checker = checked(streamsHost())
  watchOver(checker)
  const log: string[] = []
  const wsis: Wsi[] = []
  const ends: CloseInfo[] = []
  const chat = defineProtocol({
    name: 'chat',
    handlers: {
      ESTABLISHED(wsi, request) {
        wsis.push(wsi)
        log.push(`established ${request.target}`)
      },
      RECEIVE: (_wsi, data) => void log.push(data.toString()),
      CLOSED: (_wsi, info) => void ends.push(info),
      HTTP: (wsi, { target }) => {
        wsis.push(wsi)
        log.push(`http ${target}`)
      },
      HTTP_CLOSED: (_wsi, info) => void ends.push(info),
    },
  })
  const ctx = createContext({ protocols: [chat], ...options, host: checker })
  contexts.push(ctx)
  return { ctx, checker, log, wsis, ends }
}

async function settle(): Promise<void> {
  for (let count = 0; count < 8; count++) await turn()
}

/** What has arrived at the far end, taken by this look. */
function taken(far: Duplex): Buffer {
  return (far.read() as Buffer | null) ?? Buffer.alloc(0)
}

describe('45 adoption', () => {
  it('adoptSocket: a raw one goes through the handshake, after its ADD', async () => {
    const { ctx, log } = stage()
    const heard: string[] = []
    ctx.on('ADD_POLL_FD', (fd, events) => heard.push(`${fd >= 2 ** 30} ${events}`))
    const [near, far] = streamPair()
    far.write(validRequest({ 'Sec-WebSocket-Protocol': 'chat' }))
    const wsi = adoptSocket(ctx, near)!
    assert.deepEqual(heard, ['true 1'])
    assert.ok(getSocketFd(wsi) >= 2 ** 30)
    await settle()
    assert.equal(taken(far).toString(), switching('chat'))
    assert.deepEqual(log, ['established /chat'])
  })

  it('adoptSocket: half-way through its request, what was read comes first', async () => {
    const request = Buffer.from(validRequest())
    const all = bytes(request, client.text('one'), client.text('two'))
    for (const at of [0, 1, request.length - 1, request.length, request.length + 3, all.length]) {
      const { ctx, log } = stage()
      const [near, far] = streamPair()
      far.write(all.subarray(at))
      const head = Buffer.from(all.subarray(0, at))
      adoptSocket(ctx, near, { head })
      head.fill(0)
      await settle()
      assert.deepEqual(log, ['established /chat', 'one', 'two'], `read up to ${at}`)
      far.destroy()
      await settle()
    }
  })

  it('adoptSocket: established elsewhere, its frames are next', async () => {
    const { ctx, log, wsis } = stage()
    const [near, far] = streamPair()
    const wsi = adoptSocket(ctx, near, {
      established: true,
      protocol: 'chat',
      head: client.text('glued'),
    })!
    assert.deepEqual(log, ['established /'])
    assert.equal(wsi, wsis[0])
    assert.equal(getProtocol(wsi)?.name, 'chat')
    far.write(client.text('next'))
    await settle()
    assert.deepEqual(log, ['established /', 'glued', 'next'])
    write(wsi, 'out', TEXT)
    await settle()
    assert.deepEqual(taken(far), server.frame(1, 'out'))
  })

  it('adoptSocket: authorize comes before the filter, and may be put off', async () => {
    const order: string[] = []
    const filter = defineProtocol({
      name: '',
      handlers: { FILTER_PROTOCOL_CONNECTION: () => (order.push('filter'), DEFER) },
    })
    const { ctx } = stage({ protocols: [filter] })
    const [near, far] = streamPair()
    const authorize = (): typeof DEFER => (order.push('authorize'), DEFER)
    const wsi = adoptSocket(ctx, near, { head: Buffer.from(validRequest()), authorize })!
    await settle()
    assert.deepEqual(order, ['authorize'])
    assert.ok(answerHandshake(wsi, ACCEPT))
    assert.deepEqual(order, ['authorize', 'filter'])
    assert.ok(answerHandshake(wsi, ACCEPT))
    assert.ok(!answerHandshake(wsi, ACCEPT))
    await settle()
    assert.equal(taken(far).toString(), switching())
  })

  it('adoptSocket: limits and the network filter refuse, and take nothing', () => {
    const { ctx } = stage({ maxConnections: 1 })
    assert.ok(adoptSocket(ctx, streamPair()[0]))
    const [near] = streamPair()
    assert.equal(adoptSocket(ctx, near), null)
    assert.equal(near.destroyed, false)
    assert.equal(near.listenerCount('data'), 0)
    const filtered = stage({
      protocols: [
        defineProtocol({
          name: '',
          handlers: { FILTER_NETWORK_CONNECTION: () => ({ status: 403 }) },
        }),
      ],
    })
    assert.equal(adoptSocket(filtered.ctx, near), null)
    assert.ok(adoptSocket(stage().ctx, near), 'it is as it was')
  })

  it('adoptSocket: refuses what it cannot adopt, and says why', () => {
    const { ctx } = stage()
    const [near] = streamPair()
    const refused = (options: object, code: string): void =>
      assert.throws(() => adoptSocket(ctx, near, options), { code })
    refused({ protocol: 'chat' }, 'ERR_EXTPOLL_ADOPT_OPTIONS')
    refused({ established: true, protocol: 'other' }, 'ERR_EXTPOLL_ADOPT_OPTIONS')
    refused({ established: true, authorize: () => ACCEPT }, 'ERR_EXTPOLL_ADOPT_OPTIONS')
    refused({ head: 'text' }, 'ERR_EXTPOLL_ADOPT_OPTIONS')
    assert.throws(() => adoptSocket(ctx, 5), { code: 'ERR_EXTPOLL_STREAM' })
    adoptSocket(ctx, near)
    refused({}, 'ERR_EXTPOLL_STREAM')
    contextDestroy(ctx)
    refused({}, 'ERR_EXTPOLL_CONTEXT_DESTROYED')
  })

  it('adoptSocket: refused from a callback, before anything changed', async () => {
    let code = ''
    const again = defineProtocol({
      name: '',
      handlers: {
        ESTABLISHED() {
          try {
            adoptSocket(ctx, streamPair()[0])
          } catch (error) {
            code = (error as { code: string }).code
          }
        },
      },
    })
    const { ctx } = stage({ protocols: [again] })
    adoptSocket(ctx, streamPair()[0], { head: Buffer.from(validRequest()) })
    await settle()
    assert.equal(code, 'ERR_EXTPOLL_REENTRANT_CALL')
    assert.equal(pollFds(ctx).length, 1)
  })

  it('detachSocket: gives the stream back, with what was not consumed', async () => {
    const { ctx, log, wsis, ends } = stage()
    const [near, far] = streamPair()
    adoptSocket(ctx, near, { established: true })
    const wsi = wsis[0]!
    far.write(client.text('one'))
    await settle()
    rxFlowControl(wsi, 0)
    far.write(client.text('two'))
    await settle()
    const detached = detachSocket(ctx, wsi)!
    assert.equal(detached.socket, near)
    assert.equal(pollFds(ctx).length, 0)
    assert.deepEqual(log, ['established /', 'one'])
    assert.deepEqual(
      ends.map(({ cause }) => cause),
      ['DETACHED'],
    )
    const rest = bytes(detached.unread, (near.read() as Buffer | null) ?? '')
    assert.deepEqual(rest, client.text('two'))
    // It works on, for whoever has it now: another context, for instance.
    const second = stage()
    adoptSocket(second.ctx, near, { established: true, head: rest })
    far.write(client.text('three'))
    await settle()
    assert.deepEqual(second.log, ['established /', 'two', 'three'])
    assert.equal(detachSocket(ctx, wsi), null)
  })

  it('detachSocket: a request that waits for its answer comes along', async () => {
    const { ctx, wsis, log } = stage()
    const [near, far] = streamPair()
    adoptSocket(ctx, near)
    far.write('GET /plain HTTP/1.1\r\nHost: x\r\n\r\nrest')
    await settle()
    assert.deepEqual(log, ['http /plain'])
    const { request, unread, socket } = detachSocket(ctx, wsis[0]!)!
    assert.equal(request?.target, '/plain')
    assert.equal(unread.toString(), 'rest')
    ;(socket as Duplex).write('HTTP/1.1 200 OK\r\n\r\n')
    await settle()
    assert.equal(taken(far).toString(), 'HTTP/1.1 200 OK\r\n\r\n')
  })

  it('detachSocket: the eventDigest is folded, and the same wherever it was adopted', async () => {
    const adopted = async (to: 'own' | 'second', head: Buffer, rest: Buffer): Promise<string[]> => {
      const { ctx, wsis, checker } = stage({ digest: true })
      const [near, far] = streamPair()
      const second = to === 'own' ? {} : { host: checker.guest(streamsHost()) }
      adoptSocket(ctx, near, { head, ...second })
      far.write(rest)
      await settle()
      const [wsi] = wsis as [Wsi]
      const live = [eventDigest(ctx), eventDigest(ctx, wsi)]
      assert.ok(detachSocket(ctx, wsi))
      const over = [eventDigest(ctx), eventDigest(ctx, wsi)]
      assert.notEqual(over[0], live[0], 'its end counts')
      contextDestroy(ctx)
      assert.equal(eventDigest(ctx), over[0], 'it is told once')
      return [...live, ...over]
    }
    const request = Buffer.from(validRequest({}, 'GET / HTTP/1.1'))
    const [none, one] = [Buffer.alloc(0), bytes(request, client.text('one'))]
    const raw = await adopted('own', none, one)
    const glued = await adopted('own', one, none)
    const second = await adopted('second', none, one)
    const other = await adopted('own', none, bytes(request, client.text('two')))
    for (const same of [glued, second]) assert.deepEqual(same, raw)
    for (const [index, value] of raw.entries()) assert.notEqual(other[index], value)
  })

  it('detachSocket: not in the middle of a message, nor while bytes wait', async () => {
    const { ctx, wsis } = stage()
    const [near, far] = streamPair({ highWaterMark: 64 })
    adoptSocket(ctx, near, { established: true })
    const wsi = wsis[0]!
    far.write(client.text('half', { fin: false }))
    await settle()
    assert.equal(detachSocket(ctx, wsi), null)
    far.write(client.more(' done'))
    await settle()
    write(wsi, 'x'.repeat(10_000), TEXT)
    assert.equal(detachSocket(ctx, wsi), null)
    far.resume()
    for (let count = 0; count < 500; count++) await turn()
    assert.ok(detachSocket(ctx, wsi))
  })
})
