/*
 * What a client spends: ours with a loop of its own and under Node's, beside `ws` with bufferutil,
 * each against the bare C echo. CPU per message, interleaved rounds. README.md says how to read it.
 */
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { join } from 'node:path'
import { benchDirectory, buildPrograms, requireOurs } from './build.mjs'
import { cores, startServer } from './processes.mjs'
import { bootstrap, median } from './statistics.mjs'
import { describeMachine, isMet, printReport } from './table.mjs'

const usage = `usage: node test/bench/client.mjs [options]

  --rounds N    interleaved rounds per row (9)
  --seconds S   measured time of each run in a round (1)
  --smoke       one tiny round of everything: does it run, is every echo right?
  --check       exit with status 1 when a Must is missed`

const CONNECTIONS = 100
const BYTES = 20
const kinds = ['ws', 'ours', 'uv', 'ws']
const rows = [
  { inFlight: 1, most: 0.6 },
  { inFlight: 16, most: 0.15 },
]

/** @returns us of the client's CPU per message, and the share of the time it was busy */
async function measureOnce(kind, inFlight, { warmup, seconds }) {
  const server = await startServer('bare')
  try {
    const numbers = [server.port, CONNECTIONS, BYTES, inFlight, warmup, seconds].map(String)
    const command = [process.execPath, join(benchDirectory, 'client-load.mjs'), kind, ...numbers]
    // The server sits where servers do: what is measured gets the core of the load.
    const pinned = cores ? ['taskset', '-c', String(cores.load), ...command] : command
    const stdio = ['ignore', 'pipe', 'inherit']
    const text = execFileSync(pinned[0], pinned.slice(1), { stdio, encoding: 'utf8' })
    const { messages, cpuUs, elapsedMs } = JSON.parse(text)
    return { us: cpuUs / messages, busy: cpuUs / 1000 / elapsedMs }
  } finally {
    await server.stop()
  }
}

async function measureRow({ inFlight, most }, timing) {
  const rounds = []
  for (let i = 0; i < timing.rounds; i++) {
    const round = []
    for (const kind of kinds) round.push(await measureOnce(kind, inFlight, timing))
    rounds.push(round)
    const figures = round.map(({ us }, at) => `${kinds[at]} ${us.toFixed(2)}`).join(', ')
    console.error(
      `client-20x${inFlight} round ${i + 1}/${timing.rounds}: ${figures} us per message`,
    )
  }
  const of = (kind, what) => (chosen) =>
    median(
      chosen
        .flatMap((i) => rounds[i].filter((_, at) => kinds[at] === kind))
        .map((run) => run[what]),
    )
  const all = rounds.map((_, i) => i)
  const figure = (make) => bootstrap(rounds.length, make)
  const at = (index) => (chosen) => median(chosen.map((i) => rounds[i][index].us))
  const same = { key: 'ws', ...figure((chosen) => at(0)(chosen) / at(kinds.length - 1)(chosen)) }
  const ratio = (kind, target) => ({
    of: kind,
    over: 'ws',
    ...target,
    ...figure((chosen) => of(kind, 'us')(chosen) / of('ws', 'us')(chosen)),
  })
  return {
    name: `client-20x${inFlight}`,
    title: `${CONNECTIONS} clients, ${BYTES} B binary, ${inFlight} in flight`,
    unit: 'message',
    medians: ['ws', 'ours', 'uv'].map((key) => ({
      key,
      us: figure(of(key, 'us')),
      busy: of(key, 'busy')(all),
    })),
    same,
    trusted: same.value >= 0.95 && same.value <= 1.05,
    attempts: 1,
    ratios: [ratio('ours', { level: 'Must', most }), ratio('uv', {})],
  }
}

const text = { type: 'string' }
const flag = { type: 'boolean', default: false }
const options = { rounds: text, seconds: text, smoke: flag, check: flag, help: flag }

async function main() {
  const { values } = parseArgs({ options })
  if (values.help) return void console.log(usage)
  const { smoke } = values
  const timing = {
    rounds: smoke ? 1 : Number(values.rounds ?? 9),
    seconds: smoke ? 0.05 : Number(values.seconds ?? 1),
    warmup: smoke ? 0.05 : 1,
  }
  if (!Object.values(timing).every((value) => value > 0)) throw new Error(usage)
  buildPrograms()
  requireOurs()
  const report = { machine: describeMachine(), timing, notes: [], rows: [] }
  for (const row of rows) report.rows.push(await measureRow(row, timing))
  if (smoke) return void console.log('smoke: every client ran, every echo was right')
  printReport(report)
  const missed = report.rows.flatMap((row) => row.ratios).some((target) => !isMet(target))
  if (values.check && missed) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  console.error(`bench: ${error.message}`)
  process.exit(1)
}
