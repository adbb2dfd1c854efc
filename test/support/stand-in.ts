/**
 * A context that does at the seams what a test says, rightly or wrongly: for tests of the checker.
 *
 * It has no sockets and no protocol. What it is told to do it does through the checked host, as the
 * library would: taps, announcements, calls into the bytes seam, callbacks.
 */
import { checked } from '../../integrations/fake-poller.js'
import type { CheckedHost, CheckerOptions } from '../../integrations/fake-poller.js'
import { POLLIN, Reason } from '../../src/index.js'
import type { Host, IoBuffer, PollChange, PollSet, Pollfd, SocketIo } from '../../src/index.js'

const NOWHERE = { name: '', address: '', port: 0, family: '' } as const

/** A bytes seam that answers what it is told; nothing more waits: 0. */
export class ScriptedIo implements SocketIo {
  readonly results: number[] = []

  /** The results of the next calls. */
  answer(...results: number[]): this {
    this.results.push(...results)
    return this
  }

  private next = (): number => this.results.shift() ?? 0

  createBuffer = (byteLength: number): IoBuffer => ({ id: 1, bytes: Buffer.alloc(byteLength) })
  freeBuffer = (): void => undefined
  listen = this.next
  accept = this.next
  connect = this.next
  recv = this.next
  send = this.next
  sendv = this.next
  pending = this.next
  shutdown = this.next
  close = this.next
  connectResult = this.next
  socketError = this.next
  localAddress = () => NOWHERE
  peerAddress = () => NOWHERE
}

/** A host that does nothing on its own: its clock stands, its poll array forgets. */
export class IdleHost implements Host {
  readonly io = new ScriptedIo()
  nowMs = 1000
  gen = 0
  /** Thrown by the next ADD. */
  refusal: Error | undefined
  readonly pollSet: PollSet = {
    add: () => {
      const { refusal } = this
      this.refusal = undefined
      if (refusal !== undefined) throw refusal
    },
    del: () => undefined,
    set: () => undefined,
    clear: () => undefined,
    timeout: () => undefined,
  }
  nextGen = (): number => (this.gen += 1)
  now = (): number => this.nowMs
  wallClock = (): number => this.nowMs
  randomFill = (): void => undefined
  hostname = (): string => 'idle'
}

const CLOSED_BY_PEER = { code: 1000, reason: '', initiator: 'peer', cause: 'CLOSED_BY_PEER' }

export class StandIn {
  readonly host = new IdleHost()
  readonly checker: CheckedHost
  /** What the questions nextTimeout and nextDeadline are answered. */
  timeoutMs = -1
  deadlineMs: number | null = null
  readonly buffer: IoBuffer
  private seq = 0
  private readonly masks = new Map<number, { gen: number; mask: number }>()

  constructor(options: CheckerOptions = {}) {
    this.checker = checked(this.host, {
      queries: {
        nextTimeout: () => this.timeoutMs,
        nextDeadline: () => this.deadlineMs,
      },
      ...options,
    })
    this.buffer = this.io.createBuffer(256)
  }

  get io(): SocketIo {
    return this.checker.io
  }

  /** The ids of the broken rules so far, first first. */
  get broken(): string[] {
    return this.checker.violations.map(({ rule }) => rule)
  }

  /** A call of the host or the application, and what happens during it. */
  call(
    name: string,
    arg: unknown,
    body: () => unknown = () => undefined,
    first?: unknown,
  ): unknown {
    this.checker.tap?.enter(name, arg, this, first)
    let result: unknown
    try {
      result = body()
    } finally {
      this.checker.tap?.leave(name, result, this)
    }
    return result
  }

  service(pollfd: Pollfd | null, body: () => unknown = () => 'handled'): unknown {
    return this.call('serviceFd', pollfd, body)
  }

  /** A pollfd of a live descriptor. */
  pollfd(fd: number, revents = POLLIN): Pollfd {
    return { fd, revents, gen: this.masks.get(fd)?.gen ?? 0 }
  }

  /** An announcement: the right one, with what is to be wrong replaced. */
  announce(op: PollChange['op'], fd: number, bits: number, wrong: Partial<PollChange> = {}): this {
    const before = this.masks.get(fd)
    const gen = wrong.gen ?? (op === 'ADD' ? (this.checker.nextGen?.() ?? 0) : (before?.gen ?? 0))
    const prev = op === 'ADD' ? 0 : (before?.mask ?? 0)
    const next = { ADD: bits, DEL: 0, SET: prev | bits, CLEAR: prev & ~bits }[op]
    this.seq += 1
    const change = { op, fd, gen, bits, prev, next, seq: this.seq, context: this, ...wrong }
    this.seq = change.seq
    if (op === 'DEL') this.masks.delete(fd)
    else this.masks.set(fd, { gen, mask: change.next })
    const method = { ADD: 'add', DEL: 'del', SET: 'set', CLEAR: 'clear' } as const
    this.checker.pollSet?.[method[op]](fd, change.bits, change)
    return this
  }

  add(fd: number, events = POLLIN, wrong: Partial<PollChange> = {}): this {
    return this.announce('ADD', fd, events, wrong)
  }

  del(fd: number, wrong: Partial<PollChange> = {}): this {
    return this.announce('DEL', fd, this.masks.get(fd)?.mask ?? 0, wrong)
  }

  recv(fd: number, result: number, length = 64): number {
    this.host.io.answer(result)
    return this.io.recv(fd, this.buffer, 0, length)
  }

  send(fd: number, result: number, length = 64): number {
    this.host.io.answer(result)
    return this.io.send(fd, this.buffer, 0, length)
  }

  accept(listenFd: number, result: number): number {
    this.host.io.answer(result)
    return this.io.accept(listenFd)
  }

  callback(
    reason: number,
    fd: number,
    data: unknown = reason === Reason.CLOSED ? CLOSED_BY_PEER : undefined,
    body: () => unknown = () => undefined,
  ): this {
    this.checker.tap?.callback(reason, fd, data, this, null)
    body()
    this.checker.tap?.returned(reason, fd, data, this, null)
    return this
  }

  /** A listener with fd 3. */
  listen(): this {
    this.host.io.answer(3)
    this.io.listen({ address: '127.0.0.1', port: 0, backlog: 1 })
    this.call('createContext', undefined, () => this.add(3))
    return this
  }

  /** An established connection. */
  open(fd: number): this {
    this.service(this.pollfd(3), () => {
      this.accept(3, fd)
      this.add(fd)
      this.accept(3, -11)
      return 'handled'
    })
    this.service(this.pollfd(fd), () => {
      this.recv(fd, 20)
      this.callback(Reason.ESTABLISHED, fd)
      this.send(fd, 64)
      return 'handled'
    })
    return this
  }

  /** The right end of a connection, inside a call. */
  end(fd: number): this {
    this.del(fd)
    this.io.close(fd, false)
    return this.callback(Reason.CLOSED, fd)
  }
}
