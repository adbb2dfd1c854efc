/*
 * Inside Node: our streams and our sockets handed over to epoll, beside a bare net.Socket echo,
 * epoll under Node's own loop, and `ws` with bufferutil. CPU per message, then memory per idle
 * connection, in one run. How the figures come about is in README.md.
 */
import { parseArgs } from 'node:util'
import { buildPrograms, requireOurs } from './build.mjs'
import { measureRow } from './measure.mjs'
import { measureMemory } from './memory.mjs'
import { describeMachine, isMet, printReport } from './table.mjs'

const usage = `usage: node test/bench/streams.mjs [options]

  --rounds N    interleaved rounds per row (9)
  --seconds S   measured time of each run in a round (1)
  --attempts N  at most so often is a row measured that differs from itself (3)
  --smoke       one tiny round of everything: does it run, is every echo right?
  --check       exit with status 1 when a Must is missed`

const servers = ['net', 'streams', 'handover', 'uv', 'ws', 'net']

const row = (inFlight, overWs, overNet) => ({
  name: `streams-20x${inFlight}`,
  title: `100 connections, 20 B binary, ${inFlight} in flight, inside Node`,
  unit: 'message',
  load: { connections: 100, bytes: 20, 'in-flight': inFlight },
  series: servers.map((server) => ({ key: server, server })),
  ratios: [
    { of: 'streams', over: 'ws', level: 'Must', most: overWs },
    { of: 'streams', over: 'net', ...(overNet ? { level: 'Must', most: overNet } : {}) },
    { of: 'handover', over: 'uv', level: 'Must', most: 1.1 },
    { of: 'handover', over: 'ws' },
  ],
})
const rows = [row(1, 0.97, 1.1), row(16, 0.15)]

const memoryRow = {
  name: 'memory',
  title: 'process memory per idle connection, in bytes',
  servers: ['streams', 'handover', 'ws'],
  idle: [2000, 8000],
  rounds: 3,
  targets: [],
}
const handedOverMostBytes = 1024

/** Streams no more than `ws`, a socket handed over no more than a KiB. */
function memoryTargets({ medians }) {
  const bytes = Object.fromEntries(medians.map(({ key, total }) => [key, total.value]))
  return [
    { name: 'streams <= ws', isKept: bytes.streams <= bytes.ws },
    { name: `handover <= ${handedOverMostBytes}`, isKept: bytes.handover <= handedOverMostBytes },
  ]
}

const text = { type: 'string' }
const flag = { type: 'boolean', default: false }
const options = {
  rounds: text,
  seconds: text,
  attempts: text,
  smoke: flag,
  check: flag,
  help: flag,
}

async function main() {
  const { values } = parseArgs({ options })
  if (values.help) return void console.log(usage)
  const { smoke } = values
  const timing = {
    rounds: smoke ? 1 : Number(values.rounds ?? 9),
    seconds: smoke ? 0.05 : Number(values.seconds ?? 1),
    warmupSeconds: smoke ? 0.05 : 1,
    attempts: smoke ? 1 : Number(values.attempts ?? 3),
  }
  if (!Object.values(timing).every((value) => value > 0)) throw new Error(usage)
  buildPrograms()
  requireOurs()
  const progress = (line) => console.error(line)
  const report = { machine: describeMachine(), timing, notes: [], rows: [], memory: null }
  for (const one of rows) report.rows.push(await measureRow(one, timing, progress))
  const small = smoke ? { idle: [50, 100], rounds: 1 } : {}
  report.memory = await measureMemory({ ...memoryRow, ...small }, progress)
  report.notes = [...new Set(report.rows.flatMap((one) => one.notes))]
  if (smoke) return void console.log('smoke: every server ran, every echo was right')
  printReport(report)
  const memory = memoryTargets(report.memory)
  for (const { name, isKept } of memory) console.log(`  ${name}  ${isKept ? 'met' : 'MISSED'}`)
  const missed = report.rows.flatMap((one) => one.ratios).some((ratio) => !isMet(ratio))
  if (values.check && (missed || memory.some(({ isKept }) => !isKept))) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  console.error(`bench: ${error.message}`)
  process.exit(1)
}
