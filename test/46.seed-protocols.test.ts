/**
 * Protocols as the seed and its table have them: the Protocol object, who is selected, versions,
 * sessions, and how payload is given.
 */
import assert from 'node:assert/strict'
import {
  BINARY,
  contextDestroy,
  createContext,
  defineProtocol,
  getProtocol,
  isFinalFragment,
  limits,
  Reason,
  write,
  type ProtocolCallback,
  type ProtocolDefinition,
  type ProtocolOptions,
  type UpgradeRequest,
  type Wsi,
} from '../src/index.js'
import { fakePoller, type UpgradeOptions } from '../integrations/fake-poller.js'
import { checkedHost, harness } from './support/harness.js'
import { openScene, scene } from './support/scene.js'
import { told } from './support/two-protocols.js'
import { bytes, client } from './support/wire-bytes.js'

const listening = (name: string): ProtocolDefinition<undefined> =>
  defineProtocol({ name, handlers: { RECEIVE() {} } })
const deaf = (name: string): ProtocolDefinition<undefined> => defineProtocol({ name, handlers: {} })

describe('46 seed protocols: the object and its selection', () => {
  it('Protocol: name, owningContext and protocolIndex, the same by getProtocol and ctx', () => {
    const { h, of } = told()
    h.open({ protocols: ['second'] })
    const protocol = getProtocol(of('ESTABLISHED').wsi!)!
    assert.deepEqual([protocol.name, protocol.protocolIndex], ['second', 1])
    assert.equal(protocol.owningContext, h.ctx)
    assert.equal(protocol, h.ctx.protocols[1])
    assert.deepEqual(
      h.ctx.protocols.map(({ name, protocolIndex }) => [name, protocolIndex]),
      [
        ['first', 0],
        ['second', 1],
      ],
    )
  })

  it('Protocol: its limits, those in force', () => {
    const { h } = told({}, { maxMessageBytes: 4321 })
    for (const protocol of h.ctx.protocols) {
      assert.deepEqual(Object.keys(protocol.limits), Object.keys(limits))
      assert.equal(protocol.limits['maxMessageBytes'], 4321)
      assert.equal(protocol.limits['maxFragments'], limits.maxFragments.default)
    }
  })

  interface Choice {
    readonly status: number | undefined
    readonly named: string | undefined
    readonly selected: string | undefined
    readonly body: string
  }

  function choose(
    protocols: readonly ProtocolDefinition<undefined>[],
    upgrade: UpgradeOptions,
    unknownProtocol: 'refuse' | 'accept' = 'refuse',
  ): Choice {
    let selected: string | undefined
    const spying = protocols.map((protocol): ProtocolDefinition<undefined> => ({
      ...protocol,
      callback: (...args) => {
        if (args[2] === Reason.ESTABLISHED) selected = getProtocol(args[1])?.name
      },
    }))
    const h = harness({ protocols: spying, unknownProtocol })
    const peer = h.connect().upgrade(upgrade)
    h.run()
    const body = peer.received().toString()
    const response = peer.response()
    return {
      status: response?.status,
      named: response?.headers.get('sec-websocket-protocol'),
      selected,
      body,
    }
  }

  it("selection: the client's list, in the client's order", () => {
    const protocols = [listening('a'), listening('b')]
    const { status, named, selected } = choose(protocols, { protocols: ['x', 'b', 'a'] })
    assert.deepEqual([status, named, selected], [101, 'b', 'b'])
  })

  it('selection: none offered is the first with an empty name, else that can RECEIVE', () => {
    const empty = choose([listening('a'), deaf(''), listening('b')], {})
    assert.deepEqual([empty.status, empty.named, empty.selected], [101, undefined, ''])
    const receiving = choose([deaf('a'), listening('b'), listening('c')], {})
    assert.deepEqual([receiving.status, receiving.named, receiving.selected], [101, undefined, 'b'])
  })

  it('selection: none matching is 400 with the names, or by option no header', () => {
    const protocols = [listening('a'), listening('b')]
    const refused = choose(protocols, { protocols: ['x', 'A'] })
    assert.deepEqual([refused.status, refused.selected], [400, undefined])
    assert.match(refused.body, /a, b/)
    const accepted = choose(protocols, { protocols: ['x'] }, 'accept')
    assert.deepEqual([accepted.status, accepted.named, accepted.selected], [101, undefined, 'a'])
  })
})

describe('46 seed protocols: versions', () => {
  const requestOf = (headers: UpgradeOptions['headers'] & object) => {
    const { h, heard } = told()
    const peer = h.connect().upgrade({ protocols: ['second'], headers })
    h.run()
    const request = heard.find(({ reason }) => reason === 'ESTABLISHED')?.data
    return { response: peer.response()!, request: request as UpgradeRequest | undefined, h, peer }
  }

  it('ietfVersion: 13, 8 and 7 are spoken, with the same frames', () => {
    for (const version of [13, 8, 7]) {
      const { response, request, h, peer } = requestOf({ 'Sec-WebSocket-Version': `${version}` })
      assert.deepEqual([response.status, request?.version], [101, version])
      peer.send(client.ping('x'))
      h.run()
      assert.equal(peer.frames()[0]?.opcode, 10)
    }
  })

  it('ietfVersion: 8 and 7 name their origin Sec-WebSocket-Origin', () => {
    for (const [version, name] of [
      ['13', 'Origin'],
      ['8', 'Sec-WebSocket-Origin'],
      ['7', 'Sec-WebSocket-Origin'],
    ] as const) {
      const headers = { 'Sec-WebSocket-Version': version }
      assert.equal(requestOf({ ...headers, [name]: 'http://evil' }).response.status, 403)
      const { request } = requestOf({ ...headers, [name]: 'http://localhost' })
      assert.equal(request?.origin, 'http://localhost')
    }
  })

  it('ietfVersion: any other is 426, with the versions spoken', () => {
    for (const version of ['0', '6', '9', '12', '14', '013', undefined]) {
      const { response } = requestOf({ 'Sec-WebSocket-Version': version })
      assert.equal(response.status, 426, version)
      assert.equal(response.headers.get('sec-websocket-version'), '13, 8, 7')
    }
  })
})

describe('46 seed protocols: sessions', () => {
  interface Session {
    readonly number: number
  }

  function sessions() {
    const log: string[] = []
    let count = 0
    const line = (what: string, user: Session | undefined): void =>
      void log.push(`${what} ${user?.number}`)
    const protocol = defineProtocol<Session>({
      createSession() {
        log.push('create')
        return { number: ++count }
      },
      handlers: {
        FILTER_PROTOCOL_CONNECTION: (_wsi, _request, user) => line('filter', user),
        ESTABLISHED: (_wsi, _request, user) => line('open', user),
        RECEIVE: (_wsi, _data, user) => line('receive', user),
        CLOSED: (_wsi, _info, user) => line('closed', user),
        HTTP: (_wsi, _request, user) => line('http', user),
        HTTP_CLOSED: (_wsi, _info, user) => line('http closed', user),
      },
    })
    return { h: harness({ protocols: [protocol] }), log }
  }

  it('createSession: one a connection, right before the filter, until CLOSED', () => {
    const { h, log } = sessions()
    const peers = [h.open(), h.open()]
    for (const peer of peers) {
      peer.sendMessage('x')
      h.run()
    }
    for (const peer of peers) {
      peer.reset()
      h.run()
    }
    const of = (lines: string[], number: number): string[] =>
      lines.map((line) => `${line} ${number}`)
    const begins = ['filter', 'open']
    assert.deepEqual(log, [
      ...['create', ...of(begins, 1), 'create', ...of(begins, 2)],
      ...['receive 1', 'receive 2', 'closed 1', 'closed 2'],
    ])
  })

  it('createSession: right before the first HTTP, until HTTP_CLOSED', () => {
    const { h, log } = sessions()
    const peer = h.connect()
    peer.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    h.run()
    peer.reset()
    h.run()
    assert.deepEqual(log, ['create', 'http 1', 'http closed 1'])
  })
})

describe('46 seed protocols: payload', () => {
  /** What a kept `data` holds once the call is over; dead views are overwritten by the checker. */
  function kept(protocol: (keep: (data: Buffer) => void) => ProtocolDefinition<never>): string {
    const seen: Buffer[] = []
    const h = harness({ protocols: [protocol((data) => void seen.push(data))] })
    const peer = h.open()
    peer.send(client.text('mine'))
    h.run()
    peer.send(client.text('next'))
    h.run()
    return seen[0]!.toString()
  }
  const byHandlers = (payload: ProtocolOptions<undefined>['payload'] | undefined) =>
    kept((keep) =>
      defineProtocol({
        ...(payload === undefined ? {} : { payload }),
        handlers: { RECEIVE: (_wsi, data) => keep(data) },
      }),
    )
  const byCallback = (payload: ProtocolDefinition['payload'] | undefined) =>
    kept((keep) => {
      const callback: ProtocolCallback<never> = (...[, , reason, , data]) => {
        if (reason === Reason.RECEIVE) keep(data)
      }
      return { name: '', callback, ...(payload === undefined ? {} : { payload }) }
    })

  it("payload: 'copy' is the application's, and the default of handlers", () => {
    assert.deepEqual(
      [byHandlers(undefined), byHandlers('copy'), byCallback('copy')],
      ['mine', 'mine', 'mine'],
    )
  })

  it("payload: 'view' is valid during the call only, and the default of a callback", () => {
    for (const dead of [byHandlers('view'), byCallback(undefined), byCallback('view')])
      assert.notEqual(dead, 'mine')
  })

  it('payload: RECEIVE gives a Buffer, text too, and checked', () => {
    const seen: unknown[] = []
    const { h, peer, log } = openScene({
      handlers: { RECEIVE: (_wsi, data) => void seen.push(data) },
    })
    peer.send(bytes(client.text('é'), client.text(Buffer.of(0xff))))
    peer.end()
    h.run()
    assert.deepEqual(seen, [Buffer.from('é')])
    assert.deepEqual(log, ['closed 1007 TEXT_UTF8'])
  })

  const fragments = bytes(client.text('ab', { fin: false }), client.more('cd'))

  it('delivery: by whole message, up to maxMessageBytes, 1 MiB', () => {
    assert.equal(limits.maxMessageBytes.default, 2 ** 20)
    const { h, peer, log } = openScene({ context: { maxMessageBytes: 4 } })
    peer.send(bytes(fragments, client.text('abcde')))
    peer.end()
    h.run()
    assert.deepEqual(log, ['text abcd', 'closed 1009 MESSAGE_TOO_BIG'])
  })

  it("delivery: 'stream' gives payload as it comes", () => {
    const seen: string[] = []
    const { h, peer } = openScene({
      context: { maxMessageBytes: 4 },
      protocol: { delivery: 'stream' },
      handlers: {
        RECEIVE: (wsi, data) =>
          void seen.push(`${data.toString()}${isFinalFragment(wsi) ? '.' : ''}`),
      },
    })
    peer.send(fragments.subarray(0, 7))
    h.run()
    assert.deepEqual(seen, ['a'])
    peer.send(bytes(fragments.subarray(7), client.text('longer than 4')))
    h.run()
    assert.deepEqual(seen, ['a', 'b', 'cd.', 'longer than 4.'])
  })
})

describe('46 seed protocols: the two forms', () => {
  it('callback: (ctx, wsi, reason, user, data, len), one function a protocol', () => {
    const { h, heard } = told()
    h.open({ protocols: ['second'] }).sendMessage('hello')
    h.run()
    const { ctx, wsi, data, len } = heard.find(({ reason }) => reason === 'RECEIVE')!
    assert.deepEqual([ctx === h.ctx, wsi === null, String(data), len], [true, false, 'hello', 5])
  })

  it('defineProtocol: handlers by reason name, with as few parameters as one likes', () => {
    const seen: string[] = []
    const table = defineProtocol({
      handlers: {
        ESTABLISHED: () => void seen.push('open'),
        RECEIVE: (wsi: Wsi, data: Buffer) => void write(wsi, data, BINARY),
        CLOSED: (...args) => void seen.push(`closed with ${args.length}`),
      },
    })
    const h = harness({ protocols: [table] })
    const peer = h.open().sendMessage('echo')
    h.run()
    assert.deepEqual(peer.messages(), [Buffer.from('echo')])
    peer.reset()
    h.run()
    assert.deepEqual(seen, ['open', 'closed with 3'])
    const wrong = { handlers: { RECIEVE() {} } } as ProtocolOptions<undefined>
    assert.throws(() => defineProtocol(wrong), { code: 'ERR_EXTPOLL_HANDLER' })
  })

  it('defineProtocol: a Promise that a handler answers goes to onError', () => {
    const later = (): never => Promise.resolve() as never
    const { h, errors } = scene({ handlers: { RECEIVE: later } })
    h.open().sendMessage('x')
    h.run()
    const codes = errors.map((error) => (error as { code?: string }).code)
    assert.deepEqual(codes, ['ERR_EXTPOLL_ASYNC_CALLBACK'])
  })

  it('defineProtocol: the same definition in two contexts makes two Protocol objects', () => {
    const definition = listening('')
    const host = checkedHost(fakePoller())
    const [one, two] = [1, 2].map(() => createContext({ host, protocols: [definition] }))
    assert.notEqual(one!.protocols[0], two!.protocols[0])
    for (const ctx of [one!, two!]) contextDestroy(ctx)
  })
})
