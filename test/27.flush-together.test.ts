/**
 * The sends of one exit, in one call of the seam or one by one: the same sends either way. On the
 * fake poller, under the checker.
 */
import assert from 'node:assert/strict'
import { BINARY, broadcast, defineProtocol, hangup, nextTimeout, serviceFd } from '../src/index.js'
import { write, type Wsi } from '../src/index.js'
import type { ContextState } from '../src/context/context-state.js'
import { fakePoller } from '../integrations/fake-poller.js'
import type { SocketIo } from '../src/index.js'
import { harness } from './support/harness.js'

const CONNECTIONS = 300

/** Broadcasts to many, some of whom take little or nothing. @returns each send, what each got */
function scene(together: boolean): { sends: string[]; got: number[] } {
  const poller = fakePoller()
  const { io } = poller.host as { io: SocketIo }
  const sends: string[] = []
  const send = io.send.bind(io)
  io.send = (fd, from, offset, length) => {
    const result = send(fd, from, offset, length)
    sends.push(`${fd}: ${length} -> ${result}`)
    return result
  }
  const sendv = io.sendv.bind(io)
  io.sendv = (fd, parts) => {
    const result = sendv(fd, parts)
    sends.push(`${fd}: ${parts.length} parts -> ${result}`)
    return result
  }
  if (!together) Object.defineProperty(io, 'sendEach', { value: undefined })
  const wsis: Wsi[] = []
  const h = harness({
    poller,
    protocols: [
      defineProtocol({
        handlers: {
          ESTABLISHED: (wsi) => void wsis.push(wsi),
          BROADCAST(wsi, data) {
            write(wsi, data, BINARY)
            if (wsis.indexOf(wsi) % 50 === 7) write(wsis[120]!, 'another part', BINARY)
            if (wsis.indexOf(wsi) % 97 === 3) hangup(wsi)
          },
        },
      }),
    ],
    txBudgetBytes: 30_000,
    broadcastBudget: 1000,
    pingIntervalMs: 0,
  })
  const { flushTogether } = h.ctx as unknown as ContextState
  assert.equal(flushTogether !== null, together)
  const peers = Array.from({ length: CONNECTIONS }, () => h.open())
  sends.length = 0
  for (const [index, peer] of peers.entries()) {
    if (index % 11 === 5) peer.windowBytes = 50
    if (index % 13 === 6) peer.script.send.push(7)
  }
  for (const bytes of [20, 200, 1000]) broadcast(h.ctx.protocols[0]!, Buffer.alloc(bytes, bytes))
  for (const peer of peers) peer.windowBytes = 1_000_000
  h.run()
  while (nextTimeout(h.ctx) === 0) serviceFd(h.ctx, null)
  const got = peers.map((peer) =>
    peer.messages().reduce((sum, message) => sum + Buffer.from(message).length, 0),
  )
  return { sends, got }
}

describe('27 the sends of one exit', () => {
  it('are the same, in the same order, in one call or one by one', () => {
    const [together, apart] = [scene(true), scene(false)]
    assert.deepEqual(together.sends, apart.sends)
    assert.deepEqual(together.got, apart.got)
    assert.ok(together.sends.length > CONNECTIONS)
  })
})
