/**
 * One request of a connection and its answer: made when a head was read, dropped when both are
 * whole. A WebSocket connection has none. Data only; what happens to it is in src/http/.
 */
import { type HttpRequest } from '../protocol/protocol-types.js'
import { type BodyReader } from '../wire/body-reader.js'
import { type BodySource } from './body-source.js'

export class HttpExchange {
  readonly request: HttpRequest
  readonly startedMs: number
  /** When it must be over, whatever is still owed; Infinity: as long as it goes on. */
  endByMs = Infinity
  /** The connection may be used for another request. */
  keepsAlive: boolean

  /** What is still to come of the request's body; null once it is whole. */
  body: BodyReader | null
  /** Something of the body was taken already. */
  bodyBegun = false
  /** The peer waits for 100 before it sends the body. */
  expectsContinue = false
  /** Bytes of the body that came when nobody wanted them any more. */
  discardedBytes = 0

  /** The answer's status, 0 until its head was written. */
  status = 0
  /** Bytes of the answer's body that were handed to the transport. */
  bytes = 0
  /** Each piece is a chunk of its own (RFC 9112 7.1). */
  chunked = false
  /** Bytes still owed of a body whose length was told; -1: none was. */
  owedBytes = -1
  /** Where the body comes from; null: from the application's own writes. */
  source: BodySource | null = null
  /** The answer was taken whole. */
  answered = false
  /** HTTP_COMPLETE was called. */
  told = false

  constructor(
    request: HttpRequest,
    body: BodyReader | null,
    keepsAlive: boolean,
    startedMs: number,
  ) {
    this.request = request
    this.body = body
    this.keepsAlive = keepsAlive
    this.startedMs = startedMs
  }

  /** The answer is a head alone, which tells what the body would be (RFC 9110 9.3.2). */
  get omitsBody(): boolean {
    return this.request.method === 'HEAD'
  }

  /** The source, if there is one, is asked for nothing more. */
  releaseSource(): void {
    const { source } = this
    this.source = null
    source?.close()
  }
}
