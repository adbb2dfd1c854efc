/**
 * One upgrade request that Node's parser has read, put before the library's own.
 *
 * The head is written down again and parsed by the same strict parser as everywhere, so that there
 * is one handshake, with one set of filters and limits. Source: RFC 6455 4.2, node:http 'upgrade'.
 */
import { Buffer } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { ACCEPT, adoptSocket, answerHandshake, DEFER, UsageError } from '../../src/index.js'
import type { AdoptOptions, Context, FilterAnswer, Host, Refusal, Wsi } from '../../src/index.js'
import { isOver } from './checked-stream.js'
import { finishThenDestroy } from './ending.js'
import { handOver } from './hand-over.js'

/** True goes on, false refuses with 403, a Refusal refuses as it says; DEFER: `answerHandshake`. */
export type Authorization = boolean | Refusal | typeof ACCEPT | typeof DEFER

/**
 * May this request connect? May take its time, up to `handshakeTimeoutMs`. What is thrown, rejected
 * or answered beside that refuses with 500 and goes to `onError`, or where there is none to
 * process.emitWarning: a peer's bad token must not end the process.
 */
export type Authorize = (
  request: IncomingMessage,
  wsi: Wsi,
) => Authorization | Promise<Authorization>

/** Where and how an upgrade goes on. */
export interface UpgradeTarget {
  readonly ctx: Context
  /** Takes plain sockets over, where there is one. */
  readonly native: Host | undefined
  /** Takes everything else. */
  readonly streams: Host
  readonly authorize: Authorize | undefined
}

const UNAVAILABLE =
  'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n' +
  'Content-Length: 0\r\n\r\n'

/**
 * @returns the connection; null where limits or the network filter refused it, which was answered
 *   with 503, and where the peer is gone by now
 */
export function takeUpgrade(
  { ctx, native, streams, authorize }: UpgradeTarget,
  request: IncomingMessage,
  stream: Duplex,
  head: Uint8Array,
): Wsi | null {
  if (isOver(stream)) {
    stream.on('error', () => undefined).destroy()
    return null
  }
  const options: AdoptOptions = {
    head: Buffer.concat([writeHead(request), head]),
    ...(authorize === undefined ? {} : { authorize: gateOf(authorize, request) }),
  }
  const handed = native === undefined ? undefined : handOver(ctx, native, stream, options)
  const wsi =
    handed === undefined ? adoptSocket(ctx, stream, { ...options, host: streams }) : handed
  if (wsi === null) refuse(stream)
  return wsi
}

function refuse(stream: Duplex): void {
  stream.on('error', () => undefined)
  stream.write(UNAVAILABLE)
  finishThenDestroy(stream)
}

/** The request as it came. Node's strings are Latin-1, byte for byte. */
export function writeHead(
  { method = '', url = '', httpVersion, rawHeaders }: IncomingMessage,
  keeps: (name: string) => boolean = () => true,
): Buffer {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!
    if (keeps(name.toLowerCase())) head += `${name}: ${rawHeaders[at + 1]!}\r\n`
  }
  return Buffer.from(`${head}\r\n`, 'latin1')
}

function gateOf(authorize: Authorize, request: IncomingMessage): (wsi: Wsi) => FilterAnswer {
  return (wsi) => {
    let answer: Authorization | Promise<Authorization>
    try {
      answer = authorize(request, wsi)
    } catch (error) {
      // Told once this call is over, by the same way as what a promise is rejected with.
      answer = Promise.reject(asError(error))
    }
    const promised = typeof (answer as { then?: unknown } | null | undefined)?.then === 'function'
    const verdict = promised ? undefined : verdictOf(answer)
    if (verdict !== undefined && !(verdict instanceof Error)) return verdict
    Promise.resolve(verdict ?? answer).then(
      (late) => settle(wsi, late instanceof Error ? late : verdictOf(late)),
      (error: unknown) => settle(wsi, asError(error)),
    )
    return DEFER
  }
}

function verdictOf(answer: unknown): typeof ACCEPT | typeof DEFER | Refusal | Error {
  if (answer === true || answer === ACCEPT) return ACCEPT
  if (answer === DEFER) return DEFER
  if (answer === false) return { status: 403, body: 'You may not connect here.\n' }
  if (typeof (answer as Refusal | null | undefined)?.status === 'number') return answer as Refusal
  return new UsageError(
    'ERR_EXTPOLL_FILTER_ANSWER',
    'authorize answers true, false or { status, headers?, body? }, or a promise of it',
  )
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(`authorize failed: ${String(error)}`)
}

function settle(wsi: Wsi, verdict: typeof ACCEPT | typeof DEFER | Refusal | Error): void {
  if (verdict === DEFER) return
  try {
    answerHandshake(wsi, verdict)
  } catch (error) {
    // No onError took it, and there is no caller: the connection was refused all the same.
    process.emitWarning(asError(error))
  }
}
