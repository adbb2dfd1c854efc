/**
 * A WebSocket's opening handshake, from the request to ESTABLISHED; and refusals, of this and of
 * every other request. Source: RFC 6455 4.2; filters fail closed.
 */
import { type FaultName, faults, UsageError } from '../errors.js'
import { Reason } from '../protocol/callback-reason.js'
import { ACCEPT, type CloseInfo, DEFER, type Refusal } from '../protocol/protocol-types.js'
import { type ProtocolEntry, selectProtocol } from '../protocol/protocol-table.js'
import {
  formatSwitchingProtocols,
  parseUpgradeRequest,
  SPOKEN_VERSIONS,
  type UpgradeRequest,
} from '../wire/handshake.js'
import { formatAnswerHead, hasNoBody, lengthLine } from '../wire/http-answer.js'
import { formatHttpDate } from '../wire/http-date.js'
import { type RequestHead } from '../wire/request-head.js'
import { type Connection, type Core, type Gate, type OpeningStep, THREW } from './connection.js'
import { State } from './connection-state.js'
import { dropConnection } from './drop.js'
import { lastWrite } from './ending.js'
import { becomeOpen } from './establish.js'
import { transmitBytes, transmitHead } from './transmit.js'

/** Header lines that an answer to this fault must carry. */
const EXTRA_LINES: Partial<Record<FaultName, string>> = {
  UPGRADE_VERSION: `Sec-WebSocket-Version: ${SPOKEN_VERSIONS}\r\n`,
  UPGRADE_REQUIRED: 'Upgrade: websocket\r\n',
  REQUEST_METHOD: 'Allow: GET\r\n',
}

/** A request that asks for a WebSocket, rightly or wrongly. */
export function openWebSocket(core: Core, connection: Connection, head: RequestHead): void {
  const request = parseUpgradeRequest(head)
  if (typeof request === 'string') {
    refuseFault(core, connection, request)
    return
  }
  const originFault = request.origin === null ? null : checkOrigin(core, request.origin, request)
  if (originFault !== null) {
    refuseFault(core, connection, originFault)
    return
  }
  const protocol = selectProtocol(core.protocols, request.offered) ?? fallbackProtocol(core)
  if (protocol === null) {
    tellRefused(connection, 'UPGRADE_PROTOCOL', 'library')
    refuse(core, connection, { status: 400, body: unknownProtocolText(core, request) }, '')
    return
  }
  if (!takeProtocol(core, connection, protocol)) return
  const gate = connection.admission?.gate ?? null
  if (gate === null) askFilter(core, connection, request)
  else askGate(core, connection, gate, request)
}

/**
 * A kept connection may ask for a WebSocket of another protocol: the session that its HTTP requests
 * had ends here, as every session does. @returns whether the connection is still there
 */
function takeProtocol(core: Core, connection: Connection, protocol: ProtocolEntry): boolean {
  const { protocol: before } = connection
  connection.protocol = protocol
  if (before === null || before === protocol) return true
  const { sentence } = faults.UPGRADED
  const info: CloseInfo = { code: 1000, reason: sentence, initiator: 'peer', cause: 'UPGRADED' }
  core.call(connection, before, Reason.HTTP_CLOSED, info, 0)
  connection.user = undefined
  connection.hasSession = false
  return isOpen(connection)
}

/** Nothing was answered yet, and a filter may be asked. */
function isOpen(connection: Connection): boolean {
  return connection.state === State.REQUEST || connection.state === State.DEFERRED
}

function askGate(core: Core, connection: Connection, gate: Gate, request: UpgradeRequest): void {
  connection.admission = null
  let answer: unknown
  try {
    answer = gate(connection.wsi, request)
  } catch (error) {
    core.report(error)
    answer = THREW
  }
  if (isOpen(connection)) decide(core, connection, request, answer, askFilter)
}

function askFilter(core: Core, connection: Connection, request: UpgradeRequest): void {
  const protocol = connection.protocol!
  if (!makeSession(core, connection, protocol)) return
  const answer = core.call(connection, protocol, Reason.FILTER_PROTOCOL_CONNECTION, request, 0)
  // The filter may have closed or hung up itself.
  if (!isOpen(connection)) return
  decide(core, connection, request, answer, acceptHandshake)
}

/**
 * The application's policy is a filter as well: only true passes, only false is its own refusal.
 */
function checkOrigin(core: Core, origin: string, request: UpgradeRequest): FaultName | null {
  try {
    const allowed: unknown = core.allowsOrigin(origin, request)
    if (typeof allowed === 'boolean') return allowed ? null : 'UPGRADE_ORIGIN'
    throw new UsageError(
      'ERR_EXTPOLL_FILTER_ANSWER',
      'allowedOrigins() must answer true or false, at once',
    )
  } catch (error) {
    core.report(error)
    return 'FILTER_FAILED'
  }
}

function fallbackProtocol(core: Core): ProtocolEntry | null {
  return core.refusesUnknownProtocols ? null : selectProtocol(core.protocols, null)
}

function unknownProtocolText(core: Core, { offered }: UpgradeRequest): string {
  const names = core.protocols.map((protocol) => protocol.name).filter((name) => name !== '')
  if (offered === null) return `Offer one of these subprotocols: ${names.join(', ')}.\n`
  const spoken = names.length === 0 ? 'none, offer none' : names.join(', ')
  return `${faults.UPGRADE_PROTOCOL.sentence} Spoken: ${spoken}.\n`
}

/** What HTTP_CLOSED will tell. */
function tellRefused(
  connection: Connection,
  cause: FaultName,
  initiator: CloseInfo['initiator'],
): void {
  connection.closing ??= { code: 1006, reason: faults[cause].sentence, initiator, cause }
}

/**
 * Filters fail closed: an answer that is none of ours refuses (seed:
 * FILTER_PROTOCOL_CONNECTION).
 */
function decide(
  core: Core,
  connection: Connection,
  request: UpgradeRequest,
  answer: unknown,
  passed: OpeningStep,
): void {
  if (answer === undefined || answer === ACCEPT || answer === 0) {
    passed(core, connection, request)
  } else if (answer === DEFER) {
    connection.admission = { gate: null, request, resume: passed }
    if (connection.state === State.REQUEST) connection.move('defer')
  } else if (typeof answer === 'number') {
    refuseFault(core, connection, 'UPGRADE_REFUSED')
  } else if (isRefusal(answer)) {
    refuseByApplication(core, connection, answer)
  } else {
    if (answer !== THREW)
      core.report(
        new UsageError(
          'ERR_EXTPOLL_FILTER_ANSWER',
          'a filter answers nothing, ACCEPT, DEFER or { status, headers?, body? }; ' +
            'to decide later answer DEFER, and call answerHandshake()',
        ),
      )
    refuseFault(core, connection, 'FILTER_FAILED')
  }
}

/** Is this an answer that refuses? */
export function isRefusal(answer: unknown): answer is Refusal {
  return (
    typeof answer === 'object' && answer !== null && typeof (answer as Refusal).status === 'number'
  )
}

/** A refusal whose headers cannot be sent still refuses. */
export function refuseByApplication(core: Core, connection: Connection, refusal: Refusal): void {
  try {
    if (refusal.status < 300)
      throw new UsageError(
        'ERR_EXTPOLL_HTTP_STATUS',
        `status ${refusal.status}: a refusal's status is from 300 to 599`,
      )
    refuse(core, connection, refusal, '')
    tellRefused(connection, 'UPGRADE_REFUSED', 'application')
  } catch (error) {
    core.report(error)
    refuseFault(core, connection, 'FILTER_FAILED')
  }
}

/**
 * Makes the session object, once for each protocol that a connection comes to.
 * @returns false where that failed, and the connection was refused
 */
export function makeSession(core: Core, connection: Connection, protocol: ProtocolEntry): boolean {
  if (connection.hasSession) return true
  connection.hasSession = true
  if (protocol.createSession === undefined) return true
  try {
    connection.user = protocol.createSession(connection.wsi)
    return isOpen(connection)
  } catch (error) {
    core.report(error)
    refuseFault(core, connection, 'FILTER_FAILED')
    return false
  }
}

/** Answers 101, and the connection is open. */
function acceptHandshake(core: Core, connection: Connection, request: UpgradeRequest): void {
  const protocol = connection.protocol!
  const named = request.offered?.includes(protocol.name) === true ? protocol.name : ''
  transmitHead(core, connection, formatSwitchingProtocols(request.key, named))
  establish(core, connection, protocol, request)
}

/** Messages from now on; both sides know. */
export function establish(
  core: Core,
  connection: Connection,
  protocol: ProtocolEntry,
  request: UpgradeRequest,
): void {
  connection.admission = null
  becomeOpen(core, connection)
  core.call(connection, protocol, Reason.ESTABLISHED, request, 0)
}

/** Answers a broken rule with its status and its sentence, and ends. */
export function refuseFault(core: Core, connection: Connection, cause: FaultName): void {
  const { status, sentence } = faults[cause]
  tellRefused(connection, cause, 'library')
  refuse(
    core,
    connection,
    { status: status ?? 500, body: `${sentence}\n` },
    EXTRA_LINES[cause] ?? '',
  )
}

/** @throws UsageError for a status or header that cannot be sent; nothing was written then */
function refuse(core: Core, connection: Connection, refusal: Refusal, extraLines: string): void {
  const { http } = connection
  // An answer that has begun can only be cut short: a second head would be read as its body.
  if (http !== null && http.status !== 0) {
    dropConnection(core, connection, connection.closing?.cause ?? 'ANSWER_CUT_SHORT')
    return
  }
  const body = Buffer.from(refusal.body ?? '', 'utf8')
  const head = formatAnswerHead(
    refusal.status,
    refusal.headers ?? { 'Content-Type': 'text/plain; charset=utf-8' },
    formatHttpDate(core.wallClock()),
    `Connection: close\r\n${extraLines}${lengthLine(refusal.status, body.length)}`,
  )
  transmitHead(core, connection, head)
  if (http?.omitsBody !== true && !hasNoBody(refusal.status)) transmitBytes(core, connection, body)
  connection.admission = null
  lastWrite(core, connection, true)
}
