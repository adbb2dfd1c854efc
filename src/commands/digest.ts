/** `digest` and `eventDigest`: a run as one number, to compare runs by (C25). */
import { connectionOf, contextOf, ownerOf } from '../context/bracket.js'
import { type RunDigest } from '../digest/run-digest.js'
import { UsageError } from '../errors.js'
import { type Context, type Wsi } from '../protocol/protocol-types.js'

/**
 * All that went into a context made with `digest: true` and came out of it, in order: options,
 * every call and its arguments, syscall results and bytes, clocks, entropy, announcements,
 * callbacks. Equal for two runs that were the same, in any process and under any version of Node.
 *
 * Questions are no part of a run. May be asked at any time, after the end too.
 * @returns 32 hexadecimal digits
 * @throws UsageError where the context keeps no digest
 * @see C25
 */
export function digest(ctx: Context): string {
  return runDigestOf(ctx, 'digest').digest()
}

/**
 * What the application was told of a connection: reasons, whole payloads, how it ended. Equal on
 * every host for the same peer: no fd, generation, time or border between chunks is in it, nor are
 * writable callbacks, and pongs that answer the pings of `pingIntervalMs`.
 * @param wsi one connection, also when it is over; absent: all there are and were, in whatever
 *   order they came
 * @returns 32 hexadecimal digits
 * @throws UsageError where the context keeps no digest, and for a connection of another
 * @see C25
 */
export function eventDigest(ctx: Context, wsi?: Wsi): string {
  const { events } = runDigestOf(ctx, 'eventDigest')
  if (wsi === undefined) return events.digest()
  const connection = connectionOf(wsi, 'eventDigest')
  if (ownerOf(connection) !== contextOf(ctx, 'eventDigest'))
    throw new UsageError(
      'ERR_EXTPOLL_NOT_A_CONNECTION',
      'eventDigest(): the connection belongs to another context',
    )
  return events.of(connection)
}

function runDigestOf(ctx: Context, call: string): RunDigest {
  const { runDigest } = contextOf(ctx, call)
  if (runDigest !== null) return runDigest
  throw new UsageError(
    'ERR_EXTPOLL_NO_DIGEST',
    `${call}(): the context keeps no digest; make it with createContext({ digest: true })`,
  )
}
