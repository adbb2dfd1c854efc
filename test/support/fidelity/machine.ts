/**
 * What a fidelity scenario is played on: descriptors, a poller, and what only an operating system
 * can do to them. Linux is one machine, the FakeKernel another.
 */
import type { Pollfd, SocketIo } from '../../../src/index.js'

export type Transport = 'tcp' | 'unix'

export interface Machine {
  readonly name: string
  readonly io: SocketIo
  /** A wait answers in the order in which descriptors became ready, as epoll does. */
  readonly keepsOrder: boolean
  /** How long an effect may take to show; 0: it is there at once. */
  readonly patienceMs: number

  /** @returns fd or -errno */
  listen(transport: Transport, backlog: number): number
  /** To a listener of this machine. @returns fd or -errno */
  connect(listenFd: number): number
  /** To where nobody listens. @returns fd or -errno */
  connectToNobody(transport: Transport): number
  /** Closes a descriptor of any kind. @returns 0 or -errno */
  close(fd: number, abort: boolean): number

  /** Everything that is under way arrives, as far as this machine has a say in it. */
  settle(): void
  /** Readiness of each, whoever waits for it, as poll(2) has it. */
  readiness(fds: readonly number[]): number[]

  add(fd: number, events: number): void
  modify(fd: number, events: number): void
  remove(fd: number): void
  /** What is ready now, of what was added. */
  wait(): readonly Pollfd[]
  /** Whether what a wait found is still about the same descriptor. */
  isLive(pollfd: Pollfd): boolean

  /** Somebody else holds the descriptor as well, as after dup(2) or fork(2). */
  hold(fd: number): void
  /** They all let go again. */
  letGo(): void
  /** So many descriptors can still be opened; Infinity ends it. */
  leaveDescriptors(count: number): void
  dispose(): void
}
