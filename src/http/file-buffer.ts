/** The memory through which the bytes of files go that are read: one for a context, when needed. */
import { type Core } from '../connection/connection.js'
import { type IoBuffer } from '../socket/socket-io.js'

/** What is read of a file at once, where it cannot be sent without reading. */
const LEAST_BYTES = 65_536

/** Holds at least what fits into a cork; its contents are dead once the call returns. */
export function fileBufferOf(core: Core): IoBuffer {
  const bytes = Math.max(LEAST_BYTES, core.limits.corkMaxBytes)
  return (core.fileBuffer ??= core.memoryOf.createBuffer(bytes))
}
