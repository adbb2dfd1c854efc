/**
 * The application of the adapter suite: does what its peers order, and reports what became of it.
 *
 * The same on every way of running: it stands on a `Ground`, the loop it runs in, and knows nothing
 * of it but this. A peer is known by the path it asked for: `/b` is b. A binary message comes back;
 * a text is an order, see `orders`, and with `later` before it one that is carried out by the loop
 * itself, outside of any call into the context. Everything here may run in another thread: a `Plan`
 * and a `Report` are plain data.
 */
import { checked } from '../../integrations/fake-poller.js'
import type { CheckerOptions, PollHandlers } from '../../integrations/fake-poller.js'
import {
  BINARY,
  callbackOnWritable,
  close,
  contextDestroy,
  createContext,
  defineProtocol,
  Errno,
  eventDigest,
  formatEvents,
  getSocketFd,
  hangup,
  isBinary,
  isDestroyed,
  rxFlowControl,
  TEXT,
  write,
} from '../../src/index.js'
import type { Context, Host, LimitName, PollChange, PollSet, Wsi } from '../../src/index.js'

/** The loop an application runs in. */
export interface Ground {
  /** As it is: the checker is put around it here. */
  readonly host: Host
  /** The keepers of the poll array, where the host has none. */
  readonly on?: PollHandlers
  readonly checker?: CheckerOptions
  /** Runs a task soon, outside of any call into the context, while the loop waits or just has. */
  later(task: () => void): void
  /** A timer of the loop's own, which outlives the context. */
  every(ms: number, task: () => void): void
  /** How many descriptors are left in its poll array, the loop's own not counted. */
  left(): number
  /** Frees what the ground took, once the context is destroyed. */
  close(): void
}

/** What a scenario wants to be different. */
export interface Plan {
  readonly limits?: Partial<Readonly<Record<LimitName, number>>>
  /** The poll array is told every SET and CLEAR twice, which it must take quietly (C2). */
  readonly stutters?: boolean
}

export interface Report {
  readonly eventDigest: string
  /** By name: `ADD POLLIN, SET POLLOUT, ..., DEL`. */
  readonly announced: Readonly<Record<string, string>>
  /** By name: how often it was serviced. */
  readonly serviced: Readonly<Record<string, number>>
  /** fd and generation of every connection, in order. */
  readonly members: readonly (readonly [fd: number, gen: number])[]
  /** Rules of the contract that were broken. */
  readonly violations: readonly string[]
  readonly errors: readonly string[]
  /** How often the loop's own timer fired: until the destroy, and all in all. */
  readonly ticks: readonly [before: number, all: number]
  readonly left: number
}

interface Member {
  name: string
  readonly fd: number
  readonly gen: number
  readonly announced: string[]
  serviced: number
}

export const TICK_MS = 5

export class App {
  readonly ctx: Context
  readonly #ground: Ground
  readonly #checker: { readonly violations: readonly { rule: string; detail: string }[] }
  readonly #members: Member[] = []
  readonly #byFd = new Map<number, Member>()
  readonly #byName = new Map<string, Wsi>()
  readonly #errors: string[] = []
  #accepts = 0
  #ticks = 0
  #ticksBefore = 0

  constructor(ground: Ground, plan: Plan) {
    this.#ground = ground
    const host = { ...ground.host, ...this.#unruly(ground.host, plan) }
    const checker = checked(host, { ...ground.checker, ...(plan.limits as CheckerOptions) })
    this.#checker = checker
    const keepers =
      ground.on === undefined ? {} : checker.on(plan.stutters ? stutter(ground.on) : ground.on)
    this.ctx = createContext({
      pingIntervalMs: 0,
      idleTimeoutMs: 0,
      ...plan.limits,
      host: checker,
      port: 0,
      protocols: [this.#protocol()],
      allowedOrigins: 'any',
      digest: true,
      on: keepers,
      onError: (error) => void this.#errors.push(String(error)),
    })
    for (const event of ['SET_MODE', 'CLEAR_MODE', 'DEL_POLL_FD', 'ADD_POLL_FD'] as const)
      this.ctx.on(event, (_fd, _bits, change) => this.#noteChange(change))
    ground.every(TICK_MS, () => this.#ticks++)
  }

  /** The context is gone, and the loop went on without it. */
  get ranOn(): boolean {
    return isDestroyed(this.ctx) && this.#ticks >= this.#ticksBefore + 2
  }

  /** Once it ran on. */
  report(): Report {
    const byName = <T>(what: (member: Member) => T): Record<string, T> =>
      Object.fromEntries(this.#members.map((member) => [member.name, what(member)]))
    return {
      eventDigest: eventDigest(this.ctx),
      announced: byName(({ announced }) => announced.join(', ')),
      serviced: byName(({ serviced }) => serviced),
      members: this.#members.map(({ fd, gen }) => [fd, gen] as const),
      violations: this.#checker.violations.map(({ rule, detail }) => `${rule}: ${detail}`),
      errors: this.#errors,
      ticks: [this.#ticksBefore, this.#ticks],
      left: this.#ground.left(),
    }
  }

  #protocol(): ReturnType<typeof defineProtocol> {
    return defineProtocol({
      handlers: {
        ESTABLISHED: (wsi, { target }) => {
          const name = target.slice(1)
          this.#byName.set(name, wsi)
          this.#byFd.get(getSocketFd(wsi))!.name = name
        },
        RECEIVE: (wsi, data) => {
          if (isBinary(wsi)) write(wsi, data, BINARY)
          else this.#obey(wsi, data.toString().split(' '))
        },
        SERVER_WRITEABLE: (wsi) => void write(wsi, 'writable', TEXT),
      },
    })
  }

  #obey(wsi: Wsi, [order = '', ...rest]: readonly string[]): void {
    if (order === 'later') {
      this.#ground.later(() => this.#obey(wsi, rest))
      return
    }
    const other = this.#byName.get(rest[0] ?? '') ?? wsi
    const orders: Readonly<Record<string, () => unknown>> = {
      close: () => close(other, 4000, 'as ordered'),
      hangup: () => hangup(other),
      pause: () => rxFlowControl(other, 0),
      resume: () => rxFlowControl(other, 1),
      writable: () => callbackOnWritable(this.ctx, other),
      // So many accepts from now on find no descriptor left.
      full: () => (this.#accepts = Number(rest[0])),
      destroy: () => {
        this.#ticksBefore = this.#ticks
        contextDestroy(this.ctx)
      },
    }
    orders[order]!()
  }

  #noteChange({ op, fd, gen, bits }: PollChange): void {
    if (op === 'ADD') {
      const member = { name: `number ${this.#members.length}`, fd, gen, announced: [], serviced: 0 }
      this.#members.push(member)
      this.#byFd.set(fd, member)
    }
    const text = op === 'DEL' ? op : `${op} ${formatEvents(bits)}`
    // The listener was there before anybody listened here.
    this.#byFd.get(fd)?.announced.push(text)
    if (op === 'DEL') this.#byFd.delete(fd)
  }

  /** Counts, stutters, and runs out of descriptors when it is told to. */
  #unruly({ io, pollSet }: Host, { stutters }: Plan): Partial<Host> {
    const tired = new Proxy(io, {
      get: (target, name) => {
        // With it those for whom there is no descriptor would be sent away; here they wait.
        if (name === 'shed') return undefined
        if (name === 'accept' && this.#accepts > 0)
          return () => {
            this.#accepts--
            return -Errno.EMFILE
          }
        const own = (target as unknown as Record<PropertyKey, unknown>)[name]
        return typeof own === 'function' ? (own.bind(target) as unknown) : own
      },
    })
    const tap = {
      enter: (call: string, arg: unknown): void => {
        if (call !== 'serviceFd' || arg === null) return
        const member = this.#byFd.get((arg as { fd: number }).fd)
        if (member !== undefined) member.serviced++
      },
      leave: () => {},
      callback: () => {},
      returned: () => {},
    }
    return { io: tired, tap, ...(pollSet && stutters ? { pollSet: stutteringSet(pollSet) } : {}) }
  }
}

function stutter(on: PollHandlers): PollHandlers {
  type Tell = (fd: number, events: number, change: PollChange) => void
  const twice =
    (tell: Tell): Tell =>
    (fd, events, change) => {
      tell(fd, events, change)
      tell(fd, events, change)
    }
  return { ...on, SET_MODE: twice(on.SET_MODE.bind(on)), CLEAR_MODE: twice(on.CLEAR_MODE.bind(on)) }
}

function stutteringSet(pollSet: PollSet): PollSet {
  const on = stutter({
    ADD_POLL_FD: pollSet.add.bind(pollSet),
    DEL_POLL_FD: pollSet.del.bind(pollSet),
    SET_MODE: pollSet.set.bind(pollSet),
    CLEAR_MODE: pollSet.clear.bind(pollSet),
  })
  const timeout = pollSet.timeout?.bind(pollSet)
  return {
    add: on.ADD_POLL_FD.bind(on),
    del: on.DEL_POLL_FD.bind(on),
    set: on.SET_MODE.bind(on),
    clear: on.CLEAR_MODE.bind(on),
    ...(timeout === undefined ? {} : { timeout }),
  }
}
