/**
 * What each connection's application was told, as one number: the same on every host (C25).
 *
 * Reasons, whole payloads and how it ended; no descriptor, no time, no border between chunks, no
 * order between connections. Left out is what depends on readiness and time alone: the writable
 * callbacks, and pongs without a payload, which answer the pings of `pingIntervalMs`.
 */
import { Connection } from '../connection/connection.js'
import { Reason } from '../protocol/callback-reason.js'
import {
  type CloseInfo,
  type ConnectFailure,
  type HttpResult,
  type UpgradeAnswer,
} from '../protocol/protocol-types.js'
import { type RequestHead } from '../wire/request-head.js'
import { ValueHash } from './value-hash.js'

const LANE_BYTES = 256

const ENDS: ReadonlySet<number> = new Set([
  Reason.CLOSED,
  Reason.HTTP_CLOSED,
  Reason.CLIENT_CONNECTION_ERROR,
])
const REQUESTS: ReadonlySet<number> = new Set([
  Reason.FILTER_PROTOCOL_CONNECTION,
  Reason.ESTABLISHED,
  Reason.HTTP,
])
const UNTOLD: ReadonlySet<number> = new Set([
  Reason.SERVER_WRITEABLE,
  Reason.CLIENT_WRITEABLE,
  Reason.HTTP_WRITEABLE,
])

/** One connection. */
class EventLanes {
  /** What the peer caused, in its order. */
  readonly #heard = new ValueHash(LANE_BYTES)
  /** What was broadcast: no order between this and that is the connection's own. */
  #broadcast: ValueHash | null = null
  /** The payload in hand that comes in pieces, and how many bytes of it came. */
  #piece: ValueHash | null = null
  #pieceBytes = 0

  tell(connection: Connection, reason: number, data: unknown): void {
    if (reason === Reason.BROADCAST) {
      this.#broadcast ??= new ValueHash(LANE_BYTES)
      this.#broadcast.value(data)
    } else if (reason === Reason.RECEIVE || reason === Reason.CLIENT_RECEIVE)
      this.#received(connection, reason, data as Buffer)
    else if (reason === Reason.HTTP_BODY) this.#addPiece(data as Buffer)
    else this.#tellWhole(connection, reason, data)
  }

  digest(): string {
    const both = new ValueHash(LANE_BYTES)
    both.text(this.#heard.digest())
    both.value(this.#broadcast?.digest())
    return both.digest()
  }

  #tellWhole(connection: Connection, reason: number, data: unknown): void {
    const heard = this.#heard
    if (reason === Reason.HTTP_COMPLETE || ENDS.has(reason)) this.#endPieces(reason, 0)
    heard.number(reason)
    if (REQUESTS.has(reason)) {
      const { method, target } = data as RequestHead
      heard.text(method)
      heard.text(target)
      heard.value(connection.protocol?.name)
    } else if (reason === Reason.CLIENT_ESTABLISHED) {
      // Its other headers have the key in them, and the time of day.
      heard.text((data as UpgradeAnswer).protocol)
      heard.value(connection.protocol?.name)
    } else if (reason === Reason.CLIENT_CONNECTION_ERROR) {
      // Which addresses were tried, and in what words it is told, is of the host and of time.
      const { initiator, cause, phase } = data as ConnectFailure
      for (const text of [initiator, cause, phase]) heard.text(text)
    } else if (ENDS.has(reason) && data !== null) {
      const { code, reason: why, initiator, cause } = data as CloseInfo
      heard.number(code)
      for (const text of [why, initiator, cause]) heard.text(text)
    } else if (reason === Reason.HTTP_COMPLETE) {
      const { status, bytes } = data as HttpResult
      heard.number(status)
      heard.number(bytes)
    } else heard.value(data)
  }

  #received(connection: Connection, reason: number, data: Buffer): void {
    if (connection.protocol?.streams === true) {
      this.#addPiece(data)
      if (connection.finalFragment) this.#endPieces(reason, connection.messageOpcode)
      return
    }
    this.#heard.number(reason)
    this.#heard.number(connection.messageOpcode)
    this.#heard.bytes(data)
  }

  #addPiece(data: Buffer): void {
    this.#piece ??= new ValueHash(LANE_BYTES)
    this.#piece.raw(data)
    this.#pieceBytes += data.length
  }

  /** How much came of a message that never ended is chance: it does not count. */
  #endPieces(reason: number, opcode: number): void {
    const piece = this.#piece
    if (piece !== null && !ENDS.has(reason)) {
      this.#heard.number(reason)
      this.#heard.number(opcode)
      this.#heard.number(this.#pieceBytes)
      this.#heard.text(piece.digest())
    }
    this.#piece = null
    this.#pieceBytes = 0
  }
}

/** All connections of a context. */
export class EventDigest {
  readonly #live = new Map<Connection, EventLanes>()
  /** As long as somebody holds the connection. */
  readonly #ended = new WeakMap<Connection, string>()
  /** Of those that ended: a sum, so that no order between connections counts. */
  #sum = 0n
  #count = 0

  /** A callback is about to run. @param wsi null for those of no connection, which do not count */
  heard(wsi: object | null, reason: number, data: unknown): void {
    if (!(wsi instanceof Connection) || UNTOLD.has(reason)) return
    const pong = reason === Reason.RECEIVE_PONG || reason === Reason.CLIENT_RECEIVE_PONG
    if (pong && (data as Buffer).length === 0) return
    let lanes = this.#live.get(wsi)
    if (lanes === undefined) {
      lanes = new EventLanes()
      this.#live.set(wsi, lanes)
    }
    lanes.tell(wsi, reason, data)
    if (!ENDS.has(reason)) return
    const digest = lanes.digest()
    this.#live.delete(wsi)
    this.#ended.set(wsi, digest)
    this.#sum = added(this.#sum, digest)
    this.#count++
  }

  /** One connection's, also once it is over. */
  of(connection: Connection): string {
    const lanes = this.#live.get(connection)
    return lanes?.digest() ?? this.#ended.get(connection) ?? new EventLanes().digest()
  }

  /** That of all connections there are and were. */
  digest(): string {
    let sum = this.#sum
    for (const lanes of this.#live.values()) sum = added(sum, lanes.digest())
    const all = new ValueHash(LANE_BYTES)
    all.number(this.#count + this.#live.size)
    all.text(sum.toString(16))
    return all.digest()
  }
}

function added(sum: bigint, digest: string): bigint {
  return BigInt.asUintN(128, sum + BigInt(`0x${digest}`))
}
