/**
 * `digest: true`: all that goes into a context and comes out of it, in order, as one number (C25).
 *
 * Listens where every observer may: at the tap, at the seams of bytes and clocks, at the
 * announcements. What is asked from outside of a call (nextTimeout, getListenAddress) is no input
 * and does not count. Changes nothing that either side sees.
 */
import { type Host, type Tap } from '../host.js'
import { type PollChange } from '../poll/poll-change.js'
import { type ContextEvents } from '../protocol/protocol-types.js'
import { type IoBuffer, type SocketIo } from '../socket/socket-io.js'
import { EventDigest } from './event-digest.js'
import { ValueHash } from './value-hash.js'

const BUFFER_BYTES = 16_384

const STEP = {
  options: 0,
  enter: 1,
  leave: 2,
  callback: 3,
  returned: 4,
  announce: 5,
  timeout: 6,
  io: 7,
  now: 8,
  wallClock: 9,
  random: 10,
} as const

/** Neither an input nor an output: memory, a question, arithmetic. */
const UNSEEN_IO: ReadonlySet<string> = new Set([
  'createBuffer',
  'freeBuffer',
  'localAddress',
  'mask',
] satisfies (keyof SocketIo)[])

/** Where announcements are observed. */
interface Announcements {
  on<Name extends keyof ContextEvents>(event: Name, listener: ContextEvents[Name]): void
}

/** What a seam may do for many at once: left out, so that each is heard, and hosts compare. */
const FOR_MANY = ['sendEach', 'recvEach'] as const satisfies (keyof SocketIo)[]

type AnyFunction = (...args: unknown[]) => unknown

export class RunDigest {
  /** The host given, heard: what the context calls in its place. */
  readonly host: Host
  readonly events = new EventDigest()
  readonly #hash = new ValueHash(BUFFER_BYTES)
  /** One for each host, however many sockets come with it. */
  readonly #heard = new WeakMap<Host, Host>()
  /** Calls in hand: what happens outside of them is no part of the run. */
  #depth = 0

  /**
   * @param options of createContext: the texts, numbers and lists in them count
   * @param limits in full
   */
  constructor({ host, ...options }: { readonly host: Host }, limits: object) {
    this.#hash.number(STEP.options)
    // In whatever order they were written.
    this.#hash.value(Object.entries(options).sort(([one], [other]) => (one < other ? -1 : 1)))
    this.#hash.value(limits)
    this.host = this.#heardHost(host)
    this.#heard.set(host, this.host)
  }

  /** Hears the announcements, as the last of their observers. */
  observe(announcer: Announcements): void {
    const hear = (_fd: number, _bits: number, change: PollChange): void => this.#announced(change)
    for (const event of ['ADD_POLL_FD', 'DEL_POLL_FD', 'SET_MODE', 'CLEAR_MODE'] as const)
      announcer.on(event, hear)
    announcer.on('SET_TIMEOUT', (timeoutMs, deadlineMs) => {
      this.#hash.number(STEP.timeout)
      this.#hash.number(timeoutMs)
      this.#hash.value(deadlineMs)
    })
  }

  /** The context's own host, or a second one, whose seam alone has a part in the run: heard. */
  heard(host: Host): Host {
    let heard = this.#heard.get(host)
    if (heard === undefined) {
      heard = replaced(host, { io: this.#heardIo(host.io) })
      this.#heard.set(host, heard)
    }
    return heard
  }

  digest(): string {
    return this.#hash.digest()
  }

  #announced(change: PollChange): void {
    const { op, fd, gen, bits, prev, next, seq } = change
    this.#hash.number(STEP.announce)
    this.#hash.text(op)
    for (const value of [fd, gen, bits, prev, next, seq]) this.#hash.number(value)
  }

  #heardHost(host: Host): Host {
    return replaced(host, {
      io: this.#heardIo(host.io),
      tap: this.#heardTap(host.tap),
      now: () => this.#heardNumber(STEP.now, host.now()),
      wallClock: () => this.#heardNumber(STEP.wallClock, host.wallClock()),
      randomFill: (bytes: Uint8Array) => {
        host.randomFill(bytes)
        if (this.#depth === 0) return
        this.#hash.number(STEP.random)
        this.#hash.bytes(bytes)
      },
    })
  }

  #heardNumber(step: number, value: number): number {
    if (this.#depth === 0) return value
    this.#hash.number(step)
    this.#hash.number(value)
    return value
  }

  /** The host's own tap may ask questions: it hears while no call of ours counts as in hand. */
  #heardTap(own: Tap | undefined): Tap {
    const hash = this.#hash
    return {
      enter: (call, arg, context, first, second) => {
        own?.enter(call, arg, context, first, second)
        this.#depth++
        hash.number(STEP.enter)
        hash.text(call)
        for (const value of [arg, first, second]) hash.value(value)
      },
      leave: (call, result, context) => {
        hash.number(STEP.leave)
        hash.value(result)
        this.#depth--
        own?.leave(call, result, context)
      },
      callback: (reason, fd, data, context, wsi) => {
        own?.callback(reason, fd, data, context, wsi)
        hash.number(STEP.callback)
        hash.number(reason)
        hash.number(fd)
        hash.value(data)
        this.events.heard(wsi, reason, data)
      },
      returned: (reason, fd, data, context, wsi) => {
        hash.number(STEP.returned)
        own?.returned(reason, fd, data, context, wsi)
      },
    }
  }

  /** Whatever functions it has, the optional ones among them. */
  #heardIo(io: SocketIo): SocketIo {
    const { resolver } = io
    const others: Partial<Record<string, unknown>> = this.#heardFunctions(io, '')
    for (const name of FOR_MANY) others[name] = undefined
    if (resolver !== undefined)
      others['resolver'] = replaced(resolver, this.#heardFunctions(resolver, 'resolver.'))
    return replaced(io, others as Partial<SocketIo>)
  }

  #heardFunctions(object: object, prefix: string): Record<string, AnyFunction> {
    const heard: Record<string, AnyFunction> = {}
    for (const name of functionNames(object)) {
      if (UNSEEN_IO.has(name)) continue
      const own = (object as Record<string, AnyFunction>)[name]!
      heard[name] = (...args) => {
        const result = own.apply(object, args)
        if (this.#depth > 0) this.#ioHappened(prefix + name, args, result)
        return result
      }
    }
    return heard
  }

  #ioHappened(name: string, args: readonly unknown[], result: unknown): void {
    const hash = this.#hash
    hash.number(STEP.io)
    hash.text(name)
    const moved = typeof result === 'number' && result > 0 ? result : 0
    if (name === 'recv' || name === 'send') {
      const [fd, { bytes }, offset, length] = args as [number, IoBuffer, number, number]
      for (const value of [fd, length, result]) hash.value(value)
      hash.bytes(bytes.subarray(offset, offset + moved))
    } else if (name === 'readFile') {
      const [fd, from, { bytes }, at, length] = args as [number, number, IoBuffer, number, number]
      for (const value of [fd, from, length, result]) hash.value(value)
      hash.bytes(bytes.subarray(at, at + moved))
    } else if (name === 'sendv') {
      const [fd, parts] = args as [number, readonly Uint8Array[]]
      for (const value of [fd, parts.length, result]) hash.value(value)
      let left = moved
      for (const part of parts) {
        hash.raw(part.subarray(0, left))
        left -= Math.min(left, part.length)
      }
    } else {
      hash.value(args)
      hash.value(result)
    }
  }
}

/** An object as it is, some of its properties apart; whatever class it is of. */
function replaced<T extends object>(target: T, others: Partial<T>): T {
  return new Proxy(target, {
    get(_target, key) {
      if (Object.hasOwn(others, key)) return others[key as keyof T]
      const own: unknown = target[key as keyof T]
      return typeof own === 'function' ? (own as AnyFunction).bind(target) : own
    },
  })
}

/** Its own and its classes'. */
function functionNames(object: object): Set<string> {
  const names = new Set<string>()
  for (
    let at: object | null = object;
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at) as object | null
  )
    for (const name of Object.getOwnPropertyNames(at))
      if (name !== 'constructor' && typeof (object as Record<string, unknown>)[name] === 'function')
        names.add(name)
  return names
}
