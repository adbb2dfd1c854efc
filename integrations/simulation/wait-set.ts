/**
 * The poll array of a simulated host: which descriptor is waited for, and which is ready.
 *
 * Works as epoll does: activity puts a descriptor on the ready list; looking takes it off again
 * where it is not ready, and in edge-triggered mode always. Refuses to know what a descriptor is:
 * its readiness comes from a function.
 * Source: Linux fs/eventpoll.c (ep_send_events), epoll(7); contract C4 and C5.
 */
import { POLL_MASK, POLLERR, POLLHUP } from '../../src/index.js'
import type { PollChange, PollSet, Pollfd } from '../../src/index.js'
import { MisuseError } from './fake-kernel.js'

interface Watch {
  readonly fd: number
  readonly gen: number
  readonly owner: object
  mask: number
  /** At mask 0, POLLERR or POLLHUP has been reported: enough (C4). */
  reportedAtZero: boolean
}

/** A pollfd with the generation always there. */
export type WaitResult = Pollfd & { gen: number }

export class WaitSet implements PollSet {
  /** Edge-triggered: a descriptor is reported once per activity. */
  edge: boolean
  /** What SET_TIMEOUT said last; null before, and where there is none (C21). */
  announcedDeadlineMs: number | null = null

  private readonly watches = new Map<number, Watch>()
  private readonly ready = new Set<number>()
  /** Reported once more whatever their readiness, and with which bits. */
  private readonly owed = new Map<number, number>()

  constructor(
    private readonly readinessOf: (fd: number) => number,
    edge: boolean,
  ) {
    this.edge = edge
  }

  add(fd: number, events: number, change: PollChange): void {
    checkMask('ADD_POLL_FD', fd, events)
    if (this.watches.has(fd)) throw new MisuseError(`ADD_POLL_FD(${fd}): already waited for (C1)`)
    const { gen, context } = change
    this.watches.set(fd, { fd, gen, owner: context, mask: events, reportedAtZero: false })
    this.activity(fd)
  }

  del(fd: number): void {
    if (!this.watches.delete(fd)) throw new MisuseError(`DEL_POLL_FD(${fd}): not waited for (C1)`)
    this.ready.delete(fd)
    this.owed.delete(fd)
  }

  set(fd: number, events: number): void {
    const watch = this.watch('SET_MODE', fd, events)
    this.modify(watch, watch.mask | events)
  }

  clear(fd: number, events: number): void {
    const watch = this.watch('CLEAR_MODE', fd, events)
    this.modify(watch, watch.mask & ~events)
  }

  timeout(_timeoutMs: number, deadlineMs: number | null): void {
    this.announcedDeadlineMs = deadlineMs
  }

  has(fd: number): boolean {
    return this.watches.has(fd)
  }

  get size(): number {
    return this.watches.size
  }

  /** Everything that is waited for, in the order of its ADD. */
  liveList(): { readonly fd: number; readonly gen: number; readonly mask: number }[] {
    return [...this.watches.values()]
  }

  /** The mask waited for, or undefined. */
  maskOf(fd: number): number | undefined {
    return this.watches.get(fd)?.mask
  }

  /**
   * Something happened on a descriptor. It joins the line if it is ready for what is waited for;
   * who is not, is told of nothing. Others are ignored.
   */
  activity(fd: number): void {
    const watch = this.watches.get(fd)
    if (watch === undefined || this.ready.has(fd)) return
    if ((this.readinessOf(fd) & (watch.mask | POLLERR | POLLHUP)) !== 0) this.ready.add(fd)
  }

  /**
   * A service answered 'more': report it once more, ready or not. Level-triggered polling does so
   * anyway (C12).
   */
  again(fd: number, revents: number): void {
    if (!this.edge || !this.watches.has(fd)) return
    this.owed.set(fd, revents)
    this.ready.add(fd)
  }

  /** What was reported of it reached nobody: it is told once more. */
  lost({ fd, revents }: Pollfd): void {
    const watch = this.watches.get(fd)
    if (watch === undefined) return
    watch.reportedAtZero = false
    this.again(fd, revents)
    this.activity(fd)
  }

  /** The context that announced it, and the generation it gave; undefined where not waited for. */
  liveAt(fd: number): { readonly owner: object; readonly gen: number } | undefined {
    return this.watches.get(fd)
  }

  /**
   * What is ready now, each descriptor at most once; who was reported goes to the end of the line.
   * @param wanted whose descriptors to look at; default everyone's
   */
  wait(wanted: (owner: object) => boolean = everyone): WaitResult[] {
    const batch: WaitResult[] = []
    if (this.ready.size === 0) return batch
    for (const fd of Array.from(this.ready)) {
      const watch = this.watches.get(fd)
      if (watch === undefined || !wanted(watch.owner)) continue
      this.ready.delete(fd)
      const revents =
        (this.readinessOf(fd) & (watch.mask | POLLERR | POLLHUP)) | this.takeOwed(fd, watch.mask)
      if (revents === 0) continue
      if (watch.mask !== 0) {
        if (!this.edge) this.ready.add(fd)
      } else {
        if (watch.reportedAtZero) continue
        watch.reportedAtZero = true
      }
      batch.push({ fd, revents, gen: watch.gen })
    }
    return batch
  }

  private takeOwed(fd: number, mask: number): number {
    const revents = this.owed.get(fd)
    if (revents === undefined) return 0
    this.owed.delete(fd)
    return revents & mask
  }

  private modify(watch: Watch, mask: number): void {
    if (mask === watch.mask) return
    watch.mask = mask
    watch.reportedAtZero = false
    this.activity(watch.fd)
  }

  private watch(call: string, fd: number, events: number): Watch {
    checkMask(call, fd, events)
    const watch = this.watches.get(fd)
    if (watch === undefined) throw new MisuseError(`${call}(${fd}): not waited for (C1)`)
    return watch
  }
}

function everyone(): boolean {
  return true
}

function checkMask(call: string, fd: number, events: number): void {
  if ((events & ~POLL_MASK) !== 0) throw new MisuseError(`${call}(${fd}): mask ${events} (C4)`)
}
