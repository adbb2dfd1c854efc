/**
 * What happened in a run, as lines a person can read.
 *
 * Keeps raw entries, and puts them into words only when somebody asks: when a run failed. Past its
 * capacity the oldest are forgotten.
 */
const CAPACITY = 4_096
/** What a report shows; the story of a shrunken run is shorter. */
const SHOWN_LINES = 60

interface Entry {
  readonly atMs: number
  readonly who: string
  readonly what: string
  readonly detail: string | number | undefined
}

export class Story {
  private entries: Entry[] = []
  private forgotten = 0

  constructor(private readonly now: () => number) {}

  /** @param who a peer, a host @param what in words @param detail follows what */
  add(who: string, what: string, detail?: string | number): void {
    this.entries.push({ atMs: this.now(), who, what, detail })
    if (this.entries.length < 2 * CAPACITY) return
    this.entries = this.entries.slice(CAPACITY)
    this.forgotten += CAPACITY
  }

  /** Oldest first, the last `count` at most. */
  lines(count = SHOWN_LINES): string[] {
    const shown = this.entries.slice(-count)
    const before = this.forgotten + this.entries.length - shown.length
    const width = Math.max(0, ...shown.map(({ who }) => who.length))
    const lines = shown.map(({ atMs, who, what, detail }) => {
      const time = `${atMs.toFixed(3)} ms`.padStart(16)
      const more = detail === undefined ? '' : ` ${detail}`
      return `${time}  ${who.padEnd(width)}  ${what}${more}`
    })
    return before === 0 ? lines : [`(${before} earlier lines are left out)`, ...lines]
  }
}
