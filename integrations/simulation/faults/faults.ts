/**
 * Which kinds of fault take part in a run, and when each fires.
 *
 * A kind fires by a gap: one decision says how many opportunities pass before it does (0: it never
 * does again). So an opportunity costs a decrement, and a run's list of decisions is the list of
 * what went wrong in it. Knows nothing of what a fault does.
 */
import { UsageError } from '../../../src/index.js'
import type { Decider } from '../decide/decider.js'
import { faultNames, faultTable } from './fault-table.js'
import type { FaultName, FaultRow } from './fault-table.js'

/**
 * - `'none'`: the world is kind.
 * - `'swarm'`: some kinds, chosen anew for every seed, with weights from rare to wild.
 * - `'all'`: every kind, at its usual weight.
 * - a list: these kinds and no other.
 */
export type FaultSelection = 'none' | 'swarm' | 'all' | readonly FaultName[]

interface Armed {
  readonly row: FaultRow
  /** The mean gap. */
  readonly mean: number
  /** Opportunities left; 0: it does not fire again. */
  gap: number
  fired: number
}

/** How much rarer than usual (above 1) or more frequent a kind may be in a swarm. */
const SWARM_FACTORS: readonly number[] = [1, 4, 0.4, 0.12]

export class Faults {
  /** Something may go wrong: a kind takes part, and they were not stopped. */
  active: boolean
  /** Hears of every fault as it fires. */
  onFire: (row: FaultRow) => void = () => undefined

  private readonly armed: Partial<Record<string, Armed>> = {}
  /** Those of them that may break a rule. */
  private readonly excusing: Armed[]
  private readonly stopping: (() => void)[] = []

  /**
   * @param lossy whether kinds that end connections may take part in a swarm
   * @throws UsageError for a kind that does not exist
   */
  constructor(
    private readonly decider: Decider,
    selection: FaultSelection,
    lossy: boolean,
    without: readonly FaultName[] = [],
  ) {
    checkNames([...(typeof selection === 'string' ? [] : selection), ...without])
    for (const row of faultTable) {
      const factor = this.factorOf(row, selection, lossy)
      if (factor === 0 || without.includes(row.name)) continue
      const mean = Math.max(1, Math.round(row.weight * factor))
      this.armed[row.name] = { row, mean, gap: this.nextGap(row.name, mean), fired: 0 }
    }
    this.active = this.takePart
    this.excusing = Object.values(this.armed).filter(isExcuse)
  }

  /** Does any kind take part? */
  get takePart(): boolean {
    return Object.keys(this.armed).length > 0
  }

  /** Does this kind take part at all? */
  has(name: FaultName): boolean {
    return this.armed[name] !== undefined
  }

  /** An opportunity for this kind: does it fire? */
  fires(name: FaultName): boolean {
    if (!this.active) return false
    const armed = this.armed[name]
    if (armed === undefined || armed.gap === 0) return false
    armed.gap -= 1
    if (armed.gap > 0) return false
    armed.gap = this.nextGap(name, armed.mean)
    armed.fired += 1
    this.onFire(armed.row)
    return true
  }

  /** How it does what it does: a choice below n. */
  pick(name: FaultName, n: number): number {
    return this.decider.decide(`${name}.how`, n)
  }

  /** How often each kind that takes part has fired. */
  get fired(): Partial<Record<FaultName, number>> {
    const counts: Partial<Record<FaultName, number>> = {}
    for (const name of faultNames) {
      const armed = this.armed[name]
      if (armed !== undefined) counts[name] = armed.fired
    }
    return counts
  }

  /** May a rule be broken because of what fired so far? */
  excuses(rule: string): boolean {
    return this.excusing.some(
      ({ fired, row: { excuses } }) => fired > 0 && excuses?.includes(rule) === true,
    )
  }

  /** From now on nothing goes wrong; what is still wrong is put right. */
  stop(): void {
    this.active = false
    for (const undo of this.stopping.splice(0)) undo()
  }

  /** @param undo runs at `stop`, whatever it would undo may be over by then */
  onStop(undo: () => void): void {
    this.stopping.push(undo)
  }

  private factorOf(row: FaultRow, selection: FaultSelection, lossy: boolean): number {
    if (selection === 'none') return 0
    if (selection === 'all') return 1
    if (typeof selection !== 'string') return selection.includes(row.name as FaultName) ? 1 : 0
    if (!lossy && row.harm !== 'none') return 0
    // Half of the kinds are off: what always happens hides what happens without it.
    const choice = this.decider.decide(`swarm.${row.name}`, SWARM_FACTORS.length * 2 + 1)
    return choice > SWARM_FACTORS.length ? 0 : (SWARM_FACTORS[choice - 1] ?? 0)
  }

  private nextGap(name: FaultName, mean: number): number {
    return this.decider.decide(name, 2 * mean + 1)
  }
}

function isExcuse(armed: Armed | undefined): armed is Armed {
  return armed?.row.excuses !== undefined
}

/** @throws UsageError with one line that says what is allowed */
export function checkNames(names: readonly string[]): void {
  for (const name of names) {
    if (faultNames.includes(name as FaultName)) continue
    throw new UsageError(
      'ERR_EXTPOLL_SIM_FAULT',
      `there is no fault ${name}; there is none, swarm, all, or a list of ${faultNames.join(', ')}`,
    )
  }
}
