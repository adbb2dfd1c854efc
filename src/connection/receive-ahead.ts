/**
 * Receiving for several connections in one call of the seam, where it has `recvEach`, before any of
 * them has its turn: for a host whose calls cost something of their own.
 *
 * Same reads and same turns, in the same order. Only for connections that do nothing but read; and
 * only while turns are short: who sends many messages at once gains nothing.
 */
import { POLLIN } from '../poll/pollfd.js'
import { type IoBuffer, type SocketIo } from '../socket/socket-io.js'
import { State } from './connection-state.js'
import { type Connection, type Core } from './connection.js'

/** Of each read: fd, offset, length, and what came of it. */
const COLUMNS = 4
const RESULT = 3
const MAX_READS = 64

export class ReceiveAhead {
  /** Where the seam reads the descriptors from, and answers. */
  readonly list: IoBuffer
  readonly #io: SocketIo
  readonly #numbers: Int32Array
  readonly #connections: (Connection | null)[] = []

  /** @param io has `recvEach` */
  constructor(io: SocketIo) {
    this.#io = io
    this.list = io.createBuffer(MAX_READS * COLUMNS * Int32Array.BYTES_PER_ELEMENT)
    const { buffer, byteOffset } = this.list.bytes
    this.#numbers = new Int32Array(buffer, byteOffset, MAX_READS * COLUMNS)
  }

  /** So many at most, that a turn of each is within the budget for sure. */
  mostReads(core: Core): number {
    return Math.min(MAX_READS, Math.floor(core.budget.messages / core.limits.turnMessageBudget))
  }

  /** May it be received for ahead of its turn? Only where its turn begins with that. */
  takes(connection: Connection): boolean {
    return (
      connection.state === State.OPEN &&
      connection.io === this.#io &&
      connection.held === null &&
      connection.frameRemaining === 0 &&
      !connection.isPending &&
      !connection.sendWaitsReadable &&
      (connection.mask & POLLIN) !== 0 &&
      connection.reads
    )
  }

  /** @param index from 0 on, without gaps */
  put(index: number, connection: Connection): void {
    this.#connections[index] = connection
    this.#numbers[index * COLUMNS] = connection.fd
  }

  /** Forgets it: its turn begins. */
  take(index: number): Connection {
    const connection = this.#connections[index]!
    this.#connections[index] = null
    return connection
  }

  /** @returns for how many of them, from the first on, there was room to receive */
  receive(core: Core, count: number): number {
    this.#numbers[1] = 0
    this.#numbers[2] = Math.min(core.rx.bytes.length, core.budget.rxBytes)
    return this.#io.recvEach!(core.rx, this.list, count)
  }

  /** Where in the receive buffer its bytes lie. */
  offsetOf(index: number): number {
    return this.#numbers[index * COLUMNS + 1]!
  }

  /** What `recv` would have answered. */
  resultOf(index: number): number {
    return this.#numbers[index * COLUMNS + RESULT]!
  }
}
