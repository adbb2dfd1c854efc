/** The opening handshake as a client meets it: RFC 6455 section 4.1, on the wire. */
import { type ClientRow, clientWires } from './support/client-wire.js'
import { bytes, server } from './support/wire-bytes.js'
import { type FaultName } from '../src/index.js'

type Edit = (answer: string) => string

/** The right answer, changed. */
function answers(
  edit: Edit,
  expect: ClientRow['expect'],
  more: Partial<ClientRow> = {},
): ClientRow {
  return { from: 'new', send: (peer) => edit(peer.accept()), expect, ...more }
}

function refusals(
  cause: FaultName,
  rows: Readonly<Record<string, readonly [Edit, string]>>,
): Record<string, ClientRow> {
  return Object.fromEntries(
    Object.entries(rows).map(([title, [edit, detail]]) => [
      title,
      answers(edit, { end: 'over', error: [cause, detail] }),
    ]),
  )
}

const status =
  (line: string): Edit =>
  (answer) =>
    answer.replace('HTTP/1.1 101 Switching Protocols', line)
const field =
  (name: string, value: string | null): Edit =>
  (answer) =>
    answer.replace(new RegExp(`${name}: .*\r\n`), value === null ? '' : `${name}: ${value}\r\n`)
const also =
  (line: string): Edit =>
  (answer) =>
    answer.replace(/\r\n\r\n$/, `\r\n${line}\r\n\r\n`)
const same: Edit = (answer) => answer
const swapped = (text: string): string =>
  text.replace(/[a-z]/gi, (one) => (one < 'a' ? one.toLowerCase() : one.toUpperCase()))

describe('31 client handshake', () => {
  describe('RFC 6455 4.1: an answer that is right', () => {
    const right = { events: ['established'] }
    clientWires({
      'opens the connection': answers(same, right),
      'with any phrase, or none': answers(status('HTTP/1.1 101'), right),
      'Upgrade in any case': answers(field('Upgrade', 'WebSocket'), right),
      'Connection with more tokens': answers(field('Connection', 'keep-alive, UPGRADE'), right),
      'with fields that nobody knows': answers(also('Server: test\r\nX-Y: z'), right),
      'Accept with white space around it, which does not count': answers(
        (answer) => answer.replace(/(Sec-WebSocket-Accept:)(.*)\r\n/, '$1 \t$2 \t\r\n'),
        right,
      ),
      'fields whose names are in any case': answers(
        (answer) => answer.replace(/^[A-Za-z-]+:/gm, (name) => name.toLowerCase()),
        right,
      ),
      'an empty list of extensions': answers(also('Sec-WebSocket-Extensions:'), right),
      'with frames glued to it, which are kept': {
        from: 'new',
        send: (peer) => bytes(peer.accept(), server.frame(1, 'early'), server.frame(9, 'p')),
        expect: { events: ['established', 'text "early"'], frames: ['10 70'] },
      },
      'with a close frame glued to it': {
        from: 'new',
        send: (peer) => bytes(peer.accept(), server.close(1001)),
        expect: {
          events: ['established'],
          frames: ['8 03e9'],
          end: 'waits',
          close: { code: 1001, reason: '', initiator: 'peer', cause: 'CLOSED_BY_PEER' },
        },
      },
      'after an interim answer (RFC 9110 15.2)': answers(
        (answer) => `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${answer}`,
        right,
      ),
    })
  })

  describe('RFC 6455 4.1: what fails the connection', () => {
    clientWires({
      ...refusals('ANSWER_STATUS', {
        '(1) 200': [status('HTTP/1.1 200 OK'), 'expected 101, got 200 OK'],
        '(1) 404': [status('HTTP/1.1 404 Not Found'), 'got 404 Not Found'],
        '(1) 401': [status('HTTP/1.1 401'), 'got 401'],
        '(1) 301, which is not followed': [
          (answer) => also('Location: ws://other/')(status('HTTP/1.1 301 Moved')(answer)),
          'which points to ws://other/',
        ],
        '(1) 426': [status('HTTP/1.1 426 Upgrade Required'), 'got 426'],
        '(1) 999': [status('HTTP/1.1 999 x'), 'got 999'],
      }),
      ...refusals('ANSWER_VERSION', {
        'HTTP/1.0': [status('HTTP/1.0 101 Switching'), 'got "HTTP/1.0"'],
      }),
      ...refusals('ANSWER_UPGRADE', {
        '(2) no Upgrade': [field('Upgrade', null), 'got nothing'],
        '(2) another': [field('Upgrade', 'h2c'), 'got "h2c"'],
        '(2) a list': [field('Upgrade', 'websocket, h2c'), 'websocket, h2c'],
        '(2) twice': [also('Upgrade: websocket'), 'websocket, websocket'],
      }),
      ...refusals('ANSWER_CONNECTION', {
        '(3) no Connection': [field('Connection', null), 'got nothing'],
        '(3) without the token': [field('Connection', 'keep-alive'), 'got "keep-alive"'],
        '(3) a token that begins so': [field('Connection', 'upgrades'), 'got "upgrades"'],
      }),
      ...refusals('ANSWER_ACCEPT', {
        '(4) none': [field('Sec-WebSocket-Accept', null), 'got nothing'],
        '(4) of another key': [
          field('Sec-WebSocket-Accept', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='),
          'got "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="',
        ],
        '(4) twice': [also('Sec-WebSocket-Accept: x'), ', x"'],
        '(4) the right one in another case': [
          (answer) =>
            answer.replace(/(Accept: )(.*)\r/, (_all, name, key) => `${name}${swapped(key)}\r`),
          'expected ',
        ],
        '(4) the right one, and more': [
          (answer) => answer.replace(/(Accept: .*)\r/, '$1A\r'),
          'expected ',
        ],
        '(4) empty': [field('Sec-WebSocket-Accept', ''), 'got ""'],
      }),
      ...refusals('ANSWER_EXTENSION', {
        '(5) one that was not offered': [
          also('Sec-WebSocket-Extensions: permessage-deflate'),
          'got "permessage-deflate"',
        ],
        '(5) one behind an empty one': [
          (answer) =>
            also('Sec-WebSocket-Extensions: x-y')(also('Sec-WebSocket-Extensions:')(answer)),
          'x-y',
        ],
      }),
      ...refusals('ANSWER_PROTOCOL', {
        '(6) one, and none was offered': [also('Sec-WebSocket-Protocol: chat'), 'got "chat"'],
        '(6) an empty one': [also('Sec-WebSocket-Protocol:'), 'got ""'],
      }),
    })
  })

  describe('RFC 6455 4.1 (6): the server picks', () => {
    const offers = ['a', 'b']
    const picks = (name: string, expect: ClientRow['expect']): ClientRow =>
      answers(also(`Sec-WebSocket-Protocol: ${name}`), expect, { offers, named: offers })
    const right = { events: ['established'] }
    clientWires({
      'the first of two': picks('a', right),
      'the second of two': picks('b', right),
      'none of them': answers(same, right, { offers, named: offers }),
      ...Object.fromEntries(
        [
          ['one that was not offered', 'c', 'expected one of a, b, got "c"'],
          ['one in another case', 'A', 'got "A"'],
          ['both', 'a, b', 'got "a, b"'],
          ['an empty one', '', 'got ""'],
          ['the same twice (11.3.4)', 'a\r\nSec-WebSocket-Protocol: a', 'got "a, a"'],
        ].map(([title, name, detail]) => [
          `but not ${title}`,
          picks(name!, { end: 'over', error: ['ANSWER_PROTOCOL', detail!] }),
        ]),
      ),
    })
  })

  describe('RFC 9112: what is no answer', () => {
    const malformed = (send: string, detail: string): ClientRow => ({
      from: 'new',
      send: Buffer.from(send, 'latin1'),
      expect: { end: 'over', error: ['ANSWER_MALFORMED', detail] },
    })
    clientWires({
      'no status line': malformed('hello\r\n\r\n', 'begins with "hello"'),
      'another protocol': malformed('SSH-2.0-OpenSSH\r\n\r\n', 'SSH-2.0'),
      'HTTP/2.0': malformed('HTTP/2.0 101 x\r\n\r\n', 'HTTP/2.0'),
      'a status of two digits': malformed('HTTP/1.1 10 x\r\n\r\n', 'HTTP/1.1 10'),
      'a folded field': malformed('HTTP/1.1 101 x\r\nA: b\r\n c\r\n\r\n', 'HTTP/1.1 101'),
      'a space before the colon': malformed('HTTP/1.1 101 x\r\nA : b\r\n\r\n', 'HTTP/1.1 101'),
      'a bare LF': malformed('HTTP/1.1 101 x\nA: b\r\n\r\n', 'begins with'),
      'a NUL': malformed('HTTP/1.1 101 x\r\nA: \0\r\n\r\n', 'HTTP/1.1 101'),
      'more than maxHeaderBytes, without an end': {
        from: 'new',
        send: Buffer.from(`HTTP/1.1 101 x\r\nA: ${'b'.repeat(300)}`),
        context: { maxHeaderBytes: 256 },
        expect: { end: 'over', error: ['ANSWER_TOO_LARGE', 'larger than is allowed'] },
      },
      'more than maxHeaderCount': {
        from: 'new',
        send: Buffer.from(`HTTP/1.1 101 x\r\n${'A: b\r\n'.repeat(9)}\r\n`),
        context: { maxHeaderCount: 8 },
        expect: { end: 'over', error: ['ANSWER_TOO_LARGE', 'larger than is allowed'] },
      },
      'an end before the answer': {
        from: 'new',
        send: Buffer.from('HTTP/1.1 101'),
        thenEnd: true,
        expect: { end: 'over', error: ['END_OF_FILE', 'before the answer'] },
      },
      'interim answers without end': {
        from: 'new',
        send: Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'.repeat(17)),
        expect: { end: 'over', error: ['ANSWER_TOO_LARGE', '17 interim answers'] },
      },
    })
  })
})
