/**
 * The connected client asks: the proxy for a tunnel, the server for the upgrade; and what their
 * answers lead to. Source: RFC 6455 4.1; RFC 9110 9.3.6 and 15.2 (interim answers).
 */
import { type Connection, type Core } from '../connection/connection.js'
import { State } from '../connection/connection-state.js'
import { armDeadline } from '../connection/deadline.js'
import { type Dial } from '../connection/dial.js'
import { becomeOpen } from '../connection/establish.js'
import { transmitBytes } from '../connection/transmit.js'
import { type UpgradeAnswer } from '../protocol/protocol-types.js'
import {
  checkProxyAnswer,
  checkUpgradeAnswer,
  formatConnectRequest,
  formatUpgradeRequest,
} from '../wire/client-handshake.js'
import { findHeadEnd } from '../wire/request-head.js'
import { parseResponseHead, type ResponseHead } from '../wire/response-head.js'
import { failDial } from './failing.js'

/** The transport is there. */
export function askServer(core: Core, connection: Connection, dial: Dial): void {
  const { proxy } = dial.target
  if (proxy === null) {
    askForUpgrade(core, connection, dial)
    return
  }
  connection.move('tunnel')
  connection.stateDeadlineMs = core.now() + core.limits.proxyTimeoutMs
  send(core, connection, formatConnectRequest(proxy.authority, proxy.credentials))
}

function askForUpgrade(core: Core, connection: Connection, dial: Dial): void {
  connection.move('ask')
  connection.stateDeadlineMs = core.now() + core.limits.handshakeTimeoutMs
  const nonce = Buffer.alloc(16)
  for (let at = 0; at < nonce.length; at += 4) nonce.writeInt32LE(core.randomWord() | 0, at)
  dial.key = nonce.toString('base64')
  send(core, connection, formatUpgradeRequest(dial.target.offer, dial.key))
}

function send(core: Core, connection: Connection, request: string): void {
  transmitBytes(core, connection, Buffer.from(request, 'latin1'))
  armDeadline(core, connection)
  core.touch(connection)
}

/** Consumes the head of an answer from `at` to `end`. @returns where it stopped */
export function consumeAnswer(
  core: Core,
  connection: Connection,
  dial: Dial,
  at: number,
  end: number,
): number {
  const { bytes } = core.rx
  const headEnd = findHeadEnd(bytes, at, end, connection.scanned)
  if ((headEnd === -1 ? end : headEnd) - at > core.limits.maxHeaderBytes) {
    failDial(core, connection, dial, 'ANSWER_TOO_LARGE')
    return end
  }
  if (headEnd === -1) {
    connection.scanned = end - at
    return at
  }
  connection.scanned = 0
  const head = parseResponseHead(bytes, at, headEnd, core.limits.maxHeaderCount)
  if (typeof head === 'string') {
    failDial(core, connection, dial, head, `it begins with ${firstLine(bytes, at, headEnd)}`)
    return end
  }
  dial.response = head
  // An interim answer says nothing yet; 101 does.
  if (head.status < 200 && head.status !== 101) {
    if (++dial.interim <= MAX_INTERIM) return consumeAnswer(core, connection, dial, headEnd, end)
    failDial(core, connection, dial, 'ANSWER_TOO_LARGE', `${dial.interim} interim answers`)
    return end
  }
  if (connection.state === State.PROXY) takeProxyAnswer(core, connection, dial, head)
  else takeUpgradeAnswer(core, connection, dial, head)
  return headEnd
}

const MAX_INTERIM = 16
const SHOWN_BYTES = 60

function firstLine(bytes: Buffer, at: number, end: number): string {
  const line = bytes.toString('latin1', at, Math.min(end, at + SHOWN_BYTES))
  return JSON.stringify(line.split('\r\n', 1)[0])
}

function takeProxyAnswer(core: Core, connection: Connection, dial: Dial, head: ResponseHead): void {
  const fault = checkProxyAnswer(head)
  if (fault !== null) failDial(core, connection, dial, fault.cause, fault.detail)
  else askForUpgrade(core, connection, dial)
}

function takeUpgradeAnswer(
  core: Core,
  connection: Connection,
  dial: Dial,
  head: ResponseHead,
): void {
  const { target } = dial
  const agreed = checkUpgradeAnswer(head, dial.key, target.offer.offered)
  if (typeof agreed !== 'string') {
    failDial(core, connection, dial, agreed.cause, agreed.detail)
    return
  }
  const protocol =
    core.protocols.find(({ name }) => name === agreed && name !== '') ?? target.protocol
  if (connection.user === undefined && protocol.createSession !== undefined) {
    try {
      connection.user = protocol.createSession(connection.wsi)
    } catch (error) {
      core.report(error)
      failDial(core, connection, dial, 'SESSION_FAILED')
      return
    }
    if (connection.state !== State.UPGRADING) return
  }
  connection.protocol = protocol
  connection.dial = null
  becomeOpen(core, connection)
  const answer: UpgradeAnswer = { ...head, protocol: agreed }
  core.call(connection, protocol, connection.role.established, answer, 0)
}
