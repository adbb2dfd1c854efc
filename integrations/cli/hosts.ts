/**
 * What `--host` chooses from: a host, its loop, and its signals, ready before anything listens.
 *
 * Knows no subcommand: a command gives a context made on the host, and gets it served to its end.
 */
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { closeAll, contextDestroy, pollFds, POLLIN } from '../../src/index.js'
import type { Context, Host, SocketAddress } from '../../src/index.js'
import { epollHost, service, watchSignals } from '../epoll.js'
import { attach, streamsHost } from '../node-streams.js'

/** A host that is open. */
export interface OpenHost {
  readonly host: Host
  /** Node makes objects for every message: V8 is left to find its own sizes. */
  readonly allocates?: boolean
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

/** A row of `--host`: opens it. @throws UsageError where this machine cannot have it */
export type HostRow = () => OpenHost

/** With the closing of what is left, and the end of the process, well below half a second. */
const GRACE_MS = 300
const ENDING_WAIT_MS = 20
const SIGNALS = ['SIGINT', 'SIGTERM'] as const

function openEpoll(): OpenHost {
  const host = epollHost()
  const { poller } = host
  const watch = watchSignals(SIGNALS)
  let signals = 0
  poller.add(watch.fd, POLLIN, undefined, () => {
    signals += watch.read().length
  })
  return {
    host,
    serveUntilSignal(ctx) {
      while (signals === 0) service(ctx, -1)
      const endMs = host.now() + GRACE_MS
      closeAll(ctx, 1001, GRACE_MS)
      const heard = signals
      while (pollFds(ctx).length > 0 && signals === heard && host.now() < endMs)
        service(ctx, ENDING_WAIT_MS)
      contextDestroy(ctx)
    },
    close() {
      poller.remove(watch.fd)
      watch.close()
      poller.close()
    },
  }
}

function openNodeLoop(): OpenHost {
  const host = epollHost({ loop: 'node' })
  return onNodeLoop(host, () => host.poller.close())
}

function openNodeStreams(): OpenHost {
  return { ...onNodeLoop(streamsHost(), () => undefined), allocates: true }
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
function onNodeLoop(host: Host, closeHost: () => void): OpenHost {
  const signals = new EventEmitter()
  const hear = (): void => void signals.emit('signal')
  for (const signal of SIGNALS) process.on(signal, hear)
  return {
    host,
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
      for (const signal of SIGNALS) process.off(signal, hear)
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

export const hostNames = Object.keys(hosts) as HostName[]
