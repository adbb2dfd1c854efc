/**
 * Requests that two readers could understand differently, or that are more than is allowed: each
 * with the status that refuses it. Whatever follows one of them must never be parsed.
 *
 * `SMUGGLED` follows each, as the request that an attacker would hide.
 */

export const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'

const get = (fields: string): string => `GET /x HTTP/1.1\r\n${fields}\r\n\r\n`
const withHost = (fields: string): string => get(`Host: a\r\n${fields}`)
const line = (requestLine: string): string => `${requestLine}\r\nHost: a\r\n\r\n`
const post = (fields: string, body = ''): string =>
  `POST /x HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n${body}`
const chunks = (body: string): string => post('Transfer-Encoding: chunked', body)
const upgrade = (fields: string, version = '1.1'): string =>
  `GET /x HTTP/${version}\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${fields}\r\n`

/** Bytes above 0x7f stand for themselves: the texts are sent as Latin-1. */
export const smugglingCases: Readonly<Record<string, readonly [request: string, status: number]>> =
  {
    // Lengths that contradict (RFC 9112 6.3)
    'two lengths that differ': [post('Content-Length: 5\r\nContent-Length: 6', 'hello'), 400],
    'two lengths that agree': [post('Content-Length: 5\r\nContent-Length: 5', 'hello'), 400],
    'two lengths in one field': [post('Content-Length: 5, 5', 'hello'), 400],
    'a length beside chunks': [
      post('Content-Length: 5\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
      400,
    ],
    'chunks beside a length': [
      post('Transfer-Encoding: chunked\r\nContent-Length: 5', '0\r\n\r\n'),
      400,
    ],
    'a length with a sign': [post('Content-Length: +5', 'hello'), 400],
    'a length below nothing': [post('Content-Length: -5', 'hello'), 400],
    'a length in hexadecimal': [post('Content-Length: 0x5', 'hello'), 400],
    'a length with a point': [post('Content-Length: 5.0', 'hello'), 400],
    'a length with an exponent': [post('Content-Length: 5e0', 'hello'), 400],
    'a length with a space in it': [post('Content-Length: 1 5', 'hello'), 400],
    'a length with a separator': [post('Content-Length: 1_5', 'hello'), 400],
    'a length in quotes': [post('Content-Length: "5"', 'hello'), 400],
    'a length of nothing': [post('Content-Length:', 'hello'), 400],
    'a length of a word': [post('Content-Length: five', 'hello'), 400],
    'a length beyond all numbers': [post(`Content-Length: ${'9'.repeat(30)}`, 'hello'), 400],
    'a length of a superscript': [post('Content-Length: \xb2', 'he'), 400],
    'a length behind a form feed': [post('Content-Length: \f5', 'hello'), 400],
    // Codings (RFC 9112 6.1)
    'chunked twice': [
      post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
      400,
    ],
    'chunked twice in one field': [post('Transfer-Encoding: chunked, chunked', '0\r\n\r\n'), 400],
    'chunked, and then another coding': [
      post('Transfer-Encoding: chunked, gzip', '0\r\n\r\n'),
      400,
    ],
    'another coding, then chunked': [post('Transfer-Encoding: gzip, chunked', '0\r\n\r\n'), 501],
    'a coding of nothing': [post('Transfer-Encoding:', '0\r\n\r\n'), 400],
    'the coding identity': [post('Transfer-Encoding: identity', 'hello'), 400],
    'a coding that ends like chunked': [post('Transfer-Encoding: xchunked', '0\r\n\r\n'), 400],
    'a coding that begins like chunked': [post('Transfer-Encoding: chunkedx', '0\r\n\r\n'), 400],
    'chunked in quotes': [post('Transfer-Encoding: "chunked"', '0\r\n\r\n'), 400],
    'chunked with a parameter': [post('Transfer-Encoding: chunked;q=1', '0\r\n\r\n'), 400],
    'chunked behind a vertical tab': [post('Transfer-Encoding: \x0bchunked', '0\r\n\r\n'), 400],
    'chunked behind a NUL': [post('Transfer-Encoding: \0chunked', '0\r\n\r\n'), 400],
    'a field that looks like the coding': [
      'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    'chunks in HTTP/1.0': [
      'POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    'a coding folded into the next line': [
      post('Transfer-Encoding:\r\n chunked', '0\r\n\r\n'),
      400,
    ],
    // Chunks (RFC 9112 7.1)
    'a chunk size of nothing': [chunks('\r\nhello\r\n0\r\n\r\n'), 400],
    'a chunk size with a sign': [chunks('+5\r\nhello\r\n0\r\n\r\n'), 400],
    'a chunk size below nothing': [chunks('-5\r\nhello\r\n0\r\n\r\n'), 400],
    'a chunk size with 0x': [chunks('0x5\r\nhello\r\n0\r\n\r\n'), 400],
    'a chunk size behind a space': [chunks(' 5\r\nhello\r\n0\r\n\r\n'), 400],
    'a chunk size before a space': [chunks('5 \r\nhello\r\n0\r\n\r\n'), 400],
    'a chunk size that is no number': [chunks('g\r\nhello\r\n0\r\n\r\n'), 400],
    'a chunk size beyond all numbers': [chunks(`${'f'.repeat(17)}\r\nhello\r\n`), 400],
    'a chunk size that wraps around 64 bits': [chunks('10000000000000005\r\nhello\r\n'), 400],
    'a chunk size whose line ends in LF': [chunks('5\nhello\r\n0\r\n\r\n'), 400],
    'a chunk size whose line ends in CR': [chunks('5\rhello\r\n0\r\n\r\n'), 400],
    'a chunk longer than its size': [chunks('5\r\nhello!\r\n0\r\n\r\n'), 400],
    'a chunk shorter than its size': [chunks('5\r\nhell\r\n0\r\n\r\n'), 400],
    'a chunk that ends in LF': [chunks('5\r\nhello\n0\r\n\r\n'), 400],
    'a chunk without its line end': [chunks('5\r\nhello0\r\n\r\n'), 400],
    'an extension with a bare LF': [chunks('5;a\nb\r\nhello\r\n0\r\n\r\n'), 400],
    'an extension with a NUL': [chunks('5;a=\0\r\nhello\r\n0\r\n\r\n'), 400],
    'an extension longer than its line may be': [
      chunks(`5;${'a'.repeat(300)}\r\nhello\r\n0\r\n\r\n`),
      400,
    ],
    'a last chunk that is ended by LF': [chunks('0\n\n'), 400],
    'a trailer with a space before its colon': [chunks('0\r\nA : b\r\n\r\n'), 400],
    'a trailer that is folded': [chunks('0\r\nA: b\r\n c\r\n\r\n'), 400],
    'a trailer without a colon': [chunks('0\r\nGET /smuggled HTTP/1.1\r\n\r\n'), 400],
    // Line ends (RFC 9112 2.2)
    'a bare LF behind the request line': ['GET /x HTTP/1.1\nHost: a\r\n\r\n', 400],
    'bare LFs throughout': ['GET /x HTTP/1.1\nHost: a\n\nX: y\r\n\r\n', 400],
    'a bare LF within a field': [withHost('A: b\nContent-Length: 5'), 400],
    'a bare CR within a field': [withHost('A: b\rContent-Length: 5'), 400],
    'a bare CR within the request line': [line('GET /x\r HTTP/1.1'), 400],
    'two CRs before LF': ['GET /x HTTP/1.1\r\r\nHost: a\r\n\r\n', 400],
    'two empty lines before the request': [`\r\n\r\n${withHost('A: b')}`, 400],
    'a NUL in a value': [withHost('A: b\0c'), 400],
    'a NUL in a name': [withHost('A\0: b'), 400],
    'a NUL in the target': [line('GET /\0x HTTP/1.1'), 400],
    'a control character in a value': [withHost('A: b\x01c'), 400],
    'DEL in a value': [withHost('A: b\x7fc'), 400],
    // Fields (RFC 9112 5)
    'obs-fold with a space': [withHost('A: b\r\n c'), 400],
    'obs-fold with a tab': [withHost('A: b\r\n\tc'), 400],
    'a first field that is folded': [`GET /x HTTP/1.1\r\n Host: a\r\n\r\n`, 400],
    'a space before a colon': [withHost('A : b'), 400],
    'a tab before a colon': [withHost('A\t: b'), 400],
    'a field without a name': [withHost(': b'), 400],
    'a field without a colon': [withHost('Ab'), 400],
    'a name with a bracket': [withHost('A[0]: b'), 400],
    'a name beyond ASCII': [withHost('\xc4: b'), 400],
    // The request line (RFC 9112 3)
    'two spaces in the request line': [line('GET  /x HTTP/1.1'), 400],
    'a tab in the request line': [line('GET\t/x HTTP/1.1'), 400],
    'a space behind the version': [line('GET /x HTTP/1.1 '), 400],
    'a space before the method': [line(' GET /x HTTP/1.1'), 400],
    'no version': [line('GET /x'), 400],
    'a version in small letters': [line('GET /x http/1.1'), 400],
    'a version of two digits': [line('GET /x HTTP/1.10'), 400],
    'HTTP/0.9': ['GET /x\r\n\r\n', 400],
    'HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
    'a method that is no token': [line('G@T /x HTTP/1.1'), 400],
    'a target that is no path': [line('GET x HTTP/1.1'), 400],
    'a target with a fragment': [line('GET /x#y HTTP/1.1'), 400],
    'a target with a user': [line('GET http://u@a/x HTTP/1.1'), 400],
    'a target beyond ASCII': [line('GET /\xe4 HTTP/1.1'), 400],
    '* for another method than OPTIONS': [line('GET * HTTP/1.1'), 400],
    CONNECT: [line('CONNECT a:443 HTTP/1.1'), 501],
    // Host (RFC 9112 3.2)
    'no Host': ['GET /x HTTP/1.1\r\n\r\n', 400],
    'two Hosts': [get('Host: a\r\nHost: b'), 400],
    'two Hosts that agree': [get('Host: a\r\nHost: a'), 400],
    'a Host with a path': [get('Host: a/b'), 400],
    'a Host with a user': [get('Host: u@a'), 400],
    'a Host with a space': [get('Host: a b'), 400],
    'a Host that is a list': [get('Host: a, b c'), 400],
    // Expectations, upgrades (RFC 9110 10.1.1 and 7.8)
    'an expectation nobody knows': [post('Content-Length: 5\r\nExpect: 200-ok', 'hello'), 417],
    'an upgrade over HTTP/1.0': [upgrade('', '1.0'), 505],
    'an upgrade with a body': [upgrade('Content-Length: 5\r\n'), 400],
    'an upgrade with chunks': [upgrade('Transfer-Encoding: chunked\r\n'), 400],
    'an upgrade in a POST': [upgrade('').replace('GET', 'POST'), 405],
    'an upgrade to a version nobody knows': [upgrade('').replace(': 13', ': 14'), 426],
    'an upgrade without its key': [upgrade('').replace('Sec-WebSocket-Key', 'X-Key'), 400],
    'an upgrade from another origin': [upgrade('Origin: http://evil.example\r\n'), 403],
    // Limits, as low as the test sets them
    'a head larger than maxHeaderBytes': [withHost(`A: ${'a'.repeat(1_100)}`), 431],
    'a head without an end': [`GET /x HTTP/1.1\r\nHost: a\r\nA: ${'a'.repeat(1_100)}`, 431],
    'a target larger than maxHeaderBytes': [line(`GET /${'a'.repeat(1_100)} HTTP/1.1`), 431],
    'more fields than maxHeaderCount': [withHost('A: b\r\n'.repeat(20).trimEnd()), 431],
    'a length above maxBodyBytes': [post('Content-Length: 1001', 'hello'), 413],
    'chunks above maxBodyBytes': [
      chunks(`3e8\r\n${'a'.repeat(1_000)}\r\n1\r\nb\r\n0\r\n\r\n`),
      413,
    ],
    'one chunk above maxBodyBytes': [chunks('fffffffff\r\nhello'), 413],
    'trailers above maxHeaderBytes': [chunks(`0\r\n${'A: bcdefg\r\n'.repeat(150)}\r\n`), 431],
    'one trailer above maxHeaderBytes': [chunks(`0\r\nA: ${'b'.repeat(1_100)}\r\n\r\n`), 400],
    'extensions above maxHeaderBytes': [
      chunks(`${`1;${'e'.repeat(200)}\r\na\r\n`.repeat(6)}0\r\n\r\n`),
      431,
    ],
  }

export const smugglingLimits = {
  maxHeaderBytes: 1_024,
  maxHeaderCount: 16,
  maxBodyBytes: 1_000,
} as const
