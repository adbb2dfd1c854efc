/*
 * `make bench`: builds the C programs, measures the chosen rows, prints the table. README.md in
 * this folder says how the figures come about and how to read them.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildPrograms, outDirectory, requireOurs } from './build.mjs'
import { drawChart } from './chart.mjs'
import { measureMemory } from './memory.mjs'
import { measureRow } from './measure.mjs'
import { memoryRow, rows } from './rows.mjs'
import { describeMachine, isMet, memoryTargets, printReport } from './table.mjs'

const names = [...rows.map((row) => row.name), memoryRow.name]

const usage = `usage: node test/bench/run.mjs [options]

  --rows LIST       only these rows, separated by commas: ${names.join(', ')}
  --rounds N        interleaved rounds per row (9)
  --seconds S       measured time of each run in a round (1)
  --messages N      a fixed count of messages instead
  --warmup S        warm-up of a JavaScript server; a C server gets a fifth of it (1)
  --attempts N      at most so often is a row measured that differs from itself (3)
  --without-ours    only the yardsticks and ws
  --smoke           one tiny round of everything: does it run, is every echo right?
  --check           exit with status 1 when a Must is missed
  --json FILE       the report as JSON, too
  --chart FILE      where the chart goes, an SVG (.bench/chart.svg)
  --help            this text`

class UsageError extends Error {}

function numberOption(values, name, least, most) {
  if (values[name] === undefined) return undefined
  const value = Number(values[name])
  if (value >= least && value <= most) return value
  throw new UsageError(`--${name} takes a number from ${least} to ${most}`)
}

function parseOptions() {
  const text = { type: 'string' }
  const flag = { type: 'boolean', default: false }
  const options = {
    rows: text,
    rounds: text,
    seconds: text,
    messages: text,
    warmup: text,
    attempts: text,
    json: text,
    chart: text,
    'without-ours': flag,
    smoke: flag,
    check: flag,
    help: flag,
  }
  let values
  try {
    values = parseArgs({ options }).values
  } catch (error) {
    throw new UsageError(error.message)
  }
  const chosen = values.rows?.split(',') ?? names
  const unknown = chosen.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw new UsageError(`no row is called '${unknown}'; there are ${names.join(', ')}`)
  }
  const timing = {
    rounds: numberOption(values, 'rounds', 1, 1000) ?? 9,
    seconds: numberOption(values, 'seconds', 0.01, 60) ?? 1,
    messages: numberOption(values, 'messages', 1, 1e9),
    warmupSeconds: numberOption(values, 'warmup', 0, 60) ?? 1,
    attempts: numberOption(values, 'attempts', 1, 10) ?? 3,
  }
  return { values, chosen, timing }
}

const isOurs = (kind) => /^(ours|uv|streams|handover)/.test(kind)
const withoutOurs = (row) => ({
  ...row,
  series: row.series.filter(({ server }) => !isOurs(server)),
})

// Everything once, and small: the same servers and loads, no thing measured twice.
const smokeTiming = { rounds: 1, seconds: 0.05, warmupSeconds: 0.05, attempts: 1 }
const smokeRow = (row) => ({
  ...row,
  load: { ...row.load, connections: Math.min(row.load.connections, 100) },
  series: row.series
    .filter(({ key }, i, all) => all.findIndex((entry) => entry.key === key) === i)
    .map((entry) => ({ ...entry, ...(entry.idle ? { idle: 100 } : {}) })),
})

function selectRows({ values, chosen }) {
  let selected = rows.filter((row) => chosen.includes(row.name))
  let memory = chosen.includes(memoryRow.name) ? memoryRow : null
  if (values['without-ours']) {
    selected = selected.map(withoutOurs).filter((row) => row.series.length > 0)
    memory &&= { ...memory, servers: memory.servers.filter((kind) => !isOurs(kind)) }
  }
  if (values.smoke) {
    selected = selected.map(smokeRow)
    memory &&= { ...memory, idle: [50, 100], rounds: 1 }
  }
  return { selected, memory }
}

async function main() {
  const options = parseOptions()
  const { values } = options
  if (values.help) return void console.log(usage)
  const timing = values.smoke ? smokeTiming : options.timing
  const { selected, memory } = selectRows(options)
  const progress = (line) => console.error(line)

  buildPrograms()
  if (!values['without-ours']) requireOurs()
  const report = { machine: describeMachine(), timing, notes: [], rows: [], memory: null }
  for (const row of selected) report.rows.push(await measureRow(row, timing, progress))
  if (memory) report.memory = await measureMemory(memory, progress)
  report.notes = [...new Set(report.rows.flatMap((row) => row.notes))]
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
  if (values.smoke) return void console.log('smoke: every server ran, every echo was right')

  printReport(report)
  const chart = values.chart ?? join(outDirectory, 'chart.svg')
  writeFileSync(chart, drawChart(report))
  console.log(`\nas a chart: ${chart}`)
  if (values.check && missesMust(report)) process.exitCode = 1
}

function missesMust({ rows, memory }) {
  const figures = rows.flatMap((row) => row.ratios)
  for (const { key, total } of memory?.medians ?? []) {
    for (const target of memoryTargets(memory, key)) figures.push({ ...target, value: total.value })
  }
  return figures.some((target) => target.level === 'Must' && !isMet(target))
}

try {
  await main()
} catch (error) {
  console.error(`bench: ${error.message}`)
  process.exit(error instanceof UsageError ? 2 : 1)
}
