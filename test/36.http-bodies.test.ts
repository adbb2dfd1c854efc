/**
 * Requests that stand still or break off: bodies that pause, stop or nobody wants, deadlines,
 * callbacks that throw.
 */
import assert from 'node:assert/strict'
import { callbackOnWritable, HTTP, httpRespond, rxFlowControl, write } from '../src/index.js'
import { parseAnswers } from './support/http-answers.js'
import { GET, httpScene, post, statuses } from './support/http-scene.js'

describe('36 HTTP bodies: bodies', () => {
  it('rxFlowControl holds a body back, and 100 with it', () => {
    const { h, asked, log } = httpScene({
      HTTP(wsi) {
        asked.push(wsi)
        rxFlowControl(wsi, 0)
      },
    })
    const peer = h.connect()
    peer.send(post(5, 'Expect: 100-continue\r\n'))
    h.run()
    assert.deepEqual([peer.received().length, h.poller.maskOf(peer.fd)], [0, 0])
    rxFlowControl(asked[0]!, 1)
    h.run()
    assert.deepEqual(statuses(peer.take()), [100])
    peer.send('he')
    h.run()
    rxFlowControl(asked[0]!, 0)
    peer.send('llo' + GET)
    h.run()
    assert.deepEqual(log, ['body he'])
    rxFlowControl(asked[0]!, 1)
    h.run()
    assert.deepEqual(log, ['body he', 'body llo.'])
    httpRespond(asked[0]!, { status: 200 })
    h.run()
    assert.equal(asked.length, 2, 'the one behind it')
  })

  it('a pause is for one request: the next one is read without a word', () => {
    const { h, asked } = httpScene()
    const peer = h.connect()
    peer.send(GET)
    h.run()
    rxFlowControl(asked[0]!, 0)
    peer.send(GET)
    h.run()
    httpRespond(asked[0]!, { status: 200 })
    h.run()
    assert.equal(asked.length, 2)
  })

  it('a body cut short while it is paused: what came is delivered, then the end', () => {
    const { h, asked, log } = httpScene({
      HTTP(wsi) {
        asked.push(wsi)
        rxFlowControl(wsi, 0)
      },
    })
    const peer = h.connect()
    peer.send(`${post(10)}hello`)
    peer.end()
    h.run()
    assert.deepEqual(log, [])
    rxFlowControl(asked[0]!, 1)
    h.run()
    assert.deepEqual(log, ['body hello', 'closed END_OF_FILE'])
  })

  it('an upload that is aborted, by FIN and by reset', () => {
    for (const abort of ['end', 'reset'] as const) {
      const { h, log, ends } = httpScene()
      const peer = h.connect()
      peer.send(`${post(10)}hello`)
      h.run()
      peer[abort]()
      h.run()
      const cause = abort === 'end' ? 'END_OF_FILE' : 'TRANSPORT_ERROR'
      assert.deepEqual(log, ['http /p', 'body hello', `closed ${cause}`])
      assert.equal(ends[0]!.code, 1006)
      assert.equal((h.ctx as unknown as { bufferedBytes: number }).bufferedBytes, 0)
    }
  })

  it('a small rest of a body that is answered already is dropped, and the connection kept', () => {
    const { h, asked, log } = httpScene()
    const peer = h.connect()
    peer.send(`${post(10)}hello`)
    h.run()
    httpRespond(asked[0]!, { status: 403 })
    peer.send(`world${GET}`)
    h.run()
    assert.deepEqual(log, ['http /p', 'body hello', 'complete 403', 'http /a'])
  })

  it('a large one ends the connection, behind the answer', () => {
    const { h, asked, log } = httpScene({}, { maxBodyBytes: 10_000_000 })
    const peer = h.connect()
    peer.send(`${post(100_000)}hello`)
    h.run()
    httpRespond(asked[0]!, { status: 403 })
    h.run()
    const [answer] = parseAnswers(peer.take())
    assert.deepEqual([answer!.status, answer!.headers.get('connection')], [403, 'close'])
    assert.equal(peer.ended, true)
    peer.send(Buffer.alloc(99_995, GET))
    peer.end()
    h.run()
    assert.deepEqual(log, ['http /p', 'body hello', 'complete 403', 'closed ANSWERED'])
  })

  it('in chunks nobody knows how much is left: it is dropped up to maxDiscardedBytes', () => {
    const { h, asked, log } = httpScene({}, { maxDiscardedBytes: 100 })
    const peer = h.connect()
    peer.send('POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    h.run()
    httpRespond(asked[0]!, { status: 403 })
    for (let sent = 0; sent < 110; sent += 10) {
      assert.equal(peer.ended, false)
      peer.send('a\r\n0123456789\r\n')
      h.run()
    }
    assert.equal(peer.ended, true)
    assert.deepEqual(log.slice(0, 2), ['http /p', 'complete 403'])
  })

  it('who waits for 100 and is refused may send the body or not: the connection ends', () => {
    const { h, asked } = httpScene({
      HTTP(wsi) {
        httpRespond(wsi, { status: 413 })
      },
    })
    const peer = h.connect()
    peer.send(post(5, 'Expect: 100-continue\r\n') + GET)
    h.run()
    const answers = parseAnswers(peer.take())
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers.get('connection')]),
      [[413, 'close']],
    )
    assert.equal(asked.length, 0)
  })
})

describe('36 HTTP bodies: deadlines', () => {
  it('bodyTimeoutMs: from one piece of a body to the next, 408', () => {
    const { h, log } = httpScene({}, { bodyTimeoutMs: 1_000 })
    const peer = h.connect()
    peer.send(post(10))
    for (let piece = 0; piece < 3; piece++) {
      h.poller.runFor(h.ctx, 999)
      peer.send('x')
      h.run()
    }
    h.poller.runFor(h.ctx, 999)
    assert.equal(peer.received().length, 0)
    h.poller.runFor(h.ctx, 1)
    assert.deepEqual(statuses(peer.take()), [408])
    h.poller.runFor(h.ctx, 10_000)
    assert.equal(log.at(-1), 'closed BODY_TIMEOUT')
  })

  it('keepAliveTimeoutMs: a connection that nobody uses any more ends without a word', () => {
    const { h, ends } = httpScene(
      { HTTP: (wsi) => void httpRespond(wsi, { status: 200 }) },
      { keepAliveTimeoutMs: 5_000, handshakeTimeoutMs: 1_000 },
    )
    const peer = h.connect()
    peer.send(GET)
    h.run()
    peer.take()
    peer.send('\r\n')
    h.poller.runFor(h.ctx, 4_999)
    assert.equal(peer.ended, false)
    h.poller.runFor(h.ctx, 1)
    assert.deepEqual([peer.closed, peer.received().length], ['close', 0])
    assert.deepEqual([ends[0]!.code, ends[0]!.cause], [1000, 'KEEP_ALIVE_TIMEOUT'])
  })

  it('the first byte of a further request: handshakeTimeoutMs as for the first, 408', () => {
    const { h } = httpScene(
      { HTTP: (wsi) => void httpRespond(wsi, { status: 200 }) },
      { keepAliveTimeoutMs: 5_000, handshakeTimeoutMs: 1_000 },
    )
    const peer = h.connect()
    peer.send(GET)
    h.poller.runFor(h.ctx, 4_000)
    peer.take()
    peer.send('GE')
    h.poller.runFor(h.ctx, 999)
    assert.equal(peer.received().length, 0)
    h.poller.runFor(h.ctx, 1)
    assert.deepEqual(statuses(peer.take()), [408])
  })

  it('answerTimeoutMs: an answer that stops in the middle is cut off, not ended', () => {
    const { h, log } = httpScene(
      { HTTP: (wsi) => void write(wsi, 'some', HTTP) },
      { answerTimeoutMs: 1_000 },
    )
    const peer = h.connect()
    peer.send(GET)
    h.poller.runFor(h.ctx, 999)
    assert.equal(peer.closed, undefined)
    h.poller.runFor(h.ctx, 1)
    assert.equal(peer.closed, 'abort')
    assert.deepEqual(log, ['closed HTTP_UNANSWERED'])
  })

  it('who cannot write because the peer reads slowly is not late', () => {
    const { h } = httpScene(
      { HTTP: (wsi) => void write(wsi, Buffer.alloc(30_000), HTTP) },
      { answerTimeoutMs: 1_000, writeStallTimeoutMs: 3_000 },
    )
    const peer = h.connect()
    peer.windowBytes = 1_000
    peer.send(GET)
    h.poller.runFor(h.ctx, 2_999)
    assert.equal(peer.closed, undefined)
    h.poller.runFor(h.ctx, 1)
    assert.equal(peer.closed, 'abort')
  })
})

describe('36 HTTP bodies: callbacks that throw', () => {
  const boom = (): never => {
    throw new Error('on purpose')
  }

  it('in HTTP_BODY: 500', () => {
    const { h, errors } = httpScene({ HTTP_BODY: boom })
    const peer = h.connect()
    peer.send(`${post(5)}hello`)
    h.run()
    assert.deepEqual([statuses(peer.take()), errors.length], [[500], 1])
  })

  it('in HTTP, behind the beginning of an answer: it is cut off', () => {
    const { h, log } = httpScene({
      HTTP(wsi) {
        write(wsi, 'x', HTTP)
        boom()
      },
    })
    const peer = h.connect()
    peer.send(GET)
    h.run()
    assert.equal(peer.closed, 'abort')
    assert.deepEqual(log, ['closed FILTER_FAILED'])
  })

  it('in HTTP_WRITEABLE: 500, or cut off', () => {
    for (const begun of [false, true]) {
      const { h } = httpScene({
        HTTP(wsi) {
          if (begun) write(wsi, 'x', HTTP)
          callbackOnWritable(h.ctx, wsi)
        },
        HTTP_WRITEABLE: boom,
      })
      const peer = h.connect()
      peer.send(GET)
      h.run()
      if (begun) assert.equal(peer.closed, 'abort')
      else assert.deepEqual(statuses(peer.take()), [500])
    }
  })

  it('in HTTP_COMPLETE: the answer stands, and the connection ends', () => {
    const { h, errors } = httpScene({
      HTTP: (wsi) => void httpRespond(wsi, { status: 200 }),
      HTTP_COMPLETE: boom,
    })
    const peer = h.connect()
    peer.send(GET + GET)
    h.run()
    assert.deepEqual([statuses(peer.take()), peer.ended, errors.length], [[200], true, 1])
  })
})
