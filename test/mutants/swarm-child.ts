/**
 * Inside a copy with a mutant: how many seeds of the swarm until something fails, and whether
 * anything fails where nothing goes wrong.
 *
 * node --import tsx swarm-child.ts SEEDS FAULT_FREE_SEEDS [GATED_FAULT]
 *
 * Writes `seed N` before each seed, so that whoever waits knows where it hangs, and at the end one
 * line of JSON.
 */
import { writeSync } from 'node:fs'
import { Campaign, isFailure, scenarios, trySeed } from '../../integrations/fake-poller.js'
import type { FaultName, Scenario } from '../../integrations/fake-poller.js'
import type { SwarmOutcome } from './mutant-trial.js'

const [seeds = 0, faultFreeSeeds = 0] = process.argv.slice(2, 4).map(Number)
const gated = process.argv[4] as FaultName | undefined
const mixed = scenarios.find(({ name }) => name === 'mixed') as Scenario

/** @returns what failed in this seed, in a line; undefined where nothing did */
function failureOf(seed: number, faults: 'swarm' | 'none'): string | undefined {
  writeSync(1, `seed ${seed}\n`)
  try {
    const outcome = trySeed(mixed, seed, { faults })
    return isFailure(outcome) ? outcome.summary : undefined
  } catch (error) {
    // Thrown before there was a world to tell of.
    return String(error).split('\n')[0]
  }
}

function firstFailure(count: number, faults: 'swarm' | 'none'): SwarmOutcome['swarm'] {
  for (let seed = 1; seed <= count; seed += 1) {
    const summary = failureOf(seed, faults)
    if (summary !== undefined) return { seed, summary }
  }
  return undefined
}

/** The gate of a campaign of as many seeds as it needs, within bounds: does it miss this fault? */
function gate(name: FaultName): SwarmOutcome['swarm'] {
  const count = Math.min(seeds, 60)
  const campaign = new Campaign(mixed, { faults: 'all' })
  for (let seed = 1; seed <= count; seed += 1) campaign.run(seed)
  const isTold = campaign.report().idle.includes(name)
  return isTold ? { seed: count, summary: `the gate: ${name} never acted` } : undefined
}

const swarm = gated === undefined ? firstFailure(seeds, 'swarm') : gate(gated)
const faultFree = firstFailure(faultFreeSeeds, 'none')
const outcome: SwarmOutcome = { swarm, faultFree }
writeSync(1, `${JSON.stringify(outcome)}\n`)
