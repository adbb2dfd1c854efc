/** The end of a server and the end of a context, wired together. */
import type { Server } from 'node:net'
import { closeAll, contextDestroy, isDestroyed, pollFds } from '../../src/index.js'
import type { Context } from '../../src/index.js'

/** A context that ends with a server. */
export interface Tie {
  readonly ctx: Context
  /** How long peers have to answer 1001. */
  readonly graceMs: number
  /** Takes the context out of the server, so that nobody new comes. */
  readonly leave: () => void
}

/** By server: its close() is wrapped once, however many contexts end with it. */
const tiesOf = new WeakMap<Server, Set<Tie>>()
/** By context: it ends when the server of the last of these has closed. */
const openTiesOf = new WeakMap<Context, Set<Tie>>()

/**
 * Ends the context with the server: `server.close()` gives every peer 1001 and `graceMs` to answer
 * it, and destroys the context once all are gone. Node tells of `close()` only when the last socket
 * has ended, which is what it must bring about: so the method is wrapped.
 * @returns undoes it
 */
export function closeWithServer(server: Server, tie: Tie): () => void {
  const ties = tiesOf.get(server) ?? wrapClose(server)
  ties.add(tie)
  const open = openTiesOf.get(tie.ctx) ?? new Set()
  openTiesOf.set(tie.ctx, open.add(tie))
  return () => {
    ties.delete(tie)
    open.delete(tie)
  }
}

function wrapClose(server: Server): Set<Tie> {
  const ties = new Set<Tie>()
  tiesOf.set(server, ties)
  const close = server.close.bind(server)
  // For good, since somebody may wrap it after us. Without ties it does what it did.
  server.close = (...args) => {
    const result = close(...args)
    for (const tie of [...ties]) {
      ties.delete(tie)
      serverClosed(tie)
    }
    return result
  }
  return ties
}

function serverClosed(tie: Tie): void {
  tie.leave()
  const open = openTiesOf.get(tie.ctx)
  if (open?.delete(tie) === true && open.size === 0) endGracefully(tie.ctx, tie.graceMs)
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
