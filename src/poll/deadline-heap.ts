/**
 * The one timeout: a binary heap of entries by their deadline, the earliest on top (C21).
 *
 * Lazy: an entry whose deadline moved later keeps its place, comes up early, and is put back by
 * whoever finds that nothing is due. So traffic moves nothing here.
 */

/** What can wait in the heap. */
export interface Deadline {
  /** When it comes up, in the host's milliseconds. Changed by the heap only. */
  armedMs: number
  /** Its place, -1 while it is not in the heap. Changed by the heap only. */
  heapIndex: number
}

export class DeadlineHeap<Entry extends Deadline> {
  readonly #heap: Entry[] = []

  /** The earliest deadline, or null. */
  get earliestMs(): number | null {
    const first = this.#heap[0]
    return first === undefined ? null : first.armedMs
  }

  /** Comes up at `deadlineMs` at the latest; an earlier deadline of the entry stays. */
  armBy(entry: Entry, deadlineMs: number): void {
    if (entry.heapIndex === -1) {
      entry.armedMs = deadlineMs
      entry.heapIndex = this.#heap.push(entry) - 1
      this.#up(entry)
    } else if (deadlineMs < entry.armedMs) {
      entry.armedMs = deadlineMs
      this.#up(entry)
    }
  }

  /** Takes the earliest entry out if it is due. */
  takeDue(nowMs: number): Entry | null {
    const first = this.#heap[0]
    if (first === undefined || first.armedMs > nowMs) return null
    this.remove(first)
    return first
  }

  remove(entry: Entry): void {
    const index = entry.heapIndex
    if (index === -1) return
    entry.heapIndex = -1
    const last = this.#heap.pop()!
    if (last === entry) return
    this.#heap[index] = last
    last.heapIndex = index
    this.#up(last)
    this.#down(last)
  }

  #up(entry: Entry): void {
    const heap = this.#heap
    let index = entry.heapIndex
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = heap[parentIndex]!
      if (parent.armedMs <= entry.armedMs) break
      heap[index] = parent
      parent.heapIndex = index
      index = parentIndex
    }
    heap[index] = entry
    entry.heapIndex = index
  }

  #down(entry: Entry): void {
    const heap = this.#heap
    let index = entry.heapIndex
    for (;;) {
      const left = 2 * index + 1
      if (left >= heap.length) break
      const right = left + 1
      const childIndex =
        right < heap.length && heap[right]!.armedMs < heap[left]!.armedMs ? right : left
      const child = heap[childIndex]!
      if (child.armedMs >= entry.armedMs) break
      heap[index] = child
      child.heapIndex = index
      index = childIndex
    }
    heap[index] = entry
    entry.heapIndex = index
  }
}
