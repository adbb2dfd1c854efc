/*
 * Medians, and the bootstrap interval of a figure made of them. Pure: numbers in, numbers out; the
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
 * A figure of several rounds and its 90 % interval: `{ value, low, high }`.
 * @param rounds how many there are
 * @param figure from a list of rounds' numbers to the figure; whole rounds are resampled, because
 *   what disturbs a round disturbs all of it
 */
export function bootstrap(rounds, figure) {
  const all = Array.from({ length: rounds }, (_, round) => round)
  const random = generator(1)
  const figures = Array.from({ length: resamples }, () =>
    figure(all.map(() => Math.floor(random() * rounds))),
  ).sort((a, b) => a - b)
  const at = (share) => figures[Math.round(share * (resamples - 1))]
  return { value: figure(all), low: at(0.05), high: at(0.95) }
}
