/**
 * `make mutants`: every mutant before the swarm and before the wire suite, and a table of it.
 *
 * Status 1 where the swarm misses one, or where too few get past everything else: then the swarm
 * has not proved that it is needed. Or where a seed fails without any mutant: a finding would tell
 * nothing then.
 *
 * node --import tsx test/mutants/run.ts [--smoke] [--swarm-only] [NAME]...
 */
import { availableParallelism } from 'node:os'
import { mutants } from './mutants.js'
import { MutantCopy } from './mutant-copy.js'
import { tryMutant, tryUnchanged } from './mutant-trial.js'
import type { Verdict } from './mutant-trial.js'
import { formatTable, getsPastTheRest } from './table.js'

const SEEDS = 2000
const FAULT_FREE_SEEDS = 200
const SURVIVORS = 15
/** Of each kind one: for a gate that must be quick. */
const SMOKE = [
  'refused-stays',
  'broadcasts-unbounded',
  'held-lost',
  'resume-unscheduled',
  'host-forgets-more',
  'fault-never-fires',
]

const flags = process.argv.slice(2).filter((arg) => arg.startsWith('--'))
const names = process.argv.slice(2).filter((arg) => !arg.startsWith('--'))
const isSmoke = flags.includes('--smoke')
const wire = !isSmoke && !flags.includes('--swarm-only')
const wanted = isSmoke ? SMOKE : names
const chosen = wanted.length === 0 ? mutants : mutants.filter(({ name }) => wanted.includes(name))
const options = { seeds: SEEDS, faultFreeSeeds: FAULT_FREE_SEEDS, wire }
const isWhole = chosen.length === mutants.length && wire

const unknown = wanted.filter((name) => mutants.every((mutant) => mutant.name !== name))
if (unknown.length > 0 || flags.some((flag) => !['--smoke', '--swarm-only'].includes(flag))) {
  console.error(`no such mutant: ${unknown.join(', ')}; there are the names of test/mutants/`)
  process.exit(2)
}

const startMs = performance.now()
const seconds = (): string => `${Math.round((performance.now() - startMs) / 1000)} s`
const verdicts: Verdict[] = []
const queue = [...chosen]

async function checkUnchanged(): Promise<void> {
  const copy = new MutantCopy(0)
  const { swarm, faultFree } = await tryUnchanged(copy, options)
  copy.remove()
  const failure = swarm ?? faultFree
  if (failure === undefined) return
  console.error(`without any mutant, seed ${failure.seed} fails: ${failure.summary}`)
  process.exit(1)
}

async function work(number: number): Promise<void> {
  const copy = new MutantCopy(number)
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const verdict = await tryMutant(copy, mutant, options)
    verdicts.push(verdict)
    const found = verdict.swarm === undefined ? 'NOT FOUND' : `seed ${verdict.swarm.seed}`
    console.error(`${verdicts.length}/${chosen.length}, ${seconds()}: ${mutant.name} ${found}`)
  }
  copy.remove()
}

await checkUnchanged()
const workers = Math.min(chosen.length, availableParallelism())
await Promise.all(Array.from({ length: workers }, (_, number) => work(number)))

verdicts.sort((a, b) => chosen.indexOf(a.mutant) - chosen.indexOf(b.mutant))
console.log(formatTable(verdicts))
const missed = verdicts.filter(({ swarm }) => swarm === undefined)
const survivors = verdicts.filter(getsPastTheRest)
console.log(
  `${verdicts.length} mutants in ${seconds()}: the swarm found ` +
    `${verdicts.length - missed.length} within ${SEEDS} seeds` +
    (wire ? `; ${survivors.length} get past ${FAULT_FREE_SEEDS} seeds without a fault ` : '') +
    (wire ? 'and the wire suite' : ''),
)
for (const { mutant } of missed) console.log(`not found: ${mutant.name}, ${mutant.breaks}`)
const tooFew = isWhole && survivors.length < SURVIVORS
if (tooFew) console.log(`too few get past the rest: ${SURVIVORS} should`)
process.exitCode = missed.length > 0 || tooFew ? 1 : 0
