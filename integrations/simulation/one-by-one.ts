/**
 * `recvEach` and `sendEach` of a seam that has no quicker way than one after the other. Rows of the
 * list: fd, offset, length, result (socket-io.ts).
 */
import type { IoBuffer, SocketIo } from '../../src/index.js'

/** With less room than this a batch of reads ends: the others wait for the next one. */
const RECV_EACH_LEAST_BYTES = 512

/** @returns how many rows it answered */
export function recvOneByOne(io: SocketIo, into: IoBuffer, list: IoBuffer, count: number): number {
  const numbers = rowsOf(list, count)
  let offset = numbers[1]!
  const end = offset + numbers[2]!
  for (let row = 0; row < count; row++) {
    if (end - offset < RECV_EACH_LEAST_BYTES) return row
    const result = io.recv(numbers[row * 4]!, into, offset, end - offset)
    numbers.set([offset, end - offset, result], row * 4 + 1)
    if (result > 0) offset += result
  }
  return count
}

export function sendOneByOne(io: SocketIo, from: IoBuffer, list: IoBuffer, count: number): void {
  const numbers = rowsOf(list, count)
  for (let at = 0; at < numbers.length; at += 4)
    numbers[at + 3] = io.send(numbers[at]!, from, numbers[at + 1]!, numbers[at + 2]!)
}

function rowsOf({ bytes }: IoBuffer, count: number): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, count * 4)
}
