/**
 * What the loop did in each second: messages in and out, and how long `serviceFd` took.
 *
 * A second in which nothing happened has no record and costs nothing; nothing here ticks. Durations
 * go into buckets a quarter of an octave wide, so a percentile is right to one part in six.
 */

/** How far back a page that was just opened can look. */
const HISTORY_SECONDS = 60
const BUCKETS_PER_OCTAVE = 4
/** The first bucket ends at 1 us, the last begins at 2^24 us, which is 16 s. */
const BUCKETS = 24 * BUCKETS_PER_OCTAVE + 1

/** One second; durations in microseconds. */
export interface Second {
  /** Whole seconds of the meter's clock. */
  readonly at: number
  /** Messages received, and messages written, each to each member counted. */
  in: number
  out: number
  /** Calls of `serviceFd`. */
  calls: number
  p50: number
  p99: number
  max: number
}

export class Meter {
  readonly #past: Second[] = []
  readonly #buckets = new Uint32Array(BUCKETS)
  readonly #now: () => number
  #second: Second = emptySecond(0)

  /** @param now milliseconds that never run backwards */
  constructor(now: () => number) {
    this.#now = now
  }

  received(): void {
    this.#current(this.#now()).in++
  }

  sent(messages: number): void {
    this.#current(this.#now()).out += messages
  }

  /** A call of `serviceFd`, from `startMs` to now. */
  serviced(startMs: number): void {
    const endMs = this.#now()
    const micros = (endMs - startMs) * 1000
    const second = this.#current(endMs)
    second.calls++
    second.max = Math.max(second.max, micros)
    const bucket = Math.ceil(Math.log2(Math.max(1, micros)) * BUCKETS_PER_OCTAVE)
    this.#buckets[Math.min(BUCKETS - 1, bucket)]!++
  }

  /** The seconds that are over and began at `from` or later, oldest first. */
  since(from: number): readonly Second[] {
    this.#current(this.#now())
    const first = this.#past.findIndex(({ at }) => at >= from)
    return first === -1 ? [] : this.#past.slice(first)
  }

  /** When the second in hand can be read by `since`; Infinity where there is nothing in it. */
  dueMs(): number {
    return isEmpty(this.#second) ? Infinity : (this.#second.at + 1) * 1000
  }

  #current(nowMs: number): Second {
    const at = Math.floor(nowMs / 1000)
    if (at === this.#second.at) return this.#second
    this.#finish()
    while (this.#past.length > 0 && this.#past[0]!.at < at - HISTORY_SECONDS) this.#past.shift()
    return (this.#second = emptySecond(at))
  }

  #finish(): void {
    const second = this.#second
    if (isEmpty(second)) return
    second.p50 = Math.min(second.max, this.#percentile(0.5))
    second.p99 = Math.min(second.max, this.#percentile(0.99))
    this.#past.push(second)
    this.#buckets.fill(0)
  }

  /** The upper end of the bucket in which so many of the calls end. */
  #percentile(share: number): number {
    let left = Math.ceil(this.#second.calls * share)
    let bucket = 0
    while (bucket < BUCKETS - 1 && (left -= this.#buckets[bucket]!) > 0) bucket++
    return 2 ** (bucket / BUCKETS_PER_OCTAVE)
  }
}

function emptySecond(at: number): Second {
  return { at, in: 0, out: 0, calls: 0, p50: 0, p99: 0, max: 0 }
}

function isEmpty({ in: received, out, calls }: Second): boolean {
  return received + out + calls === 0
}
