/*
 * One row of the bench: interleaved rounds, each with fresh servers, and the figures of them all.
 * Knows nothing of targets or tables. Every server is a new process in every round, because two
 * runs of one binary differ by more (memory layout, code addresses) than two phases of one run.
 */
import { isCompiledAtRunTime, runLoad, startServer } from './processes.mjs'
import { bootstrap, median } from './statistics.mjs'

const sameLow = 0.95
const sameHigh = 1.05

/**
 * One server, one load: us of server CPU per message, and the share of the time it was busy.
 * Far below 1, the server waited for the load, and each message carries some of that waiting.
 */
async function measureServer(entry, load, timing) {
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

async function measureRounds(row, timing, progress, measureOnce) {
  const rounds = []
  for (let i = 0; i < timing.rounds; i++) {
    const round = []
    for (const entry of row.series) {
      round.push({ key: entry.key, ...(await measureOnce(entry, row.load, timing)) })
    }
    rounds.push(round)
    const figures = round.map(({ key, us }) => `${key} ${us.toFixed(2)}`).join(', ')
    progress(`${row.name} round ${i + 1}/${timing.rounds}: ${figures} us per ${row.unit}`)
  }
  return rounds
}

/** The median of one key's runs, as a function of the rounds that are looked at. */
const medianOf =
  (rounds, key, what = 'us') =>
  (chosen) =>
    median(
      chosen.flatMap((i) => rounds[i].filter((run) => run.key === key)).map((run) => run[what]),
    )

/** A target's figure: `of`, less `less` where there is one, over `over`. */
function ratio(rounds, { of, less, over }) {
  const [top, under] = [medianOf(rounds, of), medianOf(rounds, over)]
  const off = less === undefined ? () => 0 : medianOf(rounds, less)
  return bootstrap(rounds.length, (chosen) => (top(chosen) - off(chosen)) / under(chosen))
}

/** The first and the last run of a round are the same program: how far do they agree? */
function sameness(row, rounds) {
  const last = row.series.length - 1
  // A row with one thing measured once (a smoke run) has nothing to compare with itself.
  if (last === 0 || row.series[0].key !== row.series[last].key) return null
  const at = (index) => (chosen) => median(chosen.map((i) => rounds[i][index].us))
  const figure = bootstrap(rounds.length, (chosen) => at(0)(chosen) / at(last)(chosen))
  return { key: row.series[0].key, ...figure }
}

function summarize(row, rounds) {
  const keys = [...new Set(row.series.map((entry) => entry.key))]
  return {
    name: row.name,
    title: row.title,
    unit: row.unit,
    measured: row.measured ?? 'server',
    medians: keys.map((key) => ({
      key,
      us: bootstrap(rounds.length, medianOf(rounds, key)),
      busy: medianOf(rounds, key, 'busy')(rounds.map((_, i) => i)),
    })),
    same: sameness(row, rounds),
    ratios: row.ratios
      .filter(({ of, less = of, over }) => [of, less, over].every((key) => keys.includes(key)))
      .map((target) => ({ ...target, ...ratio(rounds, target) })),
    notes: [...new Set(rounds.flat().flatMap((run) => run.notes))],
    rounds: rounds.map((round) => round.map(({ key, us }) => ({ key, us }))),
  }
}

const distance = (same) => (same ? Math.abs(Math.log(same.value)) : 0)
const isTrusted = (same) => !same || (same.value >= sameLow && same.value <= sameHigh)

/**
 * Measures a row; again where a thing measured twice differs from itself by more than 5 %, at most
 * `timing.attempts` times. What counts is the attempt that agrees with itself best: chosen by that
 * alone, never by our own figure.
 * @param measureOnce from an entry of the series, the row's load and the timing to
 *   `{ us, busy, notes }`: a server's CPU unless told otherwise
 */
export async function measureRow(row, timing, progress, measureOnce = measureServer) {
  let best = null
  let attempts = 0
  while (attempts < timing.attempts && !(best && best.trusted)) {
    attempts++
    const summary = summarize(row, await measureRounds(row, timing, progress, measureOnce))
    if (!best || distance(summary.same) < distance(best.same)) best = summary
    best.trusted = isTrusted(best.same)
    if (best.trusted || attempts === timing.attempts) continue
    progress(`${row.name}: ${summary.same.value.toFixed(3)} of itself, too far from 1; once more`)
  }
  return { ...best, attempts }
}
