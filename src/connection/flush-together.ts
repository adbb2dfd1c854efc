/**
 * The corks of many connections in few calls of the seam, where it has `sendEach`: for a host whose
 * calls cost something of their own. Same sends, same order, same budget as one by one.
 */
import { type IoBuffer, type SocketIo } from '../socket/socket-io.js'
import { type Connection, type Core } from './connection.js'
import { accountCork, flushCork } from './transmit.js'

/** Of each send: fd, offset, length, and what came of it. */
const COLUMNS = 4
const LENGTH = 2
const RESULT = 3
const MAX_SENDS = 256

export class FlushTogether {
  /** Where the seam reads the sends from. */
  readonly list: IoBuffer
  readonly #io: SocketIo
  readonly #numbers: Int32Array
  readonly #connections: (Connection | null)[] = []
  #count = 0
  #bytes = 0

  /** @param io has `sendEach` */
  constructor(io: SocketIo) {
    this.#io = io
    this.list = io.createBuffer(MAX_SENDS * COLUMNS * Int32Array.BYTES_PER_ELEMENT)
    const { buffer, byteOffset } = this.list.bytes
    this.#numbers = new Int32Array(buffer, byteOffset, MAX_SENDS * COLUMNS)
  }

  /** Flushes the first `count` of them, and leaves null in their places. */
  flush(core: Core, connections: (Connection | null)[], count: number): void {
    for (let index = 0; index < count; index++) {
      const connection = connections[index]!
      connections[index] = null
      if (this.#takes(core, connection)) continue
      this.#send(core)
      flushCork(core, connection)
    }
    this.#send(core)
  }

  /** One whole cork, nothing queued before it, and room in the budget: then it can wait here. */
  #takes(core: Core, connection: Connection): boolean {
    const { corkStart, corkEnd } = connection
    const length = corkEnd - corkStart
    if (length === 0) return true
    if (connection.corkParts !== null || connection.queue !== null || connection.isDeaf)
      return false
    if (connection.io !== this.#io) return false
    if (this.#count === MAX_SENDS || this.#bytes + length > core.budget.txBytes) this.#send(core)
    if (length > core.budget.txBytes) return false
    const at = this.#count * COLUMNS
    this.#numbers[at] = connection.fd
    this.#numbers[at + 1] = corkStart
    this.#numbers[at + LENGTH] = length
    this.#connections[this.#count++] = connection
    this.#bytes += length
    connection.corkStart = connection.corkEnd = 0
    return true
  }

  #send(core: Core): void {
    const count = this.#count
    if (count === 0) return
    this.#count = this.#bytes = 0
    this.#io.sendEach!(core.arena, this.list, count)
    for (let index = 0; index < count; index++) {
      const at = index * COLUMNS
      const start = this.#numbers[at + 1]!
      const end = start + this.#numbers[at + LENGTH]!
      accountCork(core, this.#connections[index]!, start, end, this.#numbers[at + RESULT]!)
      this.#connections[index] = null
    }
  }
}
