/** What a viewer of the demo's poll set has been shown: messages of its feed, put together. */

export interface FeedRow {
  readonly fd: number
  readonly gen: number | null
  readonly events: string
  readonly sinceMs: number
  readonly what: string
}

export interface FeedChange {
  readonly op: string
  readonly fd: number
  readonly gen: number | null
  readonly bits: string
  readonly what: string
}

/** A message of the subprotocol `pollset`; one of type 'you' has `fd` alone. */
export interface FeedMessage {
  readonly type: string
  readonly nowMs: number
  readonly whole: boolean
  readonly gone: readonly { readonly fd: number; readonly gen: number | null }[]
  readonly rows: readonly FeedRow[]
  readonly changes: readonly FeedChange[]
  readonly missed: number
  readonly counts: Readonly<Record<'ADD' | 'SET' | 'CLEAR' | 'DEL', number>>
  readonly seconds: readonly { readonly at: number; readonly in: number; readonly out: number }[]
}

const keyOf = ({ fd, gen }: { fd: number; gen: number | null }): string => `${fd}.${gen ?? ''}`

export class ShownSet {
  /** Every announcement told of, oldest first. */
  readonly changes: FeedChange[] = []
  /** Those that it was told of only by their number. */
  missed = 0
  readonly #rows = new Map<string, FeedRow>()

  apply({ whole, gone, rows, changes, missed }: FeedMessage): void {
    if (whole) this.#rows.clear()
    for (const row of gone) this.#rows.delete(keyOf(row))
    for (const row of rows) this.#rows.set(keyOf(row), row)
    this.changes.push(...changes)
    this.missed += missed
  }

  rows(): FeedRow[] {
    return [...this.#rows.values()]
  }

  fds(): number[] {
    return this.rows().map(({ fd }) => fd)
  }
}
