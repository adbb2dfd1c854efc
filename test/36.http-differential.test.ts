/**
 * The same bytes to this library, to Node's own parser and to http-parser-js. What we understand as
 * a request, both understand as the same request; what we refuse and they do not is of a class in
 * the table below: each difference is ours being stricter.
 *
 * EXTPOLL_HTTP_FUZZ says how many; EXTPOLL_SEED repeats a run.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  nodeParser,
  ourParser,
  type Parsed,
  type Parser,
  scriptParser,
} from './support/http-parsers.js'

const RUNS = Number(process.env['EXTPOLL_HTTP_FUZZ'] ?? 600)
const SEED = Number(process.env['EXTPOLL_SEED'] ?? 35)

interface Stricter {
  /** The fault that we end with; '' where we wait for the rest of the head. */
  readonly cause: string
  readonly why: string
  readonly like: RegExp
}

/** Where we refuse what one of the others takes. */
const STRICTER: readonly Stricter[] = [
  {
    cause: '',
    why: 'a bare LF ends no line, so the head is not whole (RFC 9112 2.2 allows to refuse it)',
    like: /(?:^|[^\r])\n/,
  },
  { cause: 'REQUEST_MALFORMED', why: 'a bare LF ends no line', like: /(?:^|[^\r])\n/ },
  { cause: 'REQUEST_MALFORMED', why: 'a bare CR is not white space', like: /\r(?!\n)/ },
  { cause: 'REQUEST_MALFORMED', why: 'obs-fold (RFC 9112 5.2)', like: /\r\n[\t ]/ },
  {
    cause: 'REQUEST_MALFORMED',
    why: 'more than one empty line before a request',
    like: /^\r?\n\r?\n|\n\r\n\r?\n/,
  },
  {
    cause: 'REQUEST_MALFORMED',
    why: 'anything but one space in the request line',
    like: /[A-Z](?: {2,}|\t)|(?: {2,}|\t)HTTP|1\.[01] +\r/,
  },
  {
    cause: 'REQUEST_MALFORMED',
    why: 'a control character in a field',
    like: /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/,
  },
  {
    cause: 'REQUEST_MALFORMED',
    why: 'white space around a name',
    like: /[A-Za-z][\t ]+:|\r\n[\t ]/,
  },
  { cause: 'REQUEST_MALFORMED', why: 'a name that is no token', like: /\r\n[^:\r\n]*[^\w\r\n:-]/ },
  { cause: 'REQUEST_MALFORMED', why: 'a field without a name', like: /\n:/ },
  {
    cause: 'REQUEST_MALFORMED',
    why: 'a request line without its version',
    like: /(?:^|\n)[A-Z]+[\t ]+[^ \r\n]*\r?\n/,
  },
  { cause: 'REQUEST_MALFORMED', why: 'a line without a colon', like: /\r\n[^:\r\n]+\r\n/ },
  { cause: 'REQUEST_MALFORMED', why: 'a target beyond ASCII', like: / [^ ]*[\x80-\xff]/ },
  { cause: 'REQUEST_VERSION', why: 'a version that is not spoken', like: /HTTP\/(?!1\.)/ },
  { cause: 'REQUEST_HOST', why: 'not exactly one valid Host (RFC 9112 3.2)', like: /./ },
  { cause: 'REQUEST_TARGET', why: 'a target that fits no form (RFC 9112 3.2)', like: /./ },
  { cause: 'REQUEST_CONNECT', why: 'CONNECT is not spoken', like: /CONNECT/ },
  {
    cause: 'REQUEST_LENGTH',
    why: 'not exactly one length, told in one way (RFC 9112 6.3)',
    like: /content-length|transfer-encoding/i,
  },
  {
    cause: 'REQUEST_CODING',
    why: 'a coding beside chunked',
    like: /transfer-encoding:.*chunked/i,
  },
  {
    cause: 'REQUEST_CHUNK',
    why: 'chunks that are not well-formed (RFC 9112 7.1)',
    like: /chunked/i,
  },
  { cause: 'EXPECTATION', why: 'an expectation nobody knows', like: /expect/i },
  {
    cause: 'ANSWERED',
    why: 'behind the last request of a connection nothing is read',
    like: /connection: *close|HTTP\/1\.0/i,
  },
]

/** Mostly what is right, now and then what is not. */
function mostly<T>(right: readonly T[], wrong: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 14, arbitrary: fc.constantFrom(...right) },
    { weight: 1, arbitrary: fc.constantFrom(...wrong) },
  )
}

const eol = mostly(['\r\n'], ['\n', '\r', '\r\r\n', '\n\r'])
const token = mostly(
  ['X-A', 'Accept', 'Cookie', 'a', 'constructor', '__proto__'],
  ['X A', 'X\t', 'X-[0]', '', ' X', '\xc4', 'X\0'],
)
const value = mostly(
  ['', 'b', 'text/html, */*;q=0.8', '"quoted \\" text"', '\xe4\xf6', '\t b \t', 'a:b::c'],
  ['a\0b', 'a\x01b', 'a\rb', 'a\nb', 'a\r\n b', 'a\r\n\tb', 'a\x7fb', 'a\x0bb'],
)
const field = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(token, mostly([':', ': ', ':\t '], [' :', '\t:', '']), value, eol)
      .map((parts) => parts.join('')),
  },
  {
    weight: 2,
    arbitrary: mostly(
      ['Expect: 100-continue\r\n', 'Connection: keep-alive\r\n', 'Connection: close\r\n'],
      ['Expect: x\r\n'],
    ),
  },
)
const host = mostly(
  ['Host: a\r\n', 'host:a.example:8080\r\n'],
  ['', 'Host: a\r\nHost: b\r\n', 'Host: a/b\r\n', 'Host : a\r\n'],
)

/** Lengths and codings, with the bodies that go with them, and some that do not. */
const framing = mostly<readonly [string, string]>(
  [
    ['', ''],
    ['', ''],
    ['Content-Length: 5\r\n', 'hello'],
    ['content-length:0\r\n', ''],
    ['Content-Length: 11\r\n', 'GET / HTTP/'],
    ['Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'],
    ['transfer-encoding: Chunked\r\n', '1;a=b\r\na\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n'],
  ],
  [
    ['Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'],
    ['Content-Length: 5\r\nContent-Length: 6\r\n', 'hello!'],
    ['Content-Length: 5, 5\r\n', 'hello'],
    ['Content-Length: +5\r\n', 'hello'],
    ['Content-Length: 0x5\r\n', 'hello'],
    ['Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'],
    ['Transfer-Encoding: gzip, chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'],
    ['Transfer-Encoding: identity\r\n', ''],
    ['Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'],
    ['Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'],
    ['Transfer-Encoding: chunked\r\n', '5\nhello\n0\n\n'],
    ['Transfer-Encoding: chunked\r\n', ' 5\r\nhello\r\n0\r\n\r\n'],
    ['Transfer-Encoding: chunked\r\n', '+5\r\nhello\r\n0\r\n\r\n'],
    ['Transfer-Encoding: chunked\r\n', '5\r\nhello!\r\n0\r\n\r\n'],
    ['Transfer-Encoding: chunked\r\n', '5\r\nhello0\r\n\r\n'],
    ['Transfer-Encoding: chunked\r\n', '5;a\nb\r\nhello\r\n0\r\n\r\n'],
    ['Transfer-Encoding: chunked\r\n', '0\r\nX : y\r\n\r\n'],
    ['Transfer-Encoding : chunked\r\n', '0\r\n\r\n'],
  ],
)
/** Methods that all three know: that they know no others is no matter of understanding. */
const requestLine = fc
  .tuple(
    mostly(['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE', 'PATCH'], ['CONNECT', 'G T', '']),
    mostly([' '], ['  ', '\t', '']),
    mostly(
      ['/', '/a?b=c', '/%00/../x', 'http://a/b', '/a|b"c'],
      ['*', 'a', '/\xe4', '/#f', '/\0', '', 'a:443'],
    ),
    mostly([' '], ['  ', '\t', '']),
    mostly(
      ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'],
      ['HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/1.10', 'HTTP/1.1 ', 'HTTP/11', ''],
    ),
    eol,
  )
  .map((parts) => parts.join(''))
const request = fc
  .tuple(
    mostly([''], ['\r\n', '\n', '\r\n\r\n']),
    requestLine,
    host,
    fc.array(field, { maxLength: 4 }),
    framing,
    eol,
  )
  .map(
    ([before, line, one, fields, [frame, body], end]) =>
      before + line + one + fields.join('') + frame + end + body,
  )
const requests = fc.array(request, { minLength: 1, maxLength: 3 }).map((all) => all.join(''))

/** @returns the class of the difference, null where there is none */
function difference(bytes: Buffer, ours: Parsed, theirs: Parsed): Stricter | null {
  for (const [index, mine] of ours.requests.entries())
    assert.deepEqual(theirs.requests[index], mine, `request ${index} is another, or none`)
  if (theirs.requests.length === ours.requests.length) return null
  const text = bytes.toString('latin1')
  const known = STRICTER.find(({ cause, like }) => cause === ours.end && like.test(text))
  assert.ok(known !== undefined, `we end with ${ours.end || 'waiting'}, and they go on`)
  return known
}

describe('36 HTTP differential', function () {
  this.timeout(600_000)

  for (const [name, make] of [
    ["Node's own parser", nodeParser],
    ['http-parser-js', scriptParser],
  ] as const)
    it(`what ${name} understands otherwise, it understands more loosely`, () => {
      const ours = ourParser()
      const theirs: Parser = make()
      const seen = new Map<Stricter, number>()
      let same = 0
      fc.assert(
        fc.property(requests, (text) => {
          const bytes = Buffer.from(text, 'latin1')
          const found = difference(bytes, ours(bytes), theirs(bytes))
          if (found === null) same++
          else seen.set(found, (seen.get(found) ?? 0) + 1)
        }),
        { numRuns: RUNS, seed: SEED },
      )
      assert.ok(same > RUNS / 2, `${same} of ${RUNS} alike: too few to say anything`)
      assert.ok(seen.size >= 3, 'it met too few of the differences')
      if (process.env['EXTPOLL_HTTP_FUZZ'] !== undefined)
        for (const [{ cause, why }, count] of seen) console.log(`    ${count} ${cause} ${why}`)
    })
})
