/**
 * What a wait answers on a host whose poller or program misbehaves: hints that are wrong, late, in
 * another order, or of descriptors that are no more.
 *
 * Takes an honest batch and gives another. Refuses to know what a descriptor is.
 * Source: epoll(7), Q9 and "Possible pitfalls"; contract C5, C11, H1 to H8.
 */
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../../../src/index.js'
import type { Pollfd } from '../../../src/index.js'
import type { WaitSet } from '../wait-set.js'
import type { Environment } from '../world/environment.js'
import { undoLater } from '../world/environment.js'
import type { FaultName } from './fault-table.js'
import type { DeadDescriptor, FaultyPollSet } from './faulty-poll-set.js'

const DELAY_MAX_MS = 40
const EDGE_LOST_MS = 50
const STARVED_ROUNDS = 20

/** A descriptor that goes on being reported after its end. */
interface Ghost extends DeadDescriptor {
  until: number
}

export class FaultyBatch {
  /** Not reported for now: fd -> rounds left; Infinity: until somebody lets it go. */
  private readonly hidden = new Map<number, number>()
  private readonly ghosts: Ghost[] = []

  constructor(
    private readonly waitSet: WaitSet,
    private readonly pollSet: FaultyPollSet,
    private readonly world: Environment,
  ) {
    world.faults.onStop(() => {
      this.ghosts.length = 0
      for (const fd of [...this.hidden.keys()]) this.show(fd)
    })
  }

  /** Whether something is or was held back in the last round that further rounds bring forth. */
  holdsBack = false

  /** A descriptor that was closed here is still open elsewhere. */
  addGhost(fd: number, lengthMs: number): void {
    const dead = this.pollSet.dead.find((one) => one.fd === fd)
    if (dead !== undefined) this.ghosts.push({ ...dead, until: this.world.clock.now + lengthMs })
  }

  /** The batch that the host sees in place of the honest one. */
  distort(honest: Pollfd[]): Pollfd[] {
    const { faults } = this.world
    this.holdsBack = false
    let batch = this.hidden.size === 0 ? honest : this.withoutHidden(honest)
    if (!faults.active) return batch
    batch = batch.filter((pollfd) => !this.loses(pollfd))
    for (const pollfd of batch) {
      if (pollfd.revents & POLLIN && faults.fires('hup-with-in')) pollfd.revents |= POLLHUP
    }
    this.invent(batch)
    this.remember(batch)
    if (batch.length > 1) {
      if (faults.fires('batch-permuted')) shuffle(batch, (n) => faults.pick('batch-permuted', n))
      if (faults.fires('batch-truncated'))
        for (const cut of batch.splice(1 + faults.pick('batch-truncated', batch.length - 1)))
          this.waitSet.lost(cut)
    }
    if (batch.length > 0 && faults.fires('readiness-duplicated'))
      batch.push({ ...batch[faults.pick('readiness-duplicated', batch.length)]! })
    return batch
  }

  /** What is hidden is reported when its rounds are over, or when somebody lets it go. */
  private withoutHidden(honest: Pollfd[]): Pollfd[] {
    const shown = honest.filter(({ fd }) => !this.hidden.has(fd))
    for (const [fd, rounds] of [...this.hidden]) {
      if (rounds === Infinity) continue
      this.holdsBack = true
      if (rounds > 1 && this.waitSet.has(fd)) this.hidden.set(fd, rounds - 1)
      else this.show(fd)
    }
    return shown
  }

  private loses(pollfd: Pollfd): boolean {
    const { faults } = this.world
    if (faults.fires('starves')) {
      this.hide(pollfd, 1 + faults.pick('starves', STARVED_ROUNDS))
      return true
    }
    if (this.waitSet.edge && faults.fires('edge-lost')) return this.hideFor(pollfd, EDGE_LOST_MS)
    if (faults.fires('readiness-delayed'))
      return this.hideFor(pollfd, 1 + faults.pick('readiness-delayed', DELAY_MAX_MS))
    return false
  }

  private hide(pollfd: Pollfd, rounds: number): void {
    if (rounds !== Infinity) this.holdsBack = true
    this.hidden.set(pollfd.fd, rounds)
    this.waitSet.lost(pollfd)
  }

  private hideFor(pollfd: Pollfd, lengthMs: number): true {
    this.hide(pollfd, Infinity)
    undoLater(this.world, lengthMs, () => this.show(pollfd.fd))
    return true
  }

  private show(fd: number): void {
    if (this.hidden.delete(fd)) this.waitSet.lost({ fd, revents: 0 })
  }

  /** Reports what is not so, of descriptors that are waited for. */
  private invent(batch: Pollfd[]): void {
    this.inventOne(batch, 'spurious-in', POLLIN, true)
    this.inventOne(batch, 'spurious-out', POLLOUT, false)
    this.inventOne(batch, 'hup-alone', POLLHUP, false)
    this.inventOne(batch, 'err-alone', POLLERR, false)
  }

  private inventOne(batch: Pollfd[], name: FaultName, bit: number, inMask: boolean): void {
    const { faults } = this.world
    if (this.waitSet.size === 0 || !faults.fires(name)) return
    const live = this.waitSet.liveList().filter(({ mask }) => !inMask || mask & bit)
    const chosen = live[faults.pick(name, Math.max(1, live.length))]
    if (chosen === undefined || batch.some(({ fd }) => fd === chosen.fd)) return
    batch.push({ fd: chosen.fd, gen: chosen.gen, revents: bit })
  }

  /** Reports descriptors that are no more. */
  private remember(batch: Pollfd[]): void {
    const { faults } = this.world
    const { dead } = this.pollSet
    if (dead.length > 0) {
      if (faults.fires('stale-after-del')) {
        const { fd, gen } = dead[faults.pick('stale-after-del', dead.length)]!
        batch.push({ fd, gen, revents: POLLIN | POLLHUP })
      }
      const reused = dead.filter(({ fd }) => this.waitSet.has(fd))
      if (reused.length > 0 && faults.fires('stale-on-reused-fd')) {
        const { fd, gen } = reused[faults.pick('stale-on-reused-fd', reused.length)]!
        const revents = POLLIN | POLLERR | POLLHUP
        // With its old generation, or as a poller that keeps none would.
        batch.push(
          faults.pick('stale-on-reused-fd', 2) === 0 ? { fd, gen, revents } : { fd, revents },
        )
      }
    }
    for (const ghost of this.ghosts) {
      if (this.world.clock.now < ghost.until)
        batch.push({ fd: ghost.fd, gen: ghost.gen, revents: POLLIN | POLLHUP })
    }
    // Reported once each: a program that spins on it is the program's own affair.
    this.ghosts.length = 0
  }
}

function shuffle(items: Pollfd[], below: (n: number) => number): void {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = last - below(last + 1)
    ;[items[last], items[other]] = [items[other]!, items[last]!]
  }
}
