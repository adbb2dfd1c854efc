/** The end of a server and the end of a context, wired together. */
import type { Server } from 'node:net'
import { closeAll, contextDestroy, isDestroyed, pollFds } from '../../src/index.js'
import type { Context } from '../../src/index.js'

/** Servers that a context ends with: it ends when the last of them is closed. */
const serversOf = new WeakMap<Context, Set<Server>>()

/**
 * Ends the context with the server: `server.close()` gives every peer 1001 and `graceMs` to answer
 * it, and destroys the context once all are gone. Node tells of `close()` only when the last socket
 * has ended, which is what it must bring about: so the method is wrapped.
 * @returns undoes it
 */
export function closeWithServer(server: Server, ctx: Context, graceMs: number): () => void {
  const servers = serversOf.get(ctx) ?? new Set<Server>()
  serversOf.set(ctx, servers.add(server))
  const close = server.close.bind(server)
  const own = Object.hasOwn(server, 'close')
  const wrapped = (...args: Parameters<Server['close']>): Server => {
    const result = close(...args)
    if (servers.delete(server) && servers.size === 0) endGracefully(ctx, graceMs)
    return result
  }
  server.close = wrapped
  return () => {
    servers.delete(server)
    // Somebody may have wrapped it after us: then ours goes on, and does nothing more.
    if (server.close !== wrapped) return
    if (own) server.close = close
    else delete (server as Partial<Server>).close
  }
}

function endGracefully(ctx: Context, graceMs: number): void {
  if (isDestroyed(ctx)) return
  const destroyWhenEmpty = (): void => {
    if (pollFds(ctx).length === 0) contextDestroy(ctx)
  }
  // Nothing may change within an announcement: look when it is over.
  ctx.on('DEL_POLL_FD', () => setImmediate(destroyWhenEmpty))
  closeAll(ctx, 1001, graceMs)
  destroyWhenEmpty()
}
