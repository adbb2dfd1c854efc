/** A message as large as the budget of one read: how it comes in. On the fake poller. */
import assert from 'node:assert/strict'
import { BINARY, defineProtocol, write } from '../src/index.js'
import { fakePoller } from '../integrations/fake-poller.js'
import { harness } from './support/harness.js'
import { client } from './support/wire-bytes.js'

/** @returns results of recv, and whether the message was a view of the receive buffer */
function receiving(bytes: number): { reads: number[]; inPlace: boolean } {
  const poller = fakePoller()
  const { io } = poller.host
  const memories: ArrayBufferLike[] = []
  const reads: number[] = []
  const recv = io.recv.bind(io)
  io.recv = (fd, into, offset, length) => {
    const result = recv(fd, into, offset, length)
    memories.push(into.bytes.buffer)
    reads.push(result)
    return result
  }
  let inPlace = false
  const echo = defineProtocol({
    payload: 'view',
    handlers: {
      RECEIVE(wsi, data) {
        inPlace = memories.includes(data.buffer)
        assert.equal(data.length, bytes)
        write(wsi, data, BINARY)
      },
    },
  })
  const h = harness({ poller, protocols: [echo] })
  const peer = h.open()
  reads.length = 0
  peer.send(client.binary(Buffer.alloc(bytes, 7)))
  h.run()
  assert.equal(peer.messages().length, 1)
  return { reads, inPlace }
}

describe('28 large reads', () => {
  const budgetBytes = 65_536
  it('a message as large as rxBudgetBytes comes in one read, where it lies (C13)', () => {
    assert.deepEqual(receiving(budgetBytes), { reads: [budgetBytes + 14], inPlace: true })
  })
  it('one byte more comes in two, and is put together', () => {
    assert.deepEqual(receiving(budgetBytes + 1), { reads: [budgetBytes + 14, 1], inPlace: false })
  })
})
