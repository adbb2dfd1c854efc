/**
 * How each export of extpoll/epoll is called rightly, and each method of what it answers: what the
 * misuse of them begins with. Then all of it again from inside a callback, and on what is over.
 */
import * as epoll from '../../integrations/epoll.js'
import { Poller, socketIo, type EpollHost } from '../../integrations/epoll.js'
import { contextDestroy, createContext, defineProtocol, POLLIN } from '../../src/index.js'
import type { Context } from '../../src/index.js'
import { assertSameNames, type Abuse, methodsOf, type AbuseRow, type AnyFunction } from './abuse.js'
import { closePair, tcpPair } from './epoll-addon.js'
import { LoopClient } from './loop-client.js'

type Rows = Record<string, AbuseRow>

const isFd = (result: unknown): result is number => typeof result === 'number' && result >= 0
const closeSocket = (fd: unknown): void => {
  if (isFd(fd)) socketIo.close(fd, false)
}
const echo = defineProtocol({ handlers: {} })

/** A method as a function of its arguments. */
const bound = (object: object, name: string): AnyFunction =>
  (object as Record<string, AnyFunction>)[name]!.bind(object)

function pollerRows(poller: Poller, fd: number): Rows {
  const of = (name: string, ...args: unknown[]): AbuseRow => ({
    call: bound(poller, name),
    args: () => {
      // Ready, so that no wait waits.
      if (!poller.closed) poller.wake()
      return args
    },
    ...(name === 'add' ? { undo: (_result, [added]) => poller.remove(added as number) } : {}),
  })
  return {
    add: of('add', fd, POLLIN, 1, () => undefined),
    modify: of('modify', fd, POLLIN),
    remove: of('remove', fd),
    wait: of('wait', [], 0),
    nextGen: of('nextGen'),
    isLive: of('isLive', { fd, revents: POLLIN, gen: 1 }),
    ownerOf: of('ownerOf', { fd, revents: POLLIN, gen: 1 }),
    wake: of('wake'),
    close: { call: () => new Poller().close(), args: () => [] },
  }
}

function ioRows(stage: Stage): Rows {
  const { client, server } = stage.pair
  const { buffer } = stage
  const of = (name: string, args: () => unknown[], undo?: AbuseRow['undo']): AbuseRow => ({
    call: bound(socketIo, name),
    args,
    ...(undo === undefined ? {} : { undo }),
  })
  return {
    createBuffer: of(
      'createBuffer',
      () => [64],
      (made) => socketIo.freeBuffer(made as never),
    ),
    freeBuffer: of('freeBuffer', () => [stage.freed]),
    listen: of('listen', () => [{ address: '127.0.0.1', port: 0, backlog: 1 }], closeSocket),
    accept: of('accept', () => [client], closeSocket),
    shed: of('shed', () => [client, new Uint8Array(4)]),
    connect: of('connect', () => [epoll.tcpAddress('127.0.0.1', 0)], closeSocket),
    recv: of('recv', () => [server, buffer, 0, 8]),
    send: of('send', () => [client, buffer, 0, 8]),
    sendEach: of('sendEach', () => [buffer, stage.list, 1]),
    recvEach: of('recvEach', () => [buffer, stage.list, 1]),
    sendv: of('sendv', () => [client, [new Uint8Array(1)]]),
    pending: of('pending', () => [client]),
    shutdown: of('shutdown', () => [-1]),
    close: of('close', () => [-1, false]),
    connectResult: of('connectResult', () => [client]),
    adopt: of('adopt', () => [client]),
    release: of('release', () => [-1]),
    socketError: of('socketError', () => [client]),
    localAddress: of('localAddress', () => [client]),
    peerAddress: of('peerAddress', () => [client]),
    mask: of('mask', () => [buffer, 0, 8, 1]),
    openFile: of(
      'openFile',
      () => ['/', 'dev/null'],
      (fd) => isFd(fd) && socketIo.closeFile(fd),
    ),
    fileInfo: of('fileInfo', () => [stage.fileFd]),
    readFile: of('readFile', () => [stage.fileFd, 0, stage.buffer, 0, 8]),
    sendFile: of('sendFile', () => [client, stage.fileFd, 0, 8]),
    closeFile: of('closeFile', () => [stage.fileToClose()]),
  }
}

/** What the calls act upon, open as long as they are tried. */
class Stage {
  readonly pair = tcpPair()
  readonly buffer = socketIo.createBuffer(4096)
  readonly list = socketIo.createBuffer(4096)
  readonly freed = socketIo.createBuffer(64)
  readonly resolverFd = socketIo.resolver.open()
  readonly fileFd = socketIo.openFile('/', 'dev/null')
  readonly host: EpollHost = epoll.epollHost({ maxWaitMs: 1 })
  readonly ctx: Context = createContext({ host: this.host, port: 0, protocols: [echo] })
  readonly destroyed: Context = createContext({ host: this.host, protocols: [echo] })

  #toClose = -1

  constructor() {
    socketIo.freeBuffer(this.freed)
    contextDestroy(this.destroyed)
  }

  /** Another one each time; what the last call did not close is closed. */
  fileToClose(): number {
    socketIo.closeFile(this.#toClose)
    this.#toClose = socketIo.openFile('/', 'dev/null')
    return this.#toClose
  }

  end(): void {
    socketIo.closeFile(this.#toClose)
    contextDestroy(this.ctx)
    this.host.poller.close()
    socketIo.closeFile(this.fileFd)
    socketIo.resolver.close(this.resolverFd)
    for (const buffer of [this.buffer, this.list]) socketIo.freeBuffer(buffer)
    closePair(this.pair)
  }
}

function resolverRows(fd: number): Rows {
  const { resolver } = socketIo
  const of = (name: string, ...args: unknown[]): AbuseRow => ({
    call: bound(resolver, name),
    args: () => args,
  })
  const rows: Rows = {
    open: { ...of('open'), undo: (opened) => resolver.close(opened as number) },
    start: of('start', fd, 1, '127.0.0.1', 4),
    take: of('take', fd),
    cancel: of('cancel', fd, 1),
    close: of('close', -1),
  }
  assertSameNames('socketIo.resolver', methodsOf(resolver), rows)
  return rows
}

function exportRows(stage: Stage): Rows {
  const { client, server } = stage.pair
  return {
    Poller: {
      call: (options) => new Poller(options as never),
      args: () => [{ backend: 'epoll', maxWaitMs: 1, maxEvents: 1 }],
      undo: (poller) => (poller as Poller).close(),
    },
    epollHost: {
      call: epoll.epollHost as AnyFunction,
      args: () => [
        {
          backend: undefined,
          maxWaitMs: undefined,
          loop: undefined,
          poller: undefined,
          listenFd: undefined,
        },
      ],
      undo: (host) => (host as EpollHost).poller.close(),
    },
    rawHost: { call: epoll.rawHost },
    service: {
      call: epoll.service as AnyFunction,
      args: () => {
        stage.host.poller.wake()
        return [stage.ctx, 0]
      },
    },
    // On a context that lives it would not come back.
    run: { call: epoll.run as AnyFunction, args: () => [stage.destroyed] },
    getPollFd: { call: epoll.getPollFd as AnyFunction, args: () => [stage.ctx] },
    wakeFd: { call: epoll.wakeFd as AnyFunction, args: () => [stage.host.poller.wakeFd] },
    watchSignals: {
      call: epoll.watchSignals as AnyFunction,
      args: () => [['SIGUSR2']],
      undo: (watch) => (watch as epoll.SignalWatch).close(),
    },
    adopt: { call: epoll.adopt as AnyFunction, args: () => [client] },
    release: { call: epoll.release as AnyFunction, args: () => [-1] },
    sendText: { call: epoll.sendText as AnyFunction, args: () => [client, 'x'] },
    recvText: { call: epoll.recvText as AnyFunction, args: () => [server, stage.buffer] },
    tcpAddress: { call: epoll.tcpAddress as AnyFunction, args: () => ['127.0.0.1', 1] },
    unixAddress: { call: epoll.unixAddress as AnyFunction, args: () => ['path'] },
  }
}

const prefixed = (prefix: string, rows: Rows): [string, AbuseRow][] =>
  Object.entries(rows).map(([name, row]) => [`${prefix}${name}`, row])

/** Every row of the surface; each export and each method has one. */
function surfaceRows(stage: Stage): [string, AbuseRow][] {
  const { socketIo: io, ...functions } = epoll
  const exported = exportRows(stage)
  assertSameNames('extpoll/epoll', Object.keys(functions), exported)
  const sockets = ioRows(stage)
  assertSameNames('socketIo', methodsOf(io), sockets)
  const polls = pollerRows(stage.host.poller, stage.pair.client)
  assertSameNames('Poller', methodsOf(stage.host.poller), polls)
  const { host } = stage
  const watch = epoll.watchSignals(['SIGUSR2'])
  watch.close()
  return [
    ...prefixed('', exported),
    ...prefixed('socketIo.', sockets),
    ...prefixed('resolver.', resolverRows(stage.resolverFd)),
    ...prefixed('poller.', polls),
    ...prefixed('host.', hostRows(host, stage.pair.client)),
    ...prefixed('watch.', {
      read: { call: bound(watch, 'read') },
      close: { call: bound(watch, 'close') },
    }),
    ...prefixed('closed poller.', pollerRows(closedPoller(), stage.pair.client)),
  ]
}

function hostRows(host: EpollHost, fd: number): Rows {
  const rows: Rows = {
    now: { call: bound(host, 'now') },
    wallClock: { call: bound(host, 'wallClock') },
    randomFill: { call: bound(host, 'randomFill'), args: () => [new Uint8Array(4)] },
    hostname: { call: bound(host, 'hostname') },
    dropPrivileges: { call: bound(host, 'dropPrivileges'), args: () => [{ uid: 1 }] },
    nextGen: { call: bound(host, 'nextGen') },
    duplicate: {
      call: bound(host, 'duplicate'),
      args: () => [fd],
      undo: (copy) => {
        if (!isFd(copy)) return
        epoll.adopt(copy)
        closeSocket(copy)
      },
    },
    serveByNode: {
      call() {
        const other = epoll.epollHost()
        other.serveByNode()
        other.poller.close()
      },
    },
    ref: { call: bound(host, 'ref') },
    unref: { call: bound(host, 'unref') },
  }
  assertSameNames('the host', methodsOf(host), rows)
  return rows
}

function closedPoller(): Poller {
  const poller = new Poller()
  poller.close()
  return poller
}

/** The same from inside a callback of a context on a poller of the stage. */
function fromWithin(stage: Stage, abuse: () => void): void {
  let failure: unknown
  const protocol = defineProtocol({
    handlers: {
      RECEIVE() {
        try {
          abuse()
        } catch (error) {
          failure = error
        }
      },
    },
  })
  const ctx = createContext({ host: stage.host, port: 0, protocols: [protocol] })
  const round = (): number => epoll.service(ctx, 0)
  const client = LoopClient.open(ctx, round)
  client.sendMessage('now')
  round()
  client.reset()
  contextDestroy(ctx)
  if (failure !== undefined) throw failure
}

export function abuseSurface(abuse: Abuse): void {
  const stage = new Stage()
  const rows = surfaceRows(stage)
  for (const [name, row] of rows) abuse.tryRow(name, row)
  const again = stage
  fromWithin(again, () => {
    for (const [name, row] of rows) abuse.tryRow(`within: ${name}`, row)
  })
  stage.end()
}
