/** `createContext` and `contextDestroy`: the beginning and the end. */
import { Listener } from '../connection/listener.js'
import { resolveLimits } from '../connection/limits.js'
import { UsageError } from '../errors.js'
import { type Host } from '../host.js'
import { errnoName } from '../poll/libuv-types.js'
import { type Context } from '../protocol/protocol-types.js'
import { type ListenOptions } from '../socket/socket-io.js'
import { contextOf, enter, leave } from './bracket.js'
import { checkOptions, type ContextOptions, originPolicy } from './context-options.js'
import { ContextState } from './context-state.js'

/**
 * Makes a context: listens where `port` or `path` says so, and announces the listener.
 *
 * ```ts
 * const ctx = createContext({ host: epollHost(), port: 9000, protocols: [chat] })
 * ```
 *
 * Starts no timer and no loop, installs nothing, and never writes to what it is given.
 * @returns the context; nothing happens in it until the host calls `serviceFd`
 * @throws UsageError for options that cannot be right, and for a port that cannot be had
 *   (`code` is the errno's name then: EADDRINUSE, EACCES); it leaves no descriptor
 * @see seed: libwebsocket_create_context (differs from seed: no `port` means no listener, 0 any
 *   free one)
 */
export function createContext(options: ContextOptions): Context {
  checkOptions(options)
  const core = new ContextState(
    options,
    Object.freeze(resolveLimits({ ...options })),
    originPolicy(options.allowedOrigins),
  )
  enter(core, 'createContext', undefined)
  try {
    begin(core, options)
  } catch (error) {
    // Whatever was thrown, and by whom: no descriptor and no memory stays behind.
    core.destroyWanted = true
    throw error
  } finally {
    leaveCreation(core)
  }
  return core.handle
}

/** An observer that threw, with no onError to take it, has no context to go on with either. */
function leaveCreation(core: ContextState): void {
  try {
    leave(core, 'createContext', core.handle)
  } catch (error) {
    contextDestroy(core.handle)
    throw error
  }
}

function begin(core: ContextState, { port, path, gid, uid, address }: ContextOptions): void {
  if (path !== undefined) listen(core, { address: '', port: 0, path })
  else if (port !== undefined) listen(core, { address: address ?? '127.0.0.1', port })
  if (gid === undefined) return
  core.host.dropPrivileges!({ gid, ...(uid === undefined ? {} : { uid }) })
}

function listen(core: ContextState, at: Omit<ListenOptions, 'backlog'>): void {
  const { io } = core.host
  const fd = io.listen({ ...at, backlog: core.limits.listenBacklog })
  if (fd < 0) {
    const name = errnoName(fd)
    throw new UsageError(
      name,
      `cannot listen on ${at.path ?? `${at.address}:${at.port}`}: ${name}${ADVICE[name] ?? ''}`,
    )
  }
  const listener = new Listener(io, fd, core.nextGen())
  core.listener = listener
  try {
    core.table.add(listener)
  } catch (refusal) {
    core.listener = null
    io.close(fd, false)
    throw refusal
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: '; something already listens there, choose another port',
  EACCES: '; ports below 1024 need a privilege',
  EADDRNOTAVAIL: '; this machine has no such address',
  EINVAL: '; the address must be IPv4 or IPv6 in text',
}

/**
 * Ends a context: DEL for every fd, a try to send 1001, every fd closed, CLOSED for every
 * established connection. Synchronous; a second call does nothing; inside a callback it runs when
 * the outermost call unwinds. The host's loop is not touched.
 * @see C27, seed: libwebsocket_context_destroy
 */
export function contextDestroy(ctx: Context): void {
  const core = contextOf(ctx, 'contextDestroy')
  if (core.destroyed || core.destroyWanted) return
  enter(core, 'contextDestroy', undefined)
  core.destroyWanted = true
  leave(core, 'contextDestroy', undefined)
}

/** Was the context destroyed? Nothing of it will ever be ready or due again. */
export function isDestroyed(ctx: Context): boolean {
  return contextOf(ctx, 'isDestroyed').destroyed
}

/** The host a context was made with. */
export function hostOf(ctx: Context): Host {
  return contextOf(ctx, 'hostOf').givenHost
}
