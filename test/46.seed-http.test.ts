/** The reasons and kinds of the seed that are about answering requests, by name. */
import assert from 'node:assert/strict'
import {
  callbackOnWritable,
  DEFER,
  HTTP,
  HTTP_FINAL,
  httpRespond,
  isFinalFragment,
  serveHttpFile,
  write,
  type HttpResult,
} from '../src/index.js'
import { told } from './support/two-protocols.js'

const get = 'GET /page HTTP/1.1\r\nHost: a\r\n\r\n'

describe('46 seed HTTP', () => {
  it('HTTP_BODY: to the first, the body piece by piece, the last one marked', () => {
    const last: boolean[] = []
    const { h, heard, lines } = told({
      HTTP: () => DEFER,
      HTTP_BODY: (_ctx, wsi) => void last.push(isFinalFragment(wsi)),
    })
    const peer = h.connect()
    for (const piece of [
      'POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhel',
      'lo w',
      'rld',
    ]) {
      peer.send(piece)
      h.run()
    }
    const bodies = heard
      .filter(({ reason }) => reason === 'HTTP_BODY')
      .map(({ data }) => String(data))
    assert.deepEqual(
      [bodies, last],
      [
        ['hel', 'lo w', 'rld'],
        [false, false, true],
      ],
    )
    assert.deepEqual(lines('HTTP', 'HTTP_BODY'), [
      'first HTTP',
      ...bodies.map(() => 'first HTTP_BODY'),
    ])
  })

  it('HTTP_WRITEABLE: once for each asking, when the socket takes another piece', () => {
    let left = 3
    const { h, lines, of } = told({
      HTTP(ctx, wsi) {
        httpRespond(wsi, { status: 200, pieces: true })
        callbackOnWritable(ctx, wsi)
      },
      HTTP_WRITEABLE(ctx, wsi) {
        left--
        write(wsi, `piece ${left}`, left === 0 ? HTTP_FINAL : HTTP)
        if (left > 0) callbackOnWritable(ctx, wsi)
      },
    })
    const peer = h.connect()
    peer.send(get)
    h.run()
    assert.deepEqual(
      lines('HTTP_WRITEABLE', 'SERVER_WRITEABLE'),
      [1, 2, 3].map(() => 'first HTTP_WRITEABLE'),
    )
    assert.match(peer.take().toString(), /piece 2[^]*piece 1[^]*piece 0\r\n0\r\n\r\n$/)
    assert.equal(callbackOnWritable(h.ctx, of('HTTP').wsi!), false, 'nothing is owed any more')
  })

  it('HTTP_COMPLETE: the end of an answer, with status, bytes and duration', () => {
    const { h, of } = told({ HTTP: () => DEFER })
    const peer = h.connect()
    peer.send(get)
    h.run()
    h.poller.clock.advance(250)
    httpRespond(of('HTTP').wsi!, { status: 404, body: 'no such page' })
    const { request, status, bytes, durationMs } = of('HTTP_COMPLETE').data as HttpResult
    assert.deepEqual([request.target, status, bytes, durationMs], ['/page', 404, 12, 250])
  })

  it('write HTTP, HTTP_FINAL: pieces of an answer; until the last no further request', () => {
    const { h, lines, of } = told({ HTTP: () => DEFER })
    const peer = h.connect()
    peer.send(get + get)
    h.run()
    const wsi = of('HTTP').wsi!
    assert.equal(write(wsi, 'one', HTTP), 'ok')
    h.run()
    assert.deepEqual(lines('HTTP'), ['first HTTP'])
    assert.equal(write(wsi, 'two', HTTP_FINAL), 'ok')
    assert.equal(write(wsi, 'three', HTTP), 'closed', 'between two requests')
    h.run()
    assert.deepEqual(lines('HTTP'), ['first HTTP', 'first HTTP'])
    assert.match(peer.take().toString(), /\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n$/)
  })

  it('serveHttpFile: in pieces as the socket takes them, and nothing outside of the root', () => {
    const asked = ['big.html', '../secret', '.env']
    const statuses: number[] = []
    const { h, lines, of } = told({
      HTTP: (_ctx, wsi) =>
        void statuses.push(serveHttpFile(wsi, asked.shift()!, undefined, { root: '/srv' })),
    })
    const content = Buffer.alloc(1_000_000, 'page')
    h.poller.files.put('/srv/big.html', content)
    h.poller.files.put('/secret', 'secret')
    h.poller.files.put('/srv/.env', 'secret')
    const peer = h.connect()
    peer.windowBytes = 100_000
    peer.send(get)
    h.run()
    assert.deepEqual(lines('HTTP_COMPLETE'), [], 'the peer has taken a part of it')
    const pieces: Buffer[] = []
    while (lines('HTTP_COMPLETE').length === 0) {
      pieces.push(peer.take())
      h.run()
    }
    const answer = Buffer.concat([...pieces, peer.take()])
    assert.ok(answer.subarray(-content.length).equals(content))
    assert.equal((of('HTTP_COMPLETE').data as HttpResult).bytes, content.length)
    peer.send(get + get)
    h.run()
    assert.deepEqual(statuses, [200, 404, 404])
    assert.doesNotMatch(peer.take().toString(), /secret/)
  })
})
