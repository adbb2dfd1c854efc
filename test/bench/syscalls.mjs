/*
 * System calls per echoed message: strace attached to a warmed server for a counted number of
 * messages. Counts are exact, so one run is enough and a busy machine does no harm. Knows nothing
 * of time. Skips with a line where strace is missing or may not attach.
 */
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { buildPrograms, outDirectory, requireOurs } from './build.mjs'
import { startLoad, startServer, waitForExit } from './processes.mjs'

const usage = `usage: node test/bench/syscalls.mjs [options]

  --server KIND     ours, bare, ws or raw (ours)
  --messages N      messages counted per burst, in thousands (20)
  --warmup S        seconds before strace attaches (2)
  --help            this text

Exit status 1 when a limit is exceeded.`

const workloads = [
  { bytes: 20, inFlight: 1, bytesCallsMost: 2.02 },
  { bytes: 20, inFlight: 16, bytesCallsMost: 0.3 },
]

const receiving = ['read', 'readv', 'recvfrom', 'recvmsg', 'recvmmsg']
const sending = ['write', 'writev', 'sendto', 'sendmsg', 'sendmmsg']
const families = {
  epoll_ctl: ['epoll_ctl'],
  'recv + send': [...receiving, ...sending],
  'mmap + munmap + brk + futex': ['mmap', 'munmap', 'brk', 'futex'],
}
const memoryCallsMost = 0.01

const attachTimeoutMs = 10_000
const attachSettleMs = 300

const workloadConnections = 100

/** Attaches strace to all threads; null with the reason printed where that is not possible. */
async function attach(pid, file) {
  const args = ['-f', '-c', '-o', file, '-p', String(pid)]
  const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  strace.stderr.on('data', (data) => (said += data))
  strace.on('error', (error) => (said += error.message))
  const deadlineMs = Date.now() + attachTimeoutMs
  while (!said.includes('attached') && strace.exitCode === null && Date.now() < deadlineMs) {
    await sleep(20)
  }
  await sleep(attachSettleMs) // the other threads follow the first
  if (said.includes('attached') && strace.exitCode === null) return strace
  if (strace.exitCode === null) strace.kill('SIGKILL')
  console.log(`skipped: strace cannot attach: ${said.trim().split('\n')[0]}`)
  return null
}

function parseCounts(file) {
  const counts = new Map()
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const match = /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$/.exec(line)
    if (match && match[2] !== 'total') counts.set(match[2], Number(match[1]))
  }
  return counts
}

/** The counts over one warmed phase, and how many messages it had; null: skipped. */
async function trace(server, workload, options) {
  const load = startLoad(server, {
    connections: workloadConnections,
    bytes: workload.bytes,
    'in-flight': workload.inFlight,
    warmup: options.warmupSeconds,
    messages: options.messages * workload.inFlight,
    hold: true,
  })
  try {
    await load.expectLine('warm')
    const file = `${outDirectory}/strace-${workload.inFlight}.txt`
    const strace = await attach(server.pid, file)
    if (!strace) return null
    load.go()
    await load.expectLine('measured')
    strace.kill('SIGINT')
    await waitForExit(strace)
    load.go()
    const { messages } = await load.result()
    return { messages, counts: parseCounts(file) }
  } finally {
    await load.stop('SIGKILL')
  }
}

/** Prints one workload's table and answers whether all limits are kept. */
function judge(workload, { messages, counts }) {
  const limits = [
    ['epoll_ctl', 0],
    ['recv + send', workload.bytesCallsMost],
    ['mmap + munmap + brk + futex', memoryCallsMost],
  ]
  console.log(
    `\n${workloadConnections} connections, ${workload.bytes} B, ${workload.inFlight} in flight`,
  )
  console.log(`  ${messages} messages; calls per message:`)
  let isKept = true
  for (const [name, most] of limits) {
    const calls = families[name].reduce((sum, call) => sum + (counts.get(call) ?? 0), 0)
    const isRight = calls / messages <= most
    isKept &&= isRight
    const figure = (calls / messages).toFixed(5)
    const verdict = isRight ? 'met' : 'EXCEEDED'
    console.log(
      `  ${name.padEnd(30)} ${figure.padStart(8)}  <= ${most}  ${verdict}  (${calls} calls)`,
    )
  }
  const all = [...counts].sort((a, b) => b[1] - a[1])
  console.log(`  all: ${all.map(([name, calls]) => `${name} ${calls}`).join(', ')}`)
  return isKept
}

function parseOptions() {
  const text = { type: 'string' }
  const options = { server: text, messages: text, warmup: text, help: { type: 'boolean' } }
  const { values } = parseArgs({ options })
  const kind = values.server ?? 'ours'
  if (!['ours', 'bare', 'ws', 'raw'].includes(kind)) throw new Error(`no server '${kind}'`)
  const thousands = Number(values.messages ?? 20)
  const warmupSeconds = Number(values.warmup ?? 2)
  if (!(thousands > 0 && thousands <= 1e4)) throw new Error('--messages takes 1 to 10000')
  if (!(warmupSeconds >= 0 && warmupSeconds <= 60)) throw new Error('--warmup takes 0 to 60')
  return { help: values.help, kind, messages: thousands * 1000, warmupSeconds }
}

async function main() {
  const options = parseOptions()
  if (options.help) return void console.log(usage)
  if (spawnSync('strace', ['-V'], { stdio: 'ignore' }).error) {
    return void console.log('skipped: strace is not installed')
  }
  buildPrograms()
  if (options.kind === 'ours') requireOurs()
  for (const workload of workloads) {
    const server = await startServer(options.kind)
    try {
      const traced = await trace(server, workload, options)
      if (!traced) return
      if (!judge(workload, traced)) process.exitCode = 1
    } finally {
      await server.stop()
    }
  }
}

try {
  await main()
} catch (error) {
  console.error(`bench: ${error.message}`)
  process.exit(1)
}
