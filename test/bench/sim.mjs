/*
 * `make sim-bench`: how fast simulated worlds are, as a table; README.md in this folder says how to
 * read it. Needs a built `dist/`. One process, so that a figure is per core; CPU time is what
 * counts, not the time on the wall. `ws` does its part over loopback in a process of its own, in
 * turns with ours.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { rows } from './sim-rows.mjs'
import { median } from './statistics.mjs'
import { describeMachine } from './table.mjs'

const usage = `usage: node test/bench/sim.mjs [options]

  --rows LIST    only these rows, separated by commas: ${rows.map(({ name }) => name).join(', ')}
  --rounds N     rounds, each with all rows in turn (5)
  --seconds S    CPU time of each row in a round (1)
  --smoke        one tiny round: does everything run?
  --check        exit with status 1 when a figure is missed
  --help         this text`

class UsageError extends Error {}

const child = fileURLToPath(new URL('sim-ws.mjs', import.meta.url))

/** Seconds of CPU that this process has used. */
const cpuSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Repeats `act`, which answers how much it did, until the CPU time is used. */
function rate(act, seconds) {
  const began = cpuSeconds()
  let count = 0
  let used = 0
  do {
    // Asking is a system call, and an act may be short.
    const endMs = performance.now() + 5
    do count += act()
    while (performance.now() < endMs)
    used = cpuSeconds() - began
  } while (used < seconds)
  return count / used
}

function wsRate(seconds) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [child, String(seconds)], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`the ws peer failed: ${stderr}`)
  return Number(stdout)
}

function measure(chosen, rounds, seconds) {
  const samples = new Map(chosen.map(({ name }) => [name, []]))
  const measured = { rate: (act) => rate(act, seconds), wsRate: () => wsRate(seconds) }
  const warmUp = { rate: (act) => rate(act, seconds / 2), wsRate: () => 1 }
  for (const row of chosen) row.run(warmUp)
  for (let round = 1; round <= rounds; round++) {
    for (const row of chosen) samples.get(row.name).push(row.run(measured))
    console.error(`round ${round}/${rounds}`)
  }
  return samples
}

const isMet = ({ least, most }, value) =>
  (least === undefined || value >= least) && (most === undefined || value <= most)
const shown = (value) =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(1)

function print(chosen, samples) {
  let missed = 0
  for (const { name, title, figures } of chosen) {
    console.log(`\n${name}: ${title}`)
    for (const { key, label, unit, least, most } of figures) {
      const values = samples.get(name).map((sample) => sample[key])
      const value = median(values)
      const aim = least ?? most
      const isIn = isMet({ least, most }, value)
      if (!isIn) missed++
      const sign = least === undefined ? '<=' : '>='
      const verdict =
        aim === undefined ? '' : `  aim ${sign} ${shown(aim)}  ${isIn ? 'met' : 'MISSED'}`
      const range = `[${shown(Math.min(...values))}, ${shown(Math.max(...values))}]`
      console.log(`  ${label.padEnd(34)} ${shown(value).padStart(9)} ${unit}  ${range}${verdict}`)
    }
  }
  return missed
}

function readOptions() {
  const text = { type: 'string' }
  const flag = { type: 'boolean', default: false }
  let values
  try {
    const options = {
      rows: text,
      rounds: text,
      seconds: text,
      smoke: flag,
      check: flag,
      help: flag,
    }
    values = parseArgs({ options }).values
  } catch (error) {
    throw new UsageError(error.message)
  }
  const names = values.rows?.split(',') ?? rows.map(({ name }) => name)
  const unknown = names.find((name) => !rows.some((row) => row.name === name))
  if (unknown !== undefined)
    throw new UsageError(`no row is called '${unknown}'; there are ${rows.map((r) => r.name)}`)
  const [rounds, seconds] = [Number(values.rounds ?? 5), Number(values.seconds ?? 1)]
  if (!(rounds >= 1 && seconds > 0)) throw new UsageError('--rounds and --seconds take numbers')
  return { ...values, chosen: rows.filter(({ name }) => names.includes(name)), rounds, seconds }
}

function main() {
  const { help, smoke, check, chosen, rounds, seconds } = readOptions()
  if (help) return void console.log(usage)
  const samples = measure(chosen, smoke ? 1 : rounds, smoke ? 0.05 : seconds)
  if (smoke) return void console.log('smoke: every row ran')
  const { cpu, node, kernel } = describeMachine()
  console.log(`${cpu}, ${kernel}, Node ${node}; medians of ${rounds} rounds, [least, most]`)
  const missed = print(chosen, samples)
  if (check && missed > 0) process.exitCode = 1
}

try {
  main()
} catch (error) {
  console.error(`sim-bench: ${error.message}`)
  process.exit(error instanceof UsageError ? 2 : 1)
}
