/**
 * From the address to the request: a deadline for each phase, proxies, Unix sockets, and what is
 * refused. Names are 33.client-names.
 */
import assert from 'node:assert/strict'
import {
  clientConnect,
  closeAll,
  contextDestroy,
  type ClientOptions,
  Errno,
  getPeerAddresses,
  getProtocol,
  getSocketFd,
  hangup,
  nextTimeout,
  pollFds,
  serviceFd,
  write,
  TEXT,
} from '../src/index.js'
import { fakePoller, type ServerPeer } from '../integrations/fake-poller.js'
import { type ClientScene, clientScene, openClient } from './support/client-scene.js'

const NAMED: ClientOptions = { url: 'ws://example.test:9000/chat' }

const tried = ({ failures }: ClientScene): string[] =>
  failures[0]!.attempts.map(({ address, result }) => `${address} ${result}`)

function answer({ h, log }: ClientScene, server: ServerPeer): void {
  server.establish()
  h.run()
  server.request()
  server.send(server.accept())
  h.run()
  assert.deepEqual(log, ['established'])
}

describe('33 client connecting: an address', () => {
  it('is announced at once, for POLLOUT; then for POLLIN, with no other change', () => {
    const scene = clientScene()
    const wsi = scene.connect()
    assert.deepEqual(scene.told, ['ADD 4 fd 3'])
    assert.equal(getSocketFd(wsi), -1, 'none is chosen yet')
    assert.equal(getProtocol(wsi), null)
    assert.equal(write(wsi, 'early', TEXT), 'closed')
    answer(scene, scene.dialled())
    assert.deepEqual(scene.told, ['ADD 4 fd 3', 'CLEAR 4 fd 3', 'SET 1 fd 3'])
    assert.equal(getSocketFd(wsi), 3)
    assert.equal(getPeerAddresses(scene.h.ctx, 3).address, '127.0.0.1')
    assert.equal(getProtocol(wsi)?.name, '')
  })

  it('asks as RFC 6455 4.1 says, and nothing else', () => {
    const scene = clientScene()
    scene.connect({
      url: 'ws://user:p%C3%A4ss@127.0.0.1:9000/chat?room=1',
      origin: 'http://example.test',
      headers: { 'X-Token': 'secret' },
    })
    const server = scene.dialled()
    server.establish()
    scene.h.run()
    const { line, headers } = server.request()!
    assert.equal(line, 'GET /chat?room=1 HTTP/1.1')
    const key = headers.get('sec-websocket-key')!
    assert.equal(Buffer.from(key, 'base64').length, 16)
    assert.deepEqual(Object.fromEntries(headers), {
      host: '127.0.0.1:9000',
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-key': key,
      'sec-websocket-version': '13',
      origin: 'http://example.test',
      authorization: `Basic ${Buffer.from('user:päss').toString('base64')}`,
      'x-token': 'secret',
    })
  })

  it('of versions 8 and 7 has its Origin under another name', () => {
    for (const ietfVersion of [8, 7] as const) {
      const scene = clientScene()
      scene.connect({ address: '::1', ietfVersion, origin: 'http://a' })
      const server = scene.dialled()
      server.establish()
      scene.h.run()
      const { headers } = server.request()!
      assert.equal(headers.get('host'), '[::1]')
      assert.equal(headers.get('sec-websocket-version'), String(ietfVersion))
      assert.equal(headers.get('sec-websocket-origin'), 'http://a')
      assert.equal(headers.has('origin'), false)
    }
  })

  it('is not taken for connected where POLLOUT is spurious (C11)', () => {
    const scene = clientScene()
    scene.connect()
    const server = scene.dialled()
    const { fd, gen } = pollFds(scene.h.ctx)[0]!
    assert.equal(serviceFd(scene.h.ctx, { fd, gen, revents: 4 }), 'handled')
    assert.deepEqual(scene.log, [])
    answer(scene, server)
  })

  for (const [what, errno, name] of [
    ['refuses', Errno.ECONNREFUSED, 'ECONNREFUSED'],
    ['resets', Errno.ECONNRESET, 'ECONNRESET'],
    ['cannot be reached', Errno.EHOSTUNREACH, 'EHOSTUNREACH'],
  ] as const)
    it(`that ${what} is named with its errno`, () => {
      const scene = clientScene()
      const wsi = scene.connect()
      scene.dialled().refuse(errno)
      scene.h.run()
      assert.deepEqual(scene.log, ['error CONNECT_FAILED'])
      assert.deepEqual(tried(scene), [`127.0.0.1:9000 ${name}`])
      const { reason, phase } = scene.failures[0]!
      assert.equal(phase, 'connecting')
      assert.equal(
        reason,
        'connecting to ws://127.0.0.1:9000/chat: No address could be connected to. ' +
          `(tried 127.0.0.1:9000 ${name})`,
      )
      assert.deepEqual(scene.told, ['ADD 4 fd 3', 'DEL fd 3'])
      assert.deepEqual(scene.h.poller.openFds, [])
      assert.equal(getSocketFd(wsi), -1)
    })

  it('that fails at once is told from the next call on, when the caller has its handle', () => {
    const scene = clientScene()
    scene.h.poller.script.connect.push(-Errno.ENETUNREACH)
    scene.connect()
    assert.deepEqual(scene.log, [])
    assert.equal(nextTimeout(scene.h.ctx), 0)
    scene.h.run()
    assert.deepEqual(scene.log, ['error CONNECT_FAILED'])
    assert.deepEqual(tried(scene), ['127.0.0.1:9000 ENETUNREACH'])
  })

  it('that fails at once from the callback about the last one is still due: more (C22)', () => {
    const scene = clientScene({
      handlers: { CLIENT_CONNECTION_ERROR: () => void scene.connect() },
    })
    scene.h.poller.script.connect.push(-Errno.ENETUNREACH, -Errno.ENETUNREACH)
    scene.connect()
    assert.equal(serviceFd(scene.h.ctx, null), 'more')
    assert.equal(nextTimeout(scene.h.ctx), 0)
    assert.equal(serviceFd(scene.h.ctx, null), 'handled')
    assert.equal(nextTimeout(scene.h.ctx), 10_000)
  })

  it('that hangs ends with connectTimeoutMs', () => {
    const scene = clientScene({ context: { connectTimeoutMs: 700 } })
    scene.connect()
    scene.h.poller.runFor(scene.h.ctx, 699)
    assert.deepEqual(scene.log, [])
    scene.h.poller.runFor(scene.h.ctx, 2)
    assert.deepEqual(scene.log, ['error CONNECT_TIMEOUT'])
    assert.ok(scene.failures[0]!.reason.includes('127.0.0.1:9000 no answer'))
    assert.deepEqual(scene.h.poller.openFds, [])
  })

  it('whose ADD is refused by the host fails alone (C9)', () => {
    const poller = fakePoller()
    const scene = clientScene({ context: { poller } })
    const add = poller.host.pollSet!.add.bind(poller.host.pollSet)
    poller.host.pollSet!.add = () => {
      throw new Error('the poll array is full')
    }
    scene.connect()
    poller.host.pollSet!.add = add
    scene.h.run()
    assert.deepEqual(scene.errors.map(String), ['Error: the poll array is full'])
    assert.deepEqual(scene.log, ['error CONNECT_FAILED'])
    assert.deepEqual(poller.openFds, [])
    scene.connect()
    assert.equal(poller.openFds.length, 1, 'the context lives on')
  })
})

describe('33 client connecting: deadlines and ends on the way', () => {
  it('handshakeTimeoutMs: an answer that does not come', () => {
    const scene = clientScene({ context: { handshakeTimeoutMs: 500 } })
    scene.connect()
    const server = scene.dialled()
    server.establish()
    scene.h.run()
    server.send('HTTP/1.1 101 Switching')
    scene.h.poller.runFor(scene.h.ctx, 501)
    assert.deepEqual(scene.log, ['error ANSWER_TIMEOUT'])
    assert.equal(scene.failures[0]!.phase, 'upgrading')
    assert.equal(server.closed !== undefined, true)
  })

  for (const phase of ['resolving', 'connecting', 'upgrading'] as const) {
    const begun = (): { scene: ClientScene; wsi: ReturnType<ClientScene['connect']> } => {
      const scene = clientScene()
      const wsi = scene.connect(phase === 'resolving' ? NAMED : undefined)
      if (phase === 'upgrading') scene.dialled().establish()
      scene.h.run()
      return { scene, wsi }
    }

    it(`hangup while ${phase}: one CLIENT_CONNECTION_ERROR`, () => {
      const { scene, wsi } = begun()
      assert.equal(hangup(wsi), true)
      assert.equal(hangup(wsi), false)
      scene.h.run()
      assert.deepEqual(scene.log, ['error HUNG_UP'])
      assert.equal(scene.failures[0]!.phase, phase)
      assert.equal(scene.failures[0]!.initiator, 'application')
    })

    it(`contextDestroy while ${phase}: the same, and nothing is left (C27)`, () => {
      const { scene } = begun()
      contextDestroy(scene.h.ctx)
      assert.deepEqual(scene.log, ['error CONTEXT_DESTROYED'])
      assert.equal(scene.failures[0]!.phase, phase)
      assert.deepEqual(scene.h.poller.openFds, [])
    })

    it(`closeAll while ${phase}: the same, and the poll set is empty`, () => {
      const { scene } = begun()
      closeAll(scene.h.ctx)
      scene.h.run()
      assert.deepEqual(scene.log, ['error HUNG_UP'])
      assert.deepEqual(pollFds(scene.h.ctx), [])
      assert.deepEqual(scene.h.poller.openFds, [])
    })
  }

  it('a reset before the answer', () => {
    const scene = clientScene()
    scene.connect()
    const server = scene.dialled()
    server.establish()
    scene.h.run()
    server.reset()
    scene.h.run()
    assert.deepEqual(scene.log, ['error TRANSPORT_ERROR'])
  })

  it('maxConnections counts clients too', () => {
    const scene = openClient({ context: { maxConnections: 1 } })
    scene.connect()
    scene.h.run()
    assert.deepEqual(scene.log, ['error TOO_MANY_CONNECTIONS'])
    assert.deepEqual(scene.h.poller.dialled(), [])
  })
})

describe('33 client connecting: Unix sockets and proxies', () => {
  it('a Unix socket, with the Host of the url', () => {
    const scene = clientScene()
    scene.connect({ socketPath: '/run/chat.sock', url: 'ws://chat.test/room' })
    const server = scene.dialled()
    server.establish()
    scene.h.run()
    const { line, headers } = server.request()!
    assert.deepEqual([line, headers.get('host')], ['GET /room HTTP/1.1', 'chat.test'])
    server.refuse()
    scene.h.run()
    assert.ok(scene.failures[0]!.reason.includes('/run/chat.sock'), scene.failures[0]!.reason)
  })

  const proxied = (proxy: string, scene = clientScene()) => {
    scene.connect({ url: 'ws://example.test/chat', proxy })
    const server = scene.dialled()
    server.establish()
    scene.h.run()
    return { scene, server, request: server.request()! }
  }

  it('CONNECT, then the upgrade through the tunnel; names are the proxy’s matter', () => {
    const { scene, server, request } = proxied('http://192.0.2.80:3128')
    assert.equal(request.line, 'CONNECT example.test:80 HTTP/1.1')
    assert.deepEqual([...request.headers], [['host', 'example.test:80']])
    server.send('HTTP/1.0 200 Connection established\r\nX: y\r\n\r\n')
    scene.h.run()
    const { line, headers } = server.request()!
    assert.deepEqual([line, headers.get('host')], ['GET /chat HTTP/1.1', 'example.test'])
    assert.equal(headers.has('proxy-authorization'), false)
    server.send(server.accept())
    scene.h.run()
    assert.deepEqual(scene.log, ['established'])
  })

  it('with Basic authorization, in UTF-8', () => {
    const { request } = proxied('http://us%20er:p%3Ass@192.0.2.80')
    assert.equal(
      request.headers.get('proxy-authorization'),
      `Basic ${Buffer.from('us er:p:ss').toString('base64')}`,
    )
  })

  for (const [answered, cause, detail] of [
    ['407 Proxy Authentication Required', 'PROXY_AUTHORIZATION', 'got 407'],
    ['403 Forbidden', 'PROXY_REFUSED', 'got 403 Forbidden'],
    ['101 Switching', 'PROXY_REFUSED', 'got 101'],
  ] as const)
    it(`that answers ${answered}: ${cause}`, () => {
      const { scene, server } = proxied('http://192.0.2.80:3128')
      server.send(`HTTP/1.1 ${answered}\r\n\r\n`)
      scene.h.run()
      assert.deepEqual(scene.log, [`error ${cause}`])
      const { phase, reason } = scene.failures[0]!
      assert.equal(phase, 'proxy')
      assert.ok(reason.includes(detail) && reason.includes('192.0.2.80:3128'), reason)
    })

  it('that is silent: proxyTimeoutMs', () => {
    const { scene } = proxied(
      'http://192.0.2.80',
      clientScene({ context: { proxyTimeoutMs: 300 } }),
    )
    scene.h.poller.runFor(scene.h.ctx, 301)
    assert.deepEqual(scene.log, ['error PROXY_TIMEOUT'])
  })
})

describe('33 client connecting: clientConnect refuses', () => {
  const refused = (options: unknown, code: string, says: RegExp): void => {
    const scene = clientScene()
    assert.throws(
      () => clientConnect(scene.h.ctx, options as ClientOptions),
      (error: Error & { code: string }) => {
        assert.equal(error.code, code, error.message)
        assert.match(error.message, says)
        return true
      },
    )
    assert.deepEqual(scene.told, [])
    assert.equal(nextTimeout(scene.h.ctx), -1)
  }

  for (const [url, at] of [
    ['http://a/', 'at 0 '],
    ['a.test', 'at 0 '],
    ['ws:/a', 'at 0 '],
    ['', 'at 0 \\(its end\\)'],
    ['ws://', 'at 5 \\(its end\\)'],
    ['ws://a b/', 'at 6 '],
    ['ws://ä.test/', 'at 5 '],
    ['ws://a:99999/', 'at 7 '],
    ['ws://a:0/', 'at 7 '],
    ['ws://a:8x/', 'at 7 '],
    ['ws://[::1/', 'at 5 '],
    ['ws://[::1]x/', 'at 10 '],
    ['ws://[a]/', 'at 6 '],
    ['ws://a/#b', 'at 7 '],
    ['ws://a/b c', 'at 8 '],
    ['ws://a/%2', 'at 7 '],
    ['ws://u:%zz@a/', 'at 7 '],
  ])
    it(`the URL ${JSON.stringify(url)}, ${at}`, () =>
      refused({ url }, 'ERR_EXTPOLL_URL', new RegExp(at!)))

  for (const [what, options, code, says] of [
    ['TLS by ssl', { address: 'a', ssl: 1 }, 'ERR_EXTPOLL_NO_TLS', /no TLS yet/],
    ['TLS by ssl 2', { address: 'a', ssl: 2 }, 'ERR_EXTPOLL_NO_TLS', /no TLS yet/],
    ['TLS by wss', { url: 'wss://a/' }, 'ERR_EXTPOLL_NO_TLS', /no TLS yet/],
    ['nothing', {}, 'ERR_EXTPOLL_CLIENT_OPTIONS', /give a url/],
    ['an unknown option', { url: 'ws://a', adress: 'b' }, 'ERR_EXTPOLL_CLIENT_OPTIONS', /"adress"/],
    ['both forms', { url: 'ws://a', port: 1 }, 'ERR_EXTPOLL_CLIENT_OPTIONS', /not both/],
    ['port 0', { address: 'a', port: 0 }, 'ERR_EXTPOLL_CLIENT_OPTIONS', /1 to 65535/],
    ['hixie-76', { address: 'a', ietfVersion: 0 }, 'ERR_EXTPOLL_CLIENT_OPTIONS', /13, 8, 7 or -1/],
    ['a protocol unknown', { address: 'a', protocol: 'x' }, 'ERR_EXTPOLL_CLIENT_OPTIONS', /"x"/],
    ['a path without /', { address: 'a', path: 'b' }, 'ERR_EXTPOLL_CLIENT_OPTIONS', /begin with/],
    [
      'a split header',
      { address: 'a', headers: { A: 'b\r\nC: d' } },
      'ERR_EXTPOLL_HTTP_HEADER',
      /A/,
    ],
    [
      'a header of its own',
      { address: 'a', headers: { Host: 'b' } },
      'ERR_EXTPOLL_CLIENT_OPTIONS',
      /Host/,
    ],
    ['a proxy of TLS', { address: 'a', proxy: 'https://b' }, 'ERR_EXTPOLL_URL', /http:/],
    ['a split origin', { address: 'a', origin: 'b\r\n' }, 'ERR_EXTPOLL_HTTP_HEADER', /origin/],
    ['family 5', { address: 'a', family: 5 }, 'ERR_EXTPOLL_CLIENT_OPTIONS', /family/],
  ] as const)
    it(what, () => refused(options, code, says))

  it('in a context that was destroyed', () => {
    const scene = clientScene()
    contextDestroy(scene.h.ctx)
    assert.throws(() => scene.connect(), { code: 'ERR_EXTPOLL_CONTEXT_DESTROYED' })
  })
})
