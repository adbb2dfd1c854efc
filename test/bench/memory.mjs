/*
 * Process memory per idle connection: the slope of the resident set between two counts of upgraded,
 * silent connections. Start-up, code and heap reserve cancel out; the kernel's socket buffers are
 * not part of it. Knows nothing of targets.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { startLoad, startServer } from './processes.mjs'
import { bootstrap, median } from './statistics.mjs'

const settleStepMs = 250
const settleStepsMax = 20
const settledBytes = 64 * 1024

/**
 * Resident bytes: all of them, and those of malloc's own segment. The addon and Node's own native
 * objects are in the latter; JavaScript's heap is not.
 */
function residentBytes(pid) {
  let total = 0
  let native = 0
  let isNative = false
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) isNative = line.endsWith('[heap]')
    const match = /^Rss:\s+(\d+) kB$/.exec(line)
    if (!match) continue
    total += match[1] * 1024
    if (isNative) native += match[1] * 1024
  }
  return { total, native }
}

/** Waits until the server has finished what the handshakes left to do: collections, mostly. */
async function settledBytesOf(pid) {
  let before = residentBytes(pid)
  for (let i = 0; i < settleStepsMax; i++) {
    await sleep(settleStepMs)
    const after = residentBytes(pid)
    if (i > 0 && Math.abs(after.total - before.total) <= settledBytes) return after
    before = after
  }
  return before
}

async function measureSlope(kind, idle) {
  const server = await startServer(kind)
  try {
    const load = startLoad(server, { connections: 0, idle: idle.join(','), hold: true })
    const readings = []
    for (const count of idle) {
      await load.expectLine(`idle ${count}`)
      readings.push(await settledBytesOf(server.pid))
      load.go()
    }
    await load.result()
    const [few, many] = readings
    const slope = (what) => (many[what] - few[what]) / (idle[1] - idle[0])
    return { total: slope('total'), native: slope('native') }
  } finally {
    await server.stop()
  }
}

/** The median slope per server: `{ key, total, native }` in bytes per connection. */
export async function measureMemory(row, progress) {
  const slopes = new Map(row.servers.map((kind) => [kind, []]))
  for (let round = 0; round < row.rounds; round++) {
    for (const kind of row.servers) {
      const slope = await measureSlope(kind, row.idle)
      slopes.get(kind).push(slope)
      const bytes = `${Math.round(slope.total)} bytes per connection`
      progress(`${row.name} round ${round + 1}/${row.rounds}: ${kind} ${bytes}`)
    }
  }
  const medianOf = (list, what) => (chosen) => median(chosen.map((round) => list[round][what]))
  const medians = [...slopes].map(([key, list]) => ({
    key,
    total: bootstrap(row.rounds, medianOf(list, 'total')),
    native: bootstrap(row.rounds, medianOf(list, 'native')),
  }))
  return { name: row.name, title: row.title, idle: row.idle, targets: row.targets, medians }
}
