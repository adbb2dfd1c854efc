/**
 * The poll array of a host whose poller misbehaves: it refuses descriptors, and is late with masks.
 *
 * Goes on to the wait set. Remembers the descriptors that got their DEL, for whoever wants to
 * report them once more.
 */
import type { PollChange, PollSet } from '../../../src/index.js'
import type { Environment } from '../world/environment.js'
import type { WaitSet } from '../wait-set.js'

/** A refusal on purpose: the world knows that nobody made a mistake. */
export class SimulatedError extends Error {
  override readonly name = 'SimulatedError'
}

/** A descriptor that is no more. */
export interface DeadDescriptor {
  readonly fd: number
  readonly gen: number
}

/** How many dead ones are remembered. */
const MAX_DEAD = 16

export class FaultyPollSet implements PollSet {
  /** The latest first. */
  readonly dead: DeadDescriptor[] = []
  /** Descriptors deleted so far. */
  deletions = 0
  /** Whether refusals are in order: the listener's ADD is no place for one. */
  refuses = false
  /** Hears of each announcement, as a host that calls back where it must not. */
  onAnnounce: (change: PollChange) => void = () => undefined

  private readonly late: (() => void)[] = []

  constructor(
    private readonly waitSet: WaitSet,
    private readonly world: Environment,
    /** Marks the connection that is about to be refused. */
    private readonly refusing: (fd: number) => void,
  ) {}

  add(fd: number, events: number, change: PollChange): void {
    this.note(change)
    if (this.refuses && this.world.faults.fires('throws-in-add')) {
      this.refusing(fd)
      throw new SimulatedError(`the poll set refuses fd ${fd}`)
    }
    this.waitSet.add(fd, events, change)
  }

  del(fd: number, _events: number, change: PollChange): void {
    this.note(change)
    this.catchUp()
    this.deletions += 1
    this.dead.unshift({ fd, gen: change.gen })
    if (this.dead.length > MAX_DEAD) this.dead.pop()
    this.waitSet.del(fd)
  }

  set(fd: number, events: number, change: PollChange): void {
    this.note(change)
    this.apply(() => this.waitSet.set(fd, events))
  }

  clear(fd: number, events: number, change: PollChange): void {
    this.note(change)
    this.apply(() => this.waitSet.clear(fd, events))
  }

  timeout(timeoutMs: number, deadlineMs: number | null): void {
    this.world.fold(deadlineMs ?? -1)
    this.waitSet.timeout(timeoutMs, deadlineMs)
  }

  /** The poller learns now what it should have learnt before. @returns whether it had to */
  catchUp(): boolean {
    if (this.late.length === 0) return false
    for (const apply of this.late.splice(0)) apply()
    return true
  }

  private apply(change: () => void): void {
    // Later changes must not overtake one that is late.
    if (this.late.length > 0 || this.world.faults.fires('mask-late')) this.late.push(change)
    else change()
  }

  private note(change: PollChange): void {
    this.world.fold(change.fd * 16 + change.next * 4 + change.op.length)
    this.onAnnounce(change)
  }
}
