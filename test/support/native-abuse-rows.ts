/**
 * How each function of the addon is called rightly: what the misuse of it begins with.
 *
 * Every row makes what it ends, or uses the descriptors of one stage that no row may close.
 */
import { addon } from '../../integrations/epoll-addon/binding.js'
import { POLLIN } from '../../src/index.js'
import type { AbuseRow } from './abuse.js'
import { closePair, tcpPair } from './epoll-addon.js'

export type NativeRow = Omit<AbuseRow, 'call'> & { readonly args: () => unknown[] }
type Rows = Record<string, NativeRow>

const isFd = (result: unknown): result is number => typeof result === 'number' && result >= 0
const closeSocket = (fd: unknown): void => {
  if (isFd(fd)) addon().close(fd, false)
}

/** A descriptor that is nobody's yet. */
const closeForeign = (fd: unknown): void => {
  if (!isFd(fd)) return
  addon().adopt(fd)
  closeSocket(fd)
}

/** What the calls act upon, open as long as they are tried. */
class Stage {
  readonly make = addon()
  readonly pair = tcpPair()
  readonly bufferId = this.make.createBuffer(4096, false)[0]
  readonly listId = this.make.createBuffer(4096, false)[0]
  readonly pollerId = this.make.pollerCreate(true, this.bufferId, 64)
  readonly fileFd = this.make.openFile('/', 'dev/null', false)
  readonly eventFd = this.make.eventCreate()
  readonly resolverFd = this.make.resolverOpen()
  readonly listenFd = this.make.listenTcp('127.0.0.1', 0, 1)
  readonly #ends: (() => void)[] = []

  constructor() {
    this.make.eventWrite(this.make.pollerWakeFd(this.pollerId)) // so that no wait ever blocks
  }

  /** Opens what the function is to close, and closes what it did not. */
  closing(open: () => number, close: (it: number) => unknown, ...rest: unknown[]): NativeRow {
    let last: number | undefined
    const end = (): void => {
      try {
        if (last !== undefined) close(last)
      } catch {
        // It was closed, as it should be.
      }
    }
    this.#ends.push(end)
    return {
      args: () => {
        end()
        last = open()
        return [last, ...rest]
      },
    }
  }

  end(): void {
    for (const end of this.#ends) end()
    const { make } = this
    make.pollerClose(this.pollerId)
    make.freeBuffer(this.bufferId)
    make.freeBuffer(this.listId)
    make.resolverClose(this.resolverFd)
    make.closeFile(this.fileFd)
    make.eventClose(this.eventFd)
    make.close(this.listenFd, false)
    closePair(this.pair)
  }
}

function byteRows(stage: Stage): Rows {
  const { make, bufferId, listId, listenFd } = stage
  const { client } = stage.pair
  return {
    createBuffer: {
      args: () => [64, false],
      undo: (result) => make.freeBuffer((result as [number])[0]),
    },
    freeBuffer: stage.closing(
      () => make.createBuffer(64, false)[0],
      (id) => make.freeBuffer(id),
    ),
    mask: { args: () => [bufferId, 0, 8, 1] },
    recv: { args: () => [client, bufferId, 0, 8] },
    send: { args: () => [client, bufferId, 0, 8] },
    sendEach: { args: () => [bufferId, listId, 1] },
    recvEach: { args: () => [bufferId, listId, 1] },
    sendv: { args: () => [client, [new Uint8Array(1)]] },
    accept: { args: () => [listenFd], undo: closeSocket },
    shed: { args: () => [listenFd, new Uint8Array(8)] },
    shutdown: { args: () => [client] },
    close: stage.closing(
      () => make.listenTcp('127.0.0.1', 0, 1),
      (fd) => make.close(fd, false),
      false,
    ),
    socketError: { args: () => [client] },
    connectResult: { args: () => [client] },
    adopt: { args: () => [client] },
    duplicate: { args: () => [client], undo: closeForeign },
    release: { args: () => [-1, 0] },
  }
}

function addressRows({ listenFd, pair }: Stage): Rows {
  return {
    listenTcp: { args: () => ['127.0.0.1', 0, 1], undo: closeSocket },
    listenUnix: { args: () => ['listener', 1], undo: closeSocket },
    listenShared: { args: () => [listenFd], undo: closeSocket },
    connectTcp: { args: () => ['127.0.0.1', 0], undo: closeSocket },
    connectUnix: { args: () => ['absent'], undo: closeSocket },
    localAddress: { args: () => [pair.client] },
    peerAddress: { args: () => [pair.client] },
  }
}

function pollerRows(stage: Stage): Rows {
  const { make, bufferId, pollerId } = stage
  const { client } = stage.pair
  return {
    pollerCreate: {
      args: () => [true, bufferId, 64],
      undo: (id) => {
        if (isFd(id)) make.pollerClose(id)
      },
    },
    pollerClose: stage.closing(
      () => make.pollerCreate(true, bufferId, 64),
      (id) => make.pollerClose(id),
    ),
    pollerFd: { args: () => [pollerId] },
    pollerWakeFd: { args: () => [pollerId] },
    pollerAdd: { args: () => [pollerId, client, POLLIN, 1] },
    pollerModify: { args: () => [pollerId, client, POLLIN, 1] },
    pollerRemove: { args: () => [pollerId, client] },
    wait: { args: () => [pollerId, 0] },
    uvPollOpen: { args: () => [pollerId, () => {}] },
    uvPollActive: { args: () => [pollerId, false] },
    uvPollRef: { args: () => [pollerId, true] },
  }
}

function otherRows(stage: Stage): Rows {
  const { make, eventFd, resolverFd, fileFd } = stage
  return {
    eventCreate: { args: () => [], undo: (fd) => void make.eventClose(fd as number) },
    eventWrite: { args: () => [eventFd] },
    eventDrain: { args: () => [eventFd] },
    eventClose: stage.closing(
      () => make.eventCreate(),
      (fd) => make.eventClose(fd),
    ),
    resolverOpen: { args: () => [], undo: (fd) => void make.resolverClose(fd as number) },
    resolverStart: { args: () => [resolverFd, 1, '127.0.0.1', 4] },
    resolverTake: { args: () => [resolverFd] },
    resolverCancel: { args: () => [resolverFd, 1] },
    resolverClose: stage.closing(
      () => make.resolverOpen(),
      (fd) => make.resolverClose(fd),
    ),
    openFile: {
      args: () => ['/', 'dev/null', false],
      undo: (fd) => {
        if (isFd(fd)) make.closeFile(fd)
      },
    },
    fileInfo: { args: () => [fileFd] },
    readFile: { args: () => [fileFd, 0, stage.bufferId, 0, 8] },
    sendFile: { args: () => [stage.pair.client, fileFd, 0, 8] },
    closeFile: stage.closing(
      () => make.openFile('/', 'dev/null', false),
      (fd) => make.closeFile(fd),
    ),
    signalsWatch: {
      args: () => [1 << 1],
      undo: (fd) => {
        if (isFd(fd)) make.signalsClose(fd)
      },
    },
    signalsRead: { args: () => [eventFd] },
    signalsClose: { args: () => [eventFd] },
  }
}

/** @returns a row for each function, and what closes the stage */
export function nativeRows(): { rows: Rows; end: () => void } {
  const stage = new Stage()
  const rows = {
    ...byteRows(stage),
    ...addressRows(stage),
    ...pollerRows(stage),
    ...otherRows(stage),
  }
  return { rows, end: () => stage.end() }
}
