/**
 * Limits of each seed's own choosing: what is never reached by default is reached all the time.
 *
 * Only limits that a correct library works within, however narrow: budgets, marks, rounds, and
 * times that nobody well runs into.
 */
import type { SimContextOptions } from '../world/sim-host.js'

type Choose = (label: string, n: number) => number

/** From the ordinary to the narrow: the first is the default. */
const CHOICES = {
  rxBudgetBytes: [undefined, undefined, 1024, 4000],
  txBudgetBytes: [undefined, undefined, 1024, 5000],
  messageBudget: [undefined, undefined, 1, 2, 7],
  turnMessageBudget: [undefined, undefined, 1, 3],
  acceptBudget: [undefined, undefined, 1],
  deadlineBudget: [undefined, undefined, 1],
  broadcastBudget: [undefined, undefined, 1, 3],
  endBudget: [undefined, undefined, 1],
  unwindRounds: [undefined, undefined, 1, 2],
  corkMaxBytes: [undefined, undefined, 0, 64, 65_536],
  rxHighWaterBytes: [undefined, undefined, 1024],
  // More than the peers of a world are; who says nothing leaves soon.
  maxConnections: [undefined, undefined, 16],
} as const satisfies SimContextOptions extends infer Options
  ? { readonly [Name in keyof Options]?: readonly (number | undefined)[] }
  : never

/** Low and high water, which go together. */
const MARKS = [
  [16_384, 65_536],
  [16_384, 65_536],
  [1, 1],
  [500, 2000],
  [1, 65_536],
] as const

/** For `SimHostOptions.context`. */
export function chooseLimits(choose: Choose): SimContextOptions {
  // Half of the seeds keep to the defaults: what is always narrow hides what happens without it.
  if (choose('limits', 2) === 0) return {}
  const limits: Record<string, number> = {}
  for (const [name, values] of Object.entries(CHOICES)) {
    const value = values[choose(`limits.${name}`, values.length)]
    if (value !== undefined) limits[name] = value
  }
  const [txLowWaterBytes, txHighWaterBytes] = MARKS[choose('limits.marks', MARKS.length)]!
  return { ...limits, txLowWaterBytes, txHighWaterBytes }
}
