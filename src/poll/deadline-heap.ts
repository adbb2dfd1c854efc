/**
 * The one timeout: a binary heap of entries by their deadline, the earliest on top (C21).
 *
 * Lazy: an entry whose deadline moved later keeps its place, comes up early, and is put back by
 * whoever finds that nothing is due. So traffic moves nothing here.
 */

/** What can wait in the heap. */
export interface Deadline {
  /** Its place, -1 while it is not in the heap. Changed by the heap only. */
  heapIndex: number
}

export class DeadlineHeap<Entry extends Deadline> {
  readonly #heap: Entry[] = []
  /** When each comes up, in the host's milliseconds; beside the entries, where it needs no box. */
  readonly #deadlines: number[] = []

  /** The earliest deadline, or null. */
  get earliestMs(): number | null {
    return this.#deadlines[0] ?? null
  }

  /** Comes up at `deadlineMs` at the latest; an earlier deadline of the entry stays. */
  armBy(entry: Entry, deadlineMs: number): void {
    const index = entry.heapIndex
    if (index === -1) {
      this.#heap.push(entry)
      this.#deadlines.push(deadlineMs)
      this.#up(this.#heap.length - 1, entry, deadlineMs)
    } else if (deadlineMs < this.#deadlines[index]!) {
      this.#up(index, entry, deadlineMs)
    }
  }

  /** Takes the earliest entry out if it is due. */
  takeDue(nowMs: number): Entry | null {
    const first = this.#heap[0]
    if (first === undefined || this.#deadlines[0]! > nowMs) return null
    this.remove(first)
    return first
  }

  remove(entry: Entry): void {
    const index = entry.heapIndex
    if (index === -1) return
    entry.heapIndex = -1
    const last = this.#heap.pop()!
    const lastMs = this.#deadlines.pop()!
    if (last === entry) return
    this.#up(index, last, lastMs)
    this.#down(last.heapIndex, last, lastMs)
  }

  /** Puts the entry at `index`, or nearer to the top where it comes up sooner. */
  #up(index: number, entry: Entry, deadlineMs: number): void {
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (this.#deadlines[parent]! <= deadlineMs) break
      this.#put(index, this.#heap[parent]!, this.#deadlines[parent]!)
      index = parent
    }
    this.#put(index, entry, deadlineMs)
  }

  #down(index: number, entry: Entry, deadlineMs: number): void {
    const deadlines = this.#deadlines
    for (;;) {
      const left = 2 * index + 1
      if (left >= deadlines.length) break
      const right = left + 1
      const child = right < deadlines.length && deadlines[right]! < deadlines[left]! ? right : left
      if (deadlines[child]! >= deadlineMs) break
      this.#put(index, this.#heap[child]!, deadlines[child]!)
      index = child
    }
    this.#put(index, entry, deadlineMs)
  }

  #put(index: number, entry: Entry, deadlineMs: number): void {
    this.#heap[index] = entry
    this.#deadlines[index] = deadlineMs
    entry.heapIndex = index
  }
}
