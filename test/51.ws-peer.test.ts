/**
 * The peer that tests talk through: a client that takes nothing a server must not send.
 *
 * Its frames are checked against the RFC's own bytes, not against the library's.
 */
import assert from 'node:assert/strict'
import { ServerFrameDecoder, encodeClientFrame, fakePoller } from '../integrations/fake-poller.js'

describe('51 the peer speaks WebSocket, strictly', () => {
  const frame = (...bytes: number[]) => Buffer.from(bytes)

  it('encodes the examples of RFC 6455 5.7', () => {
    assert.equal(encodeClientFrame({ payload: 'Hello' }).toString('hex'), '818537fa213d7f9f4d5158')
    assert.equal(
      encodeClientFrame({ fin: false, payload: 'Hel', mask: false }).toString('hex'),
      '010348656c',
    )
    const length = (size: number) =>
      encodeClientFrame({ opcode: 2, payload: Buffer.alloc(size), mask: false })
    assert.equal(length(125).toString('hex', 0, 2), '827d')
    assert.equal(length(126).toString('hex', 0, 4), '827e007e')
    assert.equal(length(65_535).toString('hex', 0, 4), '827effff')
    assert.equal(length(65_536).toString('hex', 0, 10), '827f0000000000010000')
  })

  it('decodes at every border what was encoded', () => {
    const bytes = Buffer.concat([
      encodeClientFrame({ fin: false, payload: 'a', mask: false }),
      encodeClientFrame({ opcode: 9, payload: 'ping', mask: false }),
      encodeClientFrame({ opcode: 0, payload: 'x'.repeat(300), mask: false }),
    ])
    for (let border = 0; border <= bytes.length; border += 1) {
      const decoder = new ServerFrameDecoder()
      const frames = [
        ...decoder.decode(bytes.subarray(0, border)),
        ...decoder.decode(bytes.subarray(border)),
      ]
      assert.deepEqual(
        frames.map(({ fin, opcode, payload }) => [fin, opcode, payload.length]),
        [
          [false, 1, 1],
          [true, 9, 4],
          [true, 0, 300],
        ],
      )
      assert.equal(decoder.partialBytes, 0)
    }
  })

  const refused: Readonly<Record<string, Buffer>> = {
    'a masked frame': frame(0x81, 0x80, 0, 0, 0, 0),
    'a reserved bit': frame(0xc1, 0),
    'a reserved opcode': frame(0x83, 0),
    'a reserved control opcode': frame(0x8b, 0),
    'a length of 126 in two bytes': frame(0x82, 126, 0, 125),
    'a length of 65,535 in eight bytes': frame(0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff),
    'a fragmented ping': frame(0x09, 0),
    'a ping of 126 bytes': Buffer.concat([frame(0x89, 126, 0, 126), Buffer.alloc(126)]),
    'a continuation of nothing': frame(0x80, 0),
    'a message inside another': frame(0x01, 0, 0x81, 0),
    'half a close code': frame(0x88, 1, 3),
    'close code 1005': frame(0x88, 2, 0x03, 0xed),
    'close code 999': frame(0x88, 2, 0x03, 0xe7),
    'a close reason that is not UTF-8': frame(0x88, 3, 0x03, 0xe8, 0xff),
    'a frame after the close frame': frame(0x88, 0, 0x81, 0),
  }
  for (const [name, bytes] of Object.entries(refused)) {
    it(`refuses ${name}`, () => {
      assert.throws(() => new ServerFrameDecoder().decode(bytes))
    })
  }

  it('refuses a handshake that proves nothing', () => {
    const poller = fakePoller()
    const fd = poller.host.io.listen({ address: '127.0.0.1', port: 0, backlog: 1 })
    const peer = poller.connectTo({ fd })
    peer.upgrade({
      path: '/chat',
      protocols: ['a', 'b'],
      headers: { Origin: 'http://x', Host: undefined },
    })
    const near = poller.host.io.accept(fd)
    const buffer = poller.host.io.createBuffer(512)
    const count = poller.host.io.recv(near, buffer, 0, 512)
    const request = buffer.bytes.toString('latin1', 0, count)
    assert.match(request, /^GET \/chat HTTP\/1\.1\r\n/)
    assert.match(request, /Sec-WebSocket-Protocol: a, b\r\nOrigin: http:\/\/x\r\n\r\n$/)
    assert.doesNotMatch(request, /Host:/)
    assert.equal(peer.response(), undefined)
    const answer = Buffer.from('HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: no\r\n\r\n')
    poller.host.io.sendv(near, [answer])
    assert.throws(() => peer.frames(), /Sec-WebSocket-Accept/)
  })

  it('joins fragments to messages, and leaves control frames where they are', () => {
    const poller = fakePoller()
    const fd = poller.host.io.listen({ address: '127.0.0.1', port: 0, backlog: 1 })
    const peer = poller.connectTo({ fd }).upgrade()
    const near = poller.host.io.accept(fd)
    const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    const head = Buffer.from(`HTTP/1.1 101 ok\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
    poller.host.io.sendv(near, [head, frame(0x01, 1, 0x61, 0x89, 0, 0x80, 1, 0x62, 0x82, 1, 7)])
    assert.deepEqual(peer.messages(), ['ab', Buffer.of(7)])
    assert.deepEqual(peer.frames(), [{ fin: true, opcode: 9, payload: Buffer.alloc(0) }])
  })
})
