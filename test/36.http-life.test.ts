/**
 * The life of a request: answers given later, a connection that goes on as a WebSocket, peers and
 * applications that end it.
 */
import assert from 'node:assert/strict'
import {
  closeAll,
  defineProtocol,
  contextDestroy,
  hangup,
  HTTP,
  HTTP_FINAL,
  httpRespond,
  nextTimeout,
  serviceFd,
  TEXT,
  write,
  type HttpAnswer,
  type Wsi,
} from '../src/index.js'
import { type Harness, harness } from './support/harness.js'
import { parseAnswers } from './support/http-answers.js'
import { GET, httpScene, post, statuses } from './support/http-scene.js'
import { bytes, client } from './support/wire-bytes.js'

const UPGRADE =
  'GET /u HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

const code = (error: unknown): string | undefined => (error as { code?: string }).code

describe('36 HTTP life: answers given later', () => {
  it('C14: an answer outside of any call leaves at once, and the next request is pending', () => {
    const { h, asked, log } = httpScene()
    const peer = h.connect()
    peer.send(GET + GET + GET)
    h.run()
    assert.deepEqual(log, ['http /a'])
    assert.notEqual(nextTimeout(h.ctx), 0, 'nothing can be done before it is answered')
    for (const expected of [2, 3]) {
      assert.equal(httpRespond(asked.at(-1)!, { status: 200 }), true)
      assert.deepEqual(statuses(peer.take()), [200], 'sent before the call returned')
      assert.equal(nextTimeout(h.ctx), 0)
      serviceFd(h.ctx, null)
      assert.equal(asked.length, expected)
    }
    httpRespond(asked.at(-1)!, { status: 200 })
    assert.notEqual(nextTimeout(h.ctx), 0)
    assert.equal(log.filter((line) => line === 'complete 200').length, 3)
  })

  it("a request's headers may be an answer's as they are", () => {
    const { h } = httpScene({
      HTTP: (wsi, { headers }) => void httpRespond(wsi, { status: 200, headers }),
    })
    const peer = h.connect()
    peer.send('GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\nx-a: c\r\n\r\n')
    h.run()
    const [answer] = parseAnswers(peer.take())
    assert.deepEqual([answer?.status, answer?.headers.get('x-a')], [200, 'b, c'])
  })

  it('a request answered twice, or after its end: false', () => {
    const { h, asked } = httpScene()
    const peer = h.connect()
    peer.send(GET)
    h.run()
    const [wsi] = asked
    assert.equal(httpRespond(wsi!, { status: 200 }), true)
    assert.equal(httpRespond(wsi!, { status: 200 }), false)
    assert.equal(write(wsi!, 'x', HTTP), 'closed')
    peer.reset()
    h.run()
    assert.equal(httpRespond(wsi!, { status: 200 }), false)
    assert.equal(write(wsi!, 'x', TEXT), 'closed')
  })

  it('one connection answers in the callback of another, and goes on', () => {
    const waiting: Wsi[] = []
    const { h, log } = httpScene({
      HTTP(wsi, { target }) {
        log.push(`http ${target}`)
        if (target === '/wait') waiting.push(wsi)
        else for (const one of [...waiting, wsi]) httpRespond(one, { status: 200, body: target })
      },
    })
    const first = h.connect()
    first.send('GET /wait HTTP/1.1\r\nHost: a\r\n\r\n' + GET)
    h.run()
    const second = h.connect()
    second.send(GET)
    h.run()
    assert.deepEqual(statuses(second.take()), [200])
    assert.deepEqual(statuses(first.take()), [200, 200])
  })

  it('what cannot be sent throws before anything was, and can be put right', () => {
    const { h, asked } = httpScene()
    const peer = h.connect()
    peer.send(GET)
    h.run()
    const wsi = asked[0]!
    const wrong: [HttpAnswer, string][] = [
      [{ status: 204, body: 'x' }, 'ERR_EXTPOLL_HTTP_BODY'],
      [{ status: 304, body: 'x' }, 'ERR_EXTPOLL_HTTP_BODY'],
      [{ status: 205, pieces: true }, 'ERR_EXTPOLL_HTTP_BODY'],
      [{ status: 200, pieces: -1 }, 'ERR_EXTPOLL_HTTP_BODY'],
      [{ status: 200, pieces: 1.5 }, 'ERR_EXTPOLL_HTTP_BODY'],
      [{ status: 200, pieces: true, body: 'x' }, 'ERR_EXTPOLL_HTTP_BODY'],
      [{ status: 200, body: 7 as unknown as string }, 'ERR_EXTPOLL_HTTP_BODY'],
      [{ status: 200, body: Buffer.alloc(2 ** 22 + 1) }, 'ERR_EXTPOLL_HTTP_BODY'],
      [{ status: 101 }, 'ERR_EXTPOLL_HTTP_STATUS'],
      [{ status: 600 }, 'ERR_EXTPOLL_HTTP_STATUS'],
      [{ status: 200, headers: { 'Content-Length': '1' } }, 'ERR_EXTPOLL_HTTP_HEADER'],
      [{ status: 200, headers: { 'Set-Cookie': ['a=1', 'b\r\nX: y'] } }, 'ERR_EXTPOLL_HTTP_HEADER'],
      [{ status: 200, headers: { 'A b': 'x' } }, 'ERR_EXTPOLL_HTTP_HEADER'],
      [{ status: 200, headers: { A: 1 as unknown as string } }, 'ERR_EXTPOLL_HTTP_HEADER'],
    ]
    for (const [answer, expected] of wrong)
      assert.throws(
        () => httpRespond(wsi, answer),
        (error) => code(error) === expected,
      )
    assert.equal(peer.received().length, 0)
    httpRespond(wsi, { status: 200, pieces: 3 })
    const tooMuch = (): unknown => write(wsi, 'four', HTTP)
    assert.throws(tooMuch, (error) => code(error) === 'ERR_EXTPOLL_HTTP_BODY')
    const tooLittle = (): unknown => write(wsi, 'ab', HTTP_FINAL)
    assert.throws(tooLittle, (error) => code(error) === 'ERR_EXTPOLL_HTTP_BODY')
    assert.equal(write(wsi, 'abc', HTTP_FINAL), 'ok')
    assert.equal(parseAnswers(peer.take())[0]!.body, 'abc')
  })
})

describe('36 HTTP life: from HTTP to a WebSocket', () => {
  const sessions = (): { h: Harness; log: string[] } => {
    const log: string[] = []
    let made = 0
    const named = (name: string): ReturnType<typeof defineProtocol<string>> =>
      defineProtocol<string>({
        name,
        createSession: () => `${name}${++made}`,
        handlers: {
          HTTP: (wsi, _request, user) =>
            void (log.push(`http ${user}`), httpRespond(wsi, { status: 200 })),
          ESTABLISHED: (_wsi, _request, user) => void log.push(`open ${user}`),
          RECEIVE: (_wsi, data, user) => void log.push(`text ${user} ${data.toString()}`),
          CLOSED: (_wsi, _info, user) => void log.push(`closed ${user}`),
          HTTP_CLOSED: (_wsi, { cause }, user) => void log.push(`http over ${user} ${cause}`),
        },
      })
    return { h: harness({ protocols: [named('first'), named('second')] }), log }
  }

  it('to the same protocol: one session, made once', () => {
    const { h, log } = sessions()
    const peer = h.connect()
    peer.send(bytes(GET, GET, `${UPGRADE}Sec-WebSocket-Protocol: first\r\n\r\n`, client.text('hi')))
    h.run()
    peer.reset()
    h.run()
    assert.deepEqual(log, [
      'http first1',
      'http first1',
      'open first1',
      'text first1 hi',
      'closed first1',
    ])
  })

  it('to another: the first session ends, a second begins, each ends once', () => {
    const { h, log } = sessions()
    const peer = h.connect()
    peer.send(bytes(GET, `${UPGRADE}Sec-WebSocket-Protocol: second\r\n\r\n`, client.text('hi')))
    h.run()
    peer.reset()
    h.run()
    assert.deepEqual(log, [
      'http first1',
      'http over first1 UPGRADED',
      'open second2',
      'text second2 hi',
      'closed second2',
    ])
  })
})

describe('36 HTTP life: ends', () => {
  it('a peer that goes between two requests ended in order', () => {
    const { h, ends } = httpScene({ HTTP: (wsi) => void httpRespond(wsi, { status: 200 }) })
    const peer = h.connect()
    peer.send(GET)
    h.run()
    peer.end()
    h.run()
    assert.deepEqual(
      [peer.closed, ends[0]!.code, ends[0]!.cause, ends[0]!.initiator],
      ['close', 1000, 'ANSWERED', 'peer'],
    )
  })

  it('closeAll: who waits for a request ends, who is being answered is finished', () => {
    const { h, asked, log } = httpScene()
    const idle = h.connect()
    idle.send(GET)
    h.run()
    httpRespond(asked[0]!, { status: 200 })
    idle.take()
    const busy = h.connect()
    busy.send(GET)
    const fresh = h.connect()
    h.run()
    closeAll(h.ctx, 1001, 2_000)
    h.run()
    assert.deepEqual([idle.closed, idle.received().length], ['close', 0])
    assert.deepEqual(statuses(fresh.take()), [503])
    assert.equal(busy.ended, false)
    httpRespond(asked[1]!, { status: 200, body: 'done' })
    h.run()
    const [answer] = parseAnswers(busy.take())
    assert.deepEqual([answer!.body, answer!.headers.get('connection')], ['done', 'close'])
    assert.equal(log.filter((line) => line.startsWith('complete')).length, 2)
  })

  it('closeAll: an answer that never ends is cut after graceMs, however it goes on', () => {
    const { h, asked } = httpScene()
    const peer = h.connect()
    peer.send(GET)
    h.run()
    closeAll(h.ctx, 1001, 2_000)
    for (let at = 0; at < 1_999; at += 100) {
      write(asked[0]!, 'tick', HTTP)
      h.poller.runFor(h.ctx, at === 1_900 ? 99 : 100)
    }
    assert.equal(peer.closed, undefined)
    h.poller.runFor(h.ctx, 1)
    assert.equal(peer.closed, 'abort')
  })

  it('hangup and destroy in every stage of a request tell one end each', () => {
    for (const end of ['hangup', 'destroy'] as const)
      for (const stage of ['HTTP', 'HTTP_BODY', 'HTTP_COMPLETE', 'pieces'] as const) {
        const over = (wsi: Wsi): void => {
          if (end === 'hangup') hangup(wsi)
          else contextDestroy(h.ctx)
        }
        const { h, ends } = httpScene({
          HTTP(wsi) {
            if (stage === 'HTTP') over(wsi)
            if (stage === 'HTTP_COMPLETE') httpRespond(wsi, { status: 200 })
            if (stage !== 'pieces') return
            write(wsi, 'x', HTTP)
            over(wsi)
            assert.equal(write(wsi, 'y', HTTP_FINAL), 'closed')
          },
          ...(stage.startsWith('HTTP_') ? { [stage]: over } : {}),
        })
        const peer = h.connect()
        peer.send(`${post(5)}hello${GET}`)
        h.run()
        assert.equal(ends.length, 1, `${end} in ${stage}`)
        assert.notEqual(peer.closed, undefined)
      }
  })

  it('a slow reader does not keep the answers of one that ended its side', () => {
    const { h, log } = httpScene({
      HTTP: (wsi) => void httpRespond(wsi, { status: 200, body: Buffer.alloc(50_000) }),
    })
    const peer = h.connect()
    peer.windowBytes = 1_000
    peer.send(GET.repeat(10))
    peer.end()
    h.run()
    let sent = 0
    // Slower than pausedErrorTimeoutMs, faster than writeStallTimeoutMs.
    for (let round = 0; round < 20; round++) {
      h.poller.runFor(h.ctx, 1_000)
      sent += peer.take().length
    }
    peer.windowBytes = 10_000_000
    h.run()
    sent += peer.take().length
    assert.equal(log.filter((line) => line === 'complete 200').length, 10)
    assert.ok(sent > 500_000)
    assert.equal(log.at(-1), 'closed ANSWERED')
  })
})
