/** The addon's `sendEach` and `recvEach`: many in one call, each with a result in the list. */
import assert from 'node:assert/strict'
import { socketIo } from '../integrations/epoll.js'
import { Errno, type IoBuffer, WOULD_BLOCK } from '../src/index.js'
import { closePair, needsAddon, tcpPair } from './support/epoll-addon.js'
import type { SocketPair } from './support/epoll-addon.js'

/** fd, offset, length; the result comes behind them. */
type Send = readonly [fd: number, offset: number, length: number]

const BUFFER_BYTES = 4096
const MOST_SENDS = 8
/** Room for some reads: recvEach begins none with less than 16 KiB. */
const ROOM_BYTES = 65_536

describe('60 the addon: sendEach and recvEach', () => {
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
    socketIo.close(gone.server, true)
    while (socketIo.send(gone.client, buffer, 0, 1) !== -Errno.EPIPE);
    // Last, and to the last byte: the kernel finds a little more room as time goes by.
    for (const bytes of [BUFFER_BYTES, 1]) while (socketIo.send(full.client, buffer, 0, bytes) > 0);
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

  it('recvEach receives from each, one behind the other, and says where each lies', () => {
    const into = socketIo.createBuffer(ROOM_BYTES)
    const numbers = new Int32Array(list.bytes.buffer, list.bytes.byteOffset, MOST_SENDS * 4)
    for (const [index, { client }] of pairs.entries())
      if (index !== 1) assert.equal(socketIo.send(client, buffer, index, 2 + index), 2 + index)
    const fds = [...pairs.map(({ server }) => server), 999_999]
    fds.forEach((fd, index) => (numbers[index * 4] = fd))
    numbers.set([0, ROOM_BYTES], 1)
    assert.equal(socketIo.recvEach(into, list, fds.length), fds.length)
    const results = fds.map((_, index) => numbers[index * 4 + 3])
    assert.deepEqual(results, [2, WOULD_BLOCK, 4, -Errno.EBADF])
    const lies = (index: number) => numbers[index * 4 + 1]!
    assert.deepEqual([...into.bytes.subarray(lies(0), lies(0) + 2)], [0, 1])
    assert.deepEqual([...into.bytes.subarray(lies(2), lies(2) + 4)], [2, 3, 4, 5])
    assert.ok(lies(2) >= 2)
    socketIo.freeBuffer(into)
  })

  it('recvEach leaves the rest where the room is used up, and refuses what lies outside', () => {
    const into = socketIo.createBuffer(ROOM_BYTES)
    const numbers = new Int32Array(list.bytes.buffer, list.bytes.byteOffset, MOST_SENDS * 4)
    for (const { client } of pairs) socketIo.send(client, buffer, 0, 10)
    pairs.forEach(({ server }, index) => (numbers[index * 4] = server))
    numbers.set([ROOM_BYTES - 16_384, 16_384], 1)
    assert.equal(socketIo.recvEach(into, list, 3), 1)
    assert.equal(socketIo.recvEach(into, list, 0), 0)
    for (const [offset, length] of [
      [-1, 10],
      [0, -1],
      [0, ROOM_BYTES + 1],
      [2 ** 31 - 1, 2 ** 31 - 1],
    ] as const) {
      numbers.set([offset, length], 1)
      assert.throws(() => socketIo.recvEach(into, list, 3), { code: 'ERR_EXTPOLL_ARGUMENT_RANGE' })
    }
    assert.throws(() => socketIo.recvEach(into, list, MOST_SENDS + 1), {
      code: 'ERR_EXTPOLL_ARGUMENT_RANGE',
    })
    socketIo.freeBuffer(into)
  })
})
