/** The client's rows of the seed by name: `clientConnect`, and the reasons only a client hears. */
import assert from 'node:assert/strict'
import {
  callbackOnWritable,
  createContext,
  DEFEAT_CLIENT_MASK,
  defineProtocol,
  getProtocol,
  PING,
  Reason,
  TEXT,
  write,
  type CallbackArguments,
} from '../src/index.js'
import { fakePoller } from '../integrations/fake-poller.js'
import { clientScene, openClient } from './support/client-scene.js'
import { frameShown } from './support/client-wire.js'

describe('46 seed client', () => {
  it('clientConnect: answers at once; one end of two; several protocols, the server picks', () => {
    const heard: string[] = []
    const protocols = ['a', 'b'].map((name) => ({
      name,
      callback: (...[, , reason]: CallbackArguments): void => {
        if (reason < Reason.ADD_POLL_FD) heard.push(`${name} ${reason}`)
      },
    }))
    const scene = clientScene({ context: { protocols } })
    const wsi = scene.connect({ address: '127.0.0.1', protocol: ['a', 'b'] })
    assert.deepEqual([getProtocol(wsi), heard], [null, []])
    const server = scene.dialled()
    server.establish()
    scene.h.run()
    assert.equal(server.request()!.headers.get('sec-websocket-protocol'), 'a, b')
    server.send(server.accept('Sec-WebSocket-Protocol: b\r\n'))
    scene.h.run()
    assert.equal(getProtocol(wsi)?.name, 'b')
    assert.deepEqual(heard, [`b ${Reason.CLIENT_ESTABLISHED}`])
  })

  it('CLIENT_ESTABLISHED: the handshake complete, with the answer and the session', () => {
    const users: unknown[] = []
    const scene = openClient({
      protocol: { createSession: () => ({ made: true }) as unknown as undefined },
      handlers: { CLIENT_RECEIVE: (_wsi, _data, user) => void users.push(user) },
    })
    assert.equal(scene.answers[0]?.status, 101)
    assert.equal(scene.answers[0].protocol, '')
    scene.server.sendMessage('x')
    scene.h.run()
    assert.deepEqual(users, [{ made: true }])
  })

  it('CLIENT_CONNECTION_ERROR: it never got that far, with the cause', () => {
    const scene = clientScene()
    scene.connect()
    scene.dialled().refuse()
    scene.h.run()
    assert.equal(scene.failures[0]!.cause, 'CONNECT_FAILED')
    assert.deepEqual(scene.log, ['error CONNECT_FAILED'])
  })

  it('CLIENT_RECEIVE: payload, text and binary', () => {
    const { server, h, log } = openClient()
    server.sendMessage('text').sendMessage(Buffer.of(1, 2))
    h.run()
    assert.deepEqual(log, ['text "text"', 'binary 0102'])
  })

  it('CLIENT_RECEIVE_PONG: pong payload', () => {
    const { server, h, log, wsi } = openClient()
    write(wsi, 'p', PING)
    h.run()
    assert.deepEqual(server.frames().map(frameShown), ['9 70'])
    server.sendFrame({ opcode: 10, payload: 'p' })
    h.run()
    assert.deepEqual(log, ['pong 70'])
  })

  it('CLIENT_WRITEABLE: once, when a write would not block', () => {
    const { h, log, wsi } = openClient()
    assert.equal(callbackOnWritable(h.ctx, wsi), true)
    assert.deepEqual(log, [])
    h.run()
    assert.deepEqual(log, ['writable'])
  })

  it('createContext DEFEAT_CLIENT_MASK: masks with 0, and only where unsafe is said', () => {
    const options = { host: fakePoller().host, protocols: [defineProtocol({ handlers: {} })] }
    assert.throws(() => createContext({ ...options, options: DEFEAT_CLIENT_MASK }), {
      code: 'ERR_EXTPOLL_UNSAFE',
    })
    assert.throws(() => createContext({ ...options, options: 2 }), { code: 'ERR_EXTPOLL_OPTIONS' })
    const context = { options: DEFEAT_CLIENT_MASK, unsafe: true }
    const { server, wsi } = openClient({ context })
    write(wsi, 'plain', TEXT)
    assert.equal(server.received().includes('plain'), true)
    assert.equal(server.frames()[0]!.key, 0)
  })
})
