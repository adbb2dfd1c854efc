/**
 * Who may connect: origins, the two filters, deferred answers. They fail closed: whatever is not
 * clearly a yes is a no, goes to `onError`, and never out of serviceFd.
 */
import assert from 'node:assert/strict'
import {
  ACCEPT,
  answerHandshake,
  DEFER,
  defineProtocol,
  Errno,
  rxFlowControl,
  serviceFd,
  write,
  TEXT,
  type Handlers,
  type ProtocolDefinition,
  type Wsi,
} from '../src/index.js'
import { harness, type Harness } from './support/harness.js'
import { wires, type Expected, type Row } from './support/wire.js'
import { bytes, client, refused, switching, validRequest } from './support/wire-bytes.js'

const accepted: Expected = { sent: Buffer.from(switching()) }

type Allowed = NonNullable<Row['context']>['allowedOrigins']

/** What TypeScript refuses and JavaScript does: an answer of the wrong kind. */
function wrongly(answer: unknown): never {
  return answer as never
}

describe('20 admission', () => {
  describe('RFC 6455 4.2.2 (4) and 10.2: allowedOrigins', () => {
    const row = (
      allowedOrigins: Allowed | undefined,
      origin: string | undefined,
      expect: Expected,
      host = 'a.test',
    ): Row => ({
      from: 'new',
      send: Buffer.from(validRequest({ Host: host, Origin: origin })),
      context:
        allowedOrigins === undefined ? { allowedOrigins: wrongly(undefined) } : { allowedOrigins },
      expect,
    })
    const forbidden = refused(403)
    wires({
      'by default: no Origin, no browser, no refusal': row(undefined, undefined, accepted),
      'by default: the same host': row(undefined, 'http://a.test', accepted),
      'by default: the same host by TLS': row(undefined, 'https://a.test', accepted),
      'by default: the case of a host does not matter': row(undefined, 'http://A.Test', accepted),
      'by default: the same host and port': row(
        undefined,
        'http://a.test:8080',
        accepted,
        'a.test:8080',
      ),
      "by default: the scheme's own port may be left out": row(
        undefined,
        'http://a.test',
        accepted,
        'a.test:80',
      ),
      'by default: another host': row(undefined, 'http://b.test', forbidden),
      'by default: another port': row(undefined, 'http://a.test:81', forbidden),
      'by default: a subdomain': row(undefined, 'http://x.a.test', forbidden),
      'by default: a host that only ends so': row(undefined, 'http://xa.test', forbidden),
      'by default: a host that only begins so': row(undefined, 'http://a.test.evil', forbidden),
      'by default: null, of a sandboxed frame': row(undefined, 'null', forbidden),
      'by default: a file': row(undefined, 'file://', forbidden),
      'by default: a user in front': row(undefined, 'http://a.test@evil', forbidden),
      'by default: a path behind': row(undefined, 'http://a.test/x', forbidden),
      'by default: empty': row(undefined, '', forbidden),
      'a list: one of it': row(['http://b.test', 'http://c.test'], 'http://c.test', accepted),
      'a list: any case': row(['http://B.test'], 'http://b.TEST', accepted),
      'a list: none of it, the own host neither': row(
        ['http://b.test'],
        'http://a.test',
        forbidden,
      ),
      'a list: no pattern': row(['http://*.test'], 'http://b.test', forbidden),
      'an empty list': row([], 'http://a.test', forbidden),
      "'any': any": row('any', 'null', accepted),
      'a function that says true': row((origin) => origin === 'x:y', 'x:y', accepted),
      'a function that says false': row(() => false, 'http://a.test', forbidden),
      'a function sees the request': row(
        (_origin, { target }) => target === '/chat',
        'http://b',
        accepted,
      ),
    })
    const failing = (allowedOrigins: Allowed, code: string): Row =>
      row(allowedOrigins, 'http://b', { status: 500, end: 'lingers', errors: [code] })
    wires({
      'a function that throws fails closed': failing(() => {
        throw new Error('on purpose')
      }, 'Error: on purpose'),
    })

    for (const [what, answer] of Object.entries({
      'a Promise': Promise.resolve(true),
      'a word': 'yes',
      '1': 1,
      nothing: undefined,
    }))
      it(`a function that answers ${what} does not accept`, () => {
        const h = harness({
          protocols: [plain()],
          allowedOrigins: () => wrongly(answer),
          onError: () => {},
        })
        const peer = h.connect()
        peer.send(validRequest({ Origin: 'http://b' }))
        h.run()
        assert.match(peer.take().toString(), /^HTTP\/1\.1 (403|500) /)
      })

    wires({
      'two Origins: 400': {
        from: 'new',
        send: Buffer.from(validRequest({ Origin: 'http://a', origin: 'http://b' })),
        expect: refused(400),
      },
      'versions 8 and 7 name it Sec-WebSocket-Origin': {
        from: 'new',
        send: Buffer.from(
          validRequest({ 'Sec-WebSocket-Version': '8', 'Sec-WebSocket-Origin': 'http://evil' }),
        ),
        context: { allowedOrigins: ['http://good'] },
        expect: forbidden,
      },
    })
  })

  describe('FILTER_PROTOCOL_CONNECTION', () => {
    type Filter = NonNullable<Handlers<undefined>['FILTER_PROTOCOL_CONNECTION']>
    const row = (answer: Filter, expect: Expected): Row => ({
      from: 'new',
      send: bytes(validRequest(), client.text('glued')),
      handlers: { FILTER_PROTOCOL_CONNECTION: answer },
      expect,
    })
    const goesOn: Expected = { ...accepted, events: ['text "glued"'] }
    const fails500 = (code = 'ERR_EXTPOLL_FILTER_ANSWER'): Expected =>
      refused(500, { errors: [code] })
    wires({
      'nothing goes on': row(() => undefined, goesOn),
      'ACCEPT goes on': row(() => ACCEPT, goesOn),
      '0 goes on, as in the seed': row(() => 0, goesOn),
      '1 refuses, as in the seed': row(() => 1, refused(403)),
      '-1 refuses': row(() => -1, refused(403)),
      'NaN refuses': row(() => NaN, refused(403)),
      'a status refuses': row(() => ({ status: 401 }), refused(401)),
      'with headers and a body': row(
        () => ({ status: 429, headers: { 'Retry-After': '5' }, body: 'slowly' }),
        refused(429, { headers: { 'retry-after': '5' }, body: 'slowly' }),
      ),
      'a redirect': row(
        () => ({ status: 302, headers: { Location: '/there' } }),
        refused(302, { headers: { location: '/there' } }),
      ),
      'a status of success is no refusal: 500': row(
        () => ({ status: 200 }),
        fails500('ERR_EXTPOLL_HTTP_STATUS'),
      ),
      'a status that is none: 500': row(
        () => ({ status: 999 }),
        fails500('ERR_EXTPOLL_HTTP_STATUS'),
      ),
      'a status of 401.5: 500': row(() => ({ status: 401.5 }), fails500('ERR_EXTPOLL_HTTP_STATUS')),
      'a header that would split the answer: 500': row(
        () => ({ status: 403, headers: { 'X-A': 'b\r\n\r\n<html>' } }),
        fails500('ERR_EXTPOLL_HTTP_HEADER'),
      ),
      'a header that is ours: 500': row(
        () => ({ status: 403, headers: { 'Content-Length': '7' } }),
        fails500('ERR_EXTPOLL_HTTP_HEADER'),
      ),
      'a throw: 500': row(() => {
        throw new Error('on purpose')
      }, fails500('Error: on purpose')),
      'true: 500': row(() => wrongly(true), fails500()),
      'false: 500': row(() => wrongly(false), fails500()),
      'null: 500': row(() => wrongly(null), fails500()),
      'a word: 500': row(() => wrongly('ok'), fails500()),
      'an object without a status: 500': row(() => wrongly({ ok: true }), fails500()),
      'a Promise: 500, and told once': row(
        () => wrongly(Promise.resolve()),
        fails500('ERR_EXTPOLL_ASYNC_CALLBACK'),
      ),
      'a session that cannot be made: 500': {
        ...row(() => ACCEPT, fails500('Error: no session')),
        protocol: {
          createSession() {
            throw new Error('no session')
          },
        },
      },
    })
  })

  describe('DEFER and answerHandshake', () => {
    it('accepts later: what came meanwhile is delivered then, without any readiness', () => {
      const { h, held, seen } = deferring()
      const peer = h.connect()
      peer.send(bytes(validRequest(), client.text('one')))
      h.run()
      peer.send(client.text('two'))
      h.run()
      assert.deepEqual([peer.take().length, seen], [0, []])
      assert.equal(answerHandshake(held[0]!, ACCEPT), true)
      assert.equal(peer.take().toString(), switching())
      assert.equal(serviceFd(h.ctx, null), 'handled')
      assert.deepEqual(seen, ['one', 'two'])
      assert.equal(answerHandshake(held[0]!, ACCEPT), false, 'it was decided')
    })

    it('refuses later', () => {
      const { h, held, seen } = deferring()
      const peer = h.connect()
      peer.send(bytes(validRequest(), client.text('one')))
      h.run()
      assert.equal(answerHandshake(held[0]!, { status: 403, body: 'no' }), true)
      h.run()
      assert.match(peer.take().toString(), /^HTTP\/1\.1 403 [^]*\r\n\r\nno$/)
      assert.deepEqual([seen, peer.ended, write(held[0]!, 'x', TEXT)], [[], true, 'closed'])
    })

    it('answers false once the peer is gone', () => {
      const { h, held } = deferring()
      const peer = h.connect()
      peer.send(validRequest())
      h.run()
      peer.end()
      h.run()
      assert.equal(answerHandshake(held[0]!, ACCEPT), false)
      assert.equal(peer.closed, 'close')
    })

    it('holds what comes meanwhile only up to the receive high-water mark', () => {
      const { h, held, seen } = deferring({ rxHighWaterBytes: 1024, maxHeaderBytes: 1024 })
      const peer = h.connect()
      peer.send(validRequest())
      h.run()
      const text = 'x'.repeat(100)
      for (let i = 0; i < 100; i++) {
        peer.send(client.text(text))
        h.run()
      }
      assert.ok(peer.unreadBytes > 8_000, `${peer.unreadBytes} bytes were left in the kernel`)
      answerHandshake(held[0]!, ACCEPT)
      h.run()
      assert.equal(seen.length, 100)
    })

    it('a pause made meanwhile holds after the answer', () => {
      const { h, held, seen } = deferring()
      const peer = h.connect()
      peer.send(bytes(validRequest(), client.text('one')))
      h.run()
      rxFlowControl(held[0]!, 0)
      answerHandshake(held[0]!, ACCEPT)
      h.run()
      assert.deepEqual(seen, [])
      rxFlowControl(held[0]!, 1)
      h.run()
      assert.deepEqual(seen, ['one'])
    })

    it('may be answered from another connection of the same call', () => {
      const { h, held, seen } = deferring()
      const first = h.connect()
      first.send(bytes(validRequest(), client.text('one')))
      h.run()
      const second = h.connect()
      second.send(validRequest())
      h.run()
      for (const wsi of held) answerHandshake(wsi, ACCEPT)
      h.run()
      assert.deepEqual(seen, ['one'])
      assert.deepEqual(
        [first, second].map((peer) => peer.response()?.status),
        [101, 101],
      )
    })
  })

  describe('FILTER_NETWORK_CONNECTION', () => {
    const answers: Readonly<Record<string, [() => unknown, boolean]>> = {
      nothing: [() => undefined, true],
      ACCEPT: [() => ACCEPT, true],
      '0': [() => 0, true],
      '1': [() => 1, false],
      'a refusal': [() => ({ status: 403 }), false],
      'a Promise': [() => Promise.resolve(), false],
      false: [() => false, false],
      DEFER: [() => DEFER, false],
      'a throw': [throwOnPurpose, false],
    }
    for (const [what, [filter, accepts]] of Object.entries(answers))
      it(`${what} ${accepts ? 'goes on' : 'refuses: no ADD, no byte, a reset'}`, () => {
        const adds: number[] = []
        const filtering = plain({ FILTER_NETWORK_CONNECTION: () => wrongly(filter()) })
        const h = harness({
          protocols: [filtering],
          on: { ADD_POLL_FD: (fd) => void adds.push(fd) },
          onError: () => {},
        })
        const peer = h.connect()
        peer.send(validRequest())
        h.run()
        assert.equal(adds.length, accepts ? 2 : 1, 'the listener, and perhaps the connection')
        assert.equal(peer.closed, accepts ? undefined : 'abort')
        if (!accepts) assert.equal(peer.take().length, 0)
      })

    it('sees the address and the fd, and refusing one does not stop the others', () => {
      let count = 0
      const odd = plain({
        FILTER_NETWORK_CONNECTION: (_wsi, { port, fd }) =>
          port > 0 && fd > 2 && count++ % 2 === 0 ? 0 : 1,
      })
      const h = harness({ protocols: [odd] })
      const peers = Array.from({ length: 6 }, () => h.connect())
      h.run()
      const fates = peers.map((peer) => peer.closed ?? 'open')
      assert.deepEqual(fates, ['open', 'abort', 'open', 'abort', 'open', 'abort'])
      peers[0]!.script.recv.push(-Errno.ECONNRESET)
      peers[0]!.send('x')
      h.run()
      assert.equal(peers[0]!.closed, 'close')
    })
  })
})

function throwOnPurpose(): never {
  throw new Error('on purpose')
}

function plain(handlers: Handlers<undefined> = {}): ProtocolDefinition<undefined> {
  return defineProtocol({ handlers: { RECEIVE() {}, ...handlers } })
}

interface Deferring {
  readonly h: Harness
  readonly held: Wsi[]
  readonly seen: string[]
}

function deferring(options: Partial<Parameters<typeof harness>[0]> = {}): Deferring {
  const held: Wsi[] = []
  const seen: string[] = []
  const protocol = defineProtocol({
    handlers: {
      FILTER_PROTOCOL_CONNECTION(wsi) {
        held.push(wsi)
        return DEFER
      },
      RECEIVE: (_wsi, data) => void seen.push(data.toString()),
    },
  })
  return { h: harness({ protocols: [protocol], ...options }), held, seen }
}
