/**
 * Who chooses in a simulated run: every choice is one call of `decide`.
 *
 * A run is a function of the program and of its decisions, so the list of decisions is what replays
 * it. Choices of different labels come from different streams: one more draw here shifts none
 * there. By convention 0 is the choice in which least happens, and what a list does not say is 0;
 * so every shorter list means a simpler run.
 */
export interface Decider {
  /**
   * @param label what is chosen: letters, digits, `-` and `.`
   * @param n how many choices there are, from 1
   * @returns a whole number from 0 to n - 1
   */
  decide(label: string, n: number): number
}

/** What was decided, in order, by label. */
export type Decisions = ReadonlyMap<string, readonly number[]>

/** Decides at random: the same for the same seed, on every machine. */
export class SeededDecider implements Decider {
  private readonly streams = new Map<string, Stream>()

  constructor(private readonly seed: number) {}

  decide(label: string, n: number): number {
    let stream = this.streams.get(label)
    if (stream === undefined) {
      stream = new Stream(this.seed, label)
      this.streams.set(label, stream)
    }
    return stream.below(n)
  }
}

/** Decides as a list says, and 0 where it says nothing. */
export class ReplayDecider implements Decider {
  private readonly at = new Map<string, number>()

  constructor(private readonly decisions: Decisions) {}

  decide(label: string, n: number): number {
    const values = this.decisions.get(label)
    if (values === undefined) return 0
    const at = this.at.get(label) ?? 0
    this.at.set(label, at + 1)
    return (values[at] ?? 0) % n
  }
}

/** Writes down what another decides. */
export class RecordingDecider implements Decider {
  readonly decisions = new Map<string, number[]>()

  constructor(private readonly inner: Decider) {}

  decide(label: string, n: number): number {
    const value = this.inner.decide(label, n)
    const values = this.decisions.get(label)
    if (values === undefined) this.decisions.set(label, [value])
    else values.push(value)
    return value
  }
}

/** mulberry32, of a state mixed from the seed and the label. */
class Stream {
  private state: number

  constructor(seed: number, label: string) {
    let state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) ^ Math.floor(seed / 2 ** 32)
    for (let i = 0; i < label.length; i += 1)
      state = Math.imul(state ^ label.charCodeAt(i), 0x0100_0193)
    this.state = (state ^ (state >>> 16)) >>> 0
  }

  below(n: number): number {
    this.state = (this.state + 0x6d2b_79f5) >>> 0
    let word = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return Math.floor((((word ^ (word >>> 14)) >>> 0) / 2 ** 32) * n)
  }
}
