/**
 * The reasons of the seed by name: to whom each is told, when, and with what; and what filters may
 * answer. In the seed's own form: one callback, a number.
 */
import assert from 'node:assert/strict'
import {
  ACCEPT,
  answerHandshake,
  broadcast,
  callbackOnWritable,
  close,
  DEFER,
  getSocketFd,
  hangup,
  httpRespond,
  isBinary,
  POLLIN,
  POLLOUT,
  Reason,
  reasonName,
  rxFlowControl,
  type NetworkFilterAnswer,
  type Wsi,
} from '../src/index.js'
import type { Harness } from './support/harness.js'
import { told, type Told } from './support/two-protocols.js'
import { bytes, client, validRequest } from './support/wire-bytes.js'

const second = { protocols: ['second'] }

describe('46 seed reasons: before a connection', () => {
  it('FILTER_NETWORK_CONNECTION: to the first, before ADD_POLL_FD and before any byte', () => {
    let recvs = -1
    const { h, heard, lines, of } = told({
      FILTER_NETWORK_CONNECTION: () => void (recvs = h.poller.counts.recv),
    })
    h.connect().upgrade(second)
    h.poller.service(h.ctx)
    assert.equal(recvs, 0)
    const names = heard.slice(1, 3).map(({ by, reason }) => `${by} ${reason}`)
    assert.deepEqual(names, ['first FILTER_NETWORK_CONNECTION', 'first ADD_POLL_FD'])
    const { wsi, data } = of('FILTER_NETWORK_CONNECTION')
    const { address, family, fd } = data as { address: string; family: string; fd: number }
    assert.deepEqual([wsi, address, family, fd > 2], [null, '127.0.0.1', 'IPv4', true])
    h.run()
    assert.equal(lines('FILTER_NETWORK_CONNECTION').length, 1)
  })

  it('FILTER_NETWORK_CONNECTION: refused, the fd is never announced', () => {
    const { h, lines } = told({ FILTER_NETWORK_CONNECTION: () => 1 })
    const peer = h.connect().upgrade(second)
    h.run()
    assert.deepEqual(lines(), ['first FILTER_NETWORK_CONNECTION'])
    assert.deepEqual(lines('ADD_POLL_FD'), ['first ADD_POLL_FD'], "the listener's")
    assert.equal(peer.closed, 'abort')
  })

  it('FILTER_PROTOCOL_CONNECTION: to the selected, with the request; no answer was sent', () => {
    let sent = -1
    const { h, of, lines } = told({
      FILTER_PROTOCOL_CONNECTION: () => void (sent = peer.received().length),
    })
    const peer = h.connect()
    peer.send(
      validRequest(
        { 'Sec-WebSocket-Protocol': 'other, second', 'X-Token': 'secret' },
        'GET /a?b HTTP/1.1',
      ),
    )
    h.run()
    assert.equal(sent, 0)
    assert.deepEqual(lines('FILTER_PROTOCOL_CONNECTION'), ['second FILTER_PROTOCOL_CONNECTION'])
    const { method, target, headers, offered } = of('FILTER_PROTOCOL_CONNECTION').data as {
      method: string
      target: string
      headers: Map<string, string>
      offered: string[]
    }
    assert.deepEqual([method, target, headers.get('x-token')], ['GET', '/a?b', 'secret'])
    assert.deepEqual(offered, ['other', 'second'])
  })

  it('ESTABLISHED: to the selected, the handshake complete', () => {
    const { h, lines, of } = told()
    h.open(second)
    assert.deepEqual(lines().slice(1), ['second FILTER_PROTOCOL_CONNECTION', 'second ESTABLISHED'])
    assert.equal(of('ESTABLISHED').ctx, h.ctx)
  })
})

describe('46 seed reasons: of a connection', () => {
  it('RECEIVE: to the selected, with the payload and its length', () => {
    const { h, lines, of } = told({
      RECEIVE: (_ctx, wsi) => {
        assert.equal(isBinary(wsi), false)
      },
    })
    h.open(second).sendMessage('grüße')
    h.run()
    assert.deepEqual(lines('RECEIVE'), ['second RECEIVE'])
    const { data, len } = of('RECEIVE')
    assert.ok(Buffer.isBuffer(data))
    assert.deepEqual([data.toString(), len], ['grüße', 7])
  })

  it('RECEIVE_PONG: to the selected, with its payload', () => {
    const { h, lines, of } = told()
    h.open(second).send(client.pong('are you?'))
    h.run()
    assert.deepEqual(lines('RECEIVE_PONG'), ['second RECEIVE_PONG'])
    assert.equal(String(of('RECEIVE_PONG').data), 'are you?')
  })

  it('SERVER_WRITEABLE: to the selected, once for each time it was asked', () => {
    const { h, lines, of } = told({ ESTABLISHED: (ctx, wsi) => void callbackOnWritable(ctx, wsi) })
    h.open(second)
    h.run()
    assert.deepEqual(lines('SERVER_WRITEABLE'), ['second SERVER_WRITEABLE'])
    assert.equal(of('SERVER_WRITEABLE').wsi, of('ESTABLISHED').wsi!)
  })

  it('BROADCAST: to each connection of the protocol', () => {
    const { h, lines, of } = told()
    for (const name of ['first', 'second', 'second']) h.open({ protocols: [name] })
    broadcast(h.ctx.protocols[1]!, 'news')
    assert.deepEqual(lines('BROADCAST'), ['second BROADCAST', 'second BROADCAST'])
    assert.equal(String(of('BROADCAST').data), 'news')
  })

  it('CLOSED: to the selected, exactly once, whoever closed, with code, reason, initiator', () => {
    const ends: Record<
      string,
      [(h: Harness, peer: ReturnType<Harness['open']>, wsi: Wsi) => void, unknown]
    > = {
      peer: [
        (_h, peer) => void peer.send(client.close(3001, 'bye')),
        { code: 3001, reason: 'bye', initiator: 'peer', cause: 'CLOSED_BY_PEER' },
      ],
      application: [
        (_h, peer, wsi) => {
          close(wsi, 3002, 'go')
          peer.send(client.close(3002))
        },
        { code: 3002, reason: '', initiator: 'application', cause: 'CLOSED_BY_APPLICATION' },
      ],
      library: [
        (_h, peer) => {
          peer.send(client.frame(3))
          peer.end()
        },
        {
          code: 1002,
          reason: 'The opcode is reserved.',
          initiator: 'library',
          cause: 'FRAME_RESERVED_OPCODE',
        },
      ],
    }
    for (const [who, [end, info]] of Object.entries(ends)) {
      const { h, lines, of } = told()
      const peer = h.open(second)
      end(h, peer, of('ESTABLISHED').wsi!)
      h.run()
      assert.deepEqual(lines('CLOSED', 'HTTP_CLOSED'), ['second CLOSED'], who)
      assert.deepEqual(of('CLOSED').data, info)
    }
  })
})

describe('46 seed reasons: HTTP', () => {
  const request = 'POST /form?x=1 HTTP/1.1\r\nHost: a.test\r\nX-A: b\r\nContent-Length: 0\r\n\r\n'

  it('HTTP: to the first, a request that asks for no upgrade', () => {
    const { h, lines, of } = told({ HTTP: (_ctx, wsi) => httpRespond(wsi, { status: 204 }) })
    const peer = h.connect()
    peer.send(request)
    h.run()
    assert.deepEqual(lines('HTTP'), ['first HTTP'])
    const { method, target, headers } = of('HTTP').data as {
      method: string
      target: string
      headers: Map<string, string>
    }
    assert.deepEqual([method, target, headers.get('x-a')], ['POST', '/form?x=1', 'b'])
    assert.match(peer.take().toString(), /^HTTP\/1\.1 204 /)
  })

  it('HTTP_CLOSED: the end of a connection that never upgraded, once, and no CLOSED', () => {
    const answered = told({ HTTP: (_ctx, wsi) => httpRespond(wsi, { status: 204 }) })
    const peer = answered.h.connect()
    peer.send(request)
    peer.end()
    answered.h.run()
    assert.deepEqual(answered.lines('HTTP_CLOSED', 'CLOSED'), ['first HTTP_CLOSED'])
    const silent = told()
    silent.h.connect().end()
    silent.h.run()
    assert.deepEqual(silent.lines('HTTP_CLOSED', 'CLOSED'), ['first HTTP_CLOSED'])
  })
})

describe('46 seed reasons: announcements', () => {
  const reasons = ['ADD_POLL_FD', 'DEL_POLL_FD', 'SET_MODE_POLL_FD', 'CLEAR_MODE_POLL_FD']

  /** A connection of the second that is paused, asks to write, goes on, and ends. */
  function lifeOf(): Told {
    const made = told({ RECEIVE: (_ctx, wsi) => void rxFlowControl(wsi, 0) })
    const { h, of } = made
    const peer = h.open(second).sendMessage('pause')
    h.run()
    const wsi = of('ESTABLISHED').wsi!
    callbackOnWritable(h.ctx, wsi)
    h.run()
    rxFlowControl(wsi, 1)
    peer.reset()
    h.run()
    return made
  }

  for (const reason of reasons)
    it(`${reason}: to the first, with fd and bits`, () => {
      const { heard } = lifeOf()
      const all = heard.filter((one) => one.reason === reason)
      assert.ok(all.length > 0)
      for (const { by, wsi, data, len } of all) {
        const { fd, bits, op } = data as { fd: number; bits: number; op: string }
        assert.deepEqual([by, wsi, fd > 2, len], ['first', null, true, bits])
        assert.equal(reason, op === 'ADD' || op === 'DEL' ? `${op}_POLL_FD` : `${op}_MODE_POLL_FD`)
      }
    })

  it('ADD_POLL_FD: and the others, in the order in which the context emits them', () => {
    const { h, heard } = lifeOf()
    const told = heard.flatMap(({ reason, len }) =>
      reasons.includes(reason) ? [`${reason} ${len}`] : [],
    )
    assert.deepEqual(told, [
      `ADD_POLL_FD ${POLLIN}`,
      `ADD_POLL_FD ${POLLIN}`,
      `CLEAR_MODE_POLL_FD ${POLLIN}`,
      `SET_MODE_POLL_FD ${POLLOUT}`,
      `CLEAR_MODE_POLL_FD ${POLLOUT}`,
      `SET_MODE_POLL_FD ${POLLIN}`,
      `DEL_POLL_FD ${POLLIN}`,
    ])
    assert.equal(h.poller.openFds.length, 1)
  })
})

describe('46 seed reasons: what filters answer', () => {
  const statusWith = (answer: unknown): [number | undefined, number] => {
    const { h, errors } = told({ FILTER_PROTOCOL_CONNECTION: () => answer })
    const peer = h.connect().upgrade(second)
    h.run()
    return [peer.response()?.status, errors.length]
  }

  it('filters: nothing or ACCEPT goes on', () => {
    for (const answer of [undefined, ACCEPT, 0]) assert.deepEqual(statusWith(answer), [101, 0])
  })

  it('filters: a number or a status refuses', () => {
    const { h } = told({
      FILTER_PROTOCOL_CONNECTION: () => ({
        status: 429,
        headers: { 'Retry-After': '9' },
        body: 'no',
      }),
    })
    const peer = h.connect().upgrade(second)
    h.run()
    assert.match(peer.take().toString(), /^HTTP\/1\.1 429 [^]*Retry-After: 9\r\n[^]*\r\n\r\nno$/)
    for (const answer of [1, -1]) assert.deepEqual(statusWith(answer), [403, 0])
  })

  it('filters: DEFER decides later, and no later than handshakeTimeoutMs', () => {
    const held: Wsi[] = []
    const { h, lines } = told(
      {
        FILTER_PROTOCOL_CONNECTION(_ctx, wsi) {
          held.push(wsi)
          return DEFER
        },
      },
      { handshakeTimeoutMs: 100 },
    )
    const peers = [h.connect().upgrade(second), h.connect().upgrade(second)]
    h.run()
    answerHandshake(held[0]!, ACCEPT)
    h.poller.runFor(h.ctx, 100)
    assert.deepEqual(
      peers.map((peer) => peer.response()?.status),
      [101, 503],
    )
    assert.deepEqual(lines('ESTABLISHED'), ['second ESTABLISHED'])
  })

  it('filters: one that hangs up has decided, whatever it answers', () => {
    const { h, lines } = told({
      FILTER_PROTOCOL_CONNECTION(_ctx, wsi) {
        hangup(wsi)
        return ACCEPT
      },
    })
    const peer = h.connect().upgrade(second)
    h.run()
    assert.deepEqual([peer.closed, peer.take().length], ['abort', 0])
    assert.deepEqual(lines('ESTABLISHED', 'CLOSED', 'HTTP_CLOSED'), ['second HTTP_CLOSED'])
  })

  const neither: Readonly<Record<string, () => unknown>> = {
    'a Promise': () => Promise.resolve(),
    true: () => true,
    null: () => null,
    'a word': () => 'yes',
    'a throw': () => {
      throw new Error('on purpose')
    },
  }
  for (const [what, answer] of Object.entries(neither)) {
    it(`filters: ${what} refuses with 500, and goes to onError`, () => {
      const { h, errors } = told({ FILTER_PROTOCOL_CONNECTION: answer })
      const peer = h.connect().upgrade(second)
      h.run()
      assert.deepEqual([peer.response()?.status, errors.length], [500, 1])
    })

    it(`filters: ${what} refuses a socket, and goes to onError`, () => {
      const { h, errors, lines } = told({ FILTER_NETWORK_CONNECTION: answer })
      const peer = h.connect().upgrade(second)
      h.run()
      assert.deepEqual([peer.closed, errors.length, lines('ESTABLISHED')], ['abort', 1, []])
    })
  }

  it('filters: a socket is accepted by nothing, ACCEPT and 0, refused by all else', () => {
    const rows: [NetworkFilterAnswer, boolean][] = [
      [undefined, true],
      [ACCEPT, true],
      [0, true],
      [1, false],
      [{ status: 403 }, false],
    ]
    for (const [answer, accepts] of rows) {
      const { h, errors, of } = told({ FILTER_NETWORK_CONNECTION: () => answer })
      const peer = h.connect()
      peer.send(bytes(validRequest({ 'Sec-WebSocket-Protocol': 'second' }), client.text('a')))
      h.run()
      assert.deepEqual([peer.closed, errors.length], [accepts ? undefined : 'abort', 0])
      if (accepts) assert.equal(getSocketFd(of('RECEIVE').wsi!), peer.fd)
    }
  })
})

describe('46 seed reasons: the numbers', () => {
  it('reasons: those of the seed keep their order, each number has one name', () => {
    assert.deepEqual([Reason.ESTABLISHED, Reason.CLOSED, Reason.RECEIVE, Reason.HTTP], [0, 2, 3, 7])
    for (const [name, number] of Object.entries(Reason)) assert.equal(reasonName(number), name)
    assert.equal(new Set(Object.values(Reason)).size, Object.keys(Reason).length)
  })
})
