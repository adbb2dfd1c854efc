/** The addon's `sendEach`: many sends in one call, each with its own result in the list. */
import assert from 'node:assert/strict'
import { socketIo } from '../integrations/epoll.js'
import { Errno, type IoBuffer, WOULD_BLOCK } from '../src/index.js'
import { closePair, needsAddon, tcpPair } from './support/epoll-addon.js'
import type { SocketPair } from './support/epoll-addon.js'

/** fd, offset, length; the result comes behind them. */
type Send = readonly [fd: number, offset: number, length: number]

const BUFFER_BYTES = 4096
const MOST_SENDS = 8

describe('60 the addon: sendEach', () => {
  needsAddon()
  let pairs: SocketPair[] = []
  let buffer: IoBuffer
  let list: IoBuffer

  beforeEach(() => {
    pairs = Array.from({ length: 3 }, () => tcpPair())
    buffer = socketIo.createBuffer(BUFFER_BYTES)
    list = socketIo.createBuffer(MOST_SENDS * 16)
    for (let at = 0; at < BUFFER_BYTES; at++) buffer.bytes[at] = at & 0xff
  })
  afterEach(() => {
    for (const pair of pairs) closePair(pair)
    socketIo.freeBuffer(buffer)
    socketIo.freeBuffer(list)
  })

  const sendEach = (sends: readonly Send[]): number[] => {
    const numbers = new Int32Array(list.bytes.buffer, list.bytes.byteOffset, MOST_SENDS * 4)
    sends.forEach((send, index) => numbers.set([...send, 12_345], index * 4))
    socketIo.sendEach(buffer, list, sends.length)
    return sends.map((_, index) => numbers[index * 4 + 3]!)
  }

  it('sends to each its own bytes, in order, and answers for each as send does', () => {
    const [a, b, c] = pairs.map(({ client }) => client) as [number, number, number]
    const results = sendEach([
      [a, 0, 3],
      [b, 10, 2],
      [999_999, 0, 1],
      [c, 20, 4],
      [a, 3, 1],
    ])
    assert.deepEqual(results, [3, 2, -Errno.EBADF, 4, 1])
    const heard = socketIo.createBuffer(16)
    const told = pairs.map(({ server }) => {
      const count = socketIo.recv(server, heard, 0, 16)
      return [...heard.bytes.subarray(0, count)]
    })
    socketIo.freeBuffer(heard)
    assert.deepEqual(told, [
      [0, 1, 2, 3],
      [10, 11],
      [20, 21, 22, 23],
    ])
  })

  it('goes on behind one that would block, and one whose peer is gone', () => {
    const [full, gone, well] = pairs as [SocketPair, SocketPair, SocketPair]
    while (socketIo.send(full.client, buffer, 0, BUFFER_BYTES) > 0);
    socketIo.close(gone.server, true)
    while (socketIo.send(gone.client, buffer, 0, 1) !== -Errno.EPIPE);
    const results = sendEach([full, gone, well].map(({ client }) => [client, 0, 1] as const))
    assert.deepEqual(results, [WOULD_BLOCK, -Errno.EPIPE, 1])
  })

  it('sends nothing from outside of the memory, and no list longer than its own', () => {
    const fd = pairs[0]!.client
    const outside: Send[] = [
      [fd, BUFFER_BYTES, 1],
      [fd, -1, 1],
      [fd, 0, -1],
      [fd, 2 ** 31 - 1, 2 ** 31 - 1],
    ]
    assert.deepEqual(
      sendEach(outside),
      outside.map(() => -Errno.EINVAL),
    )
    assert.throws(() => socketIo.sendEach(buffer, list, MOST_SENDS + 1), {
      code: 'ERR_EXTPOLL_ARGUMENT_RANGE',
    })
    assert.throws(() => socketIo.sendEach(buffer, { ...list, id: 0 }, 1), {
      code: 'ERR_EXTPOLL_BUFFER',
    })
  })
})
