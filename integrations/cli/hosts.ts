/**
 * What `--host` chooses from: a host, its loop, and its signals, ready before anything listens.
 *
 * Knows no subcommand: a command gives a context made on the host, and gets it served to its end.
 */
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import type { MessagePort } from 'node:worker_threads'
import { closeAll, contextDestroy, pollFds, POLLIN } from '../../src/index.js'
import type { Context, Host, SocketAddress } from '../../src/index.js'
import { epollHost, service, watchSignals } from '../epoll.js'
import type { Poller } from '../epoll.js'
import { attach, streamsHost } from '../node-streams.js'
import { keepHeapSmall, keepYoungGenerationSmall } from './heap.js'

/** A host that is open. */
export interface OpenHost {
  readonly host: Host
  /** See Poller: what wakes a worker. Absent: it can be none. */
  readonly wakeFd?: number
  /** Tells V8 what its heap is for, in a process that serves and does nothing else. */
  readonly tuneHeap: () => void
  /** Listens in the context's place, where the host is inside a server. @returns where */
  listen?(ctx: Context, address: string, port: number): Promise<SocketAddress>
  /**
   * Serves until SIGINT or SIGTERM: then every peer gets 1001 and `GRACE_MS` to answer it, and the
   * context is destroyed. A second signal does not wait for them.
   */
  serveUntilSignal(ctx: Context): Promise<void> | void
  /** Gives everything back; serves no more. */
  close(): void
}

/**
 * Where a worker sits: signals come to the main thread, which counts them in `stops[0]`, wakes the
 * worker's poller, and sends a message for each.
 */
export interface Seat {
  /** The listener, of which every worker has a copy. */
  readonly listenFd: number
  readonly stops: Int32Array
  readonly port: MessagePort
}

/** A row of `--host`: opens it, in a worker with a seat. @throws UsageError where it cannot be */
export type HostRow = (seat?: Seat) => OpenHost

/** With the closing of what is left, and the end of the process, well below half a second. */
const GRACE_MS = 300
const ENDING_WAIT_MS = 20
export const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** How many signals came so far, for a loop that blocks and looks after each round. */
interface Ears {
  count(): number
  close(): void
}

function earsOfProcess(poller: Poller): Ears {
  const watch = watchSignals(SIGNALS)
  let signals = 0
  poller.add(watch.fd, POLLIN, undefined, () => {
    signals += watch.read().length
  })
  return {
    count: () => signals,
    close() {
      poller.remove(watch.fd)
      watch.close()
    },
  }
}

function openEpoll(seat?: Seat): OpenHost {
  const host = epollHost(seat === undefined ? {} : { listenFd: seat.listenFd })
  const { poller } = host
  const ears =
    seat === undefined
      ? earsOfProcess(poller)
      : { count: () => Atomics.load(seat.stops, 0), close() {} }
  return {
    host,
    wakeFd: poller.wakeFd,
    tuneHeap: keepYoungGenerationSmall,
    serveUntilSignal(ctx) {
      while (ears.count() === 0) service(ctx, -1)
      const endMs = host.now() + GRACE_MS
      const heard = ears.count()
      closeAll(ctx, 1001, GRACE_MS)
      while (pollFds(ctx).length > 0 && ears.count() === heard && host.now() < endMs)
        service(ctx, ENDING_WAIT_MS)
      contextDestroy(ctx)
    },
    close() {
      ears.close()
      poller.close()
    },
  }
}

/** Calls `hear` at each signal. @returns what undoes that */
function listenForSignals(seat: Seat | undefined, hear: () => void): () => void {
  if (seat !== undefined) {
    seat.port.on('message', hear)
    return () => void seat.port.off('message', hear)
  }
  for (const signal of SIGNALS) process.on(signal, hear)
  return () => {
    for (const signal of SIGNALS) process.off(signal, hear)
  }
}

function openNodeLoop(seat?: Seat): OpenHost {
  const listening = seat === undefined ? {} : { listenFd: seat.listenFd }
  const host = epollHost({ loop: 'node', ...listening })
  const { poller } = host
  return { ...onNodeLoop(host, () => poller.close(), seat), wakeFd: poller.wakeFd }
}

function openNodeStreams(): OpenHost {
  // Node makes objects for every message: V8 is left to find its own sizes.
  return { ...onNodeLoop(streamsHost(), () => undefined), tuneHeap: () => undefined }
}

/** An http server listens, and its upgrades are handed over to epoll. */
function openHandOver(): OpenHost {
  const native = epollHost({ loop: 'node' })
  const server = createServer()
  const open = onNodeLoop(streamsHost(), () => {
    server.close()
    native.poller.close()
  })
  return {
    ...open,
    tuneHeap: keepHeapSmall,
    async listen(ctx, address, port) {
      attach(server, ctx, { native, closeWith: 'context' })
      server.listen(port, address)
      await once(server, 'listening')
      const { family, ...at } = server.address() as AddressInfo
      return { ...at, name: '', family: family === 'IPv6' ? 'IPv6' : 'IPv4' }
    },
  }
}

/** Node's own loop waits, and its signal handlers run in it. */
function onNodeLoop(host: Host, closeHost: () => void, seat?: Seat): OpenHost {
  const signals = new EventEmitter()
  const stopListening = listenForSignals(seat, () => void signals.emit('signal'))
  return {
    host,
    tuneHeap: keepYoungGenerationSmall,
    async serveUntilSignal(ctx) {
      await once(signals, 'signal')
      const endMs = host.now() + GRACE_MS
      closeAll(ctx, 1001, GRACE_MS)
      let hurried = false
      signals.once('signal', () => (hurried = true))
      while (pollFds(ctx).length > 0 && !hurried && host.now() < endMs)
        await setTimeout(ENDING_WAIT_MS)
      contextDestroy(ctx)
    },
    close() {
      stopListening()
      closeHost()
    },
  }
}

/** Name -> host; the first is the default. */
export const hosts = {
  epoll: openEpoll,
  'epoll-uv': openNodeLoop,
  'node-streams': openNodeStreams,
  handover: openHandOver,
} satisfies Record<string, HostRow>

export type HostName = keyof typeof hosts

/** Those that can be opened in a worker with a seat. */
export const hostsForWorkers: readonly HostName[] = ['epoll', 'epoll-uv']

export const hostNames = Object.keys(hosts) as HostName[]
