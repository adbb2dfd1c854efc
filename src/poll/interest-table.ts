/**
 * The fd table, and the announcement of differences.
 *
 * Entries say which mask they want (`interest`); this table remembers which mask the host was told,
 * and tells it the difference once, when the outermost call unwinds (C2, C7). It knows neither
 * sockets nor protocols, and calls nobody but its sink.
 */
import { FdTable, type Linked } from './fd-table.js'
import { type PollChange, type PollOp } from './poll-change.js'
import { POLL_MASK } from './pollfd.js'

/** Something the library waits for: a listener, a connection. */
export abstract class PollEntry implements Linked {
  previous: Linked | null = null
  next: Linked | null = null
  fd: number
  gen: number
  /** The mask the host was last told. */
  mask = 0
  /** In the table: ADD was announced, DEL not yet. */
  live = false
  /** Listed for the next settling. */
  touched = false

  constructor(fd: number, gen: number) {
    this.fd = fd
    this.gen = gen
  }

  /** The mask it wants right now: POLLIN and POLLOUT only (C4, C15, C16). */
  abstract interest(): number
}

/** Where announcements go. @throws only for ADD, where the keeper of the poll array refuses (C9) */
export type AnnouncementSink<Entry> = (change: PollChange, entry: Entry) => void

export class InterestTable<Entry extends PollEntry> {
  /** Every live entry by fd, in ADD order. */
  readonly entries = new FdTable<Entry>()
  readonly #announce: AnnouncementSink<Entry>
  readonly #context: object
  #touched: Entry[] = []
  #seq = 0

  constructor(context: object, announce: AnnouncementSink<Entry>) {
    this.#context = context
    this.#announce = announce
  }

  /**
   * Announces a new fd before anything is read from it or written to it. @throws what the host
   * threw; the entry is not in the table then
   */
  add(entry: Entry): void {
    const mask = entry.interest()
    this.entries.add(entry)
    entry.live = true
    entry.mask = mask
    try {
      this.#tell('ADD', entry, mask, 0, mask)
    } catch (refusal) {
      this.entries.remove(entry)
      entry.live = false
      throw refusal
    }
  }

  /**
   * Announces the end of an fd that is still open (C3). It is in no table any more when the host
   * hears.
   */
  remove(entry: Entry): void {
    if (!entry.live) return
    entry.live = false
    this.entries.remove(entry)
    const prev = entry.mask
    entry.mask = 0
    this.#tell('DEL', entry, prev, prev, 0)
  }

  /**
   * Another entry takes this one's place, its descriptor and what the host was told of it: nothing
   * is announced. The newcomer is in no table yet.
   */
  replace(entry: Entry, newcomer: Entry): void {
    newcomer.fd = entry.fd
    newcomer.gen = entry.gen
    newcomer.mask = entry.mask
    newcomer.live = true
    entry.live = false
    this.entries.replace(entry, newcomer)
    this.touch(newcomer)
  }

  /** The entry's interest may have changed: look at it when the call unwinds. */
  touch(entry: Entry): void {
    if (entry.touched) return
    entry.touched = true
    this.#touched.push(entry)
  }

  /** Announces what changed since the last time: per fd one CLEAR at most, then one SET at most. */
  settle(): void {
    if (this.#touched.length === 0) return
    const touched = this.#touched
    this.#touched = []
    for (const entry of touched) {
      entry.touched = false
      if (entry.live) this.#settleOne(entry)
    }
  }

  /** Forgets what was touched: a pending destroy takes settling's place (C7). */
  forget(): void {
    for (const entry of this.#touched) entry.touched = false
    this.#touched = []
  }

  #settleOne(entry: Entry): void {
    const wanted = entry.interest() & POLL_MASK
    const off = entry.mask & ~wanted
    const on = wanted & ~entry.mask
    if (off !== 0) this.#change('CLEAR', entry, off, entry.mask & ~off)
    if (on !== 0) this.#change('SET', entry, on, entry.mask | on)
  }

  #change(op: PollOp, entry: Entry, bits: number, next: number): void {
    const prev = entry.mask
    entry.mask = next
    this.#tell(op, entry, bits, prev, next)
  }

  #tell(op: PollOp, entry: Entry, bits: number, prev: number, next: number): void {
    const { fd, gen } = entry
    const change = { op, fd, gen, bits, prev, next, seq: ++this.#seq, context: this.#context }
    this.#announce(change, entry)
  }
}
