/**
 * Results that a test lays down for the next calls of one kind, one by one.
 *
 * Knows numbers only: which call takes them, and what a number means to it, is the kernel's
 * (fake-kernel.ts). Once empty, calls go as usual again.
 */
export class Script {
  private results: number[] = []
  private head = 0

  /** Results of the next calls, in order: a count limits one, a negative number is its answer. */
  push(...results: number[]): this {
    this.results.push(...results)
    return this
  }

  /** The result for the call at hand, or `undefined` where nothing is laid down for it. */
  next(): number | undefined {
    if (this.head === this.results.length) return undefined
    const result = this.results[this.head]
    this.head += 1
    if (this.head === this.results.length) this.clear()
    return result
  }

  /** How many results wait. */
  get left(): number {
    return this.results.length - this.head
  }

  clear(): void {
    this.results.length = 0
    this.head = 0
  }
}
