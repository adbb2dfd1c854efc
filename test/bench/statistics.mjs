/*
 * Medians, ratios of medians and their bootstrap intervals. Pure: numbers in, numbers out; the
 * resampling has its own small generator, so that the same samples give the same interval.
 */
const resamples = 4000

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

// mulberry32: 32 bits of state are plenty to choose among a few rounds.
function generator(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * The ratio of medians of two series and its 90 % interval.
 * @param over, under one array of samples per round (a round may have measured a thing twice);
 *   whole rounds are resampled, because what disturbs a round disturbs all of it
 */
export function ratioOfMedians(over, under) {
  const ratio = (rounds) =>
    median(rounds.flatMap((round) => over[round])) / median(rounds.flatMap((round) => under[round]))
  const all = over.map((_, round) => round)
  const random = generator(1)
  const ratios = Array.from({ length: resamples }, () =>
    ratio(all.map(() => Math.floor(random() * all.length))),
  ).sort((a, b) => a - b)
  const at = (share) => ratios[Math.round(share * (resamples - 1))]
  return { ratio: ratio(all), low: at(0.05), high: at(0.95) }
}
