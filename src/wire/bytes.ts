/** What counts as bytes that an application hands in. */

/** Up to here a payload is copied byte by byte, and absent ones are zeros. */
const SMALL_BYTES = 48

/**
 * Whether it is a Uint8Array whose memory is there: no Proxy of one, which has no bytes of its own,
 * and none that was transferred away, or lies outside of what it was cut from. Not told by its
 * length, which V8's compiled code may remember from before the transfer.
 */
export function isBytes(value: unknown): value is Uint8Array {
  if (!ArrayBuffer.isView(value) || !(value instanceof Uint8Array)) return false
  try {
    value.at(0)
    return true
  } catch {
    return false
  }
}

/** The same for each message: where a few bytes are taken one by one, nothing can go wrong. */
export function isPayload(value: unknown): value is Uint8Array {
  if (!ArrayBuffer.isView(value) || !(value instanceof Uint8Array)) return false
  const { length } = value
  return (length > 0 && length <= SMALL_BYTES) || isBytes(value)
}
