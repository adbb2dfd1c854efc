/**
 * One exchange on the wire, as a row: the bytes a client sends, and everything they must lead to.
 *
 * Each row is run whole, split at every border, and a byte at a time, on the fake poller under the
 * checker, and whole again on an edge-triggered one without generations; callbacks, bytes sent, the
 * way it ends and CloseInfo must be the same each time. Knows no frame and no header by itself:
 * rows are made with wire-bytes.ts.
 */
import assert from 'node:assert/strict'
import { type CloseInfo, defineProtocol, isBinary, type ProtocolOptions } from '../../src/index.js'
import type { FakePollerOptions, WsPeer } from '../../integrations/fake-poller.js'
import { type Harness, harness, type HarnessOptions } from './harness.js'
import { shown, validRequest } from './wire-bytes.js'
import type { Ending, Expected } from './wire-expected.js'

export type { Ending, Expected } from './wire-expected.js'

export interface Row {
  readonly send: Uint8Array
  readonly expect: Expected
  /** 'open' (default): a WebSocket already. 'new': the bytes begin with the request. */
  readonly from?: 'open' | 'new'
  /** The client ends its sending direction behind the bytes. */
  readonly thenEnd?: boolean
  readonly context?: Partial<HarnessOptions> | undefined
  /** More handlers of the recording protocol, or others. */
  readonly handlers?: ProtocolOptions<undefined>['handlers']
  readonly protocol?: Partial<ProtocolOptions<undefined>>
  /** Where to split, for rows too long to be split at every border. */
  readonly borders?: readonly number[]
}

/** What came of a row. */
export interface Outcome {
  readonly events: readonly string[]
  readonly sent: Buffer
  readonly end: Ending
  readonly close: CloseInfo | undefined
  readonly errors: readonly string[]
}

/** Rows longer than this say themselves where to split. */
const MAX_BORDERS = 1_500

/** Every row of the chapters loaded so far, for who runs them over a transport of their own. */
export const allRows: { readonly title: string; readonly row: Row }[] = []

/** One `it`: the row, run every way. */
export function wire(title: string, row: Row): void {
  allRows.push({ title, row })
  it(title, () => {
    runRow(row)
  })
}

/** Many of them. */
export function wires(rows: Readonly<Record<string, Row>>): void {
  for (const [title, row] of Object.entries(rows)) wire(title, row)
}

/** Runs a row every way. @throws AssertionError that names the way */
export function runRow(row: Row): void {
  runRows([row])
}

/** Many rows in one context: that of the first. */
export function runRows(rows: readonly Row[]): void {
  const bench = new Bench(rows[0]!, {})
  const edge = new Bench(rows[0]!, { edge: true, gens: false })
  for (const row of rows) {
    const sent = bench.run(row)
    assert.deepEqual(edge.runWay(row, 'edge-triggered', [row.send]), sent)
  }
}

/** A context that records, and the ways a row goes through it, a new connection each. */
class Bench {
  readonly #log: string[] = []
  readonly #errors: string[] = []
  readonly #ends: CloseInfo[] = []
  readonly #harness: Harness

  constructor(row: Row, poller: FakePollerOptions) {
    this.#harness = wireHarness(row, poller, this.#log, this.#errors, this.#ends)
  }

  /** Every way. @returns what was sent */
  run(row: Row): Buffer {
    let first: Buffer | undefined
    for (const [way, pieces] of ways(row)) {
      const sent = this.runWay(row, way, pieces)
      first ??= sent
      assert.deepEqual(sent, first, `${way}: sent what it did not send for the whole`)
    }
    return first!
  }

  runWay(row: Row, way: string, pieces: readonly Uint8Array[]): Buffer {
    const h = this.#harness
    const peer = row.from === 'new' ? h.connect() : opened(h)
    this.#log.length = this.#errors.length = this.#ends.length = 0
    const answeredAfter = sendAll(h, peer, pieces)
    if (row.thenEnd === true) peer.end()
    h.run()
    const end = finishUp(h, peer)
    const sent = peer.take()
    const [close] = this.#ends
    const outcome = { events: [...this.#log], sent, end, close, errors: [...this.#errors] }
    compare(way, row.expect, outcome)
    if (row.expect.answeredAfter !== undefined && pieces.length === row.send.length)
      assert.equal(answeredAfter, row.expect.answeredAfter, `${way}: answered after`)
    if (end === 'open') dispose(h, peer)
    return sent
  }
}

function wireHarness(
  row: Row,
  poller: FakePollerOptions,
  log: string[],
  errors: string[],
  ends: CloseInfo[],
): Harness {
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
  return harness({
    pingIntervalMs: 0,
    idleTimeoutMs: 0,
    allowedOrigins: 'any',
    protocols: [recording],
    poller,
    onError: (error) => void errors.push((error as { code?: string }).code ?? String(error)),
    ...row.context,
  })
}

/** The opening handshake, without a word of it left in the way. */
function opened(h: Harness): WsPeer {
  const peer = h.connect()
  peer.send(validRequest())
  h.run()
  assert.match(peer.take().toString('latin1'), /^HTTP\/1\.1 101 [^]*\r\n\r\n$/)
  return peer
}

/** Whole, split at every border, a byte at a time. */
export function* ways({
  send,
  borders,
}: Pick<Row, 'send'> & { readonly borders?: readonly number[] | undefined }): Generator<
  [string, Uint8Array[]]
> {
  yield ['whole', [send]]
  if (send.length < 2) return
  assert.ok(borders !== undefined || send.length <= MAX_BORDERS, 'too long to split everywhere')
  const all = borders ?? Array.from({ length: send.length - 1 }, (_, index) => index + 1)
  for (const at of all) yield [`split at ${at}`, [send.subarray(0, at), send.subarray(at)]]
  if (send.length <= MAX_BORDERS)
    yield ['a byte at a time', Array.from(send, (_, index) => send.subarray(index, index + 1))]
}

/** @returns bytes sent when the first answer came */
function sendAll(h: Harness, peer: WsPeer, pieces: readonly Uint8Array[]): number | undefined {
  let count = 0
  let answeredAfter: number | undefined
  for (const piece of pieces) {
    peer.send(piece)
    count += piece.length
    h.run()
    if (answeredAfter === undefined && peer.received().length > 0) answeredAfter = count
  }
  return answeredAfter
}

/** How it stands; who lingers is given the end of file that it waits for. */
function finishUp(h: Harness, peer: WsPeer): Ending {
  if (peer.closed === 'abort') return 'resets'
  if (peer.closed === 'close') return 'closes'
  if (!peer.ended) return 'open'
  peer.end()
  h.run()
  assert.equal(peer.closed, 'close', 'after FIN from both sides')
  return 'lingers'
}

function dispose(h: Harness, peer: WsPeer): void {
  peer.reset()
  h.run()
  assert.ok(peer.closed !== undefined, 'a reset ends it')
}

/** @throws AssertionError that names the way */
export function compare(way: string, expected: Expected, outcome: Outcome): void {
  const { events = [], sent = Buffer.alloc(0), end = 'open', close, status, errors = [] } = expected
  assert.deepEqual(outcome.events, events, `${way}: callbacks`)
  if (status === undefined) {
    const [got, wanted] = [outcome.sent, Buffer.from(sent)].map((bytes) => shown('bytes', bytes))
    assert.equal(got, wanted, `${way}: sent`)
  } else compareAnswer(way, expected, outcome.sent.toString('latin1'))
  assert.equal(outcome.end, end, `${way}: how it ends`)
  assert.deepEqual(outcome.close, close, `${way}: CloseInfo`)
  assert.deepEqual(outcome.errors, errors, `${way}: onError`)
}

function compareAnswer(way: string, expected: Expected, answer: string): void {
  const { status, headers, body, end = 'open' } = expected
  assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [^]*\r\n\r\n`), `${way}: status`)
  const headEnd = answer.indexOf('\r\n\r\n') + 4
  const fields = fieldsOf(answer.slice(0, headEnd))
  for (const [name, value] of Object.entries(headers ?? {}))
    assert.equal(fields.get(name), value, `${way}: ${name}`)
  if (status !== 101) {
    assert.equal(
      Number(fields.get('content-length')),
      answer.length - headEnd,
      `${way}: Content-Length`,
    )
    // Who ends the connection says so.
    if (end !== 'open') assert.equal(fields.get('connection'), 'close', `${way}: Connection`)
  }
  if (body !== undefined) assert.ok(answer.slice(headEnd).includes(body), `${way}: body`)
}

/** Names in lower case; a field that comes twice is a fault of the answer. */
function fieldsOf(head: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of head.trimEnd().split('\r\n').slice(1)) {
    const colon = line.indexOf(': ')
    const name = line.slice(0, colon).toLowerCase()
    assert.ok(colon > 0 && !fields.has(name), `one field, once: ${line}`)
    fields.set(name, line.slice(colon + 2))
  }
  return fields
}
