/**
 * The rows of the wire tests over transports that take their time: whole, and in pieces.
 *
 * A transport gives a connection to a context and its far end as a Duplex. What comes of a row is
 * waited for, then looked at again a little later, so that what should not come is seen too.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import {
  type CloseInfo,
  type Context,
  contextDestroy,
  createContext,
  defineProtocol,
  type Host,
  isBinary,
  pollFds,
} from '../../src/index.js'
import { compare, type Ending, type Expected, type Outcome, type Row } from './wire.js'
import { shown, validRequest } from './wire-bytes.js'

/** How a context gets its connections. */
export interface Transport {
  readonly host: () => Host
  /** A new connection to the context: its far end. */
  connect(ctx: Context): Promise<Duplex>
  /**
   * How small the pieces get that rows are sent in: where a chunk written arrives as one, each byte
   * by itself; where a connection costs more than its row, whole is enough.
   */
  readonly pieces: 'bytes' | 'halves' | 'whole'
  /** Whether a hangup is a reset over there; of TLS it is an end like any other. */
  readonly resets: boolean
}

const PATIENCE_MS = 3_000
const TURNS_AFTERWARDS = 3
const MAX_PIECES = 400

/** Runs a row every way. @throws AssertionError that names the way */
export async function runRowOver(transport: Transport, row: Row): Promise<void> {
  const log: string[] = []
  const errors: string[] = []
  const ends: CloseInfo[] = []
  const expected: Expected = { ...row.expect }
  if (expected.end === 'resets' && !transport.resets) Object.assign(expected, { end: 'closes' })
  const ctx = contextFor(transport, row, log, errors, ends)
  try {
    for (const [way, pieces] of ways(row.send, transport.pieces)) {
      const far = await FarEnd.connect(transport, ctx)
      if (row.from !== 'new') await far.open()
      log.length = errors.length = ends.length = 0
      for (const piece of pieces) await far.write(piece)
      if (row.thenEnd === true) far.stream.end()
      const outcome = async (): Promise<Outcome> => ({
        events: [...log],
        sent: far.received(),
        end: await far.ending(ctx),
        close: ends[0],
        errors: [...errors],
      })
      await settles(way, expected, outcome, far)
      await far.dispose(ctx)
    }
  } finally {
    contextDestroy(ctx)
  }
}

function contextFor(
  { host }: Transport,
  row: Row,
  log: string[],
  errors: string[],
  ends: CloseInfo[],
): Context {
  const recording = defineProtocol({
    name: '',
    payload: 'view',
    ...row.protocol,
    handlers: {
      RECEIVE: (wsi, data) =>
        void log.push(
          isBinary(wsi) ? shown('binary', data) : `text ${JSON.stringify(data.toString())}`,
        ),
      RECEIVE_PONG: (_wsi, data) => void log.push(shown('pong', data)),
      CLOSED: (_wsi, info) => void ends.push(info),
      ...row.handlers,
    },
  })
  const context: Record<string, unknown> = { ...row.context }
  delete context['poller']
  delete context['checker']
  return createContext({
    pingIntervalMs: 0,
    idleTimeoutMs: 0,
    allowedOrigins: 'any',
    protocols: [recording],
    onError: (error) => void errors.push((error as { code?: string }).code ?? String(error)),
    ...context,
    host: host(),
  })
}

function* ways(send: Uint8Array, pieces: Transport['pieces']): Generator<[string, Uint8Array[]]> {
  yield ['whole', [send]]
  if (send.length < 2 || pieces === 'whole') return
  const middle = send.length >> 1
  yield ['halves', [send.subarray(0, middle), send.subarray(middle)]]
  if (pieces === 'bytes' && send.length <= MAX_PIECES)
    yield ['a byte at a time', Array.from(send, (_, at) => send.subarray(at, at + 1))]
}

/** Waits until the row is met, and looks again. */
async function settles(
  way: string,
  expected: Expected,
  outcome: () => Promise<Outcome>,
  far: FarEnd,
): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      compare(way, expected, await outcome())
      break
    } catch (error) {
      if (performance.now() > untilMs) throw error
      await (performance.now() > untilMs - PATIENCE_MS + 50 ? sleep(5) : turn())
    }
  }
  for (let count = 0; count < TURNS_AFTERWARDS; count++) await turn()
  // Who lingers has been given the end that it waits for.
  if (expected.end === 'lingers') assert.ok(far.lingered, `${way}: lingers`)
  else compare(way, expected, await outcome())
}

class FarEnd {
  lingered = false
  readonly #chunks: Buffer[] = []
  #ended = false
  #reset = false

  private constructor(readonly stream: Duplex) {
    stream.on('data', (chunk: Buffer) => this.#chunks.push(chunk))
    stream.on('end', () => (this.#ended = true))
    stream.on('error', () => undefined)
    stream.on('close', () => (this.#reset ||= !this.#ended))
  }

  static async connect(transport: Transport, ctx: Context): Promise<FarEnd> {
    return new FarEnd(await transport.connect(ctx))
  }

  async write(piece: Uint8Array): Promise<void> {
    if (this.stream.writable) this.stream.write(piece)
    await turn()
  }

  async open(): Promise<void> {
    this.stream.write(validRequest())
    while (!this.received().includes('\r\n\r\n')) await turn()
    assert.match(this.received().toString('latin1'), /^HTTP\/1\.1 101 [^]*\r\n\r\n$/)
    this.#chunks.length = 0
  }

  received(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  /** As the fake poller's rows tell it: by what reached us, and what is left over there. */
  async ending(ctx: Context): Promise<Ending> {
    if (this.#reset) return 'resets'
    if (this.lingered) return 'lingers'
    if (!this.#ended) return 'open'
    await turn()
    if (connections(ctx) === 0) return 'closes'
    // Both ends at once: who waits for whom cannot be told.
    if (this.stream.writableEnded) return 'open'
    this.lingered = true
    this.stream.end()
    while (connections(ctx) > 0) await turn()
    return 'lingers'
  }

  async dispose(ctx: Context): Promise<void> {
    const { stream } = this
    const closed = stream.closed ? undefined : once(stream, 'close').catch(() => undefined)
    stream.destroy()
    await closed
    while (connections(ctx) > 0) await turn()
  }
}

/** All that the context polls but its listener. */
function connections(ctx: Context): number {
  return pollFds(ctx).length - (listeners.has(ctx) ? 1 : 0)
}

/** Contexts that listen themselves. */
export const listeners = new WeakSet<Context>()
