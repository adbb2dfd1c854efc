/**
 * What will happen, and when: deliveries, ends of faults, an application's own appointments.
 *
 * In order of moment, and at one moment in the order in which they were made. Knows no clock: who
 * jumps from one moment to the next is the world.
 */

/** Something with a moment. */
export interface Happening {
  happen(nowMs: number): void
}

interface Entry {
  readonly atMs: number
  readonly seq: number
  readonly what: Happening
}

export class Timeline {
  private readonly heap: Entry[] = []
  private seq = 0

  /** The earliest moment; Infinity where nothing will happen. */
  get nextMs(): number {
    return this.heap[0]?.atMs ?? Infinity
  }

  get length(): number {
    return this.heap.length
  }

  add(atMs: number, what: Happening): void {
    const { heap } = this
    const entry = { atMs, seq: this.seq, what }
    this.seq += 1
    let index = heap.length
    heap.push(entry)
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = heap[parentIndex]!
      if (!isBefore(entry, parent)) break
      heap[index] = parent
      index = parentIndex
    }
    heap[index] = entry
  }

  /** The same for a function. */
  at(atMs: number, act: () => void): void {
    this.add(atMs, { happen: act })
  }

  /**
   * Lets everything happen whose moment has come, what it causes for the same moment included.
   * @returns how much happened
   */
  runDue(nowMs: number): number {
    let count = 0
    for (let first = this.heap[0]; first !== undefined && first.atMs <= nowMs;) {
      this.removeFirst()
      first.what.happen(nowMs)
      count += 1
      first = this.heap[0]
    }
    return count
  }

  private removeFirst(): void {
    const { heap } = this
    const last = heap.pop()!
    const { length } = heap
    if (length === 0) return
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      if (left >= length) break
      const right = left + 1
      const child = right < length && isBefore(heap[right]!, heap[left]!) ? right : left
      if (!isBefore(heap[child]!, last)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.seq < b.seq)
}
