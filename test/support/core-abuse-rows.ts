/**
 * How each export of extpoll is called rightly: what the misuse of it begins with. Over the fake
 * poller, with a connection that is open whenever a call is given one. Then all of it again on what
 * is over, within a callback, and within an announcement.
 */
import { fakePoller } from '../../integrations/fake-poller.js'
import * as core from '../../src/index.js'
import type { Context, PollChange, Protocol, Wsi } from '../../src/index.js'
import { assertSameNames, type Abuse, type AbuseRow, type AnyFunction } from './abuse.js'

type Rows = Record<string, AbuseRow>

/** A context with one connection, made anew where a call ended the last one. */
class Stage {
  readonly poller = fakePoller()
  /** What runs within the next RECEIVE, or the next announcement. */
  within: { on: 'RECEIVE' | 'ADD_POLL_FD'; run: () => void } | undefined
  #ctx: Context | undefined
  #wsi: Wsi | undefined
  #defers = false
  /** It waits for an answer of HTTP, or for one to its handshake. */
  #asked: Wsi | undefined
  #peer: ReturnType<typeof this.poller.connectTo> | undefined
  readonly protocol = core.defineProtocol({
    handlers: {
      ESTABLISHED: (wsi) => void (this.#wsi = wsi),
      RECEIVE: () => this.#run('RECEIVE'),
      ADD_POLL_FD: () => this.#run('ADD_POLL_FD'),
      HTTP: (wsi) => void (this.#asked = wsi),
      FILTER_PROTOCOL_CONNECTION: (wsi) => {
        if (!this.#defers) return core.ACCEPT
        this.#asked = wsi
        return core.DEFER
      },
    },
  })

  /** One that listens. */
  ctx(): Context {
    if (this.#ctx !== undefined && core.getListenAddress(this.#ctx) !== null) return this.#ctx
    if (this.#ctx !== undefined) core.contextDestroy(this.#ctx)
    const { host } = this.poller
    const protocols = [this.protocol]
    this.#ctx = core.createContext({ host, port: 0, protocols, digest: true, onError: () => {} })
    return this.#ctx
  }

  /** One that is open. */
  wsi(): Wsi {
    const ctx = this.ctx()
    if (this.#wsi !== undefined && this.#isOpen(ctx)) return this.#wsi
    this.open()
    return this.#wsi!
  }

  open(): void {
    this.#peer = this.poller.connectTo(this.ctx()).upgrade()
    this.poller.run(this.ctx())
  }

  /** One whose request of HTTP, or whose handshake, waits for an answer. */
  asking(what: 'HTTP' | 'handshake'): Wsi {
    const peer = this.poller.connectTo(this.ctx())
    this.#defers = what === 'handshake'
    if (what === 'HTTP') peer.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    else peer.upgrade()
    this.poller.run(this.ctx())
    this.#defers = false
    peer.reset()
    return this.#asked!
  }

  protocolOf(): Protocol {
    return this.ctx().protocols[0]!
  }

  /** Runs it inside a callback of the context, or inside an announcement. */
  runWithin(on: 'RECEIVE' | 'ADD_POLL_FD', run: () => void): void {
    this.wsi()
    this.within = { on, run }
    if (on === 'RECEIVE') this.#peer!.sendMessage('now')
    else this.poller.connectTo(this.ctx())
    this.poller.run(this.ctx())
    if (this.within !== undefined) throw new Error(`nothing ran within ${on}`)
  }

  end(): void {
    if (this.#ctx !== undefined) core.contextDestroy(this.#ctx)
  }

  #isOpen(ctx: Context): boolean {
    // Neither over nor about to be: what was written before is of no matter.
    return core.getContext(this.#wsi!) === ctx && core.callbackOnWritable(ctx, this.#wsi!)
  }

  #run(on: 'RECEIVE' | 'ADD_POLL_FD'): void {
    if (this.within?.on !== on) return
    const { run } = this.within
    this.within = undefined
    run()
  }
}

const change: PollChange = {
  op: 'SET',
  fd: 5,
  gen: 1,
  bits: 4,
  prev: 1,
  next: 5,
  seq: 1,
  context: {},
}

const undos: Readonly<Record<string, Pick<AbuseRow, 'undo'>>> = {
  createContext: { undo: (ctx) => core.contextDestroy(ctx as Context) },
  clientConnect: { undo: (wsi) => void core.hangup(wsi as Wsi) },
}

/** Those of requests. */
function requestArguments(stage: Stage): Record<string, () => unknown[]> {
  return {
    answerHandshake: () => [stage.asking('handshake'), { status: 403, headers: {}, body: 'no' }],
    httpRespond: () => [stage.asking('HTTP'), { status: 200, headers: {}, body: 'yes' }],
    serveHttpFile: () => [stage.asking('HTTP'), 'a.txt', 'text/plain', { root: '/' }],
    pathOfTarget: () => ['/a%20b.txt?x=1'],
  }
}

/** Each function, by the arguments it takes. */
function exportRows(stage: Stage): Rows {
  const ctx = (): Context => stage.ctx()
  const wsi = (): Wsi => stage.wsi()
  const pollfd = (): object => ({ fd: core.getSocketFd(wsi()), revents: core.POLLIN, gen: 1 })
  const args: Record<string, () => unknown[]> = {
    ...requestArguments(stage),
    createContext: () => [contextOptions(stage)],
    contextDestroy: () => [ctx()],
    hostOf: () => [ctx()],
    isDestroyed: () => [ctx()],
    serviceFd: () => [ctx(), pollfd()],
    serviceFds: () => [ctx(), [pollfd()], 0, 1],
    nextDeadline: () => [ctx()],
    nextTimeout: () => [ctx()],
    formatEvents: () => [5],
    applyPollChange: () => [1, change],
    errnoName: () => [-11],
    pollEventsFromUv: () => [1],
    uvEventsFromPoll: () => [1],
    defineProtocol: () => [
      { name: 'a', handlers: { RECEIVE: () => undefined }, payload: 'copy', onFull: 'close' },
    ],
    reasonName: () => [1],
    batch: () => [ctx(), () => undefined],
    write: () => [wsi(), 'text', core.TEXT],
    broadcast: () => [stage.protocolOf(), 'text'],
    prepareFrame: () => ['text', core.TEXT],
    writePrepared: () => [wsi(), core.prepareFrame('text', core.TEXT)],
    callbackOnWritable: () => [ctx(), wsi()],
    callbackOnWritableAllProtocol: () => [stage.protocolOf()],
    rxFlowControl: () => [wsi(), 1],
    close: () => [wsi(), 1000, 'over'],
    closeAll: () => [ctx(), 1001, 1000],
    hangup: () => [wsi()],
    hangupOnClient: () => [ctx(), core.getSocketFd(wsi())],
    stopListening: () => [ctx()],
    canonicalHostname: () => [ctx()],
    getBufferedBytes: () => [wsi()],
    getContext: () => [wsi()],
    getListenAddress: () => [ctx()],
    getPeerAddresses: () => [ctx(), core.getSocketFd(wsi())],
    getProtocol: () => [wsi()],
    getSocketFd: () => [wsi()],
    isBinary: () => [wsi()],
    isFinalFragment: () => [wsi()],
    pollFds: () => [ctx()],
    remainingPacketPayload: () => [wsi()],
    digest: () => [ctx()],
    eventDigest: () => [ctx(), wsi()],
    clientConnect: () => [ctx(), { address: '127.0.0.1', port: 1, path: '/', family: 0 }],
    adoptSocket: () => [ctx(), -1, { head: new Uint8Array(1), established: true, protocol: '' }],
    detachSocket: () => [ctx(), wsi()],
  }
  const functions: Record<string, AnyFunction> = {}
  for (const [name, value] of Object.entries(core))
    if (typeof value === 'function' && !isErrorClass(value)) functions[name] = value as AnyFunction
  assertSameNames('extpoll', Object.keys(functions), args)
  return Object.fromEntries(
    Object.entries(args).map(([name, legal]) => [
      name,
      {
        call: functions[name]!,
        args: legal,
        ...undos[name],
      },
    ]),
  )
}

const isErrorClass = (value: object): boolean =>
  'prototype' in value && value.prototype instanceof Error

function contextOptions(stage: Stage): Record<string, unknown> {
  const limits = Object.fromEntries(Object.keys(core.limits).map((name) => [name, undefined]))
  const { host } = stage.poller
  const names = ['port', 'address', 'path', 'gid', 'uid', 'on', 'onError', 'allowedOrigins']
  const others = Object.fromEntries(names.map((name) => [name, undefined]))
  const rest = { unknownProtocol: 'accept', digest: false }
  return { ...limits, ...others, ...rest, host, protocols: [stage.protocol] }
}

function methodRows(stage: Stage): Rows {
  const listener = (): void => undefined
  return {
    'ctx.on': {
      call: (...args) => stage.ctx().on(...(args as [never, never])),
      args: () => ['ADD_POLL_FD', listener],
      undo: (_result, [event, added]) => stage.ctx().off(event as never, added as never),
    },
    'ctx.off': {
      call: (...args) => stage.ctx().off(...(args as [never, never])),
      args: () => ['ADD_POLL_FD', listener],
    },
  }
}

export function abuseCore(abuse: Abuse): void {
  const stage = new Stage()
  const rows = { ...exportRows(stage), ...methodRows(stage) }
  for (const [name, row] of Object.entries(rows)) abuse.tryRow(name, row)
  for (const on of ['RECEIVE', 'ADD_POLL_FD'] as const) {
    for (const [name, row] of Object.entries(rows)) {
      // Arguments are made outside: what makes them serves the context.
      const args = row.args?.() ?? []
      stage.runWithin(on, () =>
        abuse.tryRow(`within ${on}: ${name}`, { ...row, args: () => [...args] }),
      )
    }
  }
  stage.end()
}
