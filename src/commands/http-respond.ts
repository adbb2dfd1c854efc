/** `httpRespond` and `answerHandshake`: the application's answers to a request. */
import { type Connection } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { isRefusal, refuseByApplication, refuseFault } from '../connection/opening.js'
import { connectionOf, enter, leave, ownerOf } from '../context/bracket.js'
import { lookAt, UsageError } from '../errors.js'
import { answerInPieces, answerWhole, UNKNOWN_LENGTH } from '../http/answer.js'
import { ACCEPT, type Refusal, type Wsi } from '../protocol/protocol-types.js'
import { type AnswerHeaders, checkAnswer } from '../wire/http-answer.js'

/** An answer to an HTTP request. */
export interface HttpAnswer {
  /** 200 to 599. */
  readonly status: number
  /**
   * One line of Latin-1 each, or several in an array; Connection, Content-Length, Date and the like
   * are the library's.
   */
  readonly headers?: AnswerHeaders
  /** Copied; at most `maxBufferedBytes`. A string is sent as UTF-8. */
  readonly body?: Uint8Array | string
  /**
   * The body follows by `write(wsi, data, HTTP)` up to HTTP_FINAL: true, in chunks as they come; a
   * number, so many bytes of all pieces together. Not beside `body`.
   */
  readonly pieces?: true | number
}

/**
 * Answers the request of HTTP, whole, during the callback or later (within `answerTimeoutMs`; the
 * callback form answers DEFER then); or begins an answer that `write` goes on with. A HEAD request
 * gets the head alone. HTTP_COMPLETE follows, and the connection serves its next request.
 * @returns false where there is no request to answer (any more)
 * @throws UsageError for a status, header or body that cannot be sent; nothing was sent then
 * @see RFC 9112 6 and 9
 */
export function httpRespond(wsi: Wsi, answer: HttpAnswer): boolean {
  const connection = connectionOf(wsi, 'httpRespond')
  const core = ownerOf(connection)
  if (connection.http?.status !== 0 || connection.state !== State.HTTP || core.destroyWanted)
    return false
  checkAnswer('httpRespond', answer)
  const { body = '', pieces } = answer
  if (pieces !== undefined && pieces !== true && !(Number.isSafeInteger(pieces) && pieces >= 0))
    throw new UsageError(
      'ERR_EXTPOLL_HTTP_BODY',
      'pieces must be true, or the whole number of bytes of the body',
    )
  if (pieces !== undefined && body.length > 0)
    throw new UsageError(
      'ERR_EXTPOLL_HTTP_BODY',
      'an answer has a body or comes in pieces: write the body as the first of them',
    )
  enter(core, 'httpRespond', connection.fd, answer)
  try {
    if (pieces === undefined) answerWhole(core, connection, answer, body)
    else answerInPieces(core, connection, answer, pieces === true ? UNKNOWN_LENGTH : pieces)
  } finally {
    leave(core, 'httpRespond', true)
  }
  return true
}

/**
 * Decides about a handshake that FILTER_PROTOCOL_CONNECTION put off with DEFER.
 * @param answer ACCEPT, what the filter could have answered to refuse, or an Error: nobody could
 *   decide, which is answered with 500 and told to `onError`
 * @returns false where nothing waits for it (any more): it was decided, timed out, or hung up
 */
export function answerHandshake(wsi: Wsi, answer: typeof ACCEPT | Refusal | Error): boolean {
  const connection = connectionOf(wsi, 'answerHandshake')
  const wanted = 'answerHandshake takes ACCEPT, { status, headers?, body? } or an Error'
  lookAt('ERR_EXTPOLL_FILTER_ANSWER', wanted, () => {
    if (answer === ACCEPT || answer instanceof Error) return
    if (!isRefusal(answer)) throw new UsageError('ERR_EXTPOLL_FILTER_ANSWER', wanted)
    checkAnswer('answerHandshake', answer)
  })
  if (connection.state !== State.DEFERRED) return false
  const core = ownerOf(connection)
  enter(core, 'answerHandshake', connection.fd, answer === ACCEPT || answer)
  try {
    decideDeferred(connection, answer)
  } finally {
    leave(core, 'answerHandshake', true)
  }
  return true
}

function decideDeferred(connection: Connection, answer: typeof ACCEPT | Refusal | Error): void {
  const core = ownerOf(connection)
  if (answer instanceof Error) {
    core.report(answer)
    refuseFault(core, connection, 'FILTER_FAILED')
    return
  }
  if (answer !== ACCEPT) {
    refuseByApplication(core, connection, answer)
    return
  }
  const { resume, request } = connection.admission!
  resume!(core, connection, request!)
  // Frames that came glued to the request, or meanwhile, wait for no readiness.
  if (connection.held !== null) core.schedulePending(connection)
}
