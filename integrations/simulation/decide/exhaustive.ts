/**
 * Every run of a small world, up to a depth: for what a swarm would only find by luck.
 *
 * Each label's first decisions are gone through like the digits of a counter, those behind them are
 * 0, the choice in which least happens. Refuses to know what a decision means.
 */
import type { Decider } from './decider.js'

export interface ExhaustOptions {
  /** So many decisions are gone through. */
  readonly depth: number
  /** Which labels count; the decisions of others are 0. Default all. */
  readonly labels?: (label: string) => boolean
  /** More runs than this are too many: the depth was misjudged. Default 100,000. */
  readonly maxRuns?: number
}

interface Digit {
  value: number
  readonly n: number
}

const MAX_RUNS = 100_000

/**
 * @param run one run of the world, the same for the same decisions; what it throws ends it all
 * @returns how many runs there were
 * @throws Error past `maxRuns`
 */
export function exhaust(
  { depth, labels = () => true, maxRuns = MAX_RUNS }: ExhaustOptions,
  run: (decider: Decider) => void,
): number {
  const digits: Digit[] = []
  for (let runs = 1; runs <= maxRuns; runs += 1) {
    let at = 0
    run({
      decide(label, n) {
        if (at >= depth || !labels(label)) return 0
        const digit = (digits[at] ??= { value: 0, n })
        at += 1
        return digit.value
      },
    })
    // The last digit that can be one more is; what came behind it begins anew.
    let last = digits.pop()
    while (last !== undefined && last.value + 1 >= last.n) last = digits.pop()
    if (last === undefined) return runs
    digits.push({ value: last.value + 1, n: last.n })
  }
  throw new Error(`more than ${maxRuns} runs: a smaller depth, or fewer labels`)
}
