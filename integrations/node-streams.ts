/**
 * The host of streams: WebSockets over any Duplex, and inside the servers of net, http and https.
 *
 * Every platform, no native code, Node's own loop. `streamsHost()` is the Host; `attach` puts a
 * context inside a server that is there already, and with `native` hands plain sockets over to the
 * kernel's. Refuses to know frames and handshakes; the parts are in streams/.
 * Source: src/CONTRACT.md.
 */
import { randomFillSync } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Server } from 'node:net'
import { hostname } from 'node:os'
import type { Duplex } from 'node:stream'
import { ContextDestroyedError, hostOf, isDestroyed, UsageError } from '../src/index.js'
import type { Context, Host, PollSet, Wsi } from '../src/index.js'
import { isHttpServer, join } from './streams/attach.js'
import { closeWithServer } from './streams/closing.js'
import { isNative, type NativeHost } from './streams/hand-over.js'
import { takeUpgrade, type Authorize, type UpgradeTarget } from './streams/upgrade.js'
import { StreamIo } from './streams/stream-io.js'
import { StreamLoop } from './streams/stream-loop.js'
import type { VirtualFd } from './streams/virtual-fd.js'

export type { NativeHost } from './streams/hand-over.js'
export type { Authorization, Authorize } from './streams/upgrade.js'

/** What `streamsHost` gives: a Host that serves its contexts by itself. */
export interface StreamsHost extends Host {
  readonly pollSet: PollSet
  nextGen(): number
  /** How many streams, listeners and resolvers are open in it now. */
  readonly size: number
}

/**
 * A Host over Node's streams. Each Duplex is a descriptor from 2^30 up; `port` and `path` of
 * createContext listen with node:net, `clientConnect` connects with it, and names are asked of
 * node:dns. Node's loop serves it: nothing is to be called, and what a callback throws and no
 * `onError` takes is an uncaughtException.
 *
 * @returns a new Host; it owns nothing and need not be closed
 *
 * @example
 * const ctx = createContext({ host: streamsHost(), protocols: [chat] })
 * attach(httpServer, ctx, { path: '/ws' })
 */
export function streamsHost(): StreamsHost {
  const entries = new Map<number, VirtualFd>()
  const loop = new StreamLoop(entries)
  return {
    io: new StreamIo(entries, loop),
    pollSet: loop,
    get size() {
      return entries.size
    },
    nextGen: () => loop.nextGen(),
    // Without a fraction, with which each time that a connection remembers takes 16 bytes more.
    now: () => Math.floor(performance.now()),
    wallClock: () => Date.now(),
    randomFill(bytes) {
      randomFillSync(bytes)
    },
    hostname,
  }
}

/** What `handleUpgrade` takes, and `attach` too. */
export interface UpgradeOptions {
  /** Asked before the protocol's own filter, with Node's request; see Authorize. */
  readonly authorize?: Authorize
  /**
   * Takes plain sockets over: `epollHost()`, which Node's loop then serves. TLS stays on streams by
   * itself. Default: the context's own host where it is one, else none.
   */
  readonly native?: NativeHost
}

/** What `attach` takes. `authorize` and `native` as `handleUpgrade` has them. */
export interface AttachOptions extends UpgradeOptions {
  /** The one path that is ours, without a query. Default: every path. */
  readonly path?: string
  /** Only requests that offer one of these subprotocols are ours. Default: all. */
  readonly subprotocols?: readonly string[]
  /**
   * Who ends with whom. 'server': the context, when the server's `close()` is called; 'context':
   * the server, when the context is destroyed; 'both', or 'neither'. Default 'server'.
   */
  readonly closeWith?: 'server' | 'context' | 'both' | 'neither'
  /** How long peers have to answer 1001 when the server closes, 1 to 60,000 ms. Default 5,000. */
  readonly graceMs?: number
}

/** What `attach` gives. */
export interface Attachment {
  /** No new connection from this server from now on; those that are there stay. */
  detach(): void
}

const CLOSE_WITH = ['server', 'context', 'both', 'neither']
const DEFAULT_GRACE_MS = 5_000
const MAX_GRACE_MS = 60_000

/** Streams hosts made for contexts whose own host is none. */
const guests = new WeakMap<Context, StreamsHost>()

/**
 * Puts a context inside a server: WebSockets at `path`, and everything else as before.
 *
 * Of an http or https server each 'upgrade' request that is ours, by path and subprotocol, goes
 * through the context's handshake, filters and limits. Others are left to the server's other
 * listeners; where there is none, they are served as plain requests. Of a net or tls server every
 * connection is ours. A context takes part in as many servers as one likes, a server in as many
 * contexts.
 *
 * @param server of node:http, https, http2 (with `allowHTTP1`), net or tls; Express and Fastify
 *   have one too. It need not listen yet
 * @param ctx on `streamsHost()`, or on a host that adopts descriptors: `epollHost()`
 * @returns undoes it; the context's end undoes it too
 * @throws UsageError ERR_EXTPOLL_ATTACH for what is no server and options that cannot be right,
 *   ERR_EXTPOLL_ATTACHED for a path that a context has already, ContextDestroyedError
 *
 * @example
 * const ctx = createContext({ host: streamsHost(), protocols: [chat] })
 * attach(server, ctx, { path: '/ws', authorize: async (request) => knows(request.headers.cookie) })
 */
export function attach(server: Server, ctx: Context, options: AttachOptions = {}): Attachment {
  checkAttach(server, options)
  if (isDestroyed(ctx)) throw new ContextDestroyedError('attach')
  const { path, subprotocols, closeWith = 'server', graceMs = DEFAULT_GRACE_MS } = options
  const leave = join(server, { ...targetOf(ctx, options), path, subprotocols })
  const withServer = closeWith === 'server' || closeWith === 'both'
  const unwire = withServer ? closeWithServer(server, { ctx, graceMs, leave }) : undefined
  const detach = (): void => {
    leave()
    unwire?.()
    ctx.off('DESTROYED', end)
  }
  const end = (): void => {
    detach()
    if (closeWith === 'context' || closeWith === 'both') server.close()
  }
  ctx.on('DESTROYED', end)
  return { detach }
}

/**
 * One 'upgrade' of your own listener: for what `attach` cannot decide.
 *
 * @param head what Node read behind the request. What arrived since then waits in the stream,
 *   however late this is called
 * @returns the connection; null where the network filter or a limit refused it, which was answered
 *   with 503, and where the peer is gone by now
 * @throws UsageError ERR_EXTPOLL_STREAM for a stream that is somebody else's, or carries no bytes;
 *   ContextDestroyedError
 *
 * @example
 * server.on('upgrade', (request, socket, head) => {
 *   if (isOurs(request)) handleUpgrade(ctx, request, socket, head)
 * })
 */
export function handleUpgrade(
  ctx: Context,
  request: IncomingMessage,
  stream: Duplex,
  head: Uint8Array,
  options: UpgradeOptions = {},
): Wsi | null {
  return takeUpgrade(targetOf(ctx, options), request, stream, head)
}

function targetOf(ctx: Context, { authorize, native }: UpgradeOptions): UpgradeTarget {
  const own = hostOf(ctx)
  if (native !== undefined && !isNative(native)) refuseAttach('native must be an epollHost()')
  if (native !== undefined && native !== own) native.serveByNode()
  return {
    ctx,
    authorize,
    native: native ?? (isNative(own) ? own : undefined),
    streams: own.io.takesAnyBuffer === true ? own : guestOf(ctx),
  }
}

function guestOf(ctx: Context): StreamsHost {
  const guest = guests.get(ctx) ?? streamsHost()
  guests.set(ctx, guest)
  return guest
}

function refuseAttach(why: string): never {
  throw new UsageError('ERR_EXTPOLL_ATTACH', `attach(): ${why}`)
}

function checkAttach(server: Server, options: AttachOptions): void {
  const { path, subprotocols, closeWith, graceMs, authorize } = options
  if (!(server instanceof Server))
    refuseAttach('give a server of node:http, https, net or tls; of Express, what listen() answers')
  if (path !== undefined && (typeof path !== 'string' || !/^\/[^?#\s]*$/.test(path)))
    refuseAttach("path must begin with '/' and have neither '?' nor '#'")
  if (subprotocols !== undefined && !(Array.isArray(subprotocols) && subprotocols.length > 0))
    refuseAttach('subprotocols must be a list of at least one name')
  if (closeWith !== undefined && !CLOSE_WITH.includes(closeWith))
    refuseAttach(`closeWith must be one of ${CLOSE_WITH.join(', ')}`)
  if (
    graceMs !== undefined &&
    !(Number.isInteger(graceMs) && graceMs >= 1 && graceMs <= MAX_GRACE_MS)
  )
    refuseAttach(`graceMs must be a whole number from 1 to ${MAX_GRACE_MS}`)
  if (authorize !== undefined && typeof authorize !== 'function')
    refuseAttach('authorize must be a function')
  if (isHttpServer(server)) return
  if ((path ?? subprotocols ?? authorize) !== undefined)
    refuseAttach(
      'a server of net or tls has no requests: leave path, subprotocols and authorize out, and ' +
        'look at the request in FILTER_PROTOCOL_CONNECTION',
    )
}
