/**
 * Misuse of the integration's functions, turned into one sentence and a code.
 *
 * Knows no function: each says what it takes. Never reached where arguments are right.
 */
import { UsageError } from '../../src/index.js'
import type { IoBuffer } from '../../src/index.js'

/** @throws UsageError ERR_EXTPOLL_ARGUMENT_TYPE */
export function refuseType(call: string, name: string, wanted: string): never {
  throw new UsageError('ERR_EXTPOLL_ARGUMENT_TYPE', `${call}(): ${name} must be ${wanted}`)
}

/**
 * What `take` reads of an object's fields.
 * @throws UsageError ERR_EXTPOLL_ARGUMENT_TYPE for what is no object, or cannot be read
 */
export function readFields<T extends object, R>(
  call: string,
  name: string,
  value: T,
  take: (value: T) => R,
): R {
  if (typeof value !== 'object' || value === null) refuseType(call, name, 'an object')
  try {
    return take(value)
  } catch {
    return refuseType(call, name, 'an object whose fields can be read')
  }
}

/** Array.isArray, for any value: of a revoked Proxy that one throws. */
export function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}

/** The id of a buffer, as the addon knows it: for what is none, one that it refuses. */
export function idOf(buffer: IoBuffer): number {
  try {
    return buffer.id
  } catch {
    throw new UsageError(
      'ERR_EXTPOLL_BUFFER',
      'a buffer must be what createBuffer() gave, and not yet freed',
    )
  }
}
