/**
 * The poll set as people are shown it: what is in it, and what was announced, with what changed
 * since a mark. What it keeps is bounded; who asks with a mark too old is told everything.
 *
 * Knows no viewers. That a viewer's own descriptor waits for POLLOUT is left out: it is the showing
 * itself, and to show that would cause more of it.
 */
import { formatEvents, POLLOUT } from 'extpoll'
import type { PollOp } from 'extpoll'
import type { PolledFd } from './event-actions.js'

/** Announcements kept; of earlier ones only their number is told. */
const MAX_CHANGES = 64
/** Descriptors remembered after their DEL. */
const MAX_GONE = 1024
const MAX_WHAT_CHARS = 64

/** What a viewer's descriptor is called. */
export const FEED = 'poll set feed'

/** A descriptor as the page and the control socket are told of it. */
export interface Row {
  readonly fd: number
  readonly gen: number | null
  readonly events: string
  /** `performance.now()` of its ADD. */
  readonly sinceMs: number
  readonly what: string
}

/** An announcement. */
export interface Change {
  readonly op: PollOp
  readonly fd: number
  readonly gen: number | null
  readonly bits: string
  readonly what: string
}

/** A point in the history: everything up to it is known. */
export interface Mark {
  /** Counts every change of a row. */
  readonly seq: number
  /** Counts what was announced and shown. */
  readonly announced: number
}

/** What happened from a mark to now. */
export interface News {
  /** `rows` are all there are, and what was known before is to be forgotten. */
  readonly whole: boolean
  readonly gone: readonly { readonly fd: number; readonly gen: number | null }[]
  /** Those that changed, as they are now; to be applied after `gone`. */
  readonly rows: readonly Row[]
  readonly changes: readonly Change[]
  /** Announcements before `changes` that are not kept any more. */
  readonly missed: number
}

interface Entry {
  readonly polled: PolledFd
  what: string
  /** The mirror's `seq` of its last change. */
  seq: number
}

export const BEGINNING: Mark = { seq: 0, announced: 0 }

export class PollSetMirror {
  /** How often each kind of change came, shown or not. */
  readonly counts: Record<PollOp, number> = { ADD: 0, SET: 0, CLEAR: 0, DEL: 0 }
  readonly #entries = new Map<number, Entry>()
  readonly #gone: { seq: number; fd: number; gen: number | null }[] = []
  readonly #changes: Change[] = []
  #seq = 0
  #announced = 0
  /** A mark before this one has missed the end of a descriptor. */
  #forgottenSeq = 0

  /** A change of the set, as ChangeListener. */
  heard(op: PollOp, polled: PolledFd, bits: number): void {
    this.counts[op]++
    const { fd } = polled
    const gen = polled.gen ?? null
    let entry = this.#entries.get(fd)
    if (op === 'ADD' || entry === undefined) {
      entry = { polled, what: polled.what, seq: 0 }
      this.#entries.set(fd, entry)
    }
    const { what } = entry
    const shown = what === FEED ? bits & ~POLLOUT : bits
    if (shown === 0 && (op === 'SET' || op === 'CLEAR')) return
    entry.seq = ++this.#seq
    if (op === 'DEL') {
      this.#entries.delete(fd)
      this.#gone.push({ seq: this.#seq, fd, gen })
      if (this.#gone.length > MAX_GONE) this.#forgottenSeq = this.#gone.shift()!.seq
    }
    this.#announced++
    this.#changes.push({ op, fd, gen, bits: formatEvents(shown), what })
    if (this.#changes.length > MAX_CHANGES) this.#changes.shift()
  }

  /** Says what a descriptor is, now that it is known. */
  label(fd: number, what: string): void {
    const entry = this.#entries.get(fd)
    if (entry === undefined || entry.what === what) return
    entry.what = what.length > MAX_WHAT_CHARS ? `${what.slice(0, MAX_WHAT_CHARS - 1)}…` : what
    entry.seq = ++this.#seq
  }

  /** Is this the descriptor of a viewer? */
  isFeed(fd: number): boolean {
    return this.#entries.get(fd)?.what === FEED
  }

  mark(): Mark {
    return { seq: this.#seq, announced: this.#announced }
  }

  isNews(mark: Mark): boolean {
    return mark.seq < this.#seq
  }

  since(mark: Mark): News {
    const whole = mark.seq === 0 || mark.seq < this.#forgottenSeq
    const entries = [...this.#entries.values()]
    const changed = whole ? entries : entries.filter(({ seq }) => seq > mark.seq)
    const gone = whole ? [] : this.#gone.filter(({ seq }) => seq > mark.seq)
    const unheard = this.#announced - mark.announced
    const shown = Math.min(unheard, this.#changes.length)
    return {
      whole,
      gone: gone.map(({ fd, gen }) => ({ fd, gen })),
      rows: changed.map((entry) => rowOf(entry, entry.what === FEED ? ~POLLOUT : ~0)),
      changes: shown === 0 ? [] : this.#changes.slice(-shown),
      missed: unheard - shown,
    }
  }

  /** Every descriptor with the whole of its mask. */
  rows(): readonly Row[] {
    return Array.from(this.#entries.values(), (entry) => rowOf(entry, ~0))
  }
}

function rowOf({ polled, what }: Entry, shownBits: number): Row {
  const { fd, gen = null, events, sinceMs } = polled
  return { fd, gen, events: formatEvents(events & shownBits), sinceMs, what }
}
