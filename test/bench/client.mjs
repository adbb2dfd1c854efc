/*
 * What a client spends: ours with a loop of its own and under Node's, beside `ws` with bufferutil,
 * each against the bare C echo. CPU per message, interleaved rounds. README.md says how to read it.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { readArguments } from './arguments.mjs'
import { benchDirectory, buildPrograms, requireOurs } from './build.mjs'
import { cores, startServer } from './processes.mjs'
import { measureRow } from './measure.mjs'
import { describeMachine, isMet, printReport } from './table.mjs'

const usage = `usage: node test/bench/client.mjs [options]

  --rounds N    interleaved rounds per row (9)
  --seconds S   measured time of each run in a round (1)
  --attempts N  at most so often is a row measured that differs from itself (3)
  --smoke       one tiny round of everything: does it run, is every echo right?
  --check       exit with status 1 when a Must is missed`

const CONNECTIONS = 100
const BYTES = 20

/** The first and the last of a round are the same: how much the machine differs from itself. */
const series = ['ws', 'ours', 'uv', 'ws'].map((kind) => ({ key: kind }))
const rows = [
  { inFlight: 1, most: 0.6 },
  { inFlight: 16, most: 0.15 },
].map(({ inFlight, most }) => ({
  name: `client-20x${inFlight}`,
  title: `${CONNECTIONS} clients, ${BYTES} B binary, ${inFlight} in flight`,
  unit: 'message',
  measured: 'client',
  load: { inFlight },
  series,
  ratios: [
    { of: 'ours', over: 'ws', level: 'Must', most },
    { of: 'uv', over: 'ws' },
  ],
}))

/** @returns us of the client's CPU per message, and the share of the time it was busy */
async function measureClient({ key }, { inFlight }, { warmupSeconds, seconds }) {
  const server = await startServer('bare')
  try {
    const numbers = [server.port, CONNECTIONS, BYTES, inFlight, warmupSeconds, seconds].map(String)
    const command = [process.execPath, join(benchDirectory, 'client-load.mjs'), key, ...numbers]
    // The server sits where servers do: what is measured gets the core of the load.
    const pinned = cores ? ['taskset', '-c', String(cores.load), ...command] : command
    const stdio = ['ignore', 'pipe', 'inherit']
    const text = execFileSync(pinned[0], pinned.slice(1), { stdio, encoding: 'utf8' })
    const { messages, cpuUs, elapsedMs } = JSON.parse(text)
    return { us: cpuUs / messages, busy: cpuUs / 1000 / elapsedMs, notes: server.notes }
  } finally {
    await server.stop()
  }
}

async function main() {
  const { help, smoke, check, timing } = readArguments(usage)
  if (help) return void console.log(usage)
  buildPrograms()
  requireOurs()
  const report = { machine: describeMachine(), timing, notes: [], rows: [] }
  const progress = (line) => console.error(line)
  for (const row of rows) report.rows.push(await measureRow(row, timing, progress, measureClient))
  if (smoke) return void console.log('smoke: every client ran, every echo was right')
  printReport(report)
  const missed = report.rows.flatMap((row) => row.ratios).some((target) => !isMet(target))
  if (check && missed) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  console.error(`bench: ${error.message}`)
  process.exit(1)
}
