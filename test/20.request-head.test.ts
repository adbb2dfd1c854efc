/**
 * A request's head under HTTP's own rules (RFC 9112), as strict as a port on the internet needs:
 * what could be read in two ways is refused, and nothing behind a refused request is parsed.
 */
import { httpRespond } from '../src/index.js'
import { wires, type Expected, type Row } from './support/wire.js'
import { bytes, client, refused, switching, validRequest } from './support/wire-bytes.js'

const accepted: Expected = { sent: Buffer.from(switching()) }

/** The valid request with one line changed into these bytes. */
function withLine(line: string, instead = /Upgrade: websocket/): Buffer {
  return Buffer.from(
    validRequest().replace(instead, () => line),
    'latin1',
  )
}

function each(expect: Expected, sends: Readonly<Record<string, Buffer>>): Record<string, Row> {
  return Object.fromEntries(
    Object.entries(sends).map(([title, send]) => [title, { from: 'new', send, expect }]),
  )
}

const FIRST = /^GET \/chat HTTP\/1\.1/
/** The valid request and its `Upgrade` line, with another behind it. */
const and = (line: string): Buffer => withLine(`Upgrade: websocket\r\n${line}`)

describe('20 request head', () => {
  describe('RFC 9112 3: the request line', () => {
    wires({
      ...each(refused(400), {
        'two spaces': withLine('GET  /chat HTTP/1.1', FIRST),
        'a tab': withLine('GET\t/chat HTTP/1.1', FIRST),
        'a space in front': withLine(' GET /chat HTTP/1.1', FIRST),
        'a space behind': withLine('GET /chat HTTP/1.1 ', FIRST),
        'a space in the target': withLine('GET /ch at HTTP/1.1', FIRST),
        'no target': withLine('GET HTTP/1.1', FIRST),
        'no version': withLine('GET /chat', FIRST),
        'a version in lower case': withLine('GET /chat http/1.1', FIRST),
        'a version of two digits': withLine('GET /chat HTTP/1.10', FIRST),
        'a byte above ASCII in the target': withLine('GET /ch\xe4t HTTP/1.1', FIRST),
        'NUL in the target': withLine('GET /\0 HTTP/1.1', FIRST),
        'a method that is no token': withLine('G@T /chat HTTP/1.1', FIRST),
        'a line of a TLS client': Buffer.from('\x16\x03\x01\x02\x00\x01\r\n\r\n', 'latin1'),
        'nothing but line ends': Buffer.from('\r\n\r\n'),
      }),
      'one empty line in front is skipped (RFC 9112 2.2)': {
        from: 'new',
        send: Buffer.from(`\r\n${validRequest()}`),
        expect: accepted,
      },
    })
  })

  describe('RFC 9112 5: fields', () => {
    wires({
      ...each(refused(400), {
        'obs-fold by a space': and('X-A: b\r\n c'),
        'obs-fold by a tab': and('X-A: b\r\n\tc'),
        'a fold right behind the request line': withLine('GET /chat HTTP/1.1\r\n X-A: b', FIRST),
        'a space before the colon': and('X-A : b'),
        'no colon': and('X-A'),
        'no name': and(': b'),
        'a name that is no token': and('X(A): b'),
        'a name above ASCII': and('X-\xc4: b'),
        'a bare LF': and('X-A: b\nX-B: c'),
        'a bare LF that hides a field': and('X-A: b\nTransfer-Encoding: chunked'),
        'a bare CR': and('X-A: b\rc'),
        'a CR at a line end': and('X-A: b\r'),
        'NUL in a value': and('X-A: b\0c'),
        'NUL in a name': and('X\0A: b'),
        'DEL in a value': and('X-A: b\x7fc'),
        'ESC in a value': and('X-A: \x1b[2J'),
        'a second request line': and('GET /other HTTP/1.1'),
      }),
      ...each(accepted, {
        'an empty value': and('X-A:'),
        'a value without a space in front': and('X-A:b'),
        'a value of Latin-1': and('X-A: \xe4\xf6\xfc'),
        'a tab in a value': and('X-A: b\tc'),
        'a colon in a value': and('X-A: b:c: d'),
        'the same field twice': and('X-A: b\r\nX-A: c'),
      }),
    })
  })

  describe('RFC 6585 5: 431 for a head that is too large', () => {
    const context = { maxHeaderBytes: 400, maxHeaderCount: 8 }
    const request = (bytesWanted: number): Buffer => {
      const bare = validRequest({ 'X-Fill': '' }).length
      return Buffer.from(validRequest({ 'X-Fill': 'f'.repeat(bytesWanted - bare) }))
    }
    const fields = (count: number): Buffer =>
      Buffer.from(
        validRequest(
          Object.fromEntries(Array.from({ length: count - 5 }, (_, i) => [`X-${i}`, 'x'])),
        ),
      )
    const row = (send: Buffer, expect: Expected): Row => ({ from: 'new', send, expect, context })
    wires({
      'exactly maxHeaderBytes': row(request(400), accepted),
      'one more': row(request(401), refused(431)),
      'one more that never ends, answered at once': row(
        Buffer.concat([request(400).subarray(0, 396), Buffer.alloc(5, 'x')]),
        refused(431, { answeredAfter: 401 }),
      ),
      'exactly maxHeaderCount': row(fields(8), accepted),
      'one field more': row(fields(9), refused(431)),
      'and frames behind it do not count': row(
        bytes(request(400), client.ping(Buffer.alloc(125))),
        { sent: bytes(switching(), Buffer.of(0x8a, 125), Buffer.alloc(125)) },
      ),
      'larger than the receive high-water mark, and still taken': {
        ...row(request(4_000), accepted),
        context: { maxHeaderBytes: 5_000, rxHighWaterBytes: 1_024 },
        borders: [1, 1_023, 1_024, 1_025, 3_999],
      },
    })
  })

  describe('a request behind a refused one is never parsed', () => {
    const second = validRequest({}, 'GET /smuggled HTTP/1.1')
    const handlers: Row['handlers'] = {
      FILTER_PROTOCOL_CONNECTION(_wsi, { target }) {
        if (target === '/smuggled') throw new Error('it was parsed')
      },
    }
    const rows: Record<string, Row> = {}
    const refusals: Readonly<Record<string, readonly [string, number]>> = {
      'a wrong version': [validRequest({ 'Sec-WebSocket-Version': '99' }), 426],
      'a wrong key': [validRequest({ 'Sec-WebSocket-Key': 'x' }), 400],
      'a body by length': [validRequest({ 'Content-Length': '10' }), 400],
      'a body in chunks': [validRequest({ 'Transfer-Encoding': 'chunked' }), 400],
      'no upgrade': [validRequest({ Upgrade: undefined }), 426],
      POST: [validRequest({}, 'POST / HTTP/1.1'), 405],
      'HTTP/1.0': [validRequest({}, 'GET / HTTP/1.0'), 505],
      garbage: ['garbage\r\n\r\n', 400],
    }
    for (const [what, [request, status]] of Object.entries(refusals))
      rows[`behind ${what}`] = {
        from: 'new',
        send: bytes(request, second, second),
        handlers,
        expect: refused(status),
      }
    wires(rows)
  })

  describe('a request that asks for no upgrade', () => {
    const plain = 'GET /page HTTP/1.1\r\nHost: a\r\n\r\n'
    wires({
      'goes to HTTP where the first protocol hears it': {
        from: 'new',
        send: Buffer.from(plain),
        handlers: { HTTP: (wsi) => void httpRespond(wsi, { status: 200, body: 'hello' }) },
        expect: { status: 200, headers: {}, body: 'hello' },
      },
      'and is refused with 426 where nobody does': {
        from: 'new',
        send: Buffer.from(plain),
        expect: refused(426, { headers: { upgrade: 'websocket' } }),
      },
      'a handler of HTTP that throws: 500': {
        from: 'new',
        send: Buffer.from(plain),
        handlers: {
          HTTP() {
            throw new Error('on purpose')
          },
        },
        expect: refused(500, { errors: ['Error: on purpose'] }),
      },
      'an answer whose header would split it is refused to the application': {
        from: 'new',
        send: Buffer.from(plain),
        handlers: {
          HTTP: (wsi) => void httpRespond(wsi, { status: 200, headers: { 'X-A': 'b\r\nX-B: c' } }),
        },
        expect: refused(500, { errors: ['ERR_EXTPOLL_HTTP_HEADER'] }),
      },
    })
  })
})
