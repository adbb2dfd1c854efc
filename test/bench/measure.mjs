/*
 * One row of the bench: interleaved rounds, each with fresh servers, and the figures of them all.
 * Knows nothing of targets or tables. Every server is a new process in every round, because two
 * runs of one binary differ by more (memory layout, code addresses) than two phases of one run.
 */
import { isCompiledAtRunTime, runLoad, startServer } from './processes.mjs'
import { ratioOfMedians, median } from './statistics.mjs'

const sameLow = 0.95
const sameHigh = 1.05

/**
 * One server, one load: us of server CPU per message, and the share of the time it was busy.
 * Far below 1, the server waited for the load, and each message carries some of that waiting.
 */
async function measureOnce(entry, load, timing) {
  const server = await startServer(entry.server)
  try {
    const warmup = isCompiledAtRunTime(entry.server)
      ? timing.warmupSeconds
      : timing.warmupSeconds / 5
    const length = timing.messages ? { messages: timing.messages } : { seconds: timing.seconds }
    const figures = await runLoad(server, { ...load, ...length, warmup, idle: entry.idle })
    return {
      us: figures.serverCpuNs / figures.messages / 1000,
      busy: figures.serverCpuNs / figures.elapsedNs,
      notes: server.notes,
    }
  } finally {
    await server.stop()
  }
}

async function measureRounds(row, timing, progress) {
  const rounds = []
  for (let i = 0; i < timing.rounds; i++) {
    const round = []
    for (const entry of row.series) {
      round.push({ key: entry.key, ...(await measureOnce(entry, row.load, timing)) })
    }
    rounds.push(round)
    const figures = round.map(({ key, us }) => `${key} ${us.toFixed(2)}`).join(', ')
    progress(`${row.name} round ${i + 1}/${timing.rounds}: ${figures} us per message`)
  }
  return rounds
}

function summarize(row, rounds) {
  const samples = (key, what) =>
    rounds.map((round) => round.filter((run) => run.key === key).map((run) => run[what]))
  const keys = [...new Set(row.series.map((entry) => entry.key))]
  const last = row.series.length - 1
  // A row with one thing measured once (a smoke run) has nothing to compare with itself.
  const isPaired = last > 0 && row.series[0].key === row.series[last].key
  const first = rounds.map((round) => [round[0].us])
  const again = rounds.map((round) => [round[last].us])
  return {
    name: row.name,
    title: row.title,
    medians: keys.map((key) => ({
      key,
      us: median(samples(key, 'us').flat()),
      busy: median(samples(key, 'busy').flat()),
    })),
    same: isPaired ? { key: keys[0], ...ratioOfMedians(first, again) } : null,
    ratios: row.ratios
      .filter(({ of, over }) => keys.includes(of) && keys.includes(over))
      .map((target) => ({
        ...target,
        ...ratioOfMedians(samples(target.of, 'us'), samples(target.over, 'us')),
      })),
    notes: [...new Set(rounds.flat().flatMap((run) => run.notes))],
    rounds: rounds.map((round) => round.map(({ key, us }) => ({ key, us }))),
  }
}

const distance = (same) => (same ? Math.abs(Math.log(same.ratio)) : 0)
const isTrusted = (same) => !same || (same.ratio >= sameLow && same.ratio <= sameHigh)

/**
 * Measures a row; again where a thing measured twice differs from itself by more than 5 %, at most
 * `timing.attempts` times. What counts is the attempt that agrees with itself best: chosen by that
 * alone, never by our own figure.
 */
export async function measureRow(row, timing, progress) {
  let best = null
  let attempts = 0
  while (attempts < timing.attempts && !(best && best.trusted)) {
    attempts++
    const summary = summarize(row, await measureRounds(row, timing, progress))
    if (!best || distance(summary.same) < distance(best.same)) best = summary
    best.trusted = isTrusted(best.same)
    if (best.trusted || attempts === timing.attempts) continue
    progress(`${row.name}: ${summary.same.ratio.toFixed(3)} of itself, too far from 1; once more`)
  }
  return { ...best, attempts }
}
