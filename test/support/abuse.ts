/**
 * Misuse by rows: each function with each hostile value in the place of each of its arguments, of
 * each field of an argument that is an object, with too few arguments, too many, and no `this`.
 *
 * Knows no function. Whatever is thrown must be an Error with a code and a sentence, unless it is
 * what the value itself threw. All that is wrong is kept and told at the end.
 */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { campaign } from './effort.js'
import { HOSTILE, hostileValues } from './hostile-values.js'

export type AnyFunction = (...args: unknown[]) => unknown

/** One function: how it is called rightly. */
export interface AbuseRow {
  readonly call: AnyFunction
  /** Legal arguments, made anew for every call. */
  readonly args?: () => unknown[]
  /** Takes back what an accepted call did. Gets its result and its arguments. */
  readonly undo?: (result: unknown, args: readonly unknown[]) => void
}

const CODE = /^(?:ERR_EXTPOLL_[A-Z_]*[A-Z]|E[A-Z0-9]+)$/
const SENTENCE_BYTES = 20
/** What a class says that is called as the callback it was given as: its own words. */
const CALLED = /^Class constructor \w+ cannot be invoked/

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** A value's text, which may refuse to be text. */
function shown(value: unknown): string {
  try {
    // Its holes one by one would cost more memory than there is.
    if (Array.isArray(value) && value.length > 1000) return `an array of ${value.length}`
    return inspect(value, { depth: 0, breakLength: Infinity }).slice(0, 60)
  } catch {
    return 'a value that cannot be shown'
  }
}

export class Abuse {
  calls = 0
  rows = 0
  readonly #wrong = new Map<string, string>()
  readonly #afterEach: () => void

  /** @param afterEach what must go on beside all this: throws where it does not */
  constructor(afterEach: () => void) {
    this.#afterEach = afterEach
  }

  /** Every misuse of one function. */
  tryRow(name: string, row: AbuseRow): void {
    this.rows++
    const count = this.#legal(name, row).length
    for (let at = 0; at <= count; at++) {
      for (const make of hostileValues)
        this.#attempt(name, row, (args) => args.toSpliced(at, 1, make()), at)
      this.#attempt(name, row, (args) => args.slice(0, at), at)
      this.#tryFields(name, row, at)
      this.#attempt(name, row, (args) => args.toSpliced(at, 1, wrapped(args[at], 'proxy')), at)
      this.#attempt(name, row, (args) => args.toSpliced(at, 1, wrapped(args[at], 'heir')), at)
    }
    this.#attempt(name, row, (args) => [...args, ...Array.from({ length: 20 }, () => ({}))], count)
  }

  /** One call that may be refused. */
  attempt(name: string, call: () => unknown): void {
    this.#attempt(name, { call }, (args) => args, 0)
  }

  /** @throws AssertionError that names every wrong answer */
  assertClean(): void {
    assert.equal(this.#wrong.size, 0, [...this.#wrong.values()].join('\n'))
  }

  #tryFields(name: string, row: AbuseRow, at: number): void {
    const legal = this.#legal(name, row)[at]
    if (!isPlain(legal)) return
    // Outside of CI other values for each field, so that each value has its turn.
    const step = hostileValues.length / campaign(hostileValues.length)
    for (const [turn, key] of Object.keys(legal).entries()) {
      for (let next = turn % step; next < hostileValues.length; next += step) {
        const make = hostileValues[Math.floor(next)]!
        const change = (args: unknown[]) =>
          args.toSpliced(at, 1, { ...(args[at] as object), [key]: make() })
        this.#attempt(`${name}.${key}`, row, change, at)
      }
    }
  }

  #legal(name: string, row: AbuseRow): unknown[] {
    const args = row.args?.() ?? []
    assert.ok(Array.isArray(args), name)
    return args
  }

  #attempt(name: string, row: AbuseRow, change: (args: unknown[]) => unknown[], at: number): void {
    this.calls++
    const args = change(this.#legal(name, row))
    try {
      const result = row.call(...args)
      // What a rejected promise says nobody here waits for.
      if (result instanceof Promise) result.catch(() => undefined)
      row.undo?.(result, args)
    } catch (error) {
      this.#judge(`${name}(${at})`, error, args[at])
    }
    this.#afterEach()
  }

  #judge(name: string, error: unknown, value: unknown): void {
    const { code, message = '' } = (error ?? {}) as { code?: unknown; message?: string }
    if (code === HOSTILE || CALLED.test(message)) return
    const known = error instanceof Error && typeof code === 'string' && CODE.test(code)
    if (known && message.length >= SENTENCE_BYTES && message.includes(' ')) return
    const key = `${name}: ${message.slice(0, 50)}`
    if (this.#wrong.has(key)) return
    const stack = error instanceof Error ? (error.stack ?? '').split('\n').slice(1, 4) : []
    this.#wrong.set(key, [`${name} given ${shown(value)}: ${shown(error)}`, ...stack].join('\n'))
  }
}

/** What looks like the legal value and is not: by a Proxy, or as its prototype. */
function wrapped(value: unknown, how: 'proxy' | 'heir'): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return {}
  return how === 'proxy' ? new Proxy(value, {}) : (Object.create(value) as unknown)
}

/** Each name must have a row, and each row a name. */
export function assertSameNames(what: string, there: Iterable<string>, rows: object): void {
  assert.deepEqual([...there].sort(), Object.keys(rows).sort(), `${what}: exports and rows differ`)
}

/** The names of an object's functions, its class's included. */
export function methodsOf(object: object): string[] {
  const names = new Set<string>()
  for (
    let at: object | null = object;
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (name !== 'constructor' && typeof property.value === 'function') names.add(name)
  }
  return [...names]
}
