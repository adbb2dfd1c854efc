/** `httpRespond` and `answerHandshake`: the application's answers to a request. */
import { type Connection } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { lastWrite } from '../connection/ending.js'
import { isRefusal, refuseByApplication, refuseFault } from '../connection/opening.js'
import { transmitBytes } from '../connection/transmit.js'
import { connectionOf, enter, leave, ownerOf } from '../context/bracket.js'
import { faults, lookAt, UsageError } from '../errors.js'
import { ACCEPT, type Refusal, type Wsi } from '../protocol/protocol-types.js'
import { type AnswerHeaders, checkAnswer, formatAnswerHead } from '../wire/http-answer.js'
import { formatHttpDate } from '../wire/http-date.js'

/** An answer to an HTTP request. */
export interface HttpAnswer {
  /** 200 to 599. */
  readonly status: number
  /** One line of Latin-1 each; Connection, Content-Length, Date and the like are the library's. */
  readonly headers?: AnswerHeaders
  /** Copied. A string is sent as UTF-8. */
  readonly body?: Uint8Array | string
}

/**
 * Answers the request of HTTP, whole, during the callback or later (within `handshakeTimeoutMs`;
 * the callback form answers DEFER then). A HEAD request gets the head alone;
 * the connection ends once it is sent.
 * @returns false where there is no request to answer (any more)
 * @throws UsageError for a status or header that cannot be sent
 */
export function httpRespond(wsi: Wsi, answer: HttpAnswer): boolean {
  const connection = connectionOf(wsi, 'httpRespond')
  if (connection.state !== State.HTTP) return false
  checkAnswer('httpRespond', answer)
  const core = ownerOf(connection)
  const body = Buffer.from(answer.body ?? '')
  enter(core, 'httpRespond', connection.fd, answer)
  try {
    const date = formatHttpDate(core.wallClock())
    const head = formatAnswerHead(answer.status, answer.headers ?? {}, body.length, date)
    const headBytes = Buffer.from(head, 'latin1')
    const answered = connection.omitsBody ? headBytes : Buffer.concat([headBytes, body])
    transmitBytes(core, connection, answered)
    const { sentence } = faults.ANSWERED
    connection.closing ??= {
      code: 1000,
      reason: sentence,
      initiator: 'application',
      cause: 'ANSWERED',
    }
    lastWrite(core, connection, true)
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
  const { resume } = connection.admission!
  resume!()
  // Frames that came glued to the request, or meanwhile, wait for no readiness.
  if (connection.held !== null) core.schedulePending(connection)
}
