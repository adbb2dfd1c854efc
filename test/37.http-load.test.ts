/**
 * Peers that send too much, too slowly or only half, and read as slowly: memory and the work of one
 * call stay bounded (C13), whoever they are. The checker counts the work.
 */
import assert from 'node:assert/strict'
import {
  callbackOnWritable,
  HTTP,
  HTTP_FINAL,
  httpRespond,
  rxFlowControl,
  serviceFd,
  write,
  type Wsi,
} from '../src/index.js'
import { GET, httpScene, type HttpScene, post, statuses } from './support/http-scene.js'

const PIPELINED = 100_000
/** One read, and a frame header. */
const READ_BYTES = 65_550

/** What the library holds for all its connections: queues, bodies, bytes not yet consumed. */
const heldBytes = ({ h }: HttpScene): number =>
  (h.ctx as unknown as { bufferedBytes: number }).bufferedBytes

/** Steps until nothing is left to do. @returns the most that was held meanwhile, and the calls */
function drain(scene: HttpScene, after: () => boolean): { mostBytes: number; calls: number } {
  const { h } = scene
  let mostBytes = 0
  let calls = 0
  for (let idle = 0; idle < 2; calls++) {
    const busy = h.poller.service(h.ctx)
    mostBytes = Math.max(mostBytes, heldBytes(scene))
    idle = after() || busy ? 0 : idle + 1
  }
  return { mostBytes, calls }
}

describe('37 HTTP load', function () {
  this.timeout(60_000)

  it('100,000 requests at once: answered in order, a read of them held at most', () => {
    let count = 0
    const scene = httpScene({
      HTTP: (wsi, { target }) => {
        assert.equal(target, `/${count}`)
        httpRespond(wsi, { status: 200, body: String(count++) })
      },
      HTTP_COMPLETE() {},
    })
    const peer = scene.h.connect()
    for (let at = 0; at < PIPELINED; at += 1_000)
      peer.send(
        Array.from(
          { length: 1_000 },
          (_, index) => `GET /${at + index} HTTP/1.1\r\nHost: a\r\n\r\n`,
        ).join(''),
      )
    let answered = 0
    const { mostBytes, calls } = drain(scene, () => {
      const bytes = peer.take().toString('latin1')
      for (const [, body] of bytes.matchAll(/\r\n\r\n(\d+)/g))
        assert.equal(Number(body), answered++)
      return bytes.length > 0
    })
    assert.equal(answered, PIPELINED)
    assert.ok(mostBytes <= READ_BYTES + 4_096, `${mostBytes} bytes were held`)
    // 256 requests a call, and what a read and a wait need.
    assert.ok(calls < (PIPELINED / 256) * 4, `${calls} calls`)
  })

  it('the same from one that never reads: held up by its own answers', () => {
    let count = 0
    const scene = httpScene({
      HTTP(wsi) {
        count++
        httpRespond(wsi, { status: 200, body: Buffer.alloc(1_000) })
      },
    })
    const peer = scene.h.connect()
    peer.windowBytes = 10_000
    peer.send(GET.repeat(PIPELINED))
    scene.h.run()
    assert.ok(count < 200, `${count} were answered`)
    assert.ok(heldBytes(scene) < 65_536 + READ_BYTES + 20_000, String(heldBytes(scene)))
    scene.h.poller.runFor(scene.h.ctx, 60_000)
    assert.equal(scene.ends[0]!.cause, 'WRITE_STALL_TIMEOUT')
    assert.equal(heldBytes(scene), 0)
  })

  it('the same where each is answered later: parsed one by one, copied a little at a time', () => {
    const scene = httpScene()
    const peer = scene.h.connect()
    peer.send(GET.repeat(5_000))
    scene.h.run()
    assert.ok(heldBytes(scene) <= READ_BYTES)
    for (let answered = 0; answered < 5_000; answered++) {
      assert.equal(scene.asked.length, answered + 1)
      httpRespond(scene.asked[answered]!, { status: 204 })
      scene.h.run()
    }
    assert.equal(statuses(peer.take()).length, 5_000)
  })

  it('slow writers: 500 heads a byte at a time cost their bytes, until handshakeTimeoutMs', () => {
    const scene = httpScene({}, { handshakeTimeoutMs: 1_000 })
    const peers = Array.from({ length: 500 }, () => scene.h.connect())
    for (const letter of 'GET / HTTP/1.1') {
      for (const peer of peers) peer.send(letter)
      scene.h.poller.runFor(scene.h.ctx, 50)
    }
    assert.ok(heldBytes(scene) <= 500 * 14)
    scene.h.poller.runFor(scene.h.ctx, 1_000)
    for (const peer of peers) assert.deepEqual(statuses(peer.take()), [408])
    assert.equal(heldBytes(scene), 0)
  })

  it('a body that nobody takes is not read: what one read brought, and no more', () => {
    const scene = httpScene(
      { HTTP: (wsi) => void (rxFlowControl(wsi, 0), scene.asked.push(wsi)) },
      { maxBodyBytes: 2 ** 30 },
    )
    const peer = scene.h.connect()
    peer.send(post(10_000_000))
    for (let sent = 0; sent < 10_000_000; sent += 100_000) peer.send(Buffer.alloc(100_000))
    scene.h.run()
    assert.ok(heldBytes(scene) <= READ_BYTES)
    assert.ok(peer.unreadBytes > 9_000_000)
    let most = 0
    for (let turns = 0; peer.unreadBytes > 0; turns++) {
      assert.ok(turns < 10_000)
      rxFlowControl(scene.asked[0]!, 1)
      serviceFd(scene.h.ctx, null)
      scene.h.poller.service(scene.h.ctx)
      rxFlowControl(scene.asked[0]!, 0)
      most = Math.max(most, heldBytes(scene))
    }
    assert.ok(most <= 2 * READ_BYTES, String(most))
  })

  it('a body in chunks of one byte is work by its pieces: 256 a call', () => {
    let pieces = 0
    const scene = httpScene({
      HTTP_BODY: () => {
        pieces++
      },
    })
    const peer = scene.h.connect()
    peer.send('POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    scene.h.run()
    peer.send('1\r\na\r\n'.repeat(10_000))
    scene.h.poller.service(scene.h.ctx)
    assert.ok(pieces <= 512, 'and the checker counts those of each call')
    scene.h.run()
    assert.equal(pieces, 10_000)
    assert.equal(heldBytes(scene), 0)
  })

  it('slow readers: pieces are written as they are taken, and little is held', () => {
    const PIECES = 500
    let left = 0
    const next = (wsi: Wsi): void => {
      while (left > 0) {
        left--
        const result = write(wsi, Buffer.alloc(10_000), left === 0 ? HTTP_FINAL : HTTP)
        if (result === 'ok') continue
        assert.equal(result, 'backpressure')
        callbackOnWritable(scene.h.ctx, wsi)
        return
      }
    }
    const scene: HttpScene = httpScene({
      HTTP(wsi) {
        left = PIECES
        next(wsi)
      },
      HTTP_WRITEABLE: next,
    })
    const peer = scene.h.connect()
    peer.windowBytes = 7_000
    peer.send(GET)
    let taken = 0
    const { mostBytes } = drain(scene, () => {
      const bytes = peer.take().length
      taken += bytes
      return bytes > 0
    })
    assert.ok(taken > PIECES * 10_000)
    assert.equal(scene.results.length, 1)
    assert.ok(mostBytes < 60_000, `${mostBytes} bytes were held`)
  })

  it('1,000 aborted uploads, each somewhere else, leave nothing behind', () => {
    const scene = httpScene()
    const body = post(500) + 'x'.repeat(500)
    for (let at = 1; at <= 1_000; at++) {
      const peer = scene.h.connect()
      peer.send(body.slice(0, 1 + ((at * 7) % (body.length - 1))))
      if (at % 3 === 0) scene.h.run()
      if (at % 2 === 0) peer.reset()
      else peer.end()
      scene.h.run()
    }
    assert.equal(scene.ends.length, 1_000)
    assert.equal(heldBytes(scene), 0)
    assert.equal(scene.h.poller.openFds.length, 1, 'the listener')
  })

  it('100 half-closed clients wait for their answers, without a wake-up, and get them', () => {
    const scene = httpScene()
    const peers = Array.from({ length: 100 }, () => scene.h.connect())
    for (const peer of peers) {
      peer.send(GET)
      peer.end()
    }
    scene.h.run()
    const { recv } = scene.h.poller.counts
    scene.h.poller.runFor(scene.h.ctx, 30_000)
    assert.equal(scene.h.poller.counts.recv, recv)
    for (const wsi of scene.asked) httpRespond(wsi, { status: 200, body: 'late' })
    scene.h.run()
    for (const peer of peers)
      assert.deepEqual([statuses(peer.take()), peer.closed], [[200], 'close'])
  })

  it('many that hold a little are too much together: maxContextBufferedBytes, 503', () => {
    const scene = httpScene({}, { maxContextBufferedBytes: 100_000 })
    const peers = Array.from({ length: 30 }, () => scene.h.connect())
    for (const peer of peers) {
      peer.send(`GET / HTTP/1.1\r\nHost: a\r\nA: ${'a'.repeat(5_000)}`)
      scene.h.run()
      assert.ok(heldBytes(scene) <= 100_000)
    }
    const refused = peers.filter((peer) => peer.received().length > 0)
    assert.ok(refused.length >= 9)
    for (const peer of refused) assert.deepEqual(statuses(peer.take()), [503])
  })
})
