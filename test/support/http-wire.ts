/**
 * HTTP on the wire, as a row: the bytes a client sends, what the application is told, and the
 * answers, in order.
 *
 * Each row is run whole, split at every border and a byte at a time on the fake poller under the
 * checker, and whole again on an edge-triggered one: the same must come of it each time.
 */
import assert from 'node:assert/strict'
import {
  defineProtocol,
  httpRespond,
  isFinalFragment,
  type HttpRequest,
  type Wsi,
} from '../../src/index.js'
import { type Harness, harness, type HarnessOptions } from './harness.js'
import { parseAnswers } from './http-answers.js'
import { ways } from './wire.js'
import type { Ending } from './wire-expected.js'

export interface ExpectedAnswer {
  readonly status: number
  readonly body?: string
  /** What these fields must be; undefined: absent. */
  readonly headers?: Readonly<Record<string, string | undefined>>
}

/** Answers a request whose body is whole. */
export type Answering = (wsi: Wsi, request: HttpRequest, body: string) => void

export interface HttpRow {
  readonly send: string | Uint8Array
  /** `GET /a`, `POST /b hello`, `complete 200 5`, `closed ANSWERED`, in order. */
  readonly events?: readonly string[]
  /** In place of `events`: every event is like one of these. */
  readonly hears?: readonly RegExp[]
  readonly answers: readonly ExpectedAnswer[]
  /** Default 'open'. */
  readonly end?: Ending
  /** The client ends its sending direction behind the bytes. */
  readonly thenEnd?: boolean
  readonly answer?: Answering
  readonly context?: Partial<HarnessOptions>
  readonly borders?: readonly number[]
}

/** The answer that shows what was asked. */
export const echoes: Answering = (wsi, { method, target }, body) => {
  httpRespond(wsi, { status: 200, body: `${method} ${target} ${body}` })
}

export function httpRows(rows: Readonly<Record<string, HttpRow>>): void {
  for (const [title, row] of Object.entries(rows))
    it(title, () => {
      runHttpRow(row)
    })
}

export function runHttpRow(row: HttpRow): void {
  const send = typeof row.send === 'string' ? Buffer.from(row.send, 'latin1') : row.send
  const bench = new HttpBench(row, false)
  for (const [way, pieces] of ways({ send, borders: row.borders })) bench.run(way, pieces)
  new HttpBench(row, true).run('edge-triggered', [send])
}

class HttpBench {
  readonly #row: HttpRow
  readonly #log: string[] = []
  readonly #harness: Harness

  constructor(row: HttpRow, edge: boolean) {
    this.#row = row
    this.#harness = harness({
      allowedOrigins: 'any',
      protocols: [recorder(this.#log, row.answer ?? echoes)],
      onError: (error) => void this.#log.push(`error ${(error as { code?: string }).code}`),
      poller: { edge, gens: !edge },
      ...row.context,
    })
  }

  run(way: string, pieces: readonly Uint8Array[]): void {
    const { thenEnd, events, hears, answers, end = 'open' } = this.#row
    const h = this.#harness
    const peer = h.connect()
    this.#log.length = 0
    let sent = Buffer.alloc(0)
    for (const piece of pieces) {
      peer.send(piece)
      h.run()
      sent = Buffer.concat([sent, peer.take()])
    }
    if (thenEnd === true) peer.end()
    h.run()
    sent = Buffer.concat([sent, peer.take()])
    const methods = this.#log.flatMap((line) => /^([A-Z]+) /.exec(line)?.[1] ?? [])
    const ending = peer.closed ?? (peer.ended ? 'lingers' : 'open')
    if (ending === 'open') peer.reset()
    else if (ending === 'lingers') peer.end()
    const heard = [...this.#log]
    h.run()
    assert.notEqual(peer.closed, undefined, `${way}: it ends once the peer does`)
    if (ending === 'lingers') heard.push(...this.#log.slice(heard.length))
    for (const line of hears === undefined ? [] : heard)
      assert.ok(
        hears!.some((like) => like.test(line)),
        `${way}: ${line}`,
      )
    if (events !== undefined) assert.deepEqual(heard, events, `${way}: events`)
    compareAnswers(way, parseAnswers(sent, methods, ending !== 'open'), answers)
    const told = { abort: 'resets', close: 'closes' } as Readonly<Record<string, Ending>>
    assert.equal(told[ending] ?? ending, end, `${way}: how it ends`)
  }
}

function compareAnswers(
  way: string,
  got: ReturnType<typeof parseAnswers>,
  expected: readonly ExpectedAnswer[],
): void {
  assert.deepEqual(
    got.map(({ status }) => status),
    expected.map(({ status }) => status),
    `${way}: statuses`,
  )
  for (const [index, { body, headers = {} }] of expected.entries()) {
    const answer = got[index]!
    if (body !== undefined) assert.equal(answer.body, body, `${way}: body ${index}`)
    for (const [name, value] of Object.entries(headers))
      assert.equal(answer.headers.get(name), value, `${way}: ${name} of answer ${index}`)
    if (answer.status >= 200)
      assert.match(answer.headers.get('date') ?? '', /^[A-Z][a-z]{2}, \d\d [^]* GMT$/, 'Date')
  }
}

/** Tells the log what it hears, and answers once the body is whole. */
function recorder(log: string[], answer: Answering): ReturnType<typeof defineProtocol<Upload>> {
  return defineProtocol<Upload>({
    createSession: () => ({ request: null, body: '' }),
    handlers: {
      RECEIVE() {},
      HTTP(wsi, request, upload) {
        upload.request = request
        upload.body = ''
        if (request.bodyBytes === 0) whole(log, answer, wsi, upload)
      },
      HTTP_BODY(wsi, data, upload) {
        upload.body += data.toString('latin1')
        if (isFinalFragment(wsi)) whole(log, answer, wsi, upload)
      },
      HTTP_COMPLETE: (_wsi, { status, bytes }) => void log.push(`complete ${status} ${bytes}`),
      HTTP_CLOSED: (_wsi, { cause }) => void log.push(`closed ${cause}`),
    },
  })
}

interface Upload {
  request: HttpRequest | null
  body: string
}

function whole(log: string[], answer: Answering, wsi: Wsi, { request, body }: Upload): void {
  const { method, target } = request!
  log.push(`${method} ${target}${body === '' ? '' : ` ${body}`}`)
  answer(wsi, request!, body)
}
