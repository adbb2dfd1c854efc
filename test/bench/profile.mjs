/*
 * Where a server's time goes in one row: the functions with the most self time, after the warm-up.
 * An aid for whoever has to explain a missed target; its figures are not the bench's, since a
 * profiled server is a slower one.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { buildPrograms, outDirectory, requireOurs, rootDirectory } from './build.mjs'
import { runLoad, startLoad, startServer, waitForExit } from './processes.mjs'
import { rows } from './rows.mjs'

const usage = `usage: node test/bench/profile.mjs [options]

  --row NAME        the workload (20x1): ${rows.map((row) => row.name).join(', ')}
  --server KIND     ours or ws (ours); with --perf also bare and raw
  --seconds S       measured time (3)
  --top N           so many functions (25)
  --perf            perf record instead of V8's profiler: sees the kernel and native code, too
  --help            this text`

const warmupSeconds = 1
const sampleIntervalUs = 250
const perfStartMs = 500

/** Self time by function over the last `seconds` of a .cpuprofile, in microseconds. */
function selfTimes(profile, seconds) {
  const functions = new Map()
  for (const { id, callFrame } of profile.nodes) {
    const { functionName, url, lineNumber } = callFrame
    const file = url.replace(/^file:\/\//, '').replace(`${rootDirectory}/`, '')
    const place = file ? `  ${file}:${lineNumber + 1}` : ''
    functions.set(id, `${functionName || '(anonymous)'}${place}`)
  }
  const times = new Map()
  let nowUs = profile.startTime
  const fromUs = profile.endTime - seconds * 1e6
  profile.samples.forEach((id, i) => {
    nowUs += profile.timeDeltas[i]
    if (nowUs < fromUs) return
    const name = functions.get(id)
    if (name !== '(idle)') times.set(name, (times.get(name) ?? 0) + profile.timeDeltas[i])
  })
  return times
}

async function profileWithV8(kind, load, options) {
  const directory = join(outDirectory, `profile-${process.pid}`)
  mkdirSync(directory, { recursive: true })
  const server = await startServer(kind, [
    '--cpu-prof',
    `--cpu-prof-dir=${directory}`,
    `--cpu-prof-interval=${sampleIntervalUs}`,
  ])
  try {
    const seconds = options.seconds
    const figures = await runLoad(server, { ...load, warmup: warmupSeconds, seconds })
    const busy = figures.serverCpuNs / figures.elapsedNs
    console.log(`${figures.messages} messages, server busy ${Math.round(busy * 100)} %`)
    await server.stop()
    const file = readdirSync(directory).find((name) => name.endsWith('.cpuprofile'))
    if (!file) throw new Error('the server left no profile: it did not end by itself on SIGTERM')
    const times = selfTimes(JSON.parse(readFileSync(join(directory, file), 'utf8')), seconds)
    const total = [...times.values()].reduce((sum, us) => sum + us, 0)
    const sorted = [...times].sort((a, b) => b[1] - a[1]).slice(0, options.top)
    for (const [name, us] of sorted) {
      console.log(`${((us / total) * 100).toFixed(1).padStart(6)} %  ${name}`)
    }
    console.log('a call into the addon or the kernel counts for the function that makes it')
  } finally {
    await server.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

// perf pads its lines with columns that are empty here.
const trimColumns = (line) => line.replace(/[\s-]+$/, '')

/** Runs perf and answers what it printed. */
async function perf(args) {
  const child = spawn('perf', args, { stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  child.stdout.on('data', (data) => (text += data))
  const failure = new Promise((_, reject) => {
    child.on('error', () => reject(new Error('perf is not installed')))
  })
  await Promise.race([new Promise((resolve) => child.on('close', resolve)), failure])
  return text
}

async function profileWithPerf(kind, load, options) {
  const file = join(outDirectory, `perf-${process.pid}.data`)
  const log = join(outDirectory, `v8-${process.pid}.log`)
  const isNode = kind === 'ours' || kind === 'ws'
  const server = await startServer(
    kind,
    isNode ? ['--perf-basic-prof', `--logfile=${log}`, '--no-logfile-per-isolate'] : [],
  )
  try {
    const { seconds } = options
    const held = startLoad(server, { ...load, warmup: warmupSeconds, seconds, hold: true })
    await held.expectLine('warm')
    // cpu-clock works where a virtual machine has no hardware counters.
    const args = ['record', '-e', 'cpu-clock', '-F', '2999', '-o', file, '-p', String(server.pid)]
    const recorder = spawn('perf', args, { stdio: 'ignore' })
    recorder.on('error', () => {})
    await sleep(perfStartMs)
    if (recorder.exitCode !== null || !recorder.pid) throw new Error('perf cannot record here')
    held.go()
    await held.expectLine('measured')
    recorder.kill('SIGINT')
    await waitForExit(recorder)
    held.go()
    await held.result()
    const report = await perf(['report', '-i', file, '--stdio', '--sort', 'dso,symbol'])
    const lines = report.split('\n').filter((line) => /^\s+[\d.]+%/.test(line))
    console.log(lines.slice(0, options.top).map(trimColumns).join('\n'))
  } finally {
    await server.stop()
    for (const path of [file, log]) rmSync(path, { force: true })
    rmSync(`/tmp/perf-${server.pid}.map`, { force: true }) // V8 writes it where perf looks
  }
}

async function main() {
  const text = { type: 'string' }
  const flag = { type: 'boolean' }
  const options = { row: text, server: text, seconds: text, top: text, perf: flag, help: flag }
  const { values } = parseArgs({ options })
  if (values.help) return void console.log(usage)
  const row = rows.find(({ name }) => name === (values.row ?? '20x1'))
  if (!row) throw new Error(`no row is called '${values.row}'`)
  const kind = values.server ?? 'ours'
  const kinds = values.perf ? ['ours', 'ws', 'bare', 'raw'] : ['ours', 'ws']
  if (!kinds.includes(kind)) throw new Error(`--server takes ${kinds.join(', ')}`)
  const seconds = Number(values.seconds ?? 3)
  const top = Number(values.top ?? 25)
  if (!(seconds > 0 && seconds <= 60)) throw new Error('--seconds takes a number up to 60')

  buildPrograms()
  if (kind === 'ours') requireOurs()
  const idle = row.series.find((entry) => entry.idle)?.idle
  console.log(`${kind}: ${row.title}`)
  const profile = values.perf ? profileWithPerf : profileWithV8
  if (values.perf && idle) throw new Error('--perf cannot be combined with idle connections')
  await profile(kind, { ...row.load, idle }, { seconds, top })
}

try {
  await main()
} catch (error) {
  console.error(`bench: ${error.message}`)
  process.exit(1)
}
