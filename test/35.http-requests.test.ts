/**
 * Requests over HTTP/1.1 and 1.0: what a server must understand, and how it answers.
 * Source: RFC 9112 and RFC 9110, section by section.
 */
import { httpRespond, HTTP, HTTP_FINAL, write } from '../src/index.js'
import { httpRows } from './support/http-wire.js'

const get = (target: string, more = ''): string =>
  `GET ${target} HTTP/1.1\r\nHost: a\r\n${more}\r\n`
const old = (target: string, more = ''): string => `GET ${target} HTTP/1.0\r\n${more}\r\n`
const post = (target: string, body: string, more = ''): string =>
  `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`
const chunked = (chunks: string, more = ''): string =>
  `POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n${more}\r\n${chunks}`

const close = { connection: 'close' }
const kept = { connection: undefined }

describe('35 HTTP requests: the message (RFC 9112 2 and 3)', () => {
  httpRows({
    'a request, its answer, and the connection stays': {
      send: get('/a'),
      events: ['GET /a', 'complete 200 7'],
      answers: [{ status: 200, body: 'GET /a ', headers: { ...kept, 'content-length': '7' } }],
    },
    '2.2: an empty line before a request is ignored, also between two': {
      send: `\r\n${get('/a')}\r\n${get('/b')}`,
      events: ['GET /a', 'complete 200 7', 'GET /b', 'complete 200 7'],
      answers: [{ status: 200 }, { status: 200 }],
    },
    '3.2.2: a target in absolute form': {
      send: get('http://example.org:80/p?q'),
      events: ['GET http://example.org:80/p?q', 'complete 200 30'],
      answers: [{ status: 200 }],
    },
    '3.2.4: OPTIONS *': {
      send: 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
      events: ['OPTIONS *', 'complete 200 10'],
      answers: [{ status: 200 }],
    },
    '3.2: Host may be empty': {
      send: 'GET / HTTP/1.1\r\nHost:\r\n\r\n',
      answers: [{ status: 200 }],
    },
    '9.1 of 9110: a method of any name goes to the application': {
      send: 'BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n',
      events: ['BREW /pot', 'complete 200 10'],
      answers: [{ status: 200 }],
    },
    '7.8 of 9110: an upgrade to what is not spoken here is passed over': {
      send: get('/a', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n'),
      events: ['GET /a', 'complete 200 7'],
      answers: [{ status: 200, headers: { upgrade: undefined } }],
    },
  })
})

describe('35 HTTP requests: bodies (RFC 9112 6 and 7)', () => {
  httpRows({
    '6.2: a body by its length': {
      send: post('/p', 'hello'),
      events: ['POST /p hello', 'complete 200 13'],
      answers: [{ status: 200, body: 'POST /p hello' }],
    },
    '6.2: a length of 0 is no body': {
      send: post('/p', ''),
      events: ['POST /p', 'complete 200 8'],
      answers: [{ status: 200 }],
    },
    '6.3: neither length nor coding is no body, of whatever method': {
      send: `POST /p HTTP/1.1\r\nHost: a\r\n\r\n${get('/b')}`,
      events: ['POST /p', 'complete 200 8', 'GET /b', 'complete 200 7'],
      answers: [{ status: 200 }, { status: 200 }],
    },
    '6.3: a GET may have a body': {
      send: `GET /g HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi${get('/b')}`,
      events: ['GET /g hi', 'complete 200 9', 'GET /b', 'complete 200 7'],
      answers: [{ status: 200 }, { status: 200 }],
    },
    '7.1: a body in chunks, sizes in either case': {
      send: chunked('5\r\nhello\r\nA\r\n0123456789\r\n00b\r\n world wide\r\n0\r\n\r\n') + get('/b'),
      events: ['POST /c hello0123456789 world wide', 'complete 200 34', 'GET /b', 'complete 200 7'],
      answers: [{ status: 200 }, { status: 200 }],
    },
    '7.1.1: extensions of chunks are passed over': {
      send: chunked('5;a=b\r\nhello\r\n1 ; c="d;e"\r\n!\r\n0;last\r\n\r\n'),
      events: ['POST /c hello!', 'complete 200 14'],
      answers: [{ status: 200 }],
    },
    '7.1.2: trailers are dropped': {
      send: `${chunked('2\r\nhi\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n')}${get('/b')}`,
      events: ['POST /c hi', 'complete 200 10', 'GET /b', 'complete 200 7'],
      answers: [{ status: 200 }, { status: 200 }],
    },
    '7.1: the coding in capitals, and no chunk at all': {
      send: 'POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n',
      events: ['POST /c', 'complete 200 8'],
      answers: [{ status: 200 }],
    },
    '10.1.1 of 9110: 100 for who waits for it': {
      send: post('/p', 'hello', 'Expect: 100-Continue\r\n'),
      events: ['POST /p hello', 'complete 200 13'],
      answers: [{ status: 100 }, { status: 200, headers: kept }],
    },
    '10.1.1 of 9110: no 100 without a body, nor to HTTP/1.0': {
      send:
        get('/a', 'Expect: 100-continue\r\n') +
        'POST /o HTTP/1.0\r\nContent-Length: 2\r\nExpect: x\r\n\r\nhi',
      events: ['GET /a', 'complete 200 7', 'POST /o hi', 'complete 200 10', 'closed ANSWERED'],
      answers: [{ status: 200 }, { status: 200, headers: close }],
      end: 'lingers',
    },
  })
})

describe('35 HTTP requests: kept connections (RFC 9112 9)', () => {
  httpRows({
    '9.3.2: requests in a row are answered in order': {
      send: get('/a') + post('/b', 'two') + get('/c') + chunked('1\r\nd\r\n0\r\n\r\n'),
      events: [
        'GET /a',
        'complete 200 7',
        'POST /b two',
        'complete 200 11',
        'GET /c',
        'complete 200 7',
        'POST /c d',
        'complete 200 9',
      ],
      answers: ['GET /a ', 'POST /b two', 'GET /c ', 'POST /c d'].map((body) => ({
        status: 200,
        body,
      })),
    },
    '9.6: Connection: close ends it behind the answer, whatever follows': {
      send: get('/a', 'Connection: close\r\n') + get('/b'),
      events: ['GET /a', 'complete 200 7', 'closed ANSWERED'],
      answers: [{ status: 200, headers: close }],
      end: 'lingers',
    },
    '9.6: close among other tokens, in any case': {
      send: get('/a', 'Connection: Foo, CLOSE\r\n'),
      answers: [{ status: 200, headers: close }],
      end: 'lingers',
    },
    '9.3: HTTP/1.0 ends by itself, and needs no Host': {
      send: old('/a') + get('/b'),
      events: ['GET /a', 'complete 200 7', 'closed ANSWERED'],
      answers: [{ status: 200, headers: close }],
      end: 'lingers',
    },
    '9.3: HTTP/1.0 stays where it asks to, and hears so': {
      send:
        old('/a', 'Connection: Keep-Alive\r\n') + old('/b', 'Connection: keep-alive, close\r\n'),
      events: ['GET /a', 'complete 200 7', 'GET /b', 'complete 200 7', 'closed ANSWERED'],
      answers: [
        { status: 200, headers: { connection: 'keep-alive' } },
        { status: 200, headers: close },
      ],
      end: 'lingers',
    },
    'a client that ends its side behind the last request gets all answers': {
      send: get('/a') + get('/b'),
      thenEnd: true,
      answers: [{ status: 200 }, { status: 200 }],
      end: 'closes',
    },
  })
})

describe('35 HTTP requests: answers', () => {
  httpRows({
    'HEAD: the head that GET would get, and nothing else (9110 9.3.2)': {
      send: `HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n${get('/b')}`,
      events: ['HEAD /h', 'complete 200 0', 'GET /b', 'complete 200 7'],
      answers: [
        { status: 200, headers: { 'content-length': '8' }, body: '' },
        { status: 200, body: 'GET /b ' },
      ],
    },
    '204 and 304 have neither body nor length (9112 6.3)': {
      send: get('/204') + get('/304') + get('/205'),
      answer: (wsi, { target }) => void httpRespond(wsi, { status: Number(target.slice(1)) }),
      answers: [
        { status: 204, headers: { 'content-length': undefined } },
        { status: 304, headers: { 'content-length': undefined } },
        { status: 205, headers: { 'content-length': '0' } },
      ],
    },
    'pieces leave in chunks': {
      send: get('/a') + get('/b'),
      answer(wsi) {
        httpRespond(wsi, { status: 201, pieces: true, headers: { 'X-A': 'b' } })
        for (const piece of ['one', '', 'two']) write(wsi, piece, HTTP)
        write(wsi, 'three', HTTP_FINAL)
      },
      events: ['GET /a', 'complete 201 11', 'GET /b', 'complete 201 11'],
      answers: [1, 2].map(() => ({
        status: 201,
        body: 'onetwothree',
        headers: { 'transfer-encoding': 'chunked', 'content-length': undefined, 'x-a': 'b' },
      })),
    },
    'pieces begin an answer by themselves, and the last may be empty': {
      send: get('/a') + get('/b'),
      answer(wsi) {
        write(wsi, Buffer.from('one'), HTTP)
        write(wsi, '', HTTP_FINAL)
      },
      answers: [1, 2].map(() => ({ status: 200, body: 'one' })),
    },
    'one piece that is the last is an answer of known length': {
      send: get('/a'),
      answer: (wsi) => void write(wsi, 'one', HTTP_FINAL),
      answers: [{ status: 200, body: 'one', headers: { 'content-length': '3' } }],
    },
    'pieces of a length that is told': {
      send: get('/a') + get('/b'),
      answer(wsi) {
        httpRespond(wsi, { status: 200, pieces: 6 })
        write(wsi, 'one', HTTP)
        write(wsi, 'two', HTTP_FINAL)
      },
      answers: [1, 2].map(() => ({ status: 200, body: 'onetwo' })),
    },
    'to HTTP/1.0 pieces end with the connection': {
      send: old('/a', 'Connection: keep-alive\r\n'),
      answer(wsi) {
        write(wsi, 'one', HTTP)
        write(wsi, 'two', HTTP_FINAL)
      },
      events: ['GET /a', 'complete 200 6', 'closed ANSWERED'],
      answers: [{ status: 200, body: 'onetwo', headers: close }],
      end: 'lingers',
    },
    'to HEAD pieces are a head': {
      send: `HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n${get('/b')}`,
      answer(wsi) {
        write(wsi, 'one', HTTP)
        write(wsi, 'two', HTTP_FINAL)
      },
      events: ['HEAD /h', 'complete 200 0', 'GET /b', 'complete 200 6'],
      answers: [{ status: 200 }, { status: 200, body: 'onetwo' }],
    },
    'a field of several values, headers in a Map': {
      send: get('/a'),
      answer(wsi) {
        const headers = new Map([['Set-Cookie', ['a=1', 'b=2']]])
        httpRespond(wsi, { status: 200, headers, body: 'x' })
      },
      answers: [{ status: 200, headers: { 'set-cookie': 'b=2' } }],
    },
    'text leaves as UTF-8, its length in bytes': {
      send: get('/a'),
      answer: (wsi) => void httpRespond(wsi, { status: 200, body: 'größer' }),
      answers: [{ status: 200, body: 'größer', headers: { 'content-length': '8' } }],
    },
  })
})
