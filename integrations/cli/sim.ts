/**
 * `extpoll sim` and `extpoll shrink`: seeds of a scenario in simulated worlds.
 *
 * What happens in them is integrations/simulation's; here are options, progress and exit status.
 */
import { UsageError } from '../../src/index.js'
import {
  Campaign,
  countDecisions,
  faultNames,
  formatDecisions,
  isFailure,
  parseDecisions,
  scenarios,
  shrink,
  trySeed,
} from '../fake-poller.js'
import type { FaultSelection, FaultName, Scenario, SeedFailure } from '../fake-poller.js'
import type { Command } from './command.js'
import { oneOf, optionHelp, parseOptions, wholeNumber } from './options.js'
import { printError, printLine } from './print.js'

const MAX_SEED = 2 ** 31
const PROGRESS_MS = 2000
const DEFAULT_SEEDS = 1000
const MAX_FAILURES = 5
const SHRINK_MS = 10_000
const STORY_LINES = 40

const scenarioNames = scenarios.map(({ name }) => name)
const common = {
  seed: wholeNumber('N', 'this seed alone', 0, MAX_SEED),
  faults: {
    placeholder: 'WHICH',
    about: "none, swarm, all, or a list of kinds divided by commas; default the scenario's own",
    allowed: `none, swarm, all, or a list of ${faultNames.join(', ')}`,
    read: readFaults,
  },
  scenario: oneOf('NAME', `one of ${scenarioNames.join(', ')}; default workload`, scenarioNames),
}

const simOptions = {
  ...common,
  seeds: wholeNumber('N', `seeds 1 to N; default ${DEFAULT_SEEDS}`, 1, MAX_SEED),
  from: wholeNumber('N', 'the first of the seeds; default 1', 0, MAX_SEED),
  gate: oneOf('YES', 'yes: a kind of fault that never acts is a failure; default no', [
    'yes',
    'no',
  ]),
  decisions: {
    placeholder: 'LIST',
    about: 'replay these decisions, as shrink prints them',
    allowed: "a list as shrink prints it: 'label=1,0,2 other=3'",
    read: parseDecisions,
  },
  output: oneOf('KIND', 'text or json; default text', ['text', 'json']),
}

const shrinkOptions = {
  ...common,
  time: wholeNumber('MS', `stop after so long; default ${SHRINK_MS}`, 1, MAX_SEED),
}

export const sim: Command = {
  summary: 'run the library against simulated peers and a kernel that misbehaves',
  run(argv) {
    // `--json` alone is the field's usual way to say so.
    const args = argv.map((arg) => (arg === '--json' ? '--output=json' : arg))
    const values = parseOptions(simOptions, args)
    if (values === 'help') {
      printLine(simHelp())
      return 0
    }
    const scenario = scenarioNamed(values.scenario.at(-1))
    const faults = values.faults.at(-1) ?? scenario.faults ?? 'swarm'
    const decisions = values.decisions.at(-1)
    const campaign = new Campaign(scenario, {
      faults,
      ...(decisions === undefined ? {} : { decisions }),
    })
    const only = values.seed.at(-1) ?? (decisions === undefined ? undefined : 0)
    const first = only ?? values.from.at(-1) ?? 1
    const count = only === undefined ? (values.seeds.at(-1) ?? DEFAULT_SEEDS) : 1
    const json = values.output.at(-1) === 'json'
    const elapsedMs = runAll(campaign, first, count, json)
    const gated = values.gate.at(-1) === 'yes'
    return tell(campaign, { elapsedMs, json, gated, first, count })
  },
}

export const shrinkCommand: Command = {
  summary: 'shorten the story of a seed that fails',
  run(argv) {
    const values = parseOptions(shrinkOptions, argv)
    if (values === 'help') {
      printLine(shrinkHelp())
      return 0
    }
    const scenario = scenarioNamed(values.scenario.at(-1))
    const faults = values.faults.at(-1) ?? scenario.faults ?? 'swarm'
    const seed = values.seed.at(-1) ?? 1
    const failure = trySeed(scenario, seed, { faults })
    if (!isFailure(failure)) {
      printLine(`seed ${seed} does not fail: there is nothing to shrink`)
      return 0
    }
    printShrunk(scenario, faults, failure, values.time.at(-1) ?? SHRINK_MS)
    return 1
  },
}

function runAll(campaign: Campaign, first: number, count: number, json: boolean): number {
  const startMs = performance.now()
  let toldMs = startMs
  for (let index = 0; index < count; index += 1) {
    campaign.run(first + index)
    if (campaign.failures.length >= MAX_FAILURES) break
    if (performance.now() - toldMs < PROGRESS_MS) continue
    toldMs = performance.now()
    if (!json) printError(progressLine(campaign, toldMs - startMs))
  }
  return performance.now() - startMs
}

function progressLine(campaign: Campaign, elapsedMs: number): string {
  const rate = Math.round((campaign.seeds / elapsedMs) * 1000)
  const kinds = Object.values(campaign.fired).filter((count) => count > 0).length
  const firings = Object.values(campaign.fired).reduce((sum, count) => sum + count, 0)
  return (
    `${campaign.seeds} seeds, ${rate}/s, ${firings} faults of ${kinds} kinds, ` +
    `${campaign.failures.length} failed`
  )
}

interface Telling {
  readonly elapsedMs: number
  readonly json: boolean
  readonly gated: boolean
  readonly first: number
  readonly count: number
}

function tell(campaign: Campaign, { elapsedMs, json, gated }: Telling): number {
  const report = gated ? campaign.report() : undefined
  const idle = report?.idle ?? []
  if (json) {
    const failures = campaign.failures.map(({ seed, summary, error }) => ({
      seed,
      summary,
      message: error.message,
    }))
    const { seeds, fired } = campaign
    printLine(JSON.stringify({ seeds, elapsedMs: Math.round(elapsedMs), failures, idle, fired }))
  } else {
    const [failure] = campaign.failures
    if (failure !== undefined) printLine(failure.error.stack ?? failure.error.message)
    for (const { seed, summary } of campaign.failures) printLine(`seed ${seed}: ${summary}`)
    for (const name of idle) printLine(`the fault ${name} never acted`)
    printLine(progressLine(campaign, elapsedMs))
  }
  return campaign.failures.length + idle.length === 0 ? 0 : 1
}

function printShrunk(
  scenario: Scenario,
  faults: FaultSelection,
  failure: SeedFailure,
  lengthMs: number,
): void {
  const endMs = performance.now() + lengthMs
  const kind = kindOf(failure.summary)
  const failsSo = (decisions: SeedFailure['decisions']): SeedFailure | undefined => {
    const outcome = trySeed(scenario, failure.seed, { faults, decisions })
    return isFailure(outcome) && kindOf(outcome.summary) === kind ? outcome : undefined
  }
  const short = shrink(failure.decisions, (decisions) => failsSo(decisions) !== undefined, {
    goesOn: () => performance.now() < endMs,
  })
  const last = failsSo(short) ?? failure
  const list = typeof faults === 'string' ? faults : faults.join(',')
  const lines = last.error.message.split('\n')
  printLine(lines.slice(0, STORY_LINES + 30).join('\n'))
  printLine(`${countDecisions(failure.decisions)} decisions became ${countDecisions(short)}`)
  printLine(
    `replay: extpoll sim --scenario ${scenario.name} --faults ${list} ` +
      `--decisions '${formatDecisions(short)}'`,
  )
}

/** Two failures are the same where they differ in numbers only. */
function kindOf(summary: string): string {
  return summary.replace(/\d+/g, 'N').slice(0, 60)
}

function scenarioNamed(name = 'workload'): Scenario {
  const scenario = scenarios.find((one) => one.name === name)
  if (scenario !== undefined) return scenario
  const text = `there is no scenario ${name}; there is ${scenarioNames.join(', ')}`
  throw new UsageError('ERR_EXTPOLL_SIM_SCENARIO', text)
}

function readFaults(text: string): FaultSelection | undefined {
  if (text === 'none' || text === 'swarm' || text === 'all') return text
  const names = text.split(',')
  return names.every((name) => faultNames.includes(name as FaultName))
    ? (names as FaultName[])
    : undefined
}

function simHelp(): string {
  return [
    'Usage: extpoll sim [OPTION]...',
    '',
    'Runs a scenario once for each seed. Status 1 where a seed fails: the story and the line that',
    'replays it are printed. --json prints the outcome as one line of JSON.',
    '',
    ...optionHelp(simOptions),
  ].join('\n')
}

function shrinkHelp(): string {
  return [
    'Usage: extpoll shrink --seed N [OPTION]...',
    '',
    'Prints the shortest story that still fails in the same way, and the line that replays it.',
    '',
    ...optionHelp(shrinkOptions),
  ].join('\n')
}
