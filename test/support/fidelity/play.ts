/**
 * The small language of the fidelity scenarios, and what each of its steps answers.
 *
 * A scenario is text: steps divided by `;`, each a verb and its words. Sockets and listeners have
 * names. Answers are text as well, without numbers of descriptors and without sizes that depend on
 * a kernel's buffers, so that two machines can be compared.
 */
import { MisuseError } from '../../../integrations/fake-poller.js'
import {
  Errno,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  UsageError,
  WOULD_BLOCK,
} from '../../../src/index.js'
import type { IoBuffer, Pollfd } from '../../../src/index.js'
import type { Machine, Transport } from './machine.js'

/** A verb: its words, and what it does. */
type Verb = (words: readonly string[]) => string

const BUFFER_BYTES = 65_536
const BACKLOG = 16
/** After so many full buffers a kernel without a limit is a mistake. */
const MAX_FILLS = 4096
const LETTERS = 26
const SHOWN_BYTES = 12

const bits: readonly (readonly [name: string, bit: number])[] = [
  ['in', POLLIN],
  ['out', POLLOUT],
  ['err', POLLERR],
  ['hup', POLLHUP],
]
const errnoNames = new Map<number, string>(
  Object.entries(Errno).map(([name, errno]) => [errno, name]),
)

export class Play {
  /** Descriptors by name, open ones only, in the order of their names' first use. */
  private readonly fds = new Map<string, number>()
  private readonly listeners = new Set<string>()
  private readonly watched = new Set<string>()
  /** The number that a closed name had. */
  private readonly oldFds = new Map<string, number>()
  /** Bytes sent and received so far; the n-th byte of a direction is the n-th letter. */
  private readonly sent = new Map<string, number>()
  private readonly received = new Map<string, number>()
  private readonly other = new Map<string, string>()
  private batch: readonly Pollfd[] = []
  private readonly buffer: IoBuffer

  constructor(
    private readonly machine: Machine,
    private readonly transport: Transport,
  ) {
    this.buffer = machine.io.createBuffer(BUFFER_BYTES)
  }

  /** @returns what the step answered */
  run(step: string): string {
    const [verb = '', ...words] = step.split(' ')
    const act = this.verbs[verb]
    if (act === undefined) throw new Error(`there is no verb '${verb}' in '${step}'`)
    try {
      return act(words)
    } catch (error) {
      if (error instanceof MisuseError || error instanceof UsageError) return 'refused'
      throw error
    } finally {
      this.machine.settle()
    }
  }

  /** The same of a step that would only have answered too early. */
  again(step: string, answer: string): string | undefined {
    const [verb] = step.split(' ')
    const early = answer === 'would block' || answer === 'nothing' || answer === 'none'
    if (!early || (verb !== 'recv' && verb !== 'accept' && verb !== 'error')) return undefined
    return this.run(step)
  }

  /** Every open descriptor with what poll(2) says of it. */
  state(): string {
    const names = [...this.fds.keys()]
    const masks = this.machine.readiness(names.map((name) => this.fd(name)))
    return names.map((name, at) => `${name} ${formatBits(masks[at]!)}`).join(', ')
  }

  /** Closes what is left. */
  end(): void {
    for (const name of this.watched)
      this.machine.remove(this.fds.get(name) ?? this.oldFds.get(name)!)
    for (const fd of this.fds.values()) this.machine.close(fd, true)
    this.machine.letGo()
    this.machine.leaveDescriptors(Infinity)
    this.machine.settle()
    this.machine.io.freeBuffer(this.buffer)
  }

  private readonly verbs: Readonly<Record<string, Verb>> = {
    listen: ([name, backlog]) => {
      this.listeners.add(name!)
      const fd = this.machine.listen(this.transport, Number(backlog ?? BACKLOG))
      return this.named(name!, fd)
    },
    connect: ([name, to]) => this.named(name!, this.machine.connect(this.fd(to!))),
    nobody: ([name]) => this.named(name!, this.machine.connectToNobody(this.transport)),
    accept: ([name, at, client]) => {
      const answer = this.named(name!, this.machine.io.accept(this.fd(at!)))
      if (answer === 'ok' && client !== undefined) this.join(name!, client)
      return answer
    },
    pair: ([a, b]) => {
      const steps = ['listen L', `connect ${a} L`, `accept ${b} L`, 'close L']
      const answers = steps.map((step) => {
        this.machine.settle()
        return this.verbs[step.split(' ')[0]!]!(step.split(' ').slice(1))
      })
      this.join(a!, b!)
      return answers.join(', ')
    },

    send: ([name, count]) => this.send(name!, Number(count)),
    recv: ([name, count]) => this.recv(name!, Number(count)),
    fill: ([name]) => this.fill(name!),
    drain: ([name]) => this.drain(name!),
    shut: ([name]) => formatResult(this.machine.io.shutdown(this.fd(name!))),
    close: ([name]) => this.close(name!, false),
    abort: ([name]) => this.close(name!, true),
    error: ([name]) => {
      const errno = this.machine.io.socketError(this.fd(name!))
      return errno === 0 ? 'none' : formatResult(-errno)
    },
    peer: ([name]) => {
      const { port, name: path } = this.machine.io.peerAddress(this.fd(name!))
      return port > 0 || path !== '' ? 'known' : 'unknown'
    },

    watch: ([name, mask]) => {
      this.machine.add(this.fd(name!), maskOf(mask!))
      this.watched.add(name!)
      return 'ok'
    },
    mask: ([name, mask]) => {
      this.machine.modify(this.fd(name!), maskOf(mask!))
      return 'ok'
    },
    unwatch: ([name]) => {
      this.machine.remove(this.fd(name!))
      this.watched.delete(name!)
      return 'ok'
    },
    wait: () => {
      this.batch = this.machine.wait()
      return this.formatBatch(({ fd, revents }) => `${this.nameOf(fd)} ${formatBits(revents)}`)
    },
    live: () =>
      this.formatBatch((pollfd) => (this.machine.isLive(pollfd) ? 'live' : 'stale')) || 'nothing',

    hold: ([name]) => {
      this.machine.hold(this.fd(name!))
      return 'ok'
    },
    letgo: () => {
      this.machine.letGo()
      return 'ok'
    },
    leave: ([count]) => {
      this.machine.leaveDescriptors(Number(count))
      return 'ok'
    },
    same: ([name, old]) => (this.fd(name!) === this.oldFds.get(old!) ? 'yes' : 'no'),
  }

  private named(name: string, fd: number): string {
    if (fd < 0) return formatResult(fd)
    this.fds.set(name, fd)
    return 'ok'
  }

  private join(a: string, b: string): void {
    this.other.set(a, b)
    this.other.set(b, a)
  }

  private fd(name: string): number {
    const fd = this.fds.get(name)
    if (fd === undefined) throw new Error(`nothing open is called ${name}`)
    return fd
  }

  private nameOf(fd: number): string {
    for (const [name, its] of this.fds) if (its === fd) return name
    return '(closed)'
  }

  private send(name: string, count: number): string {
    const already = this.sent.get(name) ?? 0
    const { bytes } = this.buffer
    letters.copy(bytes, 0, already % LETTERS, (already % LETTERS) + count)
    const result = this.machine.io.send(this.fd(name), this.buffer, 0, count)
    if (result > 0) this.sent.set(name, already + result)
    return formatResult(result)
  }

  private recv(name: string, count: number): string {
    const result = this.machine.io.recv(this.fd(name), this.buffer, 0, count)
    if (result <= 0) return result === 0 ? 'end' : formatResult(result)
    this.take(name, result)
    const { bytes } = this.buffer
    return `${result} ${bytes.toString('latin1', 0, Math.min(result, SHOWN_BYTES))}`
  }

  /** Counts what came, and sees that it is what was sent. */
  private take(name: string, count: number): void {
    const already = this.received.get(name) ?? 0
    const start = already % LETTERS
    if (letters.compare(this.buffer.bytes, 0, count, start, start + count) !== 0)
      throw new Error(`${name} got other bytes than were sent, from ${already} on`)
    this.received.set(name, already + count)
  }

  /** Sends until it would block: how much that takes is the kernel's business. */
  private fill(name: string): string {
    for (let fills = 0; fills < MAX_FILLS; fills += 1) {
      const answer = this.send(name, BUFFER_BYTES)
      this.machine.settle()
      if (!/^\d/.test(answer)) return fills === 0 ? answer : `some, then ${answer}`
    }
    return 'without end'
  }

  /** Receives until nothing comes any more: all that was sent, or some of it. */
  private drain(name: string): string {
    const endMs = performance.now() + this.machine.patienceMs
    for (;;) {
      const answer = this.recv(name, BUFFER_BYTES)
      this.machine.settle()
      if (/^\d/.test(answer)) continue
      const sent = this.sent.get(this.other.get(name) ?? '') ?? 0
      const received = this.received.get(name) ?? 0
      const isUnderWay = answer === 'would block' && received < sent
      if (isUnderWay && performance.now() < endMs) continue
      return `${received === sent ? 'all' : 'not all'}, then ${answer}`
    }
  }

  private close(name: string, abort: boolean): string {
    const fd = this.fd(name)
    const result = this.machine.close(fd, abort)
    this.fds.delete(name)
    this.oldFds.set(name, fd)
    return formatResult(result)
  }

  private formatBatch(format: (pollfd: Pollfd) => string): string {
    const parts = this.batch.map(format)
    if (!this.machine.keepsOrder) parts.sort()
    return parts.join(', ') || 'nothing'
  }
}

/** The alphabet again and again: what is sent, from any letter on. */
const letters = Buffer.alloc(BUFFER_BYTES + LETTERS, 'abcdefghijklmnopqrstuvwxyz')

function maskOf(text: string): number {
  return bits.reduce((mask, [name, bit]) => (text.split('+').includes(name) ? mask | bit : mask), 0)
}

function formatBits(mask: number): string {
  const names = bits.flatMap(([name, bit]) => ((mask & bit) === 0 ? [] : [name]))
  return names.join('+') || '-'
}

function formatResult(result: number): string {
  if (result === WOULD_BLOCK) return 'would block'
  return result > 0
    ? String(result)
    : result === 0
      ? 'ok'
      : (errnoNames.get(-result) ?? `${result}`)
}
