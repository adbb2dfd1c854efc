/**
 * Values that no function expects: for every argument of every function that a user can call.
 *
 * None is a port that could be had or a path outside of the current folder, since a value may turn
 * out to be legal where it lands. Each is made anew, because some can be used once only.
 */
import { runInNewContext } from 'node:vm'

function throwing(): never {
  throw Object.assign(new Error('from a hostile value'), { code: HOSTILE })
}

/** What the values throw by themselves: who gives them in gets it back as it is. */
export const HOSTILE = 'HOSTILE'

function detached(): Uint8Array {
  const bytes = new Uint8Array(16)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable([], {})
  revoke()
  return proxy
}

/** An array whose second element, when read, takes the memory of the first away. */
function detachingArray(): unknown[] {
  const first = new Uint8Array(1 << 16)
  const array: unknown[] = [first]
  Object.defineProperty(array, 1, {
    get() {
      structuredClone(first.buffer, { transfer: [first.buffer] })
      return new Uint8Array(1)
    },
  })
  return array
}

/** An array that shrinks while it is read. */
function shrinkingArray(): unknown[] {
  const array: unknown[] = [new Uint8Array(1), new Uint8Array(1), new Uint8Array(1)]
  Object.defineProperty(array, 0, {
    get() {
      array.length = 1
      return new Uint8Array(1)
    },
  })
  return array
}

function throwingArray(): unknown[] {
  return Object.defineProperty([new Uint8Array(1)], 0, { get: throwing })
}

/** An object whose fields, whatever their names, throw when they are read. */
function throwingFields(): object {
  return new Proxy({}, { get: throwing, ownKeys: throwing, getOwnPropertyDescriptor: throwing })
}

/** Has every field: a function that answers nothing. */
function yes(): object {
  return new Proxy({}, { get: () => () => undefined, has: () => true })
}

function resizable(): Uint8Array {
  const buffer = new (ArrayBuffer as new (size: number, options: object) => ArrayBuffer)(16, {
    maxByteLength: 64,
  })
  const bytes = new Uint8Array(buffer, 8)
  ;(buffer as { resize?: (size: number) => void }).resize?.(4)
  return bytes
}

class OwnBytes extends Uint8Array {
  override get length(): number {
    return 2 ** 30
  }
  override get byteLength(): number {
    return throwing()
  }
}

class Misleading {
  valueOf(): number {
    return throwing()
  }
  toString(): string {
    return throwing()
  }
  [Symbol.toPrimitive](): number {
    return throwing()
  }
}

export const hostileValues: readonly (() => unknown)[] = [
  () => undefined,
  () => null,
  () => true,
  () => false,
  () => NaN,
  () => Infinity,
  () => -Infinity,
  () => -0,
  () => 0,
  () => -1,
  () => 0.5,
  () => Number.MIN_VALUE,
  () => Number.MAX_VALUE,
  () => 2 ** 31 - 1,
  () => 2 ** 31,
  () => -(2 ** 31),
  () => -(2 ** 31) - 1,
  () => 2 ** 32 - 1,
  () => 2 ** 32,
  () => 2 ** 53,
  () => -(2 ** 53),
  () => 2 ** 63,
  () => 2 ** 64,
  () => 65_536,
  () => '',
  () => '0',
  () => 'text',
  () => 'a\0b',
  () => '\ud800',
  () => 'x'.repeat(1 << 17),
  () => Symbol('hostile'),
  () => 1n,
  () => -(2n ** 70n),
  () => ({}),
  () => Object.create(null) as object,
  () => new Misleading(),
  () => new Proxy({}, { get: throwing, getPrototypeOf: throwing, has: throwing }),
  () => new Proxy([new Uint8Array(1)], { get: throwing }),
  () => new Proxy(new Uint8Array(4), {}),
  () => revoked(),
  () => [],
  () => [1, 2, 3],
  () => new Array(2 ** 32 - 1),
  () => Array.from({ length: 65 }, () => new Uint8Array(1)),
  () => throwingArray(),
  () => detachingArray(),
  () => shrinkingArray(),
  () => [detached()],
  () => [new Uint8Array(new SharedArrayBuffer(8))],
  () => [new Proxy(new Uint8Array(4), {})],
  () => new Uint8Array(8),
  () => new Float64Array(8),
  () => new ArrayBuffer(8),
  () => new DataView(new ArrayBuffer(8)),
  () => detached(),
  () => () => 1,
  () => Misleading,
  () => new Date(NaN),
  () => Promise.resolve(1),
  () => new Map([[1, 2]]),
  () => globalThis,
  () => resizable(),
  () => [resizable()],
  () => new Uint8Array(0),
  () => [new Uint8Array(0)],
  () => new OwnBytes(4),
  () => [new OwnBytes(4)],
  () => new Uint8Array(new SharedArrayBuffer(8)),
  () => new Uint8ClampedArray(8),
  () => new BigInt64Array(1),
  () => runInNewContext('new Uint8Array(8)') as unknown,
  () => runInNewContext('[1]') as unknown,
  () => runInNewContext('({ fd: 1 })') as unknown,
  () => Object.freeze([]),
  () => Object.freeze({}),
  () => [, 1],
  () => throwingFields(),
  () => yes(),
  () => async () => {},
  () => Object(1) as unknown,
  () => Object('text') as unknown,
  () => ({ valueOf: () => 1, toString: () => 'text' }),
  () => new WeakRef({}),
  () => Number.MAX_SAFE_INTEGER,
  () => -(2 ** 15),
  () => 'constructor',
  () => '__proto__',
]
