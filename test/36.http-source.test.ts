/**
 * Answers whose body is pulled from a source: as the transport takes it, behind what is before it,
 * and closed exactly once, whatever happens.
 */
import assert from 'node:assert/strict'
import {
  closeAll,
  contextDestroy,
  defineProtocol,
  hangup,
  HTTP,
  POLLIN,
  POLLOUT,
  WOULD_BLOCK,
  write,
  type HttpResult,
  type Wsi,
} from '../src/index.js'
import { type BodySource, PULLED_ALL } from '../src/connection/body-source.js'
import { type Connection } from '../src/connection/connection.js'
import { transmitBytes } from '../src/connection/transmit.js'
import { answerFrom } from '../src/http/answer.js'
import { type Harness, type HarnessOptions, harness } from './support/harness.js'
import { parseAnswers } from './support/http-answers.js'

const GET = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n'
const EIO = -5

/** A body of so many bytes, straight to the seam, as sendfile would. */
class Letters implements BodySource {
  closed = 0
  pulls = 0
  at = 0
  failsAt = Infinity
  constructor(
    readonly connection: Connection,
    readonly total: number,
    readonly corked = false,
  ) {}

  pull(maxBytes: number): number {
    this.pulls++
    assert.equal(this.closed, 0, 'pulled after close')
    const left = this.total - this.at
    if (left === 0) return PULLED_ALL
    if (this.at >= this.failsAt) return EIO
    const piece = Buffer.alloc(Math.min(left, maxBytes, 10_000), 'abcdefghij')
    const taken = this.corked ? this.#cork(piece) : this.#send(piece)
    if (taken > 0) this.at += taken
    return taken
  }

  close(): void {
    this.closed++
  }

  #cork(piece: Buffer): number {
    transmitBytes(this.connection.core, this.connection, piece)
    return piece.length
  }

  #send(piece: Buffer): number {
    return this.connection.io.sendv(this.connection.fd, [piece])
  }
}

interface Made {
  readonly h: Harness
  readonly sources: Letters[]
  readonly wsis: Wsi[]
  readonly results: HttpResult[]
  readonly ends: string[]
  readonly errors: unknown[]
}

function made(
  total: number,
  {
    context,
    corked,
    failsAt = Infinity,
    headers = {},
  }: {
    context?: Partial<HarnessOptions>
    corked?: boolean
    failsAt?: number
    headers?: Record<string, string>
  } = {},
): Made {
  const sources: Letters[] = []
  const wsis: Wsi[] = []
  const results: HttpResult[] = []
  const ends: string[] = []
  const errors: unknown[] = []
  const protocol = defineProtocol({
    handlers: {
      HTTP(wsi) {
        const connection = wsi as unknown as Connection
        const source = new Letters(connection, total, corked)
        source.failsAt = failsAt
        sources.push(source)
        wsis.push(wsi)
        answerFrom(connection.core, connection, { status: 200, headers }, total, source)
      },
      HTTP_COMPLETE: (_wsi, result) => void results.push(result),
      HTTP_CLOSED: (_wsi, { cause }) => void ends.push(cause),
    },
  })
  const onError = (error: unknown): void => void errors.push(error)
  return {
    h: harness({ protocols: [protocol], onError, ...context }),
    sources,
    wsis,
    results,
    ends,
    errors,
  }
}

const closedOnce = (sources: readonly Letters[]): void =>
  assert.deepEqual(
    sources.map(({ closed }) => closed),
    sources.map(() => 1),
  )

describe('36 HTTP source', () => {
  for (const corked of [false, true])
    it(`requests in a row, each body whole, in order (${corked ? 'corked' : 'straight'})`, () => {
      const { h, sources, results } = made(25_000, { corked })
      const peer = h.connect()
      peer.send(GET.repeat(3))
      let sent = Buffer.alloc(0)
      for (let round = 0; round < 200; round++) {
        peer.windowBytes = 1_000 + (round % 7) * 300
        h.run()
        sent = Buffer.concat([sent, peer.take()])
      }
      const whole = Buffer.alloc(25_000)
      for (let at = 0; at < whole.length; at++) whole[at] = 97 + (at % 10)
      for (const { body } of parseAnswers(sent)) assert.equal(body.length, whole.length)
      assert.equal(parseAnswers(sent).length, 3)
      assert.deepEqual(
        results.map(({ bytes }) => bytes),
        [25_000, 25_000, 25_000],
      )
      closedOnce(sources)
      assert.equal(h.poller.maskOf(peer.fd), POLLIN, 'and nothing is to be sent any more')
    })

  it('POLLOUT is on exactly while there is something to pull; nothing else may be written', () => {
    const { h, wsis } = made(50_000)
    const peer = h.connect()
    peer.windowBytes = 1_000
    peer.send(GET)
    h.run()
    assert.equal(h.poller.maskOf(peer.fd), POLLIN | POLLOUT)
    assert.equal(write(wsis[0]!, 'x', HTTP), 'closed')
    peer.windowBytes = 100_000
    h.run()
    assert.equal(h.poller.maskOf(peer.fd), POLLIN)
  })

  it('no call moves more than txBudgetBytes', () => {
    for (const edge of [false, true]) {
      const { h, results } = made(1_000_000, {
        context: { txBudgetBytes: 16_384, poller: { edge }, checker: { txBudgetBytes: 16_384 } },
      })
      const peer = h.connect()
      peer.windowBytes = 10_000_000
      peer.send(GET)
      h.run()
      assert.equal(results.length, 1)
    }
  })

  it('HEAD, and a body of nothing: never pulled', () => {
    const head = made(1_000)
    head.h.connect().send('HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n')
    head.h.run()
    const empty = made(0)
    empty.h.connect().send(GET)
    empty.h.run()
    for (const { sources, results } of [head, empty]) {
      closedOnce(sources)
      assert.deepEqual([sources[0]!.pulls, results[0]!.bytes], [0, 0])
    }
  })

  it('a head that cannot be sent: closed, and 500', () => {
    const { h, sources, errors } = made(10, { headers: { Date: 'now' } })
    const peer = h.connect()
    peer.send(GET)
    h.run()
    closedOnce(sources)
    assert.equal(errors.length, 1)
    assert.equal(parseAnswers(peer.take())[0]!.status, 500)
  })

  it('a source that fails resets the connection: its length was told', () => {
    const { h, sources, ends, results } = made(30_000, { failsAt: 10_000 })
    const peer = h.connect()
    peer.send(GET + GET)
    h.run()
    closedOnce(sources)
    assert.deepEqual([peer.closed, ends, results.length], ['abort', ['ANSWER_CUT_SHORT'], 0])
  })

  it('every way a connection ends in the middle closes it, once', () => {
    const ways: Readonly<Record<string, (made: Made, reset: () => void) => void>> = {
      'the peer resets': (_made, reset) => reset(),
      hangup: ({ wsis }) => void hangup(wsis[0]!),
      destroy: ({ h }) => contextDestroy(h.ctx),
      writeStallTimeoutMs: ({ h }) => h.poller.runFor(h.ctx, 60_000),
      'closeAll, and graceMs': ({ h }) => {
        closeAll(h.ctx, 1001, 1_000)
        h.poller.runFor(h.ctx, 1_000)
      },
    }
    for (const [way, end] of Object.entries(ways)) {
      const all = made(100_000)
      const peer = all.h.connect()
      peer.windowBytes = 5_000
      peer.send(GET + GET)
      all.h.run()
      assert.equal(all.sources[0]!.closed, 0)
      end(all, () => peer.reset())
      all.h.run()
      assert.equal(all.sources.length, 1, way)
      closedOnce(all.sources)
      assert.equal(all.ends.length, 1, way)
      assert.equal(all.results.length, 0, way)
    }
  })

  it('a peer that takes something now and then is no stall', () => {
    const { h, results, sources } = made(10_000)
    const peer = h.connect()
    peer.windowBytes = 100
    peer.send(GET)
    for (let round = 0; round < 200; round++) {
      h.poller.runFor(h.ctx, 30_000)
      peer.take()
    }
    assert.equal(results.length, 1)
    closedOnce(sources)
  })

  it('one that would block while nothing was sent waits for POLLOUT, without spinning', () => {
    const { h, sources } = made(1_000)
    const peer = h.connect()
    peer.script.send.push(WOULD_BLOCK)
    peer.send(GET)
    h.run()
    closedOnce(sources)
    assert.ok(sources[0]!.pulls <= 4, String(sources[0]!.pulls))
  })
})
