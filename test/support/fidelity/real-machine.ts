/**
 * The fidelity scenarios' Linux: the epoll integration's sockets and Poller, over loopback.
 *
 * A second poller, on poll(2), tells the truth about every descriptor while the one under test
 * waits for what it was told to.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { Poller, socketIo, tcpAddress, unixAddress } from '../../../integrations/epoll.js'
import { POLLIN, POLLOUT } from '../../../src/index.js'
import type { Pollfd } from '../../../src/index.js'
import { temporaryFolder } from '../epoll-addon.js'
import type { Machine, Transport } from './machine.js'

/** How long loopback may take on a busy machine; as a rule it has delivered before send returns. */
const PATIENCE_MS = 1500
/** Who holds a descriptor for us does so no longer than this, whatever happens to us. */
const HOLDER_SECONDS = '20'

export class RealMachine implements Machine {
  readonly name: string
  readonly io = socketIo
  readonly keepsOrder: boolean
  readonly patienceMs = PATIENCE_MS

  private readonly poller: Poller
  private readonly truth = new Poller({ backend: 'poll' })
  private readonly watched = new Set<number>()
  private readonly pollfds: Pollfd[] = []
  private readonly folder = temporaryFolder()
  private readonly holders: ChildProcess[] = []
  private readonly hoard: number[] = []
  private paths = 0

  constructor(backend: 'epoll' | 'poll') {
    this.name = `Linux, ${backend}`
    this.keepsOrder = backend === 'epoll'
    this.poller = new Poller({ backend })
  }

  listen(transport: Transport, backlog: number): number {
    if (transport === 'tcp') return socketIo.listen({ address: '127.0.0.1', port: 0, backlog })
    return socketIo.listen({ address: '', port: 0, path: this.nextPath(), backlog })
  }

  connect(listenFd: number): number {
    return socketIo.connect(socketIo.localAddress(listenFd))
  }

  connectToNobody(transport: Transport): number {
    if (transport === 'unix') return socketIo.connect(unixAddress(this.nextPath()))
    const gone = this.listen('tcp', 1)
    const { port } = socketIo.localAddress(gone)
    socketIo.close(gone, false)
    return socketIo.connect(tcpAddress('127.0.0.1', port))
  }

  close(fd: number, abort: boolean): number {
    this.forget(fd)
    return socketIo.close(fd, abort)
  }

  settle(): void {
    // The kernel does.
  }

  readiness(fds: readonly number[]): number[] {
    for (const fd of fds) {
      if (this.watched.has(fd)) continue
      this.truth.add(fd, POLLIN | POLLOUT)
      this.watched.add(fd)
    }
    const found: Pollfd[] = []
    const count = this.truth.wait(found, 0)
    const byFd = new Map(found.slice(0, count).map(({ fd, revents }) => [fd, revents]))
    return fds.map((fd) => byFd.get(fd) ?? 0)
  }

  add(fd: number, events: number): void {
    this.poller.add(fd, events, this.poller.nextGen())
  }

  modify(fd: number, events: number): void {
    this.poller.modify(fd, events)
  }

  remove(fd: number): void {
    this.poller.remove(fd)
  }

  wait(): readonly Pollfd[] {
    const count = this.poller.wait(this.pollfds, 0)
    return this.pollfds.slice(0, count).map((pollfd) => ({ ...pollfd }))
  }

  isLive(pollfd: Pollfd): boolean {
    return this.poller.isLive(pollfd)
  }

  hold(fd: number): void {
    const child = spawn('sleep', [HOLDER_SECONDS], { stdio: ['ignore', 'ignore', 'ignore', fd] })
    assert.ok(child.pid !== undefined, 'sleep(1) could not be started')
    child.unref()
    this.holders.push(child)
  }

  letGo(): void {
    for (const child of this.holders.splice(0)) child.kill('SIGKILL')
  }

  /** Takes all there are and gives so many back: only where the limit is low. */
  leaveDescriptors(count: number): void {
    for (const fd of this.hoard.splice(0)) closeSync(fd)
    if (count === Infinity) return
    try {
      for (;;) this.hoard.push(openSync('/dev/null', 'r'))
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EMFILE')
    }
    for (let left = count; left > 0; left -= 1) closeSync(this.hoard.pop()!)
  }

  dispose(): void {
    this.letGo()
    this.leaveDescriptors(Infinity)
    this.poller.close()
    this.truth.close()
    this.folder.remove()
  }

  private forget(fd: number): void {
    if (!this.watched.delete(fd)) return
    this.truth.remove(fd)
  }

  private nextPath(): string {
    this.paths += 1
    return join(this.folder.path, String(this.paths))
  }
}
