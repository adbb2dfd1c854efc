/**
 * The opening handshake as a server meets it: RFC 6455 section 4, on the wire.
 *
 * HTTP's own rules of a request head are in 20.request-head, filters and origins in 20.admission.
 */
import { defineProtocol } from '../src/index.js'
import { wires, type Expected, type Row } from './support/wire.js'
import {
  bytes,
  client,
  type Fields,
  refused,
  server,
  switching,
  validRequest,
} from './support/wire-bytes.js'

const accepted: Expected = { sent: Buffer.from(switching()) }

function asks(fields: Fields, expect: Expected, line?: string): Row {
  return { from: 'new', send: Buffer.from(validRequest(fields, line)), expect }
}

function each(expect: Expected, rows: Readonly<Record<string, Fields>>): Record<string, Row> {
  return Object.fromEntries(
    Object.entries(rows).map(([title, fields]) => [title, asks(fields, expect)]),
  )
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

describe('20 handshake', () => {
  describe('RFC 6455 4.2.2: the answer', () => {
    wires({
      'is 101 with the Sec-WebSocket-Accept of the example': asks({}, accepted),
      'to the whole example of 1.2': {
        from: 'new',
        send: Buffer.from(
          validRequest({
            Origin: 'http://example.com',
            'Sec-WebSocket-Protocol': 'chat, superchat',
          }),
        ),
        protocol: { name: 'chat' },
        expect: { sent: Buffer.from(switching('chat')) },
      },
      'comes before the frames that were glued to the request are answered': {
        from: 'new',
        send: bytes(
          validRequest(),
          client.text('Hello'),
          client.ping('p'),
          client.text('', { fin: false }),
        ),
        expect: { events: ['text "Hello"'], sent: bytes(switching(), server.pong('p')) },
      },
      'comes before what ESTABLISHED writes, and a fault behind it': {
        from: 'new',
        send: bytes(validRequest(), client.close(1000)),
        expect: {
          sent: bytes(switching(), server.close(1000)),
          end: 'closes',
          close: { code: 1000, reason: '', initiator: 'peer', cause: 'CLOSED_BY_PEER' },
        },
      },
    })
  })

  describe('RFC 6455 4.2.1 (1): GET, and HTTP/1.1 or higher', () => {
    const methods = [
      'POST',
      'HEAD',
      'PUT',
      'DELETE',
      'OPTIONS',
      'TRACE',
      'CONNECT',
      'get',
      'Get',
      'GETX',
    ]
    const rows: Record<string, Row> = {}
    for (const method of methods)
      rows[`${method}: 405 with Allow`] = asks(
        {},
        refused(405, { headers: { allow: 'GET' } }),
        `${method} / HTTP/1.1`,
      )
    for (const version of ['1.0', '2.0', '0.9', '3.0'])
      rows[`HTTP/${version}: 505`] = asks({}, refused(505), `GET / HTTP/${version}`)
    for (const target of [
      '/',
      '/chat',
      '/a?b=c&d',
      '/%20',
      'http://server.example.com/chat',
      '//x',
    ])
      rows[`the resource ${target}`] = asks({}, accepted, `GET ${target} HTTP/1.1`)
    wires(rows)
  })

  describe('RFC 6455 4.2.1 (2): exactly one Host', () => {
    wires({
      ...each(refused(400), {
        'none: 400': { Host: undefined },
        'two: 400': { Host: 'a', host: 'b' },
        'two alike: 400': { Host: 'a', HOST: 'a' },
        'two in one line: 400': { Host: 'a, b' },
        'with a path: 400': { Host: 'a/b' },
        'with a user: 400': { Host: 'u@a' },
        'with a space: 400': { Host: 'a b' },
        'with a port that is none: 400': { Host: 'a:b' },
      }),
      ...each(accepted, {
        'with a port': { Host: 'server.example.com:8080' },
        'of IPv4': { Host: '127.0.0.1:80' },
        'of IPv6': { Host: '[::1]:80' },
      }),
    })
  })

  describe('RFC 6455 4.2.1 (3): Upgrade, a token in any case', () => {
    wires({
      ...each(accepted, {
        WebSocket: { Upgrade: 'WebSocket' },
        WEBSOCKET: { Upgrade: 'WEBSOCKET' },
        'in a list': { Upgrade: 'h2c, websocket' },
        'in a list without spaces': { Upgrade: 'a,websocket,b' },
        'with spaces around': { Upgrade: ' \twebsocket \t' },
      }),
      ...each(refused(426, { headers: { upgrade: 'websocket' } }), {
        'absent: this is HTTP': { Upgrade: undefined },
        'another protocol': { Upgrade: 'h2c' },
        'a token that only begins so': { Upgrade: 'websockets' },
        'a token that only ends so': { Upgrade: 'xwebsocket' },
        empty: { Upgrade: '' },
      }),
    })
  })

  describe('RFC 6455 4.2.1 (4): Connection contains the token Upgrade, in any case', () => {
    wires({
      ...each(accepted, {
        upgrade: { Connection: 'upgrade' },
        UPGRADE: { Connection: 'UPGRADE' },
        'as Firefox says it': { Connection: 'keep-alive, Upgrade' },
        'last of three without spaces': { Connection: 'a,b,Upgrade' },
        'in a second field': { Connection: 'keep-alive', connection: 'Upgrade' },
        'with empty members': { Connection: ', Upgrade,,' },
      }),
      ...each(refused(400), {
        'absent: 400': { Connection: undefined },
        'keep-alive only: 400': { Connection: 'keep-alive' },
        'close only: 400': { Connection: 'close' },
        'a token that only begins so: 400': { Connection: 'upgrades' },
        'in quotes: 400': { Connection: '"Upgrade"' },
      }),
    })
  })

  describe('RFC 6455 4.2.1 (5): Sec-WebSocket-Key, 16 bytes in base64', () => {
    wires({
      ...each(refused(400), {
        absent: { 'Sec-WebSocket-Key': undefined },
        empty: { 'Sec-WebSocket-Key': '' },
        twice: { 'Sec-WebSocket-Key': KEY, 'sec-websocket-key': KEY },
        '15 bytes': { 'Sec-WebSocket-Key': Buffer.alloc(15, 7).toString('base64') },
        '17 bytes': { 'Sec-WebSocket-Key': Buffer.alloc(17, 7).toString('base64') },
        '18 bytes, without padding': {
          'Sec-WebSocket-Key': Buffer.alloc(18, 7).toString('base64'),
        },
        'padding left out': { 'Sec-WebSocket-Key': KEY.slice(0, 22) },
        'one = only': { 'Sec-WebSocket-Key': KEY.slice(0, 23) },
        base64url: { 'Sec-WebSocket-Key': `-_${KEY.slice(2)}` },
        'a space inside': { 'Sec-WebSocket-Key': `dGhl ${KEY.slice(5)}` },
        'bits beyond the 16th byte': { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZR==' },
      }),
      'other 16 bytes': asks(
        { 'Sec-WebSocket-Key': Buffer.alloc(16, 0xff).toString('base64') },
        { status: 101, headers: { 'sec-websocket-accept': 'XXpj4jYzLM2yUE0C7TIgMwTQh2g=' } },
      ),
      'with spaces around, which are not part of it': asks(
        { 'Sec-WebSocket-Key': ` \t${KEY}\t ` },
        accepted,
      ),
    })
  })

  describe('RFC 6455 4.2.1 (6) and 4.4: Sec-WebSocket-Version', () => {
    const spoken = refused(426, { headers: { 'sec-websocket-version': '13, 8, 7' } })
    wires({
      ...each(accepted, {
        '13': {},
        '8, of hybi-08 to 12': { 'Sec-WebSocket-Version': '8' },
        '7, of hybi-07': { 'Sec-WebSocket-Version': '7' },
      }),
      ...each(spoken, {
        'absent: 426 that names ours': { 'Sec-WebSocket-Version': undefined },
        empty: { 'Sec-WebSocket-Version': '' },
        '0': { 'Sec-WebSocket-Version': '0' },
        '6, which frames otherwise': { 'Sec-WebSocket-Version': '6' },
        '12': { 'Sec-WebSocket-Version': '12' },
        '14': { 'Sec-WebSocket-Version': '14' },
        '130': { 'Sec-WebSocket-Version': '130' },
        '013': { 'Sec-WebSocket-Version': '013' },
        '+13': { 'Sec-WebSocket-Version': '+13' },
        '13.0': { 'Sec-WebSocket-Version': '13.0' },
        'a list, which only servers send': { 'Sec-WebSocket-Version': '13, 8' },
        'a word': { 'Sec-WebSocket-Version': 'latest' },
      }),
    })
  })

  describe('RFC 6455 4.2.2 (5): subprotocols', () => {
    const offers = (value: string, more: Fields = {}): Buffer =>
      Buffer.from(validRequest({ 'Sec-WebSocket-Protocol': value, ...more }))
    const contextOf = (...names: string[]): Row['context'] => ({
      protocols: names.map((name) => defineProtocol({ name, handlers: { RECEIVE() {} } })),
    })
    const row = (value: string, expect: Expected, ...names: string[]): Row => ({
      from: 'new',
      send: offers(value),
      context: contextOf(...names),
      expect,
    })
    const chosen = (name: string): Expected => ({ sent: Buffer.from(switching(name)) })
    wires({
      'the first of the client that is spoken here': row('x, b, a', chosen('b'), 'a', 'b'),
      'the order of the client decides': row('b, a', chosen('b'), 'a', 'b'),
      'one of one': row('a', chosen('a'), 'a'),
      'names are compared with their case': row('A', refused(400, { body: 'Spoken: a' }), 'a'),
      'spaces and tabs around names': row(' \tb\t , a', chosen('b'), 'a', 'b'),
      'none known: 400 that names ours': row(
        'x, y',
        refused(400, { body: 'Spoken: a, b' }),
        'a',
        'b',
      ),
      'none known, and none of ours has a name': row(
        'x',
        refused(400, { body: 'Spoken: none' }),
        '',
      ),
      'a name that is no token: 400': row('a b', refused(400), 'a'),
      'an empty list: 400': row('', refused(400), 'a'),
      'in two fields': {
        from: 'new',
        send: offers('x', { 'sec-websocket-protocol': 'b' }),
        context: contextOf('a', 'b'),
        expect: chosen('b'),
      },
      'none offered: the one without a name': {
        from: 'new',
        send: Buffer.from(validRequest()),
        context: contextOf('a', ''),
        expect: accepted,
      },
      'none offered: never a header': {
        from: 'new',
        send: Buffer.from(validRequest()),
        context: contextOf('a', 'b'),
        expect: accepted,
      },
      'none known, by option: no header': {
        from: 'new',
        send: offers('x'),
        context: { ...contextOf('a'), unknownProtocol: 'accept' },
        expect: accepted,
      },
    })
  })

  describe('RFC 6455 4.2.1 and 4.1: what else', () => {
    wires({
      ...each(refused(400), {
        'a body by length: 400': { 'Content-Length': '5' },
        'a body in chunks: 400': { 'Transfer-Encoding': 'chunked' },
        'a length that is no number: 400': { 'Content-Length': 'x' },
      }),
      ...each(accepted, {
        'a length of 0': { 'Content-Length': '0' },
        'extensions that we do not speak are not agreed to': {
          'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits, x-unknown',
        },
        'fields that nobody knows': { 'X-Unknown': 'x', Cookie: 'a=b', 'User-Agent': 'test' },
        'header names in any case': {
          Host: undefined,
          hOsT: 'a',
          Upgrade: undefined,
          UPGRADE: 'websocket',
        },
      }),
    })
  })
})
