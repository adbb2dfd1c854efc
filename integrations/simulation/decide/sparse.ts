/**
 * A few decisions that are not 0, at moments drawn from the whole run.
 *
 * Most bugs need few things to go wrong, at the right moments: with `depth` of them among `steps`,
 * a bug that needs `depth` is found with a probability of at least steps to the power of -depth,
 * however long the run. Source: Burckhardt et al., "A Randomized Scheduler with Probabilistic
 * Guarantees of Finding Bugs" (PCT), 2010.
 */
import { SeededDecider } from './decider.js'
import type { Decider } from './decider.js'

export interface SparseOptions {
  readonly seed: number
  /** How many decisions may be other than 0. */
  readonly depth: number
  /** Of so many decisions, about: what a run without them has. */
  readonly steps: number
}

export class SparseDecider implements Decider {
  private readonly chance: SeededDecider
  /** The decisions that are drawn; the others are 0. */
  private readonly moments = new Set<number>()
  private step = 0

  constructor({ seed, depth, steps }: SparseOptions) {
    this.chance = new SeededDecider(seed)
    for (let index = 0; index < depth; index += 1)
      this.moments.add(this.chance.decide('sparse.moment', steps))
  }

  decide(label: string, n: number): number {
    const isDrawn = this.moments.has(this.step)
    this.step += 1
    return isDrawn ? this.chance.decide(label, n) : 0
  }
}
