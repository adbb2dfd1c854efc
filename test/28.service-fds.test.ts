/** serviceFds: the same as serviceFd for each, in fewer outermost calls; nobody loses a turn. */
import assert from 'node:assert/strict'
import {
  BINARY,
  contextDestroy,
  createContext,
  defineProtocol,
  detachSocket,
  getSocketFd,
  hangup,
  isBinary,
  nextTimeout,
  ReentrantCallError,
  serviceFd,
  serviceFds,
  TEXT,
  UsageError,
  write,
  type Context,
  rxFlowControl,
  type Pollfd,
  type SocketIo,
  type Wsi,
} from '../src/index.js'
import { fakePoller, type FakePoller, type WsPeer } from '../integrations/fake-poller.js'
import { bytes, client } from './support/wire-bytes.js'

type Service = (ctx: Context, batch: Pollfd[]) => void

const onebyone: Service = (ctx, batch) => {
  for (const pollfd of batch) serviceFd(ctx, pollfd)
}
const together: Service = (ctx, batch) => {
  serviceFds(ctx, batch)
}

/** Receives at most `bytes` at a time. */
function recvOnce(poller: FakePoller, bytes: number): SocketIo['recv'] {
  const { io } = poller.host
  const recv = io.recv.bind(io)
  return (fd, into, offset, length) => recv(fd, into, offset, Math.min(length, bytes))
}

interface World {
  readonly poller: FakePoller
  readonly ctx: Context
  readonly events: Map<Wsi, string[]>
  readonly open: () => WsPeer
  readonly run: (service: Service) => void
}

/** A context without a checker: a tap would make serviceFds one call per pollfd. */
function world(receive?: (wsi: Wsi, data: Buffer) => void, limits: object = {}): World {
  const poller = fakePoller()
  const events = new Map<Wsi, string[]>()
  const log = (wsi: Wsi, event: string) => {
    const list = events.get(wsi) ?? []
    events.set(wsi, [...list, event])
  }
  const protocol = defineProtocol({
    handlers: {
      ESTABLISHED: (wsi) => {
        log(wsi, 'open')
      },
      RECEIVE(wsi, data) {
        log(wsi, `receive ${data.toString('latin1')}`)
        if (receive === undefined) write(wsi, data, isBinary(wsi) ? BINARY : TEXT)
        else receive(wsi, data)
      },
      CLOSED: (wsi, { code }) => {
        log(wsi, `closed ${code}`)
      },
    },
  })
  const ctx = createContext({ host: poller.host, port: 0, protocols: [protocol], ...limits })
  const run = (service: Service): void => {
    for (let round = 0; round < 1000; round++) {
      const batch = poller.poll(ctx)
      if (batch.length === 0 && nextTimeout(ctx) !== 0) return
      service(ctx, batch)
      if (nextTimeout(ctx) === 0) serviceFd(ctx, null)
    }
    assert.fail('it never ends')
  }
  const open = (): WsPeer => {
    const peer = poller.connectTo(ctx).upgrade()
    run(onebyone)
    assert.equal(peer.response()?.status, 101)
    return peer
  }
  return { poller, ctx, events, open, run }
}

/** What each peer got and each connection heard, when 30 peers write messages of every size. */
function transcript(service: Service, limits: object): unknown {
  const { poller, ctx, events, open, run } = world(undefined, limits)
  const peers = Array.from({ length: 30 }, open)
  peers[3]!.windowBytes = 10
  for (let turn = 0; turn < 4; turn++) {
    peers.forEach((peer, index) => {
      for (let message = 0; message <= (index * 7 + turn) % 5; message++)
        peer.sendMessage(`${index}.${turn}.${message}.${'x'.repeat((index * 331) % 3000)}`)
      if ((index + turn) % 11 === 0) peer.sendFrame({ opcode: 9, payload: 'ping' })
    })
    if (turn === 2) peers[5]!.reset()
    if (turn === 2) peers[6]!.sendFrame({ opcode: 8, payload: Buffer.from([3, 232]) })
    run(service)
  }
  const received = peers.map((peer) => peer.take().toString('latin1'))
  const heard = [...events.values()]
  contextDestroy(ctx)
  assert.deepEqual([poller.openFds, poller.misuses], [[], []])
  return { received, heard, end: [...events.values()] }
}

describe('28 serviceFds', () => {
  for (const [name, limits] of Object.entries({
    'the default budgets': {},
    'small budgets': { messageBudget: 3, rxBudgetBytes: 1024, txBudgetBytes: 2048, endBudget: 1 },
  }))
    it(`gives every peer and every callback what serviceFd gives: ${name}`, () => {
      assert.deepEqual(transcript(together, limits), transcript(onebyone, limits))
    })

  it('C7: one outermost call for many descriptors, so that each sends once', () => {
    const { poller, ctx, open } = world()
    const peers = Array.from({ length: 10 }, open)
    for (const peer of peers) peer.sendMessage('a').sendMessage('b')
    const { send } = { ...poller.counts }
    const batch = poller.poll(ctx)
    assert.equal(batch.length, 10)
    serviceFds(ctx, batch)
    assert.equal(poller.counts.send - send, 10)
    for (const peer of peers) assert.deepEqual(peer.messages(), ['a', 'b'])
  })

  it('C13: a spent budget ends the outermost call, not the batch', () => {
    let now = 0
    const { poller, ctx, open } = world(undefined, { messageBudget: 4 })
    const peers = Array.from({ length: 6 }, open)
    for (const peer of peers) for (let i = 0; i < 4; i++) peer.sendMessage('m')
    const { host } = poller
    const clock = host.now.bind(host)
    host.now = () => {
      now++
      return clock()
    }
    serviceFds(ctx, poller.poll(ctx))
    assert.ok(now <= 6, `${now} calls`)
    for (const peer of peers) assert.equal(peer.messages().length, 4)
  })

  it('C29: what one callback throws costs nobody a turn, and comes at the end', () => {
    const thrown = [new Error('first'), new Error('second')]
    const { ctx, poller, open } = world((wsi, data) => {
      const error = thrown[Number(data.toString())]
      if (error !== undefined) throw error
      write(wsi, data, TEXT)
    })
    const peers = Array.from({ length: 4 }, open)
    peers.forEach((peer, index) => peer.sendMessage(String([0, 7, 1, 8][index])))
    const caught = (() => {
      try {
        serviceFds(ctx, poller.poll(ctx))
      } catch (error) {
        return error as Error & { errors?: unknown[] }
      }
      return undefined
    })()
    assert.equal(caught, thrown[0])
    assert.deepEqual(caught?.errors, [thrown[1]])
    assert.deepEqual([peers[1]!.messages(), peers[3]!.messages()], [['7'], ['8']])
  })

  it('a connection hung up by an earlier one of the batch is passed over', () => {
    const wsis: Wsi[] = []
    const { ctx, poller, events, open } = world((wsi) => {
      wsis.push(wsi)
      for (const other of events.keys()) if (other !== wsi) hangup(other)
    })
    const peers = [open(), open(), open()]
    for (const peer of peers) peer.sendMessage('x')
    serviceFds(ctx, poller.poll(ctx))
    assert.equal(wsis.length, 1)
    assert.notEqual(getSocketFd(wsis[0]!), -1)
    assert.deepEqual(peers.map((peer) => peer.closed ?? 'open').sort(), ['abort', 'abort', 'open'])
  })

  it('C5, C10: what is foreign or stale is passed over; part of an array may be given', () => {
    const { ctx, poller, open } = world()
    const [a, b] = [open(), open()]
    a.sendMessage('a')
    b.sendMessage('b')
    const batch = poller.poll(ctx)
    const [first, second] = batch as [Pollfd, Pollfd]
    serviceFds(ctx, [{ fd: 999, revents: 1 }, { ...first, gen: first.gen! + 1000 }, second], 0, 2)
    assert.deepEqual([a.messages(), b.messages()], [[], []])
    serviceFds(ctx, batch, 1)
    assert.deepEqual([...a.messages(), ...b.messages()].length, 1)
    serviceFds(ctx, batch)
    assert.deepEqual([...a.messages(), ...b.messages()].length, 1)
  })

  it('C8: refused inside a callback; C29: what is no pollfd is a UsageError', () => {
    const { ctx, poller, open } = world((wsi) => {
      assert.throws(() => {
        serviceFds(ctx, [])
      }, ReentrantCallError)
      write(wsi, 'well', TEXT)
    })
    const peer = open().sendMessage('x')
    const batch = poller.poll(ctx)
    assert.throws(() => {
      serviceFds(ctx, [...batch, 5 as never])
    }, UsageError)
    assert.deepEqual(peer.messages(), [])
    serviceFds(ctx, batch)
    assert.deepEqual(peer.messages(), ['well'])
  })

  it('received ahead of their turns: what an earlier turn did to them holds', () => {
    const wsis: Wsi[] = []
    const heard: string[] = []
    const { poller, ctx, open, run } = world((wsi, data) => {
      if (!wsis.includes(wsi)) wsis.push(wsi)
      heard.push(`${wsis.indexOf(wsi)}: ${data.toString()}`)
      if (data.toString() !== 'now') return
      hangup(wsis[1]!)
      rxFlowControl(wsis[2]!, false)
    })
    const peers = Array.from({ length: 4 }, open)
    for (const [index, peer] of peers.entries()) {
      peer.sendMessage(`${index}`)
      run(onebyone)
    }
    heard.length = 0
    peers.forEach((peer, index) => peer.sendMessage(index === 0 ? 'now' : 'later'))
    const recvs = poller.counts.recv
    run(together)
    // Read all the same, but nobody hears of one that was hung up, or not yet of a paused one.
    assert.equal(poller.counts.recv, recvs + 4)
    assert.deepEqual(heard, ['0: now', '3: later'])
    peers[2]!.sendMessage('last')
    rxFlowControl(wsis[2]!, true)
    run(together)
    assert.deepEqual(heard.slice(2), ['2: later', '2: last'])
    contextDestroy(ctx)
    assert.deepEqual([poller.openFds, poller.misuses], [[], []])
  })

  it('C28: what was received ahead of its turn comes along when the socket is given back', () => {
    const wsis: Wsi[] = []
    const { poller, ctx, open, run } = world((wsi, data) => {
      if (!wsis.includes(wsi)) wsis.push(wsi)
      if (data.toString() !== 'now') return
      // Between reading and its turn nobody can take it away.
      assert.throws(() => detachSocket(ctx, wsis[1]!), ReentrantCallError)
      rxFlowControl(wsis[1]!, false)
    })
    Object.assign(poller.host.io, { adopt: (fd: number) => fd, release: (fd: number) => fd })
    const peers = [open(), open()] as const
    for (const peer of peers) {
      peer.sendMessage('known')
      run(onebyone)
    }
    peers[0].sendMessage('now')
    const sent = bytes(client.text('one'), client.text('two'))
    peers[1].send(sent)
    const { recv } = { ...poller.counts }
    serviceFds(ctx, poller.poll(ctx))
    assert.equal(poller.counts.recv, recv + 2)
    const detached = detachSocket(ctx, wsis[1]!)!
    assert.deepEqual(detached.unread, sent)
    assert.equal(poller.openFds.includes(detached.fd), true)
  })

  it('received ahead twice, where a batch has a descriptor twice: in order all the same', () => {
    let wsi: Wsi | undefined
    const heard: string[] = []
    const { poller, ctx, open, run } = world((from, data) => {
      wsi ??= from
      heard.push(data.toString())
      if (data.toString() === 'first') rxFlowControl(from, false)
    })
    const peers = [open(), open()]
    peers[0]!.sendMessage('first')
    peers[0]!.sendMessage('second')
    const [pollfd] = poller.poll(ctx)
    poller.host.io.recv = recvOnce(poller, 11)
    serviceFds(ctx, [pollfd!, pollfd!])
    assert.deepEqual(heard, ['first'])
    rxFlowControl(wsi!, true)
    run(together)
    assert.deepEqual(heard, ['first', 'second'])
    contextDestroy(ctx)
    assert.deepEqual([poller.openFds, poller.misuses], [[], []])
  })

  it('C11: nothing is received ahead where POLLIN is off, though it will be on again', () => {
    const wsis: Wsi[] = []
    const { poller, ctx, open, run } = world((wsi, data) => {
      if (!wsis.includes(wsi)) wsis.push(wsi)
      if (data.toString() === 'now') wsis.slice(1).forEach((other) => rxFlowControl(other, true))
    })
    const peers = Array.from({ length: 3 }, open)
    for (const peer of peers) {
      peer.sendMessage('known')
      run(onebyone)
    }
    peers.forEach((peer, index) => peer.sendMessage(index === 0 ? 'now' : 'later'))
    const batch = poller.poll(ctx)
    wsis.slice(1).forEach((other) => rxFlowControl(other, false))
    const { recv } = poller.counts
    serviceFds(ctx, batch)
    assert.equal(poller.counts.recv, recv + 1)
    contextDestroy(ctx)
  })
})
