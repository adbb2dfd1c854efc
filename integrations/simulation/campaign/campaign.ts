/**
 * Many seeds of one scenario: what failed, what fired, and whether every kind of fault can act.
 *
 * Knows no scenario and prints nothing.
 */
import type { Decisions } from '../decide/decider.js'
import { faultNames } from '../faults/fault-table.js'
import type { FaultName } from '../faults/fault-table.js'
import type { FaultSelection } from '../faults/faults.js'
import { detailsOf } from '../world/report.js'
import { simulate } from '../world/simulate.js'
import type { SimulationResult } from '../world/simulate.js'
import type { Scenario } from './scenario.js'

export interface RunOptions {
  readonly faults: FaultSelection
  readonly without?: readonly FaultName[]
  readonly decisions?: Decisions
}

/** A seed that failed. */
export interface SeedFailure {
  readonly seed: number
  /** What was thrown, with its stack, the replay line and the story. */
  readonly error: Error
  /** Its first line: what two failures of one cause have in common. */
  readonly summary: string
  readonly decisions: Decisions
}

export interface CampaignReport {
  readonly seeds: number
  readonly failures: readonly SeedFailure[]
  /** How often each kind fired, over all seeds. */
  readonly fired: Readonly<Record<FaultName, number>>
  /** Kinds that took part and never fired, or whose firing changes no digest: the gate (M18). */
  readonly idle: readonly FaultName[]
}

/** One run. @throws as `simulate` */
export function runScenario(
  scenario: Scenario,
  seed: number,
  { faults, without = [], decisions }: RunOptions,
): SimulationResult {
  const { options, play } = scenario.make(seed)
  const list = typeof faults === 'string' ? faults : faults.join(',')
  return simulate(
    {
      lossy: true,
      ...options,
      seed,
      faults,
      without,
      ...(decisions === undefined ? {} : { decisions }),
      replayLine: (failed) =>
        `extpoll sim --seed ${failed} --faults ${list} --scenario ${scenario.name}`,
    },
    play,
  )
}

/** One run. @returns its result, or how it failed */
export function trySeed(
  scenario: Scenario,
  seed: number,
  options: RunOptions,
): SimulationResult | SeedFailure {
  try {
    return runScenario(scenario, seed, options)
  } catch (thrown) {
    const error = thrown as Error
    const details = detailsOf(error)
    if (details === undefined) throw error
    const { decisions } = details
    return { seed, error, summary: details.summary.split('\n')[0] ?? '', decisions }
  }
}

export function isFailure(outcome: SimulationResult | SeedFailure): outcome is SeedFailure {
  return 'error' in outcome
}

/** Runs seeds one after the other; the caller may look in between. */
export class Campaign {
  readonly failures: SeedFailure[] = []
  readonly fired: Record<FaultName, number>
  seeds = 0
  /** For each kind, a seed in which it fired. */
  private readonly witnesses = new Map<FaultName, number[]>()

  constructor(
    private readonly scenario: Scenario,
    private readonly options: RunOptions,
  ) {
    this.fired = Object.fromEntries(faultNames.map((name) => [name, 0])) as Record<
      FaultName,
      number
    >
  }

  run(seed: number): void {
    const outcome = trySeed(this.scenario, seed, this.options)
    this.seeds += 1
    if (isFailure(outcome)) {
      this.failures.push(outcome)
      return
    }
    for (const [name, count] of Object.entries(outcome.fired) as [FaultName, number][]) {
      this.fired[name] += count
      if (count > 0) this.witness(name, seed)
    }
  }

  /** Runs seeds again with a kind switched off, to see that it matters. */
  report(): CampaignReport {
    const takesPart = faultNames.filter((name) => this.mayFire(name))
    const idle = takesPart.filter((name) => !this.matters(name))
    return { seeds: this.seeds, failures: this.failures, fired: this.fired, idle }
  }

  private mayFire(name: FaultName): boolean {
    const { faults, without } = this.options
    if (faults === 'none' || without?.includes(name) === true) return false
    return typeof faults === 'string' || faults.includes(name)
  }

  private matters(name: FaultName): boolean {
    for (const seed of this.witnesses.get(name) ?? []) {
      const without = [...(this.options.without ?? []), name]
      const on = trySeed(this.scenario, seed, this.options)
      const off = trySeed(this.scenario, seed, { ...this.options, without })
      if (isFailure(on) || isFailure(off) || on.digest !== off.digest) return true
    }
    return false
  }

  private witness(name: FaultName, seed: number): void {
    const seeds = this.witnesses.get(name)
    if (seeds === undefined) this.witnesses.set(name, [seed])
    else if (seeds.length < MAX_WITNESSES) seeds.push(seed)
  }
}

const MAX_WITNESSES = 4
